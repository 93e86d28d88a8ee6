//! What a token opens.

use std::fmt;
use std::str::FromStr;

/// One permission of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read over SCIM.
    ScimRead,
    /// Write over SCIM; does not include reading.
    ScimWrite,
    /// See what was provisioned where.
    ProvisioningRead,
    /// Change the tenant's settings; includes every other scope but `sensitive:read`.
    Admin,
    /// See sensitive attributes, beside another scope.
    SensitiveRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::ScimRead,
        Self::ScimWrite,
        Self::ProvisioningRead,
        Self::Admin,
        Self::SensitiveRead,
    ];

    /// Its name on the outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScimRead => "scim:read",
            Self::ScimWrite => "scim:write",
            Self::ProvisioningRead => "provisioning:read",
            Self::Admin => "admin",
            Self::SensitiveRead => "sensitive:read",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::ScimRead => 1,
            Self::ScimWrite => 2,
            Self::ProvisioningRead => 4,
            Self::Admin => 8,
            Self::SensitiveRead => 16,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no scope.
#[derive(Debug, thiserror::Error)]
#[error("no such scope: scopes are scim:read, scim:write, provisioning:read, admin, sensitive:read")]
pub struct BadScope;

impl FromStr for Scope {
    type Err = BadScope;
    fn from_str(raw: &str) -> Result<Self, BadScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == raw)
            .ok_or(BadScope)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether the set opens what needs `scope`. `admin` opens all but `sensitive:read`.
    #[must_use]
    pub const fn allow(self, scope: Scope) -> bool {
        let admin = self.0 & Scope::Admin.bit() != 0 && !matches!(scope, Scope::SensitiveRead);
        admin || self.0 & scope.bit() != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.0 & scope.bit() != 0)
    }

    /// Their names, in a fixed order.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        self.iter().map(|scope| scope.name().to_owned()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_opens_all_but_what_is_sensitive() {
        let admin: Scopes = [Scope::Admin].into_iter().collect();
        let open: Vec<&str> = Scope::ALL
            .into_iter()
            .filter(|s| admin.allow(*s))
            .map(Scope::name)
            .collect();
        assert_eq!(open, ["scim:read", "scim:write", "provisioning:read", "admin"]);
        let writer: Scopes = [Scope::ScimWrite].into_iter().collect();
        assert!(writer.allow(Scope::ScimWrite) && !writer.allow(Scope::ScimRead));
        assert!(!Scopes::default().allow(Scope::ScimRead));
    }

    #[test]
    fn names_come_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse::<Scope>().unwrap(), scope);
        }
        assert!("Admin".parse::<Scope>().is_err());
    }
}
