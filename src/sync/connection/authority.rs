//! `[authority]`: whose word counts where HR and a SCIM client both write an attribute.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::FileProblem;
use crate::scim::{Authority, ResourceType, Rule};

/// `[authority]`: `default` for what HR writes, and rules for single attributes by path. A path with a dot may be
/// quoted (`"name.givenName"`) or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorityFile {
    /// For what HR writes and no rule names.
    pub default: Rule,
    /// Rules by attribute path.
    pub rules: BTreeMap<String, Rule>,
}

impl AuthorityFile {
    /// The rules for users of whom HR writes `mapped`.
    pub(super) fn compile(
        &self,
        kind: &ResourceType,
        mapped: impl IntoIterator<Item = String>,
    ) -> Result<Authority, Vec<FileProblem>> {
        Authority::compile(kind, mapped, self.default, &self.rules).map_err(|wrong| {
            wrong
                .into_iter()
                .map(|(path, why)| FileProblem::at(&format!("authority.{path}"), why))
                .collect()
        })
    }
}

impl<'de> Deserialize<'de> for AuthorityFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut rules = BTreeMap::new();
        for (path, entry) in BTreeMap::<String, Entry>::deserialize(from)? {
            entry.flatten(path, &mut rules);
        }
        let default = rules.remove("default").unwrap_or_default();
        Ok(Self { default, rules })
    }
}

/// A rule, or rules below: bare `name.givenName = "refuse"` is a table in a table.
enum Entry {
    Rule(Rule),
    Below(BTreeMap<String, Entry>),
}

impl Entry {
    fn flatten(self, path: String, rules: &mut BTreeMap<String, Rule>) {
        match self {
            Self::Rule(rule) => {
                rules.insert(path, rule);
            }
            Self::Below(below) => {
                for (name, entry) in below {
                    entry.flatten(format!("{path}.{name}"), rules);
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"hr\", \"client\" or \"refuse\"")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Entry, E> {
        match word {
            "hr" => Ok(Entry::Rule(Rule::Hr)),
            "client" => Ok(Entry::Rule(Rule::Client)),
            "refuse" => Ok(Entry::Rule(Rule::Refuse)),
            _ => Err(E::unknown_variant(word, &["hr", "client", "refuse"])),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entry, M::Error> {
        let mut below = BTreeMap::new();
        while let Some((name, entry)) = map.next_entry::<String, Entry>()? {
            below.insert(name, entry);
        }
        Ok(Entry::Below(below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_quoted_or_not_and_words_that_are_none_are_refused() {
        let read = |text: &str| toml::from_str::<AuthorityFile>(text);
        let file = read(
            "default = \"client\"\ntitle = \"hr\"\nname.givenName = \"refuse\"\n\"name.familyName\" = \"hr\"",
        )
        .unwrap();
        assert_eq!(file.default, Rule::Client);
        assert_eq!(file.rules.get("name.givenName"), Some(&Rule::Refuse));
        assert_eq!(file.rules.get("name.familyName"), Some(&Rule::Hr));
        assert_eq!(file.rules.len(), 3);
        let wrong = read("title = \"nobody\"").unwrap_err().to_string();
        assert!(wrong.contains("nobody") && wrong.contains("refuse"), "{wrong}");
    }
}
