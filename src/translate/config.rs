//! `[mapping]` and `[[group]]` of a connection file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Lines by attribute path. A path with dots may be quoted (`"name.givenName"`) or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MappingConfig {
    /// The lines.
    pub lines: BTreeMap<String, Line>,
}

/// One line of the mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// The expression; without it that of the default mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happens to a value that is there already.
    pub policy: Policy,
    /// Whether an empty source value clears the attribute.
    pub clear_when_empty: bool,
}

/// What happens to a value that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// HR wins.
    #[default]
    Overwrite,
    /// It stays; only what is empty is filled.
    Fill,
    /// It stays until somebody decides.
    Hold,
    /// The attribute is left alone altogether.
    Ignore,
}

impl Policy {
    /// The word in files and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Fill => "fill",
            Self::Hold => "hold",
            Self::Ignore => "ignore",
        }
    }
}

/// A rule that makes groups: one for each value of `key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRule {
    /// What tells the groups apart: an expression over `employee`. Who has none is in no group.
    pub key: String,
    /// The group's name: an expression over `employee`; where it is empty the key is the name.
    pub name: String,
}

impl<'de> Deserialize<'de> for MappingConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut lines = BTreeMap::new();
        let entries = BTreeMap::<String, Entry>::deserialize(from)?;
        for (path, entry) in entries {
            entry.flatten(path, &mut lines);
        }
        Ok(Self { lines })
    }
}

/// A line, or paths below: bare `name.givenName = { … }` is a table in a table.
enum Entry {
    Line(Line),
    Below(BTreeMap<String, Entry>),
}

impl Entry {
    fn flatten(self, path: String, lines: &mut BTreeMap<String, Line>) {
        match self {
            Self::Line(line) => {
                lines.insert(path, line);
            }
            Self::Below(below) => {
                for (name, entry) in below {
                    entry.flatten(format!("{path}.{name}"), lines);
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

const KEYS: &[&str] = &["from", "policy", "clear_when_empty"];

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table such as { from = \"employee.title\" }")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entry, M::Error> {
        let (mut line, mut below) = (None::<Line>, BTreeMap::new());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "from" => line.get_or_insert_default().from = Some(map.next_value()?),
                "policy" => line.get_or_insert_default().policy = map.next_value()?,
                "clear_when_empty" => line.get_or_insert_default().clear_when_empty = map.next_value()?,
                _ if line.is_some() => return Err(M::Error::unknown_field(&key, KEYS)),
                _ => {
                    let unknown =
                        || M::Error::custom(format!("unknown key `{key}`: a line has {}", KEYS.join(", ")));
                    let entry = map.next_value().map_err(|_| unknown())?;
                    below.insert(key, entry);
                }
            }
        }
        match (line, below.is_empty()) {
            (Some(line), true) => Ok(Entry::Line(line)),
            (Some(_), false) => {
                let strange = below.keys().next().map_or("", String::as_str);
                Err(M::Error::unknown_field(strange, KEYS))
            }
            (None, true) => Ok(Entry::Line(Line::default())),
            (None, false) => Ok(Entry::Below(below)),
        }
    }
}
