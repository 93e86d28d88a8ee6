//! How a field is read, in the words of manifests and of a CSV connection's `[fields]`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The ways a field may be read; the first one that gives something counts.
/// Written as a path, as a table, or as a list of these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules(pub(super) Vec<Rule>);

/// One way a field is read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rule {
    /// Where it is: a JSON Pointer in the record, or a column.
    pub at: Option<String>,
    /// A list or object inside the record, of which one element is picked; the other paths start at that element.
    pub from: Option<String>,
    /// Which element of `from`.
    pub pick: Option<Pick>,
    /// A second list to join; the other paths start at its record.
    pub list: Option<String>,
    /// Where the record holds the key of the second list's record.
    pub by: Option<String>,
    /// How the text is cleaned.
    pub clean: Option<Clean>,
    /// Takes a part of the text.
    pub split: Option<Split>,
    /// How a date is written (chrono's format); `%Y-%m-%d` when nothing is said.
    pub date: Option<String>,
    /// Translates words.
    pub words: Option<BTreeMap<String, String>>,
    /// What a word that `words` lacks becomes: `hold`, `keep`, or one of the values.
    pub otherwise: Option<String>,
    /// What the manager's reference is.
    pub kind: Option<ManagerKind>,
    /// Of an org unit.
    pub id: Option<String>,
    /// Of an org unit.
    pub code: Option<String>,
    /// Of an org unit.
    pub name: Option<String>,
    /// Of an address.
    pub street: Option<String>,
    /// Of an address.
    pub city: Option<String>,
    /// Of an address.
    pub region: Option<String>,
    /// Of an address.
    pub postal_code: Option<String>,
    /// Of an address.
    pub country: Option<String>,
    /// Custom fields: their key here, and where each is.
    pub keys: Option<BTreeMap<String, String>>,
    /// Of a bank account.
    pub iban: Option<String>,
    /// Of a bank account.
    pub bic: Option<String>,
    /// Of a bank account.
    pub holder: Option<String>,
}

/// Picks the first element whose text at `at` is one of `is`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pick {
    /// Where the element tells what it is.
    pub at: String,
    /// The texts looked for, best first.
    pub is: Vec<String>,
}

/// Named ways of cleaning a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clean {
    /// Without blanks around it.
    Trim,
    /// In lower case.
    Lower,
    /// Both.
    TrimLower,
    /// The first ten characters: the date of a date-time, without converting its zone.
    DatePart,
}

/// Takes a part of a text that has a separator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Split {
    /// The separator.
    pub by: String,
    /// Which part.
    pub take: Part,
}

/// Which part of a split text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Before the first separator.
    First,
    /// After the last separator.
    Last,
    /// After the first separator.
    Rest,
}

/// What a manager's reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ManagerKind {
    /// The manager's source id.
    SourceId,
    /// The manager's work e-mail.
    Email,
    /// The manager's personnel number.
    EmployeeNumber,
}

impl Rule {
    fn at(path: &str) -> Self {
        Self {
            at: Some(path.to_owned()),
            ..Self::default()
        }
    }
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RulesVisitor)
    }
}

struct RulesVisitor;

impl<'de> Visitor<'de> for RulesVisitor {
    type Value = Rules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, a table such as { at = \"…\" }, or a list of these")
    }

    fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Rules, E> {
        Ok(Rules(vec![Rule::at(path)]))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Rules, M::Error> {
        Rule::deserialize(MapAccessDeserializer::new(map)).map(|rule| Rules(vec![rule]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Rules, S::Error> {
        let mut all = Vec::new();
        while let Some(Rules(more)) = seq.next_element::<Rules>()? {
            all.extend(more);
        }
        Ok(Rules(all))
    }
}
