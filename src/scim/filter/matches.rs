//! Evaluates a bound filter on a resource in memory.

use std::cmp::Ordering;

use serde_json::Value;

use crate::scim::Object;
use crate::scim::fold::fold;
use crate::scim::path::Place;
use crate::scim::schema::Type;
use crate::scim::value::instant;

use super::bind::{Bound, Operand};
use super::syntax::Op;

impl Bound {
    /// Whether a resource, with `id`, `meta`, `externalId`, `groups` and `members` in it, meets the filter.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(object)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(object)),
            Self::Not(inner) => !inner.matches(object),
            Self::Compare { place, op, operand } => compare(place, *op, operand, place.values(object)),
            Self::Present(place) => place.values(object).any(|value| is_present(place, value)),
            Self::Each { place, inner } => place
                .elements(object)
                .iter()
                .any(|element| inner.matches_element(element)),
            Self::Constant(holds) => *holds,
        }
    }

    /// Whether one element of a multi-valued attribute meets the filter that stands in the brackets behind it.
    #[must_use]
    pub fn matches_element(&self, element: &Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches_element(element)),
            Self::Or(parts) => parts.iter().any(|part| part.matches_element(element)),
            Self::Not(inner) => !inner.matches_element(element),
            Self::Compare { place, op, operand } => {
                compare(place, *op, operand, place.within(element).into_iter())
            }
            Self::Present(place) => place
                .within(element)
                .is_some_and(|value| is_present(place, value)),
            Self::Each { .. } => false,
            Self::Constant(holds) => *holds,
        }
    }
}

fn compare<'a>(place: &Place, op: Op, operand: &Operand, values: impl Iterator<Item = &'a Value>) -> bool {
    let mut none = true;
    for value in values {
        none = false;
        if holds(place, op, operand, value) {
            return true;
        }
    }
    none && op == Op::Ne
}

fn holds(place: &Place, op: Op, operand: &Operand, value: &Value) -> bool {
    if let (Operand::Text(operand), Value::String(text)) = (operand, value) {
        return if place.leaf().case_exact {
            text_holds(op, text, operand)
        } else {
            text_holds(op, &fold(text), operand)
        };
    }
    match order(operand, value) {
        Some(order) => order_holds(op, order),
        None => op == Op::Ne,
    }
}

fn text_holds(op: Op, text: &str, operand: &str) -> bool {
    match op {
        Op::Co => text.contains(operand),
        Op::Sw => text.starts_with(operand),
        Op::Ew => text.ends_with(operand),
        _ => order_holds(op, text.cmp(operand)),
    }
}

fn order_holds(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}

/// How a value stands to an operand that is no text.
fn order(operand: &Operand, value: &Value) -> Option<Ordering> {
    match operand {
        Operand::Text(_) => None,
        Operand::Boolean(operand) => Some(value.as_bool()?.cmp(operand)),
        Operand::Integer(operand) => match value.as_i64() {
            Some(value) => Some(value.cmp(operand)),
            None => value.is_u64().then_some(Ordering::Greater),
        },
        Operand::Decimal(operand) => value.as_f64()?.partial_cmp(operand),
        Operand::Instant(operand) => Some(instant(value.as_str()?)?.cmp(operand)),
    }
}

/// Whether a value is not empty (RFC 7644 §3.4.2.2, `pr`).
fn is_present(place: &Place, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(parts) => {
            place.leaf().kind == Type::Complex
                && parts
                    .values()
                    .any(|part| !matches!(part, Value::Null) && part.as_str() != Some(""))
        }
        Value::Array(elements) => !elements.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
