//! `[match]` of a connection file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// By what records are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Keys that decide. `source_id` always does and comes first, named or not.
    pub by: Vec<Key>,
    /// Keys that only suggest.
    pub suggest: Vec<Key>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            by: vec![Key::SourceId, Key::EntityAndNumber],
            suggest: vec![Key::WorkEmail],
        }
    }
}

/// A key of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Key {
    /// The record's stable id in the system we read.
    SourceId,
    /// The id in the vendor's own system, when we read through a unified API.
    RemoteId,
    /// The legal entity together with the personnel number.
    EntityAndNumber,
    /// The personnel number alone, where it is unique over all entities.
    Number,
    /// The e-mail at work, without regard to case.
    WorkEmail,
}

const WORDS: &[(&str, Key)] = &[
    ("source_id", Key::SourceId),
    ("remote_id", Key::RemoteId),
    ("entity+employee_number", Key::EntityAndNumber),
    ("employee_number", Key::Number),
    ("work_email", Key::WorkEmail),
];

/// A word that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a key of a record: known are source_id, remote_id, entity+employee_number, employee_number, work_email"
)]
pub struct BadKey;

impl FromStr for Key {
    type Err = BadKey;
    fn from_str(word: &str) -> Result<Self, BadKey> {
        WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, key)| *key)
            .ok_or(BadKey)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            WORDS
                .iter()
                .find(|(_, key)| key == self)
                .map_or("", |(word, _)| word),
        )
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;
    fn try_from(word: String) -> Result<Self, BadKey> {
        word.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}
