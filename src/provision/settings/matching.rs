//! `[match]`: how existing accounts are found.

use serde::{Deserialize, Serialize};

use super::super::error::Problem;
use super::super::target::Target;

/// What is done when more than one account fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// The account is held until a human decides.
    #[default]
    Review,
}

/// `[match]`: how existing accounts are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// The keys compared, the strongest first.
    pub by: Vec<MatchBy>,
    /// What no account of somebody else may have: an account that has it and is not the match is a collision, and nothing
    /// is created or written. Without it the parts of the keys that are joined by `+`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Vec<MatchBy>>,
    /// What is done when more than one account fits.
    pub ambiguous: Ambiguous,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            by: ["externalId", "userName", "emails.work"]
                .map(MatchBy::new)
                .to_vec(),
            unique: None,
            ambiguous: Ambiguous::Review,
        }
    }
}

impl Matching {
    /// What no account of somebody else may have.
    #[must_use]
    pub fn unique(&self) -> Vec<MatchBy> {
        if let Some(unique) = &self.unique {
            return unique.clone();
        }
        let mut parts: Vec<MatchBy> = Vec::new();
        for key in self.by.iter().filter(|key| key.key.contains('+')) {
            for part in key.parts() {
                let part = MatchBy {
                    key: part.to_owned(),
                    exact: key.exact,
                };
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        parts
    }

    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if self.by.is_empty() {
            found.push(Problem::at("match.by", "names no attribute"));
        }
        let unique = self.unique.iter().flatten();
        for (at, key) in self
            .by
            .iter()
            .map(|key| ("match.by", key))
            .chain(unique.map(|key| ("match.unique", key)))
        {
            let is_fine = key.parts().all(|part| Target::parse(part).is_some()) && key.parts().count() <= 4;
            if !is_fine || (at == "match.unique" && key.key.contains('+')) {
                found.push(Problem::at(
                    at,
                    format!(
                        "{:?} is no key: an attribute, or up to four in `by`, joined by +",
                        key.key
                    ),
                ));
            }
        }
    }
}

/// A key by which accounts are matched: an attribute, or several that must all agree, joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "KeyFile", into = "KeyFile")]
pub struct MatchBy {
    /// `externalId` (our user id), `userName`, `emails.work`, `employeeNumber`, `employeeNumber+emails.work` …
    pub key: String,
    /// Compared as it is written; else without regard to case and to spaces around it. Without it userName and e-mail
    /// addresses are folded and everything else is exact.
    pub exact: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a key such as \"userName\" or { key = \"employeeNumber\", exact = false }"
)]
enum KeyFile {
    Word(String),
    Table(KeyTable),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    key: String,
    exact: bool,
}

impl From<KeyFile> for MatchBy {
    fn from(file: KeyFile) -> Self {
        match file {
            KeyFile::Word(key) => Self { key, exact: None },
            KeyFile::Table(KeyTable { key, exact }) => Self {
                key,
                exact: Some(exact),
            },
        }
    }
}

impl From<MatchBy> for KeyFile {
    fn from(by: MatchBy) -> Self {
        match by.exact {
            None => Self::Word(by.key),
            Some(exact) => Self::Table(KeyTable { key: by.key, exact }),
        }
    }
}

impl MatchBy {
    /// A key with its own way of comparing.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            exact: None,
        }
    }

    /// The attributes.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.key.split('+')
    }

    /// Whether the key is our own id, which no other account bears.
    #[must_use]
    pub fn is_our_id(&self) -> bool {
        self.key == "externalId"
    }
}
