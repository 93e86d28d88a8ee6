//! What one operation does to the elements of a multi-valued attribute.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::scim::error::Error;
use crate::scim::filter::{Bound, Filter, Literal, Op, Operand, bind_elements, tolerated_in};
use crate::scim::path::Place;
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::tolerated::Shape;
use crate::scim::value::{Reader, is_primary};

use super::request::OperationKind;

/// One operation on the list.
pub(super) struct Step<'a> {
    pub op: OperationKind,
    /// The attribute, or the sub-attribute in its elements.
    pub place: &'a Place,
    pub filter: Option<&'a Filter>,
    pub value: Option<&'a Value>,
}

impl Step<'_> {
    /// The elements after the operation.
    pub fn on(&self, reader: &mut Reader, mut elements: Vec<Value>) -> Result<Vec<Value>, Error> {
        let before = elements.clone();
        let bound = match self.filter {
            Some(filter) => Some(bound(reader, filter, &self.whole())?),
            None => None,
        };
        match (&bound, &self.place.sub) {
            (None, None) => self.whole_list(reader, &mut elements)?,
            (bound, Some(sub)) => self.part(reader, &mut elements, bound.as_ref(), sub)?,
            (Some(bound), None) => self.matching(reader, &mut elements, bound)?,
        }
        self.unchanged_parts(&before, &elements)?;
        one_primary(&before, &mut elements, &self.place.path())?;
        once(&mut elements);
        Ok(elements)
    }

    fn whole(&self) -> Place {
        Place {
            sub: None,
            ..self.place.clone()
        }
    }

    fn read(&self, reader: &mut Reader) -> Result<Vec<Value>, Error> {
        let value = self.value.unwrap_or(&Value::Null);
        reader.elements(&self.place.attribute, value, &self.place.path())
    }

    /// `emails`: the list as such.
    fn whole_list(&self, reader: &mut Reader, elements: &mut Vec<Value>) -> Result<(), Error> {
        match self.op {
            OperationKind::Replace => *elements = self.read(reader)?,
            OperationKind::Add => {
                for element in self.read(reader)? {
                    add(&self.place.attribute, elements, element);
                }
                if elements.len() > crate::scim::limits::ELEMENTS {
                    return Err(Error::value(format!(
                        "{} has too many elements",
                        self.place.path()
                    )));
                }
            }
            OperationKind::Remove if self.value.is_none_or(Value::is_null) => elements.clear(),
            OperationKind::Remove => {
                reader.note(Shape::RemoveByValue);
                let listed = self.read(reader)?;
                elements.retain(|element| !listed.iter().any(|one| contains(element, one)));
            }
        }
        Ok(())
    }

    /// `emails[type eq "work"]`: whole elements.
    fn matching(&self, reader: &mut Reader, elements: &mut Vec<Value>, bound: &Bound) -> Result<(), Error> {
        if self.op == OperationKind::Remove {
            elements.retain(|element| !bound.matches_element(element));
            return Ok(());
        }
        let path = self.place.path();
        let value = reader.single(&self.place.attribute, self.value.unwrap_or(&Value::Null), &path)?;
        let Some(value) = value else {
            elements.retain(|element| !bound.matches_element(element));
            return Ok(());
        };
        let mut found = false;
        for element in elements
            .iter_mut()
            .filter(|element| bound.matches_element(element))
        {
            found = true;
            if self.op == OperationKind::Replace {
                *element = value.clone();
            } else {
                overlay(element, value.clone());
            }
        }
        if !found {
            let mut made = self.make(reader, bound)?;
            overlay(&mut made, value);
            elements.push(made);
        }
        Ok(())
    }

    /// `emails[type eq "work"].value`, or `emails.value` where it is clear which element is meant.
    fn part(
        &self,
        reader: &mut Reader,
        elements: &mut Vec<Value>,
        bound: Option<&Bound>,
        sub: &Attribute,
    ) -> Result<(), Error> {
        let path = self.place.path();
        let meets = |element: &Value| bound.is_none_or(|bound| bound.matches_element(element));
        let value = match (self.op, self.value) {
            (OperationKind::Remove, _) | (_, None) => None,
            (_, Some(value)) => reader.attribute(sub, value, &path)?,
        };
        // An empty text is no value for the one thing that an element is about.
        let value = value.filter(|value| !(sub.name == "value" && value.as_str() == Some("")));
        let Some(value) = value else {
            if sub.required {
                return Err(Error::mutability(format!("{path} is required")));
            }
            elements.retain_mut(|element| {
                let gone = meets(element)
                    && element
                        .as_object_mut()
                        .is_some_and(|parts| parts.remove(&sub.name).is_some());
                // Without its value, an element that only says what kind it was is gone too.
                !(gone && (sub.name == "value" || element == &json!({})) && is_hollow(element))
            });
            return Ok(());
        };
        if bound.is_none() && elements.len() > 1 {
            return Err(Error::path(format!(
                "say which element with a filter: {}[…].{}",
                self.whole().path(),
                sub.name
            )));
        }
        let mut found = false;
        for element in elements.iter_mut().filter(|element| meets(element)) {
            found = true;
            *element = with(element.take(), sub, value.clone());
        }
        if !found {
            let made = match bound {
                Some(bound) => self.make(reader, bound)?,
                None => Value::Object(Map::new()),
            };
            elements.push(with(made, sub, value));
        }
        Ok(())
    }

    /// A new element that meets the filter: only for a single `eq` on `type` or `primary`, and with `replace` only for a
    /// canonical type.
    fn make(&self, reader: &mut Reader, bound: &Bound) -> Result<Value, Error> {
        let none = || Error::no_target(format!("no element of {} meets the filter", self.whole().path()));
        let Bound::Compare {
            place,
            op: Op::Eq,
            operand,
        } = bound
        else {
            return Err(none());
        };
        let leaf = place.leaf();
        let replaces = self.op == OperationKind::Replace;
        let value = match (leaf.name.as_str(), operand) {
            ("primary", Operand::Boolean(true)) => Value::Bool(true),
            ("type", Operand::Text(kind)) => {
                let canonical = leaf
                    .canonical_values
                    .iter()
                    .find(|known| known.eq_ignore_ascii_case(kind));
                match canonical {
                    Some(known) => Value::from(known.as_str()),
                    None if replaces => return Err(none()),
                    None => Value::from(self.spelling(kind)),
                }
            }
            _ => return Err(none()),
        };
        reader.note(Shape::MakeMissingElement);
        Ok(Value::Object(Map::from_iter([(leaf.name.clone(), value)])))
    }

    /// A text of the filter as the client spelt it; the bound filter only has it folded.
    fn spelling(&self, folded: &str) -> String {
        match self.filter {
            Some(Filter::Compare {
                value: Literal::Text(text) | Literal::Bare(text),
                ..
            }) => text.clone(),
            _ => folded.to_owned(),
        }
    }

    /// Immutable sub-attributes of an element may be set but not changed.
    fn unchanged_parts(&self, before: &[Value], after: &[Value]) -> Result<(), Error> {
        let fixed = self
            .place
            .attribute
            .sub_attributes
            .iter()
            .filter(|sub| sub.mutability == Mutability::Immutable);
        for sub in fixed {
            let changed = before.len() == after.len()
                && before.iter().zip(after).any(|(old, new)| {
                    old.get(&sub.name)
                        .is_some_and(|value| new.get(&sub.name) != Some(value))
                });
            if changed && self.op != OperationKind::Remove && self.filter.is_some() {
                return Err(Error::mutability(format!(
                    "{}.{} cannot be changed",
                    self.whole().path(),
                    sub.name
                )));
            }
        }
        Ok(())
    }
}

/// The filter in the brackets of a path; what of it is no RFC is noted.
pub(super) fn bound(reader: &mut Reader, filter: &Filter, place: &Place) -> Result<Bound, Error> {
    tolerated_in(filter, place)
        .into_iter()
        .for_each(|shape| reader.note(shape));
    bind_elements(filter, place)
}

/// Adds an element: if one of the same type and value is there, that one is changed (RFC 7643 §2.4).
fn add(attribute: &Attribute, elements: &mut Vec<Value>, element: Value) {
    if elements.iter().any(|old| contains(old, &element)) {
        return;
    }
    let same = |old: &&mut Value| {
        attribute.is_complex()
            && element.get("value").is_some()
            && old.get("value") == element.get("value")
            && old.get("type") == element.get("type")
    };
    match elements.iter_mut().find(same) {
        Some(old) => overlay(old, element),
        None => elements.push(element),
    }
}

/// Whether an element has everything that another one names.
fn contains(element: &Value, named: &Value) -> bool {
    match (element, named) {
        (Value::Object(parts), Value::Object(named)) => {
            named.iter().all(|(name, value)| parts.get(name) == Some(value))
        }
        _ => element == named,
    }
}

/// Puts the parts of one element over those of another.
fn overlay(element: &mut Value, over: Value) {
    match (element, over) {
        (Value::Object(parts), Value::Object(over)) => parts.extend(over),
        (element, over) => *element = over,
    }
}

fn with(mut element: Value, sub: &Attribute, value: Value) -> Value {
    if let Some(parts) = element.as_object_mut() {
        parts.insert(sub.name.clone(), value);
    }
    element
}

/// Whether nothing is left of an element but what kind it was.
fn is_hollow(element: &Value) -> bool {
    element
        .as_object()
        .is_some_and(|parts| parts.keys().all(|name| name == "type" || name == "primary"))
}

/// Keeps each element once.
fn once(elements: &mut Vec<Value>) {
    let mut seen = HashSet::with_capacity(elements.len());
    let first: Vec<bool> = elements.iter().map(|element| seen.insert(element)).collect();
    if first.iter().all(|first| *first) {
        return;
    }
    let mut first = first.into_iter();
    elements.retain(|_| first.next().unwrap_or(true));
}

/// At most one element is primary: the one that has just become so (RFC 7644 §3.5.2).
fn one_primary(before: &[Value], elements: &mut [Value], path: &str) -> Result<(), Error> {
    let primary = |elements: &[Value]| -> Vec<usize> {
        let all = elements.iter().enumerate();
        all.filter(|(_, element)| is_primary(element))
            .map(|(at, _)| at)
            .collect()
    };
    // Elements keep their places but for a list that is replaced, and such a list has been checked.
    let was = primary(before);
    let now = primary(elements);
    let new: Vec<usize> = now.iter().copied().filter(|at| !was.contains(at)).collect();
    if now.len() < 2 || new.is_empty() {
        return Ok(());
    }
    let [new] = new.as_slice() else {
        return Err(Error::value(format!(
            "{path} would have more than one primary element"
        )));
    };
    for (at, element) in elements.iter_mut().enumerate() {
        if at != *new && is_primary(element) {
            *element = with_primary_off(element.take());
        }
    }
    Ok(())
}

fn with_primary_off(mut element: Value) -> Value {
    if let Some(primary) = element.get_mut("primary") {
        *primary = Value::Bool(false);
    }
    element
}
