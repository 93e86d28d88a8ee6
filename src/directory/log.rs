//! Rows of the change log.
//!
//! `change.delta` is an array of `{"path", "before"?, "after"?}`; for action `members` it is
//! `[{"path": "members", "added": [id…], "removed": [id…]}]`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::{ResourceId, keyed_digest, random_token};
use crate::scim::{Object, ResourceType, diff};

/// What changed in a group's members, as `change.delta` keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersDelta {
    /// Always `members`.
    pub path: String,
    /// Who was added.
    #[serde(default)]
    pub added: Vec<ResourceId>,
    /// Who was removed.
    #[serde(default)]
    pub removed: Vec<ResourceId>,
}

impl MembersDelta {
    /// Reads the delta of a change with action `members`; `None` for any other.
    #[must_use]
    pub fn read(delta: &Value) -> Option<Self> {
        let first = delta.as_array()?.first()?;
        let read = Self::deserialize(first).ok()?;
        (read.path == "members").then_some(read)
    }
}

/// The salted digest that the chain covers: HMAC-SHA-256 of the delta's JSON (keys in order, no blanks) under the
/// salt. The stored delta read back gives the same bytes.
#[must_use]
pub fn digest_of(salt: &[u8], delta: &Value) -> Vec<u8> {
    keyed_digest(salt, delta.to_string().as_bytes())
}

/// A delta, sealed with its salt.
#[derive(Debug)]
pub(super) struct Entry {
    /// As JSON text.
    pub delta: String,
    pub salt: Vec<u8>,
    pub digest: Vec<u8>,
}

impl Entry {
    pub fn of(delta: &Value) -> Self {
        let mut salt = random_token().into_bytes();
        salt.truncate(22);
        let delta = delta.to_string();
        let digest = keyed_digest(&salt, delta.as_bytes());
        Self { delta, salt, digest }
    }

    pub fn of_members(added: &[ResourceId], removed: &[ResourceId]) -> Self {
        Self::of(&json!([{ "path": "members", "added": added, "removed": removed }]))
    }
}

/// The rows of a delta between two states of a resource. An absent side is the empty object.
pub(super) fn differences(kind: &ResourceType, before: &Object, after: &Object) -> Vec<Value> {
    diff::diff(kind, before, after)
        .into_iter()
        .map(|one| line(&one.path, one.before, one.after))
        .collect()
}

/// One line of a delta.
pub(super) fn line(path: &str, before: Option<Value>, after: Option<Value>) -> Value {
    let mut line = serde_json::Map::new();
    line.insert("path".to_owned(), Value::from(path));
    if let Some(before) = before {
        line.insert("before".to_owned(), before);
    }
    if let Some(after) = after {
        line.insert("after".to_owned(), after);
    }
    Value::Object(line)
}
