//! `[match]` of a connection file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// By what records are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Keys that decide, in order. `source_id` always does and comes first, named or not.
    pub by: Vec<KeyRule>,
    /// Keys that only suggest.
    pub suggest: Vec<KeyRule>,
    /// Keys that two people may not share: who does waits for review, and nothing of them is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<KeyRule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            by: vec![Key::SourceId.into(), Key::EntityAndNumber.into()],
            suggest: vec![Key::WorkEmail.into()],
            unique: Vec::new(),
        }
    }
}

/// A key and how its values are compared: a word such as `"employee_number"`, or `{ key = "employee_number", fold = true }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRule {
    /// The key.
    pub key: Key,
    /// Whether case and blanks at the ends do not count. E-mails are compared so unless it is said otherwise, all other
    /// keys exactly: `" 007"` is not `"007"`.
    pub fold: bool,
}

impl From<Key> for KeyRule {
    fn from(key: Key) -> Self {
        Self {
            key,
            fold: key == Key::WorkEmail,
        }
    }
}

impl KeyRule {
    /// A value in the form that is compared.
    pub(super) fn form<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match (self.fold, self.key) {
            (false, _) => Cow::Borrowed(value),
            (true, Key::WorkEmail) => Cow::Owned(super::fold(value)),
            (true, _) => Cow::Owned(fold_code(value)),
        }
    }
}

/// How numbers and ids are folded: ASCII letters without regard to case, no blanks at the ends. The store folds alike.
pub(super) fn fold_code(value: &str) -> String {
    value.trim_matches([' ', '\t', '\r', '\n']).to_ascii_lowercase()
}

impl Serialize for KeyRule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if *self == Self::from(self.key) {
            return to.collect_str(&self.key);
        }
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("fold", &self.fold)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for KeyRule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KeyRuleVisitor)
    }
}

struct KeyRuleVisitor;

impl<'de> Visitor<'de> for KeyRuleVisitor {
    type Value = KeyRule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key such as \"employee_number\", or { key = \"employee_number\", fold = true }")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<KeyRule, E> {
        word.parse::<Key>().map(KeyRule::from).map_err(E::custom)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<KeyRule, M::Error> {
        let (mut key, mut fold) = (None::<Key>, None::<bool>);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "key" => key = Some(map.next_value()?),
                "fold" => fold = Some(map.next_value()?),
                _ => return Err(M::Error::unknown_field(&name, &["key", "fold"])),
            }
        }
        let key = key.ok_or_else(|| M::Error::missing_field("key"))?;
        let fold = fold.unwrap_or(KeyRule::from(key).fold);
        if key == Key::SourceId && fold {
            return Err(M::Error::custom("source_id is always compared exactly"));
        }
        Ok(KeyRule { key, fold })
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
