//! Whose word counts, attribute by attribute, for a user who comes from HR.
//!
//! Paths are those that [`diff`](super::diff) names: `title`, `name.givenName`, `emails`,
//! `urn:…:User:department`. Lists are one attribute.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::path::{AttrPath, Place, Target};
use super::registry::ResourceType;
use super::{Object, set_schemas};

/// Who wins where HR and a client say different things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A client may write it, and HR's value is back after the next run.
    #[default]
    Hr,
    /// Once a client has written a value, runs leave it alone. A client that clears it gives it back to HR.
    Client,
    /// A client may not change it.
    Refuse,
}

/// The rules of one connection. What is not named is the clients' own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authority(BTreeMap<String, Rule>);

/// Never subject to a rule: `active` follows the holds of all parties, the others are not written by anybody.
const BESIDE: &[&str] = &[
    "active",
    "externalId",
    "groups",
    "id",
    "meta",
    "password",
    "schemas",
];

impl Authority {
    /// The rules for what HR writes (`mapped`: paths as a difference names them), by `default` and by `own` rules for
    /// single attributes. `name` stands for all of its parts; the enterprise extension's attributes may be named
    /// without their URN.
    ///
    /// # Errors
    /// Each own rule that names no attribute of the type, or none that can have one, with the reason.
    pub fn compile(
        kind: &ResourceType,
        mapped: impl IntoIterator<Item = String>,
        default: Rule,
        own: &BTreeMap<String, Rule>,
    ) -> Result<Self, Vec<(String, String)>> {
        let mut rules: BTreeMap<String, Rule> = mapped.into_iter().map(|path| (path, default)).collect();
        let mapped: BTreeSet<String> = rules.keys().cloned().collect();
        let mut wrong = Vec::new();
        // A whole before its parts, so that a part's own rule wins.
        let mut named: Vec<(&String, &Rule)> = own.iter().collect();
        named.sort_by_key(|(path, _)| path.matches('.').count());
        for (path, rule) in named {
            match parts(kind, path) {
                Ok(paths) => {
                    if *rule == Rule::Hr && !paths.iter().any(|path| mapped.contains(path)) {
                        wrong.push((
                            path.clone(),
                            format!("HR does not write `{path}`: give it a line in [mapping]"),
                        ));
                    }
                    rules.extend(paths.into_iter().map(|path| (path, *rule)));
                }
                Err(why) => wrong.push((path.clone(), why)),
            }
        }
        if wrong.is_empty() {
            Ok(Self(rules))
        } else {
            Err(wrong)
        }
    }

    /// The rule for a path; `None` when the attribute is the clients' own.
    #[must_use]
    pub fn rule(&self, path: &str) -> Option<Rule> {
        self.0.get(path).copied()
    }

    /// Paths that have this rule.
    pub fn having(&self, rule: Rule) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(_, one)| **one == rule)
            .map(|(path, _)| path.as_str())
    }

    /// Paths that HR has a say in, each with its rule.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Rule)> {
        self.0.iter().map(|(path, rule)| (path.as_str(), *rule))
    }
}

/// The paths of a difference that a written path stands for.
fn parts(kind: &ResourceType, path: &str) -> Result<Vec<String>, String> {
    let unknown = || format!("`{path}` is no attribute of {}", kind.name);
    let text = path.strip_prefix("enterprise.").unwrap_or(path);
    let parsed = AttrPath::parse(text).ok_or_else(unknown)?;
    let Some(Target::Place(place)) = kind.resolve(&parsed) else {
        return Err(unknown());
    };
    if place.extension.is_none() && BESIDE.contains(&place.attribute.name.as_str()) {
        return Err(format!(
            "`{path}` can have no rule: it is not decided attribute by attribute"
        ));
    }
    if place.attribute.is_read_only() || place.leaf().is_read_only() {
        return Err(format!("`{path}` can have no rule: clients cannot write it"));
    }
    if place.attribute.multi_valued {
        return match &place.sub {
            None => Ok(vec![place.path()]),
            Some(_) => Err(format!(
                "`{path}` is part of a list: name the list, `{}`",
                place.attribute.name
            )),
        };
    }
    if place.sub.is_some() || !place.attribute.is_complex() {
        return Ok(vec![place.path()]);
    }
    Ok(place
        .attribute
        .sub_attributes
        .iter()
        .filter(|sub| !sub.is_read_only())
        .map(|sub| format!("{}.{}", place.path(), sub.name))
        .collect())
}

/// Makes `to` hold at `paths` what `from` holds there: a value, or none.
pub fn transfer<'p>(
    kind: &ResourceType,
    paths: impl IntoIterator<Item = &'p str>,
    from: &Object,
    to: &mut Object,
) {
    let mut any = false;
    for path in paths {
        if let Some(place) = AttrPath::parse(path).and_then(|path| kind.place(&path)) {
            put(&place, to, value_at(&place, from).cloned());
            any = true;
        }
    }
    if any {
        set_schemas(kind, to);
    }
}

/// Whether `object` holds a value at a path.
#[must_use]
pub fn holds(kind: &ResourceType, object: &Object, path: &str) -> bool {
    AttrPath::parse(path)
        .and_then(|path| kind.place(&path))
        .is_some_and(|place| value_at(&place, object).is_some_and(|value| !is_empty(value)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn value_at<'o>(place: &Place, object: &'o Object) -> Option<&'o Value> {
    let root = place.root(object)?;
    match &place.sub {
        Some(sub) => root.get(&sub.name),
        None => Some(root),
    }
}

fn put(place: &Place, object: &mut Object, value: Option<Value>) {
    let name = place.attribute.name.as_str();
    match &place.extension {
        None => put_in(place, object, name, value),
        Some(schema) => {
            let part = object
                .entry(schema.id.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(part) = part {
                put_in(place, part, name, value);
            }
        }
    }
}

fn put_in(place: &Place, object: &mut Object, name: &str, value: Option<Value>) {
    let Some(sub) = &place.sub else {
        match value {
            Some(value) => object.insert(name.to_owned(), value),
            None => object.remove(name),
        };
        return;
    };
    let whole = object
        .entry(name.to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(members) = whole {
        match value {
            Some(value) => members.insert(sub.name.clone(), value),
            None => members.remove(&sub.name),
        };
    }
    if is_empty(whole) {
        object.remove(name);
    }
}

#[cfg(test)]
mod tests;
