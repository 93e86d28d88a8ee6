//! What a changed record says beside what it said before: for the guard, which looks at the whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::hr::Employee;

/// Fields by which a human is known. They change for few people at a time.
const IDENTIFYING: &[&str] = &["given_name", "family_name", "work_email", "employee_number"];

/// How the records of one person differ from before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Fields that had a value and have none.
    pub emptied: Vec<String>,
    /// The key of the department that the record was in, when a field was emptied.
    pub department: Option<String>,
    /// Identifying fields that have another value.
    pub changed: Vec<&'static str>,
    /// A field holds what another field held before.
    pub swapped: bool,
}

impl Compared {
    /// Adds what differs between a stored record (without its sensitive part) and the same record as read now.
    pub fn add(&mut self, before: &Value, now: &Employee) {
        let now = json!(now);
        let members = before.as_object().into_iter().flatten();
        for (field, _) in members.filter(|(_, value)| !is_empty(Some(value))) {
            if is_empty(now.get(field)) && !self.emptied.contains(field) {
                self.emptied.push(field.clone());
            }
        }
        if !self.emptied.is_empty() && self.department.is_none() {
            self.department = key(before.get("department")).map(str::to_owned);
        }
        for field in IDENTIFYING {
            let (old, new) = (text(before.get(field)), text(now.get(field)));
            let differs = old.zip(new).is_some_and(|(old, new)| old != new);
            if differs && !self.changed.contains(field) {
                self.changed.push(field);
            }
        }
        self.swapped = self.swapped || has_swapped(&texts(before), &texts(&now));
    }
}

/// Whether a field's new value is what another field had before.
fn has_swapped(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> bool {
    before.iter().any(|(field, old)| {
        now.get(field).filter(|new| *new != old).is_some_and(|new| {
            let others = before.iter().filter(|(other, _)| *other != field);
            others.into_iter().any(|(_, value)| value == new)
        })
    })
}

/// The plain texts of a record; of a unit its name.
fn texts(record: &Value) -> BTreeMap<String, String> {
    let members = record.as_object().into_iter().flatten();
    members
        .filter_map(|(field, value)| {
            let value = text(Some(value)).or_else(|| text(value.get("name")))?;
            Some((field.clone(), value.to_owned()))
        })
        .collect()
}

/// What tells a unit from others: its id, or else its code, or else its name.
fn key(unit: Option<&Value>) -> Option<&str> {
    let unit = unit?;
    ["id", "code", "name"]
        .into_iter()
        .find_map(|member| text(unit.get(member)))
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hr::OrgUnit;

    fn ada() -> Employee {
        let unit = |name: &str| {
            Some(OrgUnit {
                name: Some(name.to_owned()),
                ..OrgUnit::default()
            })
        };
        Employee {
            source_id: "1".to_owned(),
            given_name: Some("Ada".to_owned()),
            family_name: Some("Byron".to_owned()),
            title: Some("Analyst".to_owned()),
            department: unit("Engines"),
            ..Employee::default()
        }
    }

    fn compared(change: impl Fn(&mut Employee)) -> Compared {
        let mut now = ada();
        change(&mut now);
        let mut compared = Compared::default();
        compared.add(&json!(ada()), &now);
        compared
    }

    #[test]
    fn emptied_changed_and_swapped_fields_are_told_apart() {
        assert_eq!(compared(|_| ()), Compared::default());
        let emptied = compared(|ada| ada.title = None);
        assert_eq!(emptied.emptied, ["title"]);
        assert_eq!(emptied.department.as_deref(), Some("Engines"));
        let married = compared(|ada| ada.family_name = Some("Lovelace".to_owned()));
        assert_eq!((married.changed, married.swapped), (vec!["family_name"], false));
        let names = compared(|ada| std::mem::swap(&mut ada.given_name, &mut ada.family_name));
        assert_eq!((names.changed.len(), names.swapped), (2, true));
        let moved = compared(|ada| ada.department.as_mut().unwrap().name = Some("Analyst".to_owned()));
        assert!(moved.swapped, "the department holds the title");
        let renamed = compared(|ada| ada.department.as_mut().unwrap().name = Some("Motors".to_owned()));
        assert_eq!(renamed, Compared::default());
    }
}
