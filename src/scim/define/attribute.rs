//! One attribute of a tenant's schema (RFC 7643 §7), with what it leaves out written out (§2.2).

use serde_json::{Map, Value, json};

use super::{Flaw, limits};
use crate::scim::schema::is_name;

const TYPES: &[&str] = &[
    "string",
    "boolean",
    "integer",
    "decimal",
    "dateTime",
    "reference",
    "binary",
    "complex",
];
const MUTABILITIES: &[&str] = &["readWrite", "readOnly", "immutable", "writeOnly"];
const RETURNED: &[&str] = &["default", "always", "request", "never"];
const KEYS: &[&str] = &[
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
    "subAttributes",
];
/// Names that the program gives a meaning of its own, wherever they stand.
const RESERVED: &[(&str, &str)] = &[
    ("manager", "the enterprise extension has it"),
    ("members", "it is kept as rows, of groups only"),
    ("groups", "the server computes it"),
    ("id", "every resource has it"),
    ("externalId", "every resource has it"),
    ("meta", "every resource has it"),
    ("schemas", "every resource has it"),
    ("password", "passwords are never kept"),
];

/// Reads a JSON object's members one after the other and notes what is wrong.
pub(super) struct Reading<'a> {
    pub at: String,
    pub from: &'a Map<String, Value>,
    pub flaws: &'a mut Vec<Flaw>,
}

impl Reading<'_> {
    pub fn flaw(&mut self, key: &str, message: impl Into<String>) {
        let at = match (self.at.is_empty(), key.is_empty()) {
            (_, true) => self.at.clone(),
            (true, _) => key.to_owned(),
            _ => format!("{}.{key}", self.at),
        };
        self.flaws.push(Flaw::new(at, message));
    }

    pub fn only(&mut self, keys: &[&str]) {
        for key in self.from.keys() {
            if !keys.contains(&key.as_str()) {
                self.flaw(
                    key,
                    format!("is not known; what may stand here: {}", keys.join(", ")),
                );
            }
        }
    }

    /// A text of at most `most` characters; absent is `None`.
    pub fn text(&mut self, key: &str, most: usize) -> Option<String> {
        match self.from.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() <= most && !text.contains('\0') => {
                Some(text.clone())
            }
            Some(Value::String(_)) => {
                self.flaw(
                    key,
                    format!("is longer than {most} characters, or has a NUL in it"),
                );
                None
            }
            Some(_) => {
                self.flaw(key, "takes a text");
                None
            }
        }
    }

    pub fn truth(&mut self, key: &str) -> bool {
        match self.from.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(holds)) => *holds,
            Some(_) => {
                self.flaw(key, "takes true or false");
                false
            }
        }
    }

    /// One of `words`, the first if absent.
    fn word(&mut self, key: &str, words: &[&'static str]) -> &'static str {
        let first = words.first().copied().unwrap_or_default();
        match self.from.get(key) {
            None | Some(Value::Null) => first,
            Some(given) => match words.iter().find(|word| given == **word) {
                Some(word) => word,
                None => {
                    self.flaw(key, format!("is one of {}", words.join(", ")));
                    first
                }
            },
        }
    }

    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let list = self.from.get(key).filter(|list| !list.is_null())?;
        let texts: Option<Vec<String>> = list.as_array().and_then(|list| {
            list.iter()
                .map(|one| {
                    one.as_str()
                        .filter(|one| !one.is_empty() && one.chars().count() <= limits::TEXT)
                        .map(str::to_owned)
                })
                .collect()
        });
        match texts {
            Some(texts) if texts.len() <= limits::VALUES => Some(texts),
            _ => {
                let message = format!(
                    "takes a list of at most {} texts of at most {} characters",
                    limits::VALUES,
                    limits::TEXT
                );
                self.flaw(key, message);
                None
            }
        }
    }

    /// The objects of a list.
    pub fn objects(&mut self, key: &str, most: usize) -> Vec<&Map<String, Value>> {
        let from = self.from;
        let objects: Option<Vec<_>> = match from.get(key) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(list) => list
                .as_array()
                .and_then(|list| list.iter().map(Value::as_object).collect()),
        };
        match objects {
            Some(objects) if objects.len() <= most => objects,
            _ => {
                self.flaw(key, format!("takes a list of at most {most} objects"));
                Vec::new()
            }
        }
    }
}

/// Reads a list of attributes; `inside` of a complex one there are no complex ones (RFC 7643 §2.3.8).
pub(super) fn attributes(
    at: &str,
    list: &[&Map<String, Value>],
    inside: bool,
    flaws: &mut Vec<Flaw>,
) -> Vec<Value> {
    let mut names: Vec<String> = Vec::new();
    let mut read = Vec::new();
    for (place, from) in list.iter().enumerate() {
        let mut reading = Reading {
            at: format!("{at}[{place}]"),
            from,
            flaws,
        };
        let Some(attribute) = attribute(&mut reading, inside) else {
            continue;
        };
        let name = attribute
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if names.contains(&name) {
            reading.flaw("name", "stands there twice; names differ not only in case");
        }
        names.push(name);
        read.push(attribute);
    }
    read
}

fn attribute(reading: &mut Reading<'_>, inside: bool) -> Option<Value> {
    if reading.from.contains_key("sensitive") {
        let message = "is for what comes sealed from HR; what a tenant defines is kept as it is, so put nothing there that \
                       must be sealed";
        reading.flaw("sensitive", message);
    }
    let known: Vec<&str> = KEYS.iter().copied().chain(["sensitive"]).collect();
    reading.only(&known);
    let name = name(reading, inside)?;
    let kind = reading.word("type", TYPES);
    let mutability = reading.word("mutability", MUTABILITIES);
    let returned = reading.word("returned", RETURNED);
    if mutability == "writeOnly" && reading.from.contains_key("returned") && returned != "never" {
        reading.flaw("returned", "of a writeOnly attribute is never (RFC 7643 §7)");
    }
    uniqueness(reading, &name, inside);
    let mut attribute = json!({
        "name": name,
        "type": kind,
        "multiValued": reading.truth("multiValued"),
        "description": reading.text("description", limits::TEXT).unwrap_or_default(),
        "required": reading.truth("required"),
        "caseExact": reading.truth("caseExact") || matches!(kind, "reference" | "binary"),
        "mutability": mutability,
        "returned": if mutability == "writeOnly" { "never" } else { returned },
        "uniqueness": reading.from.get("uniqueness").and_then(Value::as_str).unwrap_or("none"),
    });
    let more = attribute.as_object_mut()?;
    if let Some(values) = reading.texts("canonicalValues") {
        if kind != "string" && kind != "reference" {
            reading.flaw("canonicalValues", "fits type string or reference only");
        }
        more.insert("canonicalValues".to_owned(), json!(values));
    }
    match (kind, reading.texts("referenceTypes")) {
        ("reference", None) => {
            reading.flaw(
                "referenceTypes",
                "is missing: external, uri, or names of resource types",
            );
        }
        ("reference", Some(types)) => {
            more.insert("referenceTypes".to_owned(), json!(types));
        }
        (_, Some(_)) => reading.flaw("referenceTypes", "fits type reference only"),
        (_, None) => {}
    }
    let subs: Vec<Map<String, Value>> = reading
        .objects("subAttributes", limits::ATTRIBUTES)
        .into_iter()
        .cloned()
        .collect();
    match (kind == "complex", subs.is_empty()) {
        (true, true) => reading.flaw("subAttributes", "is missing: a complex attribute has some"),
        (false, false) => reading.flaw("subAttributes", "fits type complex only"),
        (true, false) if inside => {
            reading.flaw(
                "type",
                "cannot be complex inside of a complex attribute (RFC 7643 §2.3.8)",
            );
        }
        (true, false) => {
            let at = format!("{}.subAttributes", reading.at);
            let subs: Vec<&Map<String, Value>> = subs.iter().collect();
            more.insert(
                "subAttributes".to_owned(),
                Value::Array(attributes(&at, &subs, true, reading.flaws)),
            );
        }
        (false, true) => {}
    }
    Some(attribute)
}

fn name(reading: &mut Reading<'_>, inside: bool) -> Option<String> {
    let Some(name) = reading.text("name", limits::NAME) else {
        if reading.from.get("name").is_none_or(Value::is_null) {
            reading.flaw("name", "is missing");
        }
        return None;
    };
    if !is_name(&name) || (name.starts_with('$') && !(inside && name == "$ref")) {
        let message =
            "is no attribute name: a letter, then letters, digits, - and _ (RFC 7643 §2.1); $ref only inside";
        reading.flaw("name", message);
        return None;
    }
    let reserved = RESERVED
        .iter()
        .find(|(taken, _)| taken.eq_ignore_ascii_case(&name));
    if let Some((taken, why)) = reserved.filter(|(taken, _)| !inside || *taken == "manager") {
        reading.flaw("name", format!("{taken} is taken: {why}; choose another one"));
    }
    Some(name)
}

/// Values that must be unique are held by an index of their own: userName has one.
fn uniqueness(reading: &mut Reading<'_>, name: &str, inside: bool) {
    match reading.from.get("uniqueness").filter(|given| !given.is_null()) {
        None => {}
        Some(given) if given == "none" => {}
        Some(given) if given == "server" && name == "userName" && !inside => {}
        Some(_) => reading.flaw(
            "uniqueness",
            "is none: the server holds nothing else unique that a tenant defines, and claims no more",
        ),
    }
}
