//! A document of definitions.

use serde_json::{Map, Value, json};

use super::attribute::{Reading, attributes};
use super::{Flaw, limits};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

/// Definitions with every characteristic written out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definitions {
    /// Schemas (RFC 7643 §7), each with `id`.
    pub schemas: Vec<Value>,
    /// Resource types (RFC 7643 §6), each with `name`.
    pub kinds: Vec<Value>,
}

/// Reads a schema (it has `attributes`), a resource type (it has `endpoint` or `schemaExtensions`), a list of such, or
/// a ListResponse of such.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn read(document: &Value) -> Result<Definitions, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut found = Definitions::default();
    let listed = |list: &[Value], at: &str, found: &mut Definitions, flaws: &mut Vec<Flaw>| {
        if list.len() > limits::SCHEMAS + limits::TYPES {
            let most = limits::SCHEMAS + limits::TYPES;
            flaws.push(Flaw::new(at, format!("has more than {most} definitions")));
            return;
        }
        for (place, one) in list.iter().enumerate() {
            definition(&format!("{at}[{place}]"), one, found, flaws);
        }
    };
    match (document, document.get("Resources")) {
        (Value::Array(list), _) => listed(list, "", &mut found, &mut flaws),
        (_, Some(Value::Array(list))) => listed(list, "Resources", &mut found, &mut flaws),
        _ => definition("", document, &mut found, &mut flaws),
    }
    if flaws.is_empty() && found.schemas.is_empty() && found.kinds.is_empty() {
        flaws.push(Flaw::new("", "there is no definition in it"));
    }
    if flaws.is_empty() { Ok(found) } else { Err(flaws) }
}

fn definition(at: &str, from: &Value, found: &mut Definitions, flaws: &mut Vec<Flaw>) {
    let Some(from) = from.as_object() else {
        flaws.push(Flaw::new(at, "a definition is an object"));
        return;
    };
    let mut reading = Reading {
        at: at.to_owned(),
        from,
        flaws,
    };
    if from.contains_key("attributes") {
        found.schemas.extend(schema(&mut reading));
    } else if from.contains_key("endpoint") || from.contains_key("schemaExtensions") {
        found.kinds.extend(kind(&mut reading));
    } else {
        let message = "is neither a schema, which has attributes, nor a resource type, which has endpoint or schemaExtensions";
        reading.flaw("", message);
    }
}

fn schema(reading: &mut Reading<'_>) -> Option<Value> {
    reading.only(&["schemas", "id", "name", "description", "attributes", "meta"]);
    let id = urn(reading, "id")?;
    let list: Vec<Map<String, Value>> = reading
        .objects("attributes", limits::ATTRIBUTES)
        .into_iter()
        .cloned()
        .collect();
    if list.is_empty() {
        reading.flaw("attributes", "is empty: a schema has at least one attribute");
    }
    let at = if reading.at.is_empty() {
        "attributes".to_owned()
    } else {
        format!("{}.attributes", reading.at)
    };
    let list: Vec<&Map<String, Value>> = list.iter().collect();
    let last = id.rsplit(':').next().unwrap_or_default().to_owned();
    Some(json!({
        "schemas": [SCHEMA],
        "id": id,
        "name": reading.text("name", limits::NAME).unwrap_or(last),
        "description": reading.text("description", limits::TEXT).unwrap_or_default(),
        "attributes": attributes(&at, &list, false, reading.flaws),
    }))
}

/// A URN: `urn:`, a namespace, `:`, and characters that stand in paths as they are (RFC 8141 §2).
fn urn(reading: &mut Reading<'_>, key: &str) -> Option<String> {
    let Some(text) = reading.text(key, limits::URN) else {
        if reading.from.get(key).is_none_or(Value::is_null) {
            reading.flaw(
                key,
                "is missing: a URN such as urn:example:params:scim:schemas:extension:acme:1.0:User",
            );
        }
        return None;
    };
    let mut parts = text.split(':');
    let scheme = parts.next().unwrap_or_default();
    let namespace = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let sound = scheme.eq_ignore_ascii_case("urn")
        && (2..=32).contains(&namespace.len())
        && namespace.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !namespace.starts_with('-')
        && !rest.is_empty()
        && rest.iter().all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
        });
    if !sound {
        let message =
            "is no URN that can stand in a path: urn:, a namespace, then parts of letters, digits and -._~";
        reading.flaw(key, message);
        return None;
    }
    Some(text)
}

fn kind(reading: &mut Reading<'_>) -> Option<Value> {
    reading.only(&[
        "schemas",
        "id",
        "name",
        "endpoint",
        "description",
        "schema",
        "schemaExtensions",
        "meta",
    ]);
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let name = reading.text("name", limits::NAME);
    let Some(name) = name.filter(|name| is_name(name)) else {
        reading.flaw(
            "name",
            "is missing or no name: a letter, then letters, digits, - and _",
        );
        return None;
    };
    let endpoint = reading.text("endpoint", limits::NAME);
    if let Some(endpoint) = &endpoint
        && !endpoint.strip_prefix('/').is_some_and(is_name)
    {
        reading.flaw(
            "endpoint",
            "is a slash and one word, as in /Devices (RFC 7643 §6)",
        );
    }
    let extensions: Vec<Map<String, Value>> = reading
        .objects("schemaExtensions", limits::EXTENSIONS)
        .into_iter()
        .cloned()
        .collect();
    let mut listed = Vec::new();
    for (place, from) in extensions.iter().enumerate() {
        let at = if reading.at.is_empty() {
            format!("schemaExtensions[{place}]")
        } else {
            format!("{}.schemaExtensions[{place}]", reading.at)
        };
        let mut one = Reading {
            at,
            from,
            flaws: reading.flaws,
        };
        one.only(&["schema", "required"]);
        if let Some(urn) = urn(&mut one, "schema") {
            listed.push(json!({"schema": urn, "required": one.truth("required")}));
        }
    }
    let mut kind = json!({
        "schemas": [RESOURCE_TYPE],
        "name": name,
        "description": reading.text("description", limits::TEXT).unwrap_or_default(),
        "schemaExtensions": listed,
    });
    let more = kind.as_object_mut()?;
    if let Some(endpoint) = endpoint {
        more.insert("endpoint".to_owned(), Value::from(endpoint));
    }
    if reading.from.contains_key("schema") {
        more.insert("schema".to_owned(), Value::from(urn(reading, "schema")?));
    }
    Some(kind)
}
