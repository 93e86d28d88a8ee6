//! What a record says about who it is, and what is known already.

use std::borrow::Cow;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::rules::{Key, KeyRule};
use crate::base::PersonId;
use crate::hr::Employee;

/// What tells humans apart. Texts are folded but for the exact keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// The legal entity's key; empty where there is none.
    pub entity_key: String,
    /// Personnel number, exactly as given.
    pub number: Option<String>,
    /// Id in the vendor's own system, exactly as given.
    pub remote_id: Option<String>,
    /// E-mail at work, folded.
    pub email: Option<String>,
    /// E-mail at work, exactly as given.
    pub exact_email: Option<String>,
    /// Given and family name, folded; `None` when either is missing.
    pub name: Option<String>,
    /// Birth date.
    pub birth_date: Option<NaiveDate>,
}

/// One record of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its source id.
    pub source_id: String,
    /// What it says.
    pub traits: Traits,
    /// Whether it is the record of somebody who has left.
    pub left: bool,
}

/// A record that is stored already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecord {
    /// Its source id.
    pub source_id: String,
    /// Whose it is; `None` while it waits for review or was skipped.
    pub person: Option<PersonId>,
    /// What it says.
    pub traits: Traits,
    /// Whether its person has left.
    pub left: bool,
    /// Whether it was there in the last read.
    pub present: bool,
    /// Whether it is of the connection that is read; records of others can only be suggested.
    pub same_connection: bool,
}

/// What is known that a read may touch: the records with the same source ids, keys and addresses, and decisions.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Stored records.
    pub records: Vec<KnownRecord>,
    /// What humans decided.
    pub decided: Vec<Decided>,
}

/// A review that a human decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The records it was about.
    pub source_ids: Vec<String>,
    /// The people it was about.
    pub candidates: Vec<PersonId>,
    /// What was decided.
    pub decision: Decision,
}

/// What a human says about records that nobody else can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// All these records are this person.
    Person(PersonId),
    /// All these records are one human whom we do not know yet.
    OnePerson,
    /// Each of these records is a human of its own, and none of the candidates.
    Separate,
}

impl Candidate {
    /// What an employee record says. `left` is the verdict on this record alone.
    #[must_use]
    pub fn of(employee: &Employee, left: bool) -> Self {
        Self {
            source_id: employee.source_id.clone(),
            traits: Traits::of(employee),
            left,
        }
    }
}

impl Traits {
    /// What an employee record says.
    #[must_use]
    pub fn of(employee: &Employee) -> Self {
        let name = match (&employee.given_name, &employee.family_name) {
            (Some(given), Some(family)) => Some(format!("{} {}", fold(given), fold(family))),
            _ => None,
        };
        Self {
            entity_key: entity_key(employee),
            number: employee.employee_number.clone(),
            remote_id: employee.remote_id.clone(),
            email: employee
                .work_email
                .as_deref()
                .map(fold)
                .filter(|email| !email.is_empty()),
            exact_email: employee.work_email.clone(),
            name,
            birth_date: employee.birth_date,
        }
    }

    /// Entity and value of a key, in the form that is compared; `None` where the record has none.
    pub(super) fn key(&self, rule: KeyRule) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        let (entity, value) = match rule.key {
            // Source ids are compared apart.
            Key::SourceId => return None,
            Key::RemoteId => ("", self.remote_id.as_deref()?),
            Key::EntityAndNumber => (self.entity_key.as_str(), self.number.as_deref()?),
            Key::Number => ("", self.number.as_deref()?),
            Key::WorkEmail if rule.fold => ("", self.email.as_deref()?),
            Key::WorkEmail => ("", self.exact_email.as_deref()?),
        };
        Some((rule.form(entity), rule.form(value)))
    }

    /// Whether name or birth date are there on both sides and equal.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let same_name = self.name.is_some() && self.name == other.name;
        same_name || (self.birth_date.is_some() && self.birth_date == other.birth_date)
    }

    /// Whether there is something to compare, and nothing of it agrees.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> bool {
        let names = self.name.is_some() && other.name.is_some();
        let dates = self.birth_date.is_some() && other.birth_date.is_some();
        (names || dates) && !self.agrees(other)
    }
}

/// What stands for the legal entity in keys; empty where a record names none.
#[must_use]
pub fn entity_key(employee: &Employee) -> String {
    employee
        .entity
        .as_ref()
        .and_then(|entity| entity.key())
        .unwrap_or_default()
        .to_owned()
}

/// Lower case, trimmed, runs of white space as one blank.
#[must_use]
pub fn fold(text: &str) -> String {
    text.split_whitespace()
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join(" ")
}
