//! The difference between two states of a resource: attribute by attribute, and as the smallest PATCH.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Object;
use super::fold::fold;
use super::path::Place;
use super::registry::ResourceType;
use super::value::{is_derived, is_reference};

/// One attribute that differs. `path` is in registered spelling; lists are taken whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delta {
    /// The path: `title`, `name.givenName`, `emails`, `urn:…:User:manager.value`.
    pub path: String,
    /// The value before; none if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; none if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What differs between two states of a resource, in the order of the schemas. The order of a list does not matter, and
/// `schemas`, `id`, `meta` and members are not looked at. Attributes that no schema has come last.
#[must_use]
pub fn diff(kind: &ResourceType, before: &Object, after: &Object) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for place in compared(kind) {
        let (old, new) = (place.root(before), place.root(after));
        if same(old, new) {
            continue;
        }
        if place.attribute.multi_valued || !place.attribute.is_complex() {
            deltas.push(Delta {
                path: place.path(),
                before: old.cloned(),
                after: new.cloned(),
            });
            continue;
        }
        for sub in &place.attribute.sub_attributes {
            let (old, new) = (part(old, &sub.name), part(new, &sub.name));
            if !same(old, new) {
                let path = format!("{}.{}", place.path(), sub.name);
                deltas.push(Delta {
                    path,
                    before: old.cloned(),
                    after: new.cloned(),
                });
            }
        }
    }
    for path in unknown(kind, before, after) {
        let (old, new) = (path.value(before), path.value(after));
        if !same(old, new) {
            deltas.push(Delta {
                path: path.text(),
                before: old.cloned(),
                after: new.cloned(),
            });
        }
    }
    deltas
}

/// One operation of a PATCH that we send: strict RFC 7644, always with a path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchOp {
    /// `add`, `remove` or `replace`.
    pub op: &'static str,
    /// The path.
    pub path: String,
    /// The value; a `remove` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl PatchOp {
    fn remove(path: String) -> Self {
        Self {
            op: "remove",
            path,
            value: None,
        }
    }

    /// `replace`, or `add` if there is nothing yet.
    fn set(path: String, there: bool, value: Value) -> Self {
        Self {
            op: if there { "replace" } else { "add" },
            path,
            value: Some(value),
        }
    }
}

/// The smallest PATCH that makes `after` of `before`. Elements of a list are named by their `type` where that is
/// unambiguous (`emails[type eq "work"].value`), else the list is replaced as a whole; what only grows is added to.
/// Nothing that the server makes itself is written: readOnly attributes of the core schema, `$ref`, members.
#[must_use]
pub fn to_patch(kind: &ResourceType, before: &Object, after: &Object) -> Vec<PatchOp> {
    let mut operations = Vec::new();
    for place in compared(kind) {
        if place.extension.is_none() && place.attribute.is_read_only() {
            continue;
        }
        let (old, new) = (written(&place, before), written(&place, after));
        if same(old.as_ref(), new.as_ref()) {
            continue;
        }
        let path = place.path();
        match (old, new) {
            (Some(_), None) => operations.push(PatchOp::remove(path)),
            (None, Some(Value::Array(new))) => operations.extend(list(&path, &[], &new)),
            (None, Some(new)) => operations.push(PatchOp::set(path, false, new)),
            (Some(Value::Array(old)), Some(Value::Array(new))) => operations.extend(list(&path, &old, &new)),
            (Some(Value::Object(old)), Some(Value::Object(new))) if !is_reference(&place.attribute) => {
                operations.extend(parts(&path, &old, &new));
            }
            (Some(_), Some(new)) => operations.push(PatchOp::set(path, true, new)),
            (None, None) => {}
        }
    }
    for path in unknown(kind, before, after) {
        let (old, new) = (path.value(before), path.value(after));
        match new {
            _ if same(old, new) => {}
            Some(new) => operations.push(PatchOp::set(path.text(), !is_none(old), new.clone())),
            None => operations.push(PatchOp::remove(path.text())),
        }
    }
    operations
}

/// The attributes that are compared: all that are kept in the resource, and `externalId`.
fn compared(kind: &ResourceType) -> impl Iterator<Item = Cow<'_, Place>> {
    let external_id = kind.core("externalId").map(|attribute| Place {
        extension: None,
        attribute: attribute.clone(),
        sub: None,
    });
    kind.attributes()
        .iter()
        .map(Cow::Borrowed)
        .chain(external_id.map(Cow::Owned))
        .filter(|place| place.extension.is_some() || !kind.is_membership(&place.attribute.name))
}

/// Absent, `null`, an empty list and an empty object are the same (RFC 7643 §2.5); lists have no order.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        _ if is_none(one) || is_none(other) => is_none(one) && is_none(other),
        (Some(Value::Array(one)), Some(Value::Array(other))) => same_elements(one, other),
        _ => one == other,
    }
}

fn same_elements(one: &[Value], other: &[Value]) -> bool {
    one == other || (one.len() == other.len() && lacks(one, other).is_empty() && lacks(other, one).is_empty())
}

/// The elements of `new` that `old` does not have.
fn lacks(old: &[Value], new: &[Value]) -> Vec<Value> {
    let mut rest: Vec<&Value> = old.iter().collect();
    new.iter()
        .filter(|element| match rest.iter().position(|other| other == element) {
            Some(at) => {
                rest.swap_remove(at);
                false
            }
            None => true,
        })
        .cloned()
        .collect()
}

fn is_none(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(parts)) => parts.is_empty(),
        Some(_) => false,
    }
}

fn part<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    value?.get(name)
}

/// The value at a place without what the server makes itself.
fn written(place: &Place, object: &Object) -> Option<Value> {
    let strip = |value: &Value| match value {
        Value::Object(parts) => {
            let kept = parts.iter().filter(|(name, value)| {
                !value.is_null()
                    && place.attribute.sub(name).is_none_or(|sub| {
                        // An extension that is readOnly with us is not so in an app that takes it.
                        place.attribute.is_read_only() || !is_derived(&place.attribute, sub)
                    })
            });
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        value => value.clone(),
    };
    let value = match place.root(object)? {
        Value::Array(elements) => Value::Array(elements.iter().map(strip).collect()),
        value => strip(value),
    };
    (!is_none(Some(&value))).then_some(value)
}

/// The sub-attributes of a complex attribute, or of one element, that differ.
fn parts(path: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<PatchOp> {
    let removed = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .map(|name| PatchOp::remove(format!("{path}.{name}")));
    let set = new
        .iter()
        .filter(|(name, value)| !same(old.get(*name), Some(value)))
        .map(|(name, value)| PatchOp::set(format!("{path}.{name}"), old.contains_key(name), value.clone()));
    set.chain(removed).collect()
}

fn list(path: &str, old: &[Value], new: &[Value]) -> Vec<PatchOp> {
    if !old.is_empty()
        && let Some(operations) = typed(path, old, new)
    {
        return operations;
    }
    let more = lacks(old, new);
    let clashes = more.iter().any(|element| {
        (element.get("primary").is_some() && !old.is_empty())
            || old.iter().any(|other| is_like(other, element))
            || more.iter().filter(|other| is_like(other, element)).count() > 1
    });
    if lacks(new, old).is_empty() && !clashes {
        return vec![PatchOp::set(path.to_owned(), false, Value::Array(more))];
    }
    vec![PatchOp::set(path.to_owned(), true, Value::Array(new.to_vec()))]
}

/// Whether a server may take two elements for the same: of one type and value, or one having all that the other has.
fn is_like(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            (a.get("value") == b.get("value") && a.get("type") == b.get("type"))
                || a.iter().all(|(name, value)| b.get(name) == Some(value))
                || b.iter().all(|(name, value)| a.get(name) == Some(value))
        }
        _ => one == other,
    }
}

/// The difference of two lists whose elements each have a type of their own, and do not change which one is primary.
fn typed(path: &str, old: &[Value], new: &[Value]) -> Option<Vec<PatchOp>> {
    let (old_types, new_types) = (types(old)?, types(new)?);
    let mut operations = Vec::new();
    for (kind, spelling, element) in &old_types {
        let filter = format!("{path}[type eq {}]", Value::from(*spelling));
        match new_types.iter().find(|(other, _, _)| other == kind) {
            None => operations.push(PatchOp::remove(filter)),
            Some((_, _, changed)) => {
                let hollow = changed.keys().all(|name| name == "type" || name == "primary");
                let moved = element.get("type") != changed.get("type")
                    || element.get("primary") != changed.get("primary");
                if moved || (hollow && element != changed) {
                    return None;
                }
                operations.extend(parts(&filter, element, changed));
            }
        }
    }
    let added: Vec<Value> = new_types
        .iter()
        .filter(|(kind, _, _)| !old_types.iter().any(|(other, _, _)| other == kind))
        .map(|(_, _, element)| Value::Object((*element).clone()))
        .collect();
    if added.iter().any(|element| element.get("primary").is_some()) {
        return None;
    }
    if !added.is_empty() {
        operations.push(PatchOp::set(path.to_owned(), false, Value::Array(added)));
    }
    Some(operations)
}

type Typed<'a> = (String, &'a str, &'a Map<String, Value>);

/// Folded type, type as spelt, and parts of each element; none unless all have different types that are not empty.
fn types(elements: &[Value]) -> Option<Vec<Typed<'_>>> {
    let mut types: Vec<Typed<'_>> = Vec::with_capacity(elements.len());
    for element in elements {
        let parts = element.as_object()?;
        let spelling = parts.get("type")?.as_str().filter(|kind| !kind.is_empty())?;
        let kind = fold(spelling);
        if types.iter().any(|(other, _, _)| *other == kind) {
            return None;
        }
        types.push((kind, spelling, parts));
    }
    Some(types)
}

/// An attribute that no schema of the type has: an app's own.
struct Unknown {
    urn: Option<String>,
    name: String,
}

impl Unknown {
    fn value<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        match &self.urn {
            None => object.get(&self.name),
            Some(urn) => object.get(urn)?.get(&self.name),
        }
    }

    fn text(&self) -> String {
        match &self.urn {
            None => self.name.clone(),
            Some(urn) => format!("{urn}:{}", self.name),
        }
    }
}

fn unknown(kind: &ResourceType, before: &Object, after: &Object) -> Vec<Unknown> {
    let mut found: Vec<Unknown> = Vec::new();
    for (key, value) in before.iter().chain(after) {
        let names: Vec<(Option<&str>, &str)> = match value {
            _ if kind.core(key).is_some() => continue,
            Value::Object(parts) if key.contains(':') => {
                let known = kind.extension(key);
                parts
                    .keys()
                    .filter(|name| known.is_none_or(|extension| extension.schema.attribute(name).is_none()))
                    .map(|name| (Some(key.as_str()), name.as_str()))
                    .collect()
            }
            _ => vec![(None, key.as_str())],
        };
        for (urn, name) in names {
            if !found
                .iter()
                .any(|one| one.urn.as_deref() == urn && one.name == name)
            {
                found.push(Unknown {
                    urn: urn.map(str::to_owned),
                    name: name.to_owned(),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
