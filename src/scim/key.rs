//! What a resource is looked up and sorted by.

use std::cmp::Ordering;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::Object;
use super::error::Error;
use super::filter::Operand;
use super::fold::fold;
use super::path::{AttrPath, Place};
use super::registry::ResourceType;
use super::schema::{Attribute, Type};
use super::value::{instant, is_primary};

/// The look-up keys of a resource: path in registered spelling, folded value. Every value that a filter can ask for by
/// `eq` has one, but for booleans, `type`, `primary`, `formatted`, what is sensitive or never given out, and what is not
/// kept in the resource. If `eq` holds, the key is there; the reverse needs a check where case matters.
#[must_use]
pub fn keys(kind: &ResourceType, object: &Object) -> Vec<(String, String)> {
    let mut keys: Vec<(String, String)> = Vec::new();
    for keyed in kind.keyed() {
        for element in keyed.attribute.elements(object) {
            for (place, path) in &keyed.leaves {
                let value = place
                    .within(element)
                    .and_then(|value| key_value(place.leaf(), value));
                let Some(value) = value else { continue };
                keys.push((path.clone(), value));
            }
        }
    }
    let core = fold(&kind.schema.id);
    let schemas = object.get(SCHEMAS).and_then(Value::as_array);
    let urns = schemas.into_iter().flatten().filter_map(Value::as_str).map(fold);
    keys.extend(
        urns.filter(|urn| *urn != core)
            .map(|urn| (SCHEMAS.to_owned(), urn)),
    );
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// `schemas`; the type's own URN, which every resource has, is no key.
const SCHEMAS: &str = "schemas";

/// An attribute whose values have keys.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    attribute: Place,
    /// The places of its plain values, each with its path.
    leaves: Vec<(Place, String)>,
}

/// What of a resource type has keys; worked out once.
pub(super) fn keyed(kind: &ResourceType) -> Vec<Keyed> {
    let leaves = |place: &Place| -> Vec<Place> {
        let subs = place.attribute.sub_attributes.iter();
        let subs: Vec<Place> = subs
            .map(|sub| Place {
                sub: Some(sub.clone()),
                ..place.clone()
            })
            .collect();
        if subs.is_empty() {
            vec![place.clone()]
        } else {
            subs
        }
    };
    kind.attributes()
        .iter()
        .map(|place| Keyed {
            attribute: place.clone(),
            leaves: leaves(place)
                .into_iter()
                .filter(|leaf| is_keyed(kind, leaf))
                .map(|leaf| (leaf.clone(), leaf.path()))
                .collect(),
        })
        .filter(|keyed| !keyed.leaves.is_empty())
        .collect()
}

/// The key that every resource has for which `place eq operand` holds; `None` if such values have no keys.
#[must_use]
pub fn key_of(kind: &ResourceType, place: &Place, operand: &Operand) -> Option<(String, String)> {
    let schemas = place.is_core(SCHEMAS) && *operand != Operand::Text(fold(&kind.schema.id));
    if !schemas && !is_keyed(kind, place) {
        return None;
    }
    let value = match operand {
        Operand::Text(text) => fold(text),
        Operand::Integer(number) => number.to_string(),
        Operand::Decimal(number) => number.to_string(),
        Operand::Instant(at) => instant_key(at),
        Operand::Boolean(_) => return None,
    };
    Some((place.path(), value))
}

fn is_keyed(kind: &ResourceType, place: &Place) -> bool {
    let kept = place.extension.is_some()
        || (!place.attribute.is_read_only()
            && !kind.is_membership(&place.attribute.name)
            && kind.schema.attribute(&place.attribute.name).is_some());
    let open = |attribute: &Attribute| !attribute.is_hidden() && !attribute.sensitive;
    let leaf = place.leaf();
    kept && open(&place.attribute)
        && open(leaf)
        && !matches!(leaf.kind, Type::Boolean | Type::Complex)
        && !(place.sub.is_some() && matches!(leaf.name.as_str(), "type" | "primary" | "formatted" | "$ref"))
}

fn key_value(attribute: &Attribute, value: &Value) -> Option<String> {
    match attribute.kind {
        Type::Integer => value.as_i64().map(|number| number.to_string()),
        Type::Decimal => value.as_f64().map(|number| number.to_string()),
        Type::DateTime => Some(instant_key(&instant(value.as_str()?)?)),
        _ => value.as_str().map(fold),
    }
}

fn instant_key(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// A value to sort by. Values of one attribute are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// `false` first.
    Boolean(bool),
    /// Integer or decimal.
    Number(f64),
    /// Text, folded unless case matters.
    Text(String),
    /// Instant.
    Instant(DateTime<Utc>),
}

impl SortKey {
    /// Ascending order. A resource without a value comes last in it, and first in descending order (RFC 7644 §3.4.2.3).
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(one), Self::Boolean(two)) => one.cmp(two),
            (Self::Number(one), Self::Number(two)) => one.total_cmp(two),
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Instant(one), Self::Instant(two)) => one.cmp(two),
            _ => Ordering::Equal,
        }
    }
}

/// The place that `sortBy` names; a complex attribute sorts by its `value`.
///
/// # Errors
/// `400 invalidPath` for an attribute that is unknown, never given out, or complex without `value`; `403 sensitive`.
pub fn sort_place(kind: &ResourceType, sort_by: &str) -> Result<Place, Error> {
    let unknown = || Error::path("sortBy names no attribute that can be sorted by");
    let path = AttrPath::parse(sort_by.trim()).ok_or_else(unknown)?;
    let place = kind.place(&path).ok_or_else(unknown)?;
    let place = if place.leaf().is_complex() {
        place.down("value").ok_or_else(unknown)?
    } else {
        place
    };
    if place.attribute.is_hidden() || place.leaf().is_hidden() {
        return Err(unknown());
    }
    if place.attribute.sensitive || place.leaf().sensitive {
        return Err(Error::sensitive(path));
    }
    Ok(place)
}

/// The value that a resource sorts by: of the primary element, else of the first that has one.
#[must_use]
pub fn sort_key(place: &Place, object: &Object) -> Option<SortKey> {
    let elements = place.elements(object);
    let primary = elements.iter().find(|element| is_primary(element));
    let value = primary
        .and_then(|element| place.within(element))
        .or_else(|| elements.iter().find_map(|element| place.within(element)))?;
    match place.leaf().kind {
        Type::Boolean => value.as_bool().map(SortKey::Boolean),
        Type::Integer | Type::Decimal => value.as_f64().map(SortKey::Number),
        Type::DateTime => instant(value.as_str()?).map(SortKey::Instant),
        _ if place.leaf().case_exact => Some(SortKey::Text(value.as_str()?.to_owned())),
        _ => Some(SortKey::Text(fold(value.as_str()?))),
    }
}

#[cfg(test)]
mod tests;
