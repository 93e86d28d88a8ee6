//! What is particular about a SCIM client: the settings in `client.profile`.

use std::num::{NonZeroU8, NonZeroU32};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::ResourceId;

/// The settings of a SCIM client. Whatever is absent is as the standard has it.
///
/// Given from outside, an unknown field or a value that does not fit is refused ([`serde::Deserialize`]); stored ones
/// that a newer program wrote are passed over ([`Profile::stored`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Which way of speaking SCIM it expects; standard when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// The resource that it is itself: `/Me` leads there (RFC 7644 §3.11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<ResourceId>,
    /// How fast it may ask; as fast as the default says when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How much it may do in 24 hours before it is frozen; the defaults hold for what is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caps: Option<Caps>,
    /// What a PATCH is answered with, where the request does not say; by the type and the dialect when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_answer: Option<PatchAnswer>,
    /// What becomes of group members that do not exist; they are refused when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_members: Option<UnknownMembers>,
}

/// A way of speaking SCIM, where clients contradict the RFC or each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The RFC, and every tolerated shape that does not contradict it.
    #[default]
    Standard,
    /// As Microsoft Entra ID expects it.
    Entra,
    /// The letter of the RFC.
    Strict,
}

/// What a PATCH is answered with (RFC 7644 §3.5.2 leaves the choice).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchAnswer {
    /// 200 and the resource.
    Resource,
    /// 204.
    Nothing,
}

/// What becomes of members that do not exist (the RFC says nothing of them).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownMembers {
    /// The request is refused with `invalidValue`.
    #[default]
    Refuse,
    /// They are left out and the rest is done: for clients that push groups before their people.
    LeaveOut,
}

/// How fast a client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests per second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest; twice `per_second` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
}

/// How much a client may do in 24 hours before it is frozen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Users made. Default: no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<Cap>,
    /// Users disabled. Default: 20 percent or 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<Cap>,
    /// Users deleted. Default: 20 percent or 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Cap>,
    /// Values cleared. Default: as many as half of the users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear: Option<Cap>,
}

/// More than the percentage *or* more than the count is too much. Without either there is no cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cap {
    /// Of the users there are. It stops nothing that is less than 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<NonZeroU8>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Rate {
    /// Requests at once after a rest.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst
            .map_or_else(|| self.per_second.get().saturating_mul(2), NonZeroU32::get)
    }
}

impl Profile {
    /// What is stored, field by field: what this program cannot read counts as absent.
    #[must_use]
    pub fn stored(stored: &Value) -> Self {
        let readable: Map<String, Value> = stored
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| Map::from_iter([(name.clone(), value.clone())]))
            .filter(|field| Self::deserialize(Value::from(field.clone())).is_ok())
            .flatten()
            .collect();
        Self::deserialize(Value::from(readable)).unwrap_or_default()
    }

    /// Which way of speaking SCIM it expects.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or_default()
    }
}

/// A change of a profile: the fields that it names are set, those that it names with null are dropped, all others
/// stay (RFC 7396, one level deep).
#[derive(Debug, Clone)]
pub struct ProfileChange(Value);

impl ProfileChange {
    /// The user that it sets, if it sets one.
    #[must_use]
    pub fn user(&self) -> Option<ResourceId> {
        self.0.get("user")?.as_str()?.parse().ok()
    }

    /// The change as JSON; null stands for what is to be dropped.
    pub(super) const fn as_json(&self) -> &Value {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ProfileChange {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let change = Map::deserialize(source)?;
        Profile::deserialize(Value::from(change.clone())).map_err(serde::de::Error::custom)?;
        Ok(Self(change.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_newer_program_stored_does_not_break_reading() {
        let stored = json!({
            "dialect": "entra", "rate": { "per_second": 5, "weather": "fine" }, "colour": "red",
            "user": "0192f0c1-2b3c-7def-8a01-23456789abcd",
        });
        let profile = Profile::stored(&stored);
        assert_eq!(profile.dialect(), Dialect::Entra);
        assert!(profile.user.is_some() && profile.rate.is_none());
        for odd in [
            json!(null),
            json!([]),
            json!("x"),
            json!({ "dialect": "klingon" }),
        ] {
            assert_eq!(Profile::stored(&odd), Profile::default());
        }
    }

    #[test]
    fn what_comes_from_outside_must_be_known_and_fit() {
        for bad in [
            json!({ "colour": "red" }),
            json!({ "dialect": "klingon" }),
            json!({ "rate": { "per_second": 0 } }),
            json!({ "rate": { "per_second": 1, "burst": -1 } }),
            json!({ "rate": 5 }),
            json!({ "user": "ann" }),
            json!({ "caps": { "rename": {} } }),
            json!({ "caps": { "delete": { "percent": 0 } } }),
            json!({ "caps": { "delete": { "share": 0.2 } } }),
            json!([]),
        ] {
            assert!(ProfileChange::deserialize(&bad).is_err(), "{bad}");
        }
        let change = json!({ "dialect": null, "rate": { "per_second": 5 } });
        assert!(ProfileChange::deserialize(&change).is_ok());
    }

    #[test]
    fn a_profile_is_written_as_it_is_read() {
        let text = json!({ "dialect": "strict", "rate": { "per_second": 25, "burst": 100 } });
        let profile = Profile::deserialize(&text).unwrap();
        assert_eq!(serde_json::to_value(&profile).unwrap(), text);
        assert_eq!(profile.rate.map(Rate::burst), Some(100));
        assert_eq!(serde_json::to_value(Profile::default()).unwrap(), json!({}));
    }
}
