//! The groups of a person.

use super::mapping::Mapping;
use crate::expression::employee_context;
use crate::identity::Resolved;
use serde_json::Value;

/// A group that a person is in by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// Index of the rule.
    pub rule: usize,
    /// What tells the group apart, in the whole connection: the rule's key expression and its value. Stays the same when
    /// the unit is renamed or rules change places.
    pub key: String,
    /// The group's name now.
    pub name: String,
}

/// The groups that the rules put a person into, by the leading record, in the order of the rules. A rule whose key is
/// undefined, fails or gives no single value puts nobody anywhere.
#[must_use]
pub fn groups(mapping: &Mapping, resolved: &Resolved) -> Vec<GroupKey> {
    let Some(employee) = resolved.leading() else {
        return Vec::new();
    };
    let context = employee_context(employee);
    let mut groups = Vec::new();
    for (rule, group) in mapping.compiled().groups.iter().enumerate() {
        let Some(value) = group.key.value(&context).ok().flatten().and_then(text) else {
            continue;
        };
        let name = group
            .name
            .value(&context)
            .ok()
            .flatten()
            .and_then(text)
            .unwrap_or_else(|| value.clone());
        groups.push(GroupKey {
            rule,
            key: format!("{} = {value}", group.key.text()),
            name,
        });
    }
    groups
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(holds) => Some(holds.to_string()),
        _ => None,
    }
}
