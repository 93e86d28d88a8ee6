//! Names of tenants, clients and tokens.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A name that is safe in URLs, paths and on terminals: 1 to 100 characters, no control characters, no `/` or `\`,
/// no space or dot at the start, no space at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl FromStr for Name {
    type Err = Error;
    fn from_str(raw: &str) -> Result<Self, Error> {
        let fits = (1..=100).contains(&raw.chars().count());
        let clean = !raw.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
        if fits && clean && raw.trim() == raw && !raw.starts_with('.') {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Error::BadName)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["acme", "Ärzte & Söhne", "a", "acme.example"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "../x",
            ".x",
            "a/b",
            "a\nb",
            "a\0",
            &"x".repeat(101),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
