//! Resources for property tests: few words, so that values meet each other.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::registry::{ENTERPRISE, Registry, ResourceType, USER};
use super::{Object, read};

/// The user type.
pub fn user() -> Arc<ResourceType> {
    Registry::builtin().kind("User").unwrap().clone()
}

/// A short text.
pub fn word() -> impl Strategy<Value = String> {
    select(vec![
        "ann", "ANN", "bob", "Straße", "STRASSE", "a\"b", "an", "%", "ÉVA", "éva", "b\\",
    ])
    .prop_map(str::to_owned)
}

/// A kind of element: known, unknown, or none.
pub fn element_type() -> impl Strategy<Value = Option<String>> {
    select(vec![
        Some("work"),
        Some("Work"),
        Some("home"),
        Some("own \"x\""),
        None,
    ])
    .prop_map(|kind| kind.map(str::to_owned))
}

fn insert(parts: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        parts.insert(name.to_owned(), value.into());
    }
}

/// A list of addresses, at most one of them primary.
pub fn list() -> impl Strategy<Value = Vec<Value>> {
    let element = (element_type(), option::weighted(0.9, word()), option::of(word()));
    (vec(element, 0..4), option::of(0..4_usize), any::<bool>()).prop_map(|(elements, primary, spelled)| {
        let made = elements
            .into_iter()
            .enumerate()
            .map(|(at, (kind, value, display))| {
                let mut parts = Map::new();
                insert(&mut parts, "type", kind);
                insert(&mut parts, "value", value);
                insert(&mut parts, "display", display);
                if primary == Some(at) {
                    parts.insert("primary".to_owned(), Value::Bool(true));
                } else if spelled {
                    parts.insert("primary".to_owned(), Value::Bool(false));
                }
                Value::Object(parts)
            });
        made.collect()
    })
}

/// A user as it is kept.
pub fn object() -> impl Strategy<Value = Object> {
    let core = (
        word(),
        option::of(word()),
        option::of(any::<bool>()),
        option::of(word()),
        option::of(word()),
    );
    let lists = (list(), list(), vec(word(), 0..3));
    let extension = (option::of(word()), option::of(word()), option::of(word()));
    (core, lists, extension).prop_map(
        |((name, title, active, given, family), (emails, phones, roles), (department, manager, number))| {
            let mut body = Map::new();
            body.insert("schemas".to_owned(), json!([USER]));
            body.insert("userName".to_owned(), Value::from(name));
            insert(&mut body, "title", title);
            insert(&mut body, "active", active);
            let mut parts = Map::new();
            insert(&mut parts, "givenName", given);
            insert(&mut parts, "familyName", family);
            body.insert("name".to_owned(), Value::Object(parts));
            body.insert("emails".to_owned(), Value::Array(emails));
            body.insert("phoneNumbers".to_owned(), Value::Array(phones));
            body.insert("roles".to_owned(), Value::from(roles));
            let mut parts = Map::new();
            insert(&mut parts, "department", department);
            insert(&mut parts, "employeeNumber", number);
            insert(&mut parts, "manager", manager);
            body.insert(ENTERPRISE.to_owned(), Value::Object(parts));
            read(&user(), &Value::Object(body)).unwrap().object
        },
    )
}
