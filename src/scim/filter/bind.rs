//! Resolves a filter against a resource type: every attribute known, every value of its type.

use serde_json::Value;

use crate::scim::error::Error;
use crate::scim::fold::fold;
use crate::scim::path::{AttrPath, Place};
use crate::scim::registry::ResourceType;
use crate::scim::schema::Type;
use crate::scim::value::instant;

use super::syntax::{Filter, Literal, Op};

/// A filter whose attributes and values are resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// All hold.
    And(Vec<Bound>),
    /// At least one holds.
    Or(Vec<Bound>),
    /// Does not hold.
    Not(Box<Bound>),
    /// A value at the place compares so: any one, if there are several. `ne` also holds when there is none.
    Compare {
        /// Where.
        place: Place,
        /// How.
        op: Op,
        /// With what.
        operand: Operand,
    },
    /// There is a value that is not empty; of a complex attribute, one of its sub-attributes.
    Present(Place),
    /// One and the same element of the attribute at `place` meets the inner filter, whose places are the same
    /// attribute's sub-attributes (or, for a list of plain values, the attribute itself).
    Each {
        /// The attribute.
        place: Place,
        /// The condition.
        inner: Box<Bound>,
    },
    /// Holds always or never: an attribute that this type does not have, in a query over several types.
    Constant(bool),
}

/// A value of the type that its attribute has.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// String, reference or binary. Folded already, unless the attribute is caseExact.
    Text(String),
    /// Boolean.
    Boolean(bool),
    /// Integer.
    Integer(i64),
    /// Decimal.
    Decimal(f64),
    /// An instant.
    Instant(chrono::DateTime<chrono::Utc>),
}

/// Resolves a filter on one resource type.
///
/// # Errors
/// `400 invalidFilter`: an attribute that the type does not have or that is never given out, or a comparison that does
/// not fit its type. `403 sensitive`: an attribute whose values must not stand in a filter.
pub fn bind(filter: &Filter, kind: &ResourceType) -> Result<Bound, Error> {
    node(filter, &Scope::Resource { kind, strict: true })
}

/// Resolves a filter for a query over several resource types: an attribute that this type lacks counts as having no
/// value (RFC 7644 §3.4.2.1).
///
/// # Errors
/// As [`bind`], but for unknown attributes.
pub fn bind_loosely(filter: &Filter, kind: &ResourceType) -> Result<Bound, Error> {
    node(filter, &Scope::Resource { kind, strict: false })
}

/// Resolves the filter in the brackets behind an attribute.
///
/// # Errors
/// As [`bind`].
pub fn bind_elements(filter: &Filter, place: &Place) -> Result<Bound, Error> {
    node(filter, &Scope::Element { place })
}

enum Scope<'a> {
    Resource { kind: &'a ResourceType, strict: bool },
    Element { place: &'a Place },
}

impl Scope<'_> {
    /// The place of a path; `None` if it may be missing and is.
    fn place(&self, path: &AttrPath) -> Result<Option<Place>, Error> {
        let unknown = || Error::filter(format!("there is no attribute {path}"));
        let place = match self {
            Self::Resource { kind, strict } => match kind.place(path) {
                None if *strict => return Err(unknown()),
                None => return Ok(None),
                Some(place) => place,
            },
            Self::Element { place } => {
                if path.urn.is_some() || path.sub.is_some() {
                    return Err(unknown());
                }
                let plain = !place.attribute.is_complex() && path.name.eq_ignore_ascii_case("value");
                let whole = || plain.then(|| (*place).clone());
                place.down(&path.name).or_else(whole).ok_or_else(unknown)?
            }
        };
        if place.attribute.is_hidden() || place.leaf().is_hidden() {
            return Err(Error::filter(format!("{path} cannot be filtered by")));
        }
        if place.attribute.sensitive || place.leaf().sensitive {
            return Err(Error::sensitive(path));
        }
        Ok(Some(place))
    }
}

fn node(filter: &Filter, scope: &Scope<'_>) -> Result<Bound, Error> {
    let all = |parts: &[Filter]| {
        parts
            .iter()
            .map(|part| node(part, scope))
            .collect::<Result<_, _>>()
    };
    Ok(match filter {
        Filter::And(parts) => Bound::And(all(parts)?),
        Filter::Or(parts) => Bound::Or(all(parts)?),
        Filter::Not(inner) => Bound::Not(Box::new(node(inner, scope)?)),
        Filter::Present(path) => scope.place(path)?.map_or(Bound::Constant(false), Bound::Present),
        Filter::Compare { path, op, value } => match scope.place(path)? {
            Some(place) => compare(place, *op, value)?,
            None => Bound::Constant(match value {
                Literal::Null => *op == Op::Eq,
                _ => *op == Op::Ne,
            }),
        },
        Filter::ValuePath { path, inner } => each(path, &[inner], scope)?,
        Filter::Behind { path, inner, then } => each(path, &[inner, then], scope)?,
    })
}

/// One element meets all these.
fn each(path: &AttrPath, all: &[&Filter], scope: &Scope<'_>) -> Result<Bound, Error> {
    let Some(place) = scope.place(path)? else {
        return Ok(Bound::Constant(false));
    };
    let bracketed = place.sub.is_none() && (place.attribute.is_complex() || place.attribute.multi_valued);
    if !bracketed {
        return Err(Error::filter(format!("{path} has no elements to filter")));
    }
    let mut bound = all
        .iter()
        .map(|inner| bind_elements(inner, &place))
        .collect::<Result<Vec<_>, _>>()?;
    let inner = match (bound.pop(), bound.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            bound.extend(last);
            Bound::And(bound)
        }
    };
    Ok(Bound::Each {
        place,
        inner: Box::new(inner),
    })
}

fn compare(place: Place, op: Op, value: &Literal) -> Result<Bound, Error> {
    if *value == Literal::Null {
        return match op {
            Op::Eq => Ok(Bound::Not(Box::new(Bound::Present(place)))),
            Op::Ne => Ok(Bound::Present(place)),
            _ => Err(Error::filter(format!(
                "{} does not compare with null",
                op.as_str()
            ))),
        };
    }
    // A complex attribute compares by its `value` (RFC 7644 §3.4.2.2).
    let place = if place.leaf().is_complex() {
        place
            .down("value")
            .ok_or_else(|| Error::filter(format!("name a sub-attribute of {}", place.path())))?
    } else {
        place
    };
    let kind = place.leaf().kind;
    let fits = match kind {
        Type::String | Type::Reference => true,
        Type::Binary => !op.orders(),
        Type::Boolean => !op.orders() && !op.looks_inside(),
        Type::Integer | Type::Decimal | Type::DateTime => !op.looks_inside(),
        Type::Complex => false,
    };
    if !fits {
        return Err(Error::filter(format!(
            "{} does not fit {}",
            op.as_str(),
            place.path()
        )));
    }
    let operand = operand(&place, kind, value)
        .ok_or_else(|| Error::filter(format!("the value does not fit {}", place.path())))?;
    Ok(Bound::Compare { place, op, operand })
}

fn operand(place: &Place, kind: Type, value: &Literal) -> Option<Operand> {
    let text = match value {
        Literal::Text(text) | Literal::Bare(text) | Literal::Number(text) => text.as_str(),
        Literal::Boolean(true) => "true",
        Literal::Boolean(false) => "false",
        Literal::Null => return None,
    };
    Some(match kind {
        Type::String | Type::Reference | Type::Binary if place.leaf().case_exact => {
            Operand::Text(text.to_owned())
        }
        Type::String | Type::Reference | Type::Binary => Operand::Text(fold(text)),
        Type::Boolean if text.eq_ignore_ascii_case("true") => Operand::Boolean(true),
        Type::Boolean if text.eq_ignore_ascii_case("false") => Operand::Boolean(false),
        Type::Integer => Operand::Integer(text.parse().ok()?),
        Type::Decimal => Operand::Decimal(serde_json::from_str::<Value>(text).ok()?.as_f64()?),
        Type::DateTime => Operand::Instant(instant(text)?),
        Type::Boolean | Type::Complex => return None,
    })
}
