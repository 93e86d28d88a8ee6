//! Reads single values by the type of their attribute (RFC 7643 §2.3 to §2.5).

use std::collections::HashSet;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use super::error::Error;
use super::limits::{ELEMENTS, TEXT_BYTES};
use super::schema::{Attribute, Type};
use super::tolerated::Shape;

/// Reads an `xsd:dateTime` as an instant; without an offset it is UTC.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return text.contains(['T', 't']).then(|| at.to_utc());
    }
    let local: NaiveDateTime = text.parse().ok()?;
    Some(local.and_utc())
}

/// Reads values and remembers what it had to overlook.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Paths of unknown attributes that were left out.
    pub dropped: Vec<String>,
    /// Shapes that are no RFC.
    pub tolerated: Vec<Shape>,
}

impl Reader {
    pub fn note(&mut self, shape: Shape) {
        if !self.tolerated.contains(&shape) {
            self.tolerated.push(shape);
        }
    }

    /// A whole attribute's value; `None` is "unassigned": `null`, an empty list, an object of which nothing is left.
    pub fn attribute(
        &mut self,
        attribute: &Attribute,
        value: &Value,
        path: &str,
    ) -> Result<Option<Value>, Error> {
        if !attribute.multi_valued {
            return self.single(attribute, value, path);
        }
        let elements = self.elements(attribute, value, path)?;
        Ok((!elements.is_empty()).then_some(Value::Array(elements)))
    }

    /// The elements of a multi-valued attribute, each once, at most one of them primary.
    pub fn elements(
        &mut self,
        attribute: &Attribute,
        value: &Value,
        path: &str,
    ) -> Result<Vec<Value>, Error> {
        let list = match value {
            Value::Null => &[],
            Value::Array(list) => list.as_slice(),
            single => {
                self.note(Shape::SingleForList);
                std::slice::from_ref(single)
            }
        };
        if list.len() > ELEMENTS {
            return Err(Error::value(format!("{path} has more than {ELEMENTS} elements")));
        }
        let mut elements: Vec<Value> = Vec::with_capacity(list.len());
        let mut seen = HashSet::new();
        for element in list {
            if let Some(element) = self.element(attribute, element, path)?
                && seen.insert(element.clone())
            {
                elements.push(element);
            }
        }
        if elements.iter().filter(|element| is_primary(element)).count() > 1 {
            return Err(Error::value(format!("{path} has more than one primary element")));
        }
        Ok(elements)
    }

    /// One element of a multi-valued attribute, or the value of a single-valued one.
    fn element(&mut self, attribute: &Attribute, value: &Value, path: &str) -> Result<Option<Value>, Error> {
        match value {
            Value::Null => Ok(None),
            Value::Object(parts) if attribute.is_complex() => self.complex(attribute, parts, path),
            Value::String(text) if attribute.is_complex() => self.bare(attribute, text, path),
            _ if attribute.is_complex() => {
                Err(Error::value(format!("{path} takes an object of sub-attributes")))
            }
            value => self.simple(attribute, value, path),
        }
    }

    /// A single-valued attribute, or a sub-attribute.
    pub fn single(
        &mut self,
        attribute: &Attribute,
        value: &Value,
        path: &str,
    ) -> Result<Option<Value>, Error> {
        match value {
            Value::Array(list) => match list.as_slice() {
                [] => Ok(None),
                [only] => {
                    self.note(Shape::ListForSingle);
                    self.element(attribute, only, path)
                }
                _ => Err(Error::value(format!("{path} takes one value, not a list"))),
            },
            value => self.element(attribute, value, path),
        }
    }

    /// A text where an object belongs: its `value`.
    fn bare(&mut self, attribute: &Attribute, text: &str, path: &str) -> Result<Option<Value>, Error> {
        if text.is_empty() {
            self.note(Shape::EmptyForNone);
            return Ok(None);
        }
        let Some(sub) = attribute.sub("value") else {
            return Err(Error::value(format!("{path} takes an object of sub-attributes")));
        };
        self.note(Shape::TextForComplex);
        let value = self.simple(sub, &Value::from(text), path)?;
        Ok(value.map(|value| Value::Object(Map::from_iter([(sub.name.clone(), value)]))))
    }

    fn complex(
        &mut self,
        attribute: &Attribute,
        parts: &Map<String, Value>,
        path: &str,
    ) -> Result<Option<Value>, Error> {
        let mut read = Map::new();
        for (name, value) in parts {
            let Some(sub) = attribute.sub(name) else {
                self.dropped.push(format!("{path}.{name}"));
                continue;
            };
            if is_derived(attribute, sub) {
                continue;
            }
            let path = format!("{path}.{}", sub.name);
            if let Some(value) = self.attribute(sub, value, &path)?
                && read.insert(sub.name.clone(), value).is_some()
            {
                return Err(Error::syntax(format!("{path} stands there twice")));
            }
        }
        if is_reference(attribute) && read.get("value").is_some_and(|value| value.as_str() == Some("")) {
            self.note(Shape::EmptyForNone);
            read.remove("value");
        }
        if read.is_empty() {
            return Ok(None);
        }
        if let Some(missing) = attribute
            .sub_attributes
            .iter()
            .find(|sub| sub.required && !read.contains_key(&sub.name))
        {
            return Err(Error::value(format!("{path}.{} is required", missing.name)));
        }
        Ok(Some(Value::Object(read)))
    }

    fn simple(&mut self, attribute: &Attribute, value: &Value, path: &str) -> Result<Option<Value>, Error> {
        let wrong = |what: &str| Error::value(format!("{path} takes {what}"));
        match (attribute.kind, value) {
            (Type::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
            (Type::Boolean, Value::String(text)) => {
                self.note(Shape::TextForBoolean);
                match text.to_ascii_lowercase().as_str() {
                    "true" => Ok(Some(Value::Bool(true))),
                    "false" => Ok(Some(Value::Bool(false))),
                    "" => Ok(None),
                    _ => Err(wrong("true or false")),
                }
            }
            (Type::Boolean, _) => Err(wrong("true or false")),
            (Type::Integer, Value::Number(number)) if number.is_i64() => Ok(Some(value.clone())),
            (Type::Integer, _) => Err(wrong("a whole number")),
            (Type::Decimal, Value::Number(_)) => Ok(Some(value.clone())),
            (Type::Decimal, _) => Err(wrong("a number")),
            (Type::Reference, Value::String(text)) if text.is_empty() => {
                self.note(Shape::EmptyForNone);
                Ok(None)
            }
            (Type::DateTime | Type::Binary, Value::String(text)) if text.is_empty() => Ok(None),
            (Type::DateTime, Value::String(text)) if instant(text).is_none() => {
                Err(wrong("a date with a time"))
            }
            (Type::Binary, Value::String(text)) if !is_base64(text) => Err(wrong("base64")),
            (Type::String | Type::Reference | Type::DateTime | Type::Binary, Value::String(text)) => {
                check_text(text, path)?;
                Ok(Some(value.clone()))
            }
            (Type::String, _) => Err(wrong("a text")),
            (Type::Reference, _) => Err(wrong("a URI")),
            (Type::DateTime, _) => Err(wrong("a date with a time")),
            (Type::Binary, _) => Err(wrong("base64")),
            (Type::Complex, _) => Err(wrong("an object of sub-attributes")),
        }
    }
}

/// Refuses what the store cannot hold or should not.
pub(super) fn check_text(text: &str, path: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::value(format!("{path} has a NUL character in it")));
    }
    if text.len() > TEXT_BYTES {
        return Err(Error::value(format!("{path} is longer than {TEXT_BYTES} bytes")));
    }
    Ok(())
}

/// Whether the attribute points to another resource: it has `value` and `$ref`.
pub(super) fn is_reference(attribute: &Attribute) -> bool {
    attribute.is_complex() && attribute.sub("$ref").is_some()
}

/// Whether the server makes this sub-attribute itself: it is readOnly, or the `$ref` that belongs to a `value`.
pub(super) fn is_derived(attribute: &Attribute, sub: &Attribute) -> bool {
    sub.is_read_only() || (sub.name == "$ref" && attribute.sub("value").is_some())
}

/// Whether an element says that it is the primary one.
pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary").and_then(Value::as_bool) == Some(true)
}

fn is_base64(text: &str) -> bool {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        base64::alphabet::URL_SAFE
    } else {
        base64::alphabet::STANDARD
    };
    GeneralPurpose::new(&alphabet, config).decode(text).is_ok()
}
