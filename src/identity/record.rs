//! A record in its stored form: the sensitive part apart, and a digest that tells whether anything changed.

use serde_json::{Map, Value};

use super::Error;
use crate::base::{PersonId, Sealer};
use crate::hr::{Employee, FIELDS};

/// A person with all their records of one connection.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The person.
    pub person: PersonId,
    /// Their records, at least one.
    pub employees: Vec<Employee>,
    /// Which of them leads: the one that decides where the person stands.
    pub leading: usize,
}

impl Resolved {
    /// The record that leads.
    #[must_use]
    pub fn leading(&self) -> Option<&Employee> {
        self.employees
            .get(self.leading)
            .or_else(|| self.employees.first())
    }
}

/// Parts a record into what is stored as it is and what is sealed (nothing when the record has nothing sensitive).
/// `sensitive_custom` names the custom fields that are declared sensitive. Empty values are left out.
///
/// # Errors
/// When the record has no JSON form.
pub fn split(employee: &Employee, sensitive_custom: &[String]) -> Result<(Value, Option<Value>), Error> {
    let Value::Object(all) = serde_json::to_value(employee).map_err(Error::Unreadable)? else {
        return Ok((Value::Null, None));
    };
    let (mut plain, mut sealed) = (Map::new(), Map::new());
    for (name, value) in all {
        if name == "custom" {
            let (secret, open): (Map<_, _>, Map<_, _>) = object(value)
                .into_iter()
                .partition(|(key, _)| sensitive_custom.contains(key));
            put(&mut plain, &name, Value::Object(open));
            put(&mut sealed, &name, Value::Object(secret));
        } else if FIELDS.iter().any(|field| field.sensitive && field.name == name) {
            put(&mut sealed, &name, value);
        } else {
            put(&mut plain, &name, value);
        }
    }
    let sealed = (!sealed.is_empty()).then_some(Value::Object(sealed));
    Ok((Value::Object(plain), sealed))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(parts) => parts,
        _ => Map::new(),
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Array(parts) => parts.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    };
    if !empty {
        map.insert(name.to_owned(), value);
    }
}

/// Puts a record together again.
///
/// # Errors
/// When the stored form is not a record.
pub fn join(plain: Value, sealed: Option<Value>) -> Result<Employee, Error> {
    let mut all = object(plain);
    for (name, value) in sealed.map(object).unwrap_or_default() {
        match (all.get_mut(&name), value) {
            (Some(Value::Object(here)), Value::Object(more)) => here.extend(more),
            (_, value) => {
                all.insert(name, value);
            }
        }
    }
    serde_json::from_value(Value::Object(all)).map_err(Error::Unreadable)
}

/// Tells whether a record or the settings that it is read under changed since: an HMAC over the record's JSON form,
/// in which fields and keys have one order, and the settings revision.
///
/// # Errors
/// When the record has no JSON form.
pub fn digest(sealer: &Sealer, employee: &Employee, revision: i32) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec(employee).map_err(Error::Unreadable)?;
    bytes.extend_from_slice(&revision.to_be_bytes());
    Ok(sealer.fingerprint(&bytes))
}
