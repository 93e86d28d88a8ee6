//! How a field is read, in the words of manifests and of a CSV connection's `[fields]`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::request::{Condition, Many};

/// The ways a field may be read; the first one that gives something counts.
/// Written as a path, as a table, or as a list of these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules(pub(super) Vec<Rule>);

/// One way a field is read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rule {
    /// Where it is: a JSON Pointer in the record, or a column; several are joined, and what starts with no `/` stands
    /// between them as it is.
    pub at: Option<Many<String>>,
    /// What stands between joined texts; a blank when nothing is said.
    pub between: Option<String>,
    /// A fixed word in place of `at`.
    pub value: Option<String>,
    /// The way holds only for records that pass these.
    pub only: Many<Condition>,
    /// A list or object inside the record, of which one element is picked; the other paths start at that element.
    pub from: Option<String>,
    /// Which of several elements.
    pub pick: Option<Pick>,
    /// A second list to join; the other paths start at its record.
    pub list: Option<String>,
    /// Where the record holds the key of the second list's record.
    pub by: Many<String>,
    /// The label of one of the account's own fields, whose key is `{{ label }}` in the paths.
    pub label: Option<String>,
    /// How the text is cleaned.
    pub clean: Option<Clean>,
    /// Takes a part of the text.
    pub split: Option<Split>,
    /// How a date is written: chrono's format, `epoch_ms`, `epoch_s`, `odata`, `instant`; the first of several that fits.
    /// `%Y-%m-%d` when nothing is said.
    pub date: Many<String>,
    /// The time zone in which an instant is a day: a path or a name; the first of several that gives one. UTC when nothing is
    /// said.
    pub zone: Many<String>,
    /// Years that stand for no date.
    pub never: Vec<i32>,
    /// Translates words.
    pub words: Option<BTreeMap<String, String>>,
    /// What a word that `words` lacks becomes: `hold`, `keep`, `next` for the next way, or one of the values.
    pub otherwise: Option<String>,
    /// What the manager's reference is.
    pub kind: Option<ManagerKind>,
    /// Of an org unit.
    pub id: Option<Many<String>>,
    /// Of an org unit.
    pub code: Option<Many<String>>,
    /// Of an org unit; of custom fields that come as a list: where each has its key.
    pub name: Option<Many<String>>,
    /// Of an address.
    pub street: Option<Many<String>>,
    /// Of an address.
    pub city: Option<Many<String>>,
    /// Of an address.
    pub region: Option<Many<String>>,
    /// Of an address.
    pub postal_code: Option<Many<String>>,
    /// Of an address.
    pub country: Option<Many<String>>,
    /// Custom fields: their key here, and where each is.
    pub keys: Option<BTreeMap<String, String>>,
    /// Of a bank account.
    pub iban: Option<Many<String>>,
    /// Of a bank account.
    pub bic: Option<Many<String>>,
    /// Of a bank account.
    pub holder: Option<Many<String>>,
}

/// Chooses one of several elements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Pick {
    /// Where the element tells what it is.
    pub at: Option<String>,
    /// The texts looked for, best first.
    pub is: Option<Vec<String>>,
    /// Paths of first and last day: only elements in force today.
    pub within: Option<Vec<String>>,
    /// Paths of first and last day: the element in force today, else the next one, else the last one.
    pub in_force: Option<Vec<String>>,
    /// The greatest by these.
    pub highest: Many<String>,
    /// The least by these.
    pub lowest: Many<String>,
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
    /// Every text into which settings may be put.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let parts = [
            &self.at,
            &self.id,
            &self.code,
            &self.name,
            &self.street,
            &self.city,
            &self.region,
            &self.postal_code,
            &self.country,
            &self.iban,
            &self.bic,
            &self.holder,
        ];
        let paths = parts.into_iter().flatten().flat_map(|many| &many.0);
        let single = [&self.value, &self.label, &self.from].into_iter().flatten();
        let picked = self.pick.iter().flat_map(|pick| &pick.is).flatten();
        let keys = self.keys.iter().flat_map(|keys| keys.values());
        paths
            .chain(single)
            .chain(picked)
            .chain(keys)
            .chain(&self.by.0)
            .chain(&self.zone.0)
    }

    fn at(path: &str) -> Self {
        Self {
            at: Some(Many(vec![path.to_owned()])),
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
