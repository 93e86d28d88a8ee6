//! The HR extension: facts of the leading employment as they are, not mapped.

use serde_json::{Map, Value};

use crate::hr::{Employee, OrgUnit};
use crate::lifecycle::Verdict;
use crate::scim::{HR, Object};

/// Writes the extension; what is not known is absent.
pub(super) fn set(object: &mut Object, employee: &Employee, verdict: &Verdict) {
    let mut facts = Map::new();
    for (name, unit) in [
        ("entity", &employee.entity),
        ("location", &employee.location),
        ("team", &employee.team),
    ] {
        if let Some(unit) = unit.as_ref().and_then(unit_facts) {
            facts.insert(name.to_owned(), unit);
        }
    }
    let kind = employee.leading().and_then(|employment| employment.kind.clone());
    let texts = [
        ("employmentType", kind),
        ("firstDay", verdict.first_day.map(|day| day.to_string())),
        ("lastDay", verdict.last_day.map(|day| day.to_string())),
        (
            "lastWorkingDay",
            verdict.last_working_day.map(|day| day.to_string()),
        ),
        ("state", Some(verdict.word().to_owned())),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            facts.insert(name.to_owned(), Value::from(text));
        }
    }
    if verdict.on_leave {
        facts.insert("onLeave".to_owned(), Value::Bool(true));
    }
    object.insert(HR.to_owned(), Value::Object(facts));
}

fn unit_facts(unit: &OrgUnit) -> Option<Value> {
    let parts = [("id", &unit.id), ("code", &unit.code), ("name", &unit.name)];
    let facts: Map<String, Value> = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.as_deref()?))))
        .collect();
    (!facts.is_empty()).then_some(Value::Object(facts))
}
