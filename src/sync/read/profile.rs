//! What a read looks like as a whole: how many records, which fields have values, in which units. Numbers and names of
//! units alone, never anything of a person.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};

use serde::{Deserialize, Serialize};

use crate::hr::{Employee, OrgUnit, Status};

/// So many entities are kept apart at most; further ones count in the whole alone.
const MOST_ENTITIES: usize = 500;
/// So many e-mail domains are looked at, and those are kept that so many people have: a rare one may name a person.
const MOST_DOMAINS: usize = 1_000;
const KEPT_DOMAINS: usize = 20;
const SMALLEST_DOMAIN: u64 = 3;

/// A field and whether an employee has a value in it.
type Look = (&'static str, fn(&Employee) -> bool);

/// The fields whose filling is counted. Not those that are rightly empty for most and come and go with every leaver:
/// `last_day` and `last_working_day`; people who come back by them are counted by what happens to them.
const LOOKS: &[Look] = &[
    ("remote_id", |one| one.remote_id.is_some()),
    ("employee_number", |one| one.employee_number.is_some()),
    ("given_name", |one| one.given_name.is_some()),
    ("family_name", |one| one.family_name.is_some()),
    ("preferred_name", |one| one.preferred_name.is_some()),
    ("middle_name", |one| one.middle_name.is_some()),
    ("display_name", |one| one.display_name.is_some()),
    ("work_email", |one| one.work_email.is_some()),
    ("private_email", |one| one.private_email.is_some()),
    ("work_phone", |one| one.work_phone.is_some()),
    ("mobile_phone", |one| one.mobile_phone.is_some()),
    ("title", |one| one.title.is_some()),
    ("department", |one| one.department.is_some()),
    ("team", |one| one.team.is_some()),
    ("cost_center", |one| one.cost_center.is_some()),
    ("division", |one| one.division.is_some()),
    ("entity", |one| one.entity.is_some()),
    ("location", |one| one.location.is_some()),
    ("address", |one| one.address.is_some()),
    ("manager", |one| one.manager.is_some()),
    ("status", |one| one.status != Status::ByDates),
    ("employment_type", |one| {
        one.leading().is_some_and(|leading| leading.kind.is_some())
    }),
    ("first_day", |one| {
        one.leading().is_some_and(|leading| leading.first_day.is_some())
    }),
    ("locale", |one| one.locale.is_some()),
    ("time_zone", |one| one.time_zone.is_some()),
    ("gender", |one| one.gender.is_some()),
    ("marital_status", |one| one.marital_status.is_some()),
    ("children", |one| one.children.is_some()),
    ("birth_date", |one| one.birth_date.is_some()),
    ("national_id", |one| one.national_id.is_some()),
    ("bank_accounts", |one| !one.bank_accounts.is_empty()),
    ("photo", |one| one.photo.is_some()),
    ("custom", |one| !one.custom.is_empty()),
];

/// A read in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::sync) struct Profile {
    /// Records read, each id once.
    pub records: u64,
    /// Per field: records with a value in it.
    pub filled: BTreeMap<String, u64>,
    /// Per entity, by its key.
    pub entities: BTreeMap<String, Part>,
    /// Per field whose values tell people apart: records that share theirs with an earlier one.
    pub same: BTreeMap<String, u64>,
    /// Records with texts that look wrongly encoded.
    pub garbled: u64,
    /// The domains of work e-mails that the most people have.
    pub domains: BTreeMap<String, u64>,
}

/// The records of one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::sync) struct Part {
    /// Its name, or its key.
    pub name: String,
    /// How many.
    pub records: u64,
    /// Per field: those with a value in it.
    pub filled: BTreeMap<String, u64>,
}

/// A profile that grows record by record.
#[derive(Default)]
pub(super) struct Taking {
    records: u64,
    filled: Vec<u64>,
    entities: BTreeMap<String, (String, u64, Vec<u64>)>,
    emails: Values,
    numbers: Values,
    garbled: u64,
    domains: BTreeMap<String, u64>,
}

/// Hashes of the values of one field.
#[derive(Default)]
struct Values {
    seen: HashSet<u64>,
    again: u64,
}

impl Values {
    fn add(&mut self, value: &(impl std::hash::Hash + ?Sized)) {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            self.again = self.again.saturating_add(1);
        }
    }
}

impl Taking {
    /// Counts one record.
    pub fn add(&mut self, employee: &Employee) {
        self.records = self.records.saturating_add(1);
        count(&mut self.filled, employee);
        if let Some((key, name)) = employee.entity.as_ref().and_then(named)
            && (self.entities.len() < MOST_ENTITIES || self.entities.contains_key(key))
        {
            if !self.entities.contains_key(key) {
                self.entities
                    .insert(key.to_owned(), (name.to_owned(), 0, Vec::new()));
            }
            if let Some((_, records, filled)) = self.entities.get_mut(key) {
                *records = records.saturating_add(1);
                count(filled, employee);
            }
        }
        if let Some(email) = &employee.work_email {
            let email = email.to_lowercase();
            self.emails.add(email.as_str());
            if let Some((_, domain)) = email.rsplit_once('@')
                && (self.domains.len() < MOST_DOMAINS || self.domains.contains_key(domain))
            {
                let people = self.domains.entry(domain.to_owned()).or_default();
                *people = people.saturating_add(1);
            }
        }
        if let Some(number) = &employee.employee_number {
            // Numbers are unique per employer.
            let entity = employee.entity.as_ref().and_then(OrgUnit::key);
            self.numbers.add(&(entity, number));
        }
        self.garbled = self
            .garbled
            .saturating_add(u64::from(texts(employee).any(is_garbled)));
    }

    /// The numbers.
    pub fn profile(self) -> Profile {
        let mut domains: Vec<(String, u64)> = self
            .domains
            .into_iter()
            .filter(|(_, people)| *people >= SMALLEST_DOMAIN)
            .collect();
        domains.sort_by_key(|(_, people)| std::cmp::Reverse(*people));
        domains.truncate(KEPT_DOMAINS);
        let entities = self.entities.into_iter();
        Profile {
            records: self.records,
            filled: by_name(&self.filled),
            entities: entities
                .map(|(key, (name, records, filled))| {
                    let filled = by_name(&filled);
                    (
                        key,
                        Part {
                            name,
                            records,
                            filled,
                        },
                    )
                })
                .collect(),
            same: [
                ("work_email", self.emails.again),
                ("employee_number", self.numbers.again),
            ]
            .map(|(field, again)| (field.to_owned(), again))
            .into(),
            garbled: self.garbled,
            domains: domains.into_iter().collect(),
        }
    }
}

fn count(filled: &mut Vec<u64>, employee: &Employee) {
    filled.resize(LOOKS.len(), 0);
    for (count, (_, has)) in filled.iter_mut().zip(LOOKS) {
        *count = count.saturating_add(u64::from(has(employee)));
    }
}

fn by_name(filled: &[u64]) -> BTreeMap<String, u64> {
    let counts = LOOKS.iter().zip(filled).filter(|(_, count)| **count > 0);
    counts
        .map(|((name, _), count)| ((*name).to_owned(), *count))
        .collect()
}

fn named(unit: &OrgUnit) -> Option<(&str, &str)> {
    let key = unit.key()?;
    Some((key, unit.name.as_deref().unwrap_or(key)))
}

/// The texts in which people's own letters stand.
fn texts(employee: &Employee) -> impl Iterator<Item = &str> {
    [
        employee.given_name.as_deref(),
        employee.family_name.as_deref(),
        employee.display_name.as_deref(),
        employee.title.as_deref(),
        employee.department.as_ref().and_then(|unit| unit.name.as_deref()),
    ]
    .into_iter()
    .flatten()
}

/// Whether a text looks wrongly encoded: it has the mark of lost bytes, or it is UTF-8 that was read as Windows-1252
/// or ISO 8859-1.
fn is_garbled(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    if text.contains('\u{fffd}') || text.chars().any(|one| ('\u{80}'..='\u{9f}').contains(&one)) {
        return true;
    }
    let (bytes, _, lost) = encoding_rs::WINDOWS_1252.encode(text);
    !lost && std::str::from_utf8(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hr::FIELDS;

    #[test]
    fn every_field_is_counted_but_those_that_come_and_go() {
        let counted: Vec<&str> = LOOKS.iter().map(|(name, _)| *name).collect();
        let left_out: Vec<&str> = FIELDS
            .iter()
            .map(|field| field.name)
            .filter(|name| !counted.contains(name))
            .collect();
        assert_eq!(left_out, ["source_id", "last_day", "last_working_day"]);
    }

    #[test]
    fn wrongly_encoded_texts_are_told_from_foreign_ones() {
        for good in [
            "Müller",
            "Ægir",
            "Łukasz",
            "Zoë",
            "Ñuñez",
            "山田",
            "O’Neill",
            "Šime",
            "Ã",
        ] {
            assert!(!is_garbled(good), "{good}");
        }
        for bad in [
            "MÃ¼ller",
            "Ã†gir",
            "ZoÃ«",
            "M\u{fffd}ller",
            "Oâ€™Neill",
            "M\u{81}ller",
        ] {
            assert!(is_garbled(bad), "{bad}");
        }
    }

    #[test]
    fn a_profile_holds_numbers_per_field_and_entity() {
        let mut taking = Taking::default();
        for n in 0..6 {
            taking.add(&Employee {
                source_id: n.to_string(),
                work_email: Some(if n < 4 { "X@acme.example" } else { "y@solo.example" }.to_owned()),
                title: (n % 2 == 0).then(|| "Clerk".to_owned()),
                entity: Some(OrgUnit {
                    id: Some((n % 3).to_string()),
                    ..OrgUnit::default()
                }),
                ..Employee::default()
            });
        }
        let profile = taking.profile();
        assert_eq!(
            (
                profile.records,
                profile.filled["title"],
                profile.same["work_email"]
            ),
            (6, 3, 4)
        );
        assert_eq!(profile.entities["0"].records, 2);
        assert_eq!(profile.entities["0"].filled["title"], 1);
        assert_eq!(
            profile.domains.into_iter().collect::<Vec<_>>(),
            [("acme.example".to_owned(), 4)]
        );
        assert!(!profile.filled.contains_key("gender"));
    }
}
