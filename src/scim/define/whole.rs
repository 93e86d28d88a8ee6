//! What definitions are worth together and beside those of the program.

use serde_json::Value;

use super::document::Definitions;
use super::{Flaw, limits};
use crate::scim::registry::{Registry, ResourceType};

/// End points of the protocol (RFC 7644 §3.2).
const ENDPOINTS: &[&str] = &[
    "/Bulk",
    "/Me",
    "/Schemas",
    "/ResourceTypes",
    "/ServiceProviderConfig",
];
/// What messages and the schemas of the protocol itself are called.
const KEPT: &[&str] = &[
    "urn:ietf:params:scim:api:",
    "urn:ietf:params:scim:schemas:core:2.0:schema",
    "urn:ietf:params:scim:schemas:core:2.0:resourcetype",
    "urn:ietf:params:scim:schemas:core:2.0:serviceproviderconfig",
    "urn:scim-bridge:",
];

/// The registry that a tenant has with all of its definitions; types that come with the program are completed in
/// `all`, so that they hold what the tenant adds and nothing else.
///
/// # Errors
/// Everything that does not fit together.
pub fn check(builtin: &Registry, all: &mut Definitions) -> Result<Registry, Vec<Flaw>> {
    let mut flaws = Vec::new();
    for (list, most, what) in [
        (all.schemas.len(), limits::SCHEMAS, "schemas"),
        (all.kinds.len(), limits::TYPES, "resource types"),
    ] {
        if list > most {
            flaws.push(Flaw::new("", format!("a tenant has at most {most} {what}")));
        }
    }
    for schema in &all.schemas {
        schema_alone(builtin, schema, &mut flaws);
    }
    for kind in &mut all.kinds {
        kind_alone(builtin, kind, &mut flaws);
    }
    all.kinds.retain(|kind| {
        builtin.kind(text(kind, "name")).is_none()
            || kind
                .get("schemaExtensions")
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
    });
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let registry = builtin
        .with(&all.schemas, &all.kinds)
        .map_err(|error| vec![Flaw::new("", error.to_string())])?;
    for kind in registry.kinds() {
        kind_among(builtin, &registry, kind, &mut flaws);
    }
    references(&registry, &mut flaws);
    if flaws.is_empty() {
        Ok(registry)
    } else {
        Err(flaws)
    }
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn schema_alone(builtin: &Registry, schema: &Value, flaws: &mut Vec<Flaw>) {
    let id = text(schema, "id");
    let lower = id.to_ascii_lowercase();
    if builtin.schema(id).is_some() || KEPT.iter().any(|kept| lower.starts_with(kept)) {
        let message = "belongs to the protocol or to the program; choose a URN of your own";
        flaws.push(Flaw::new(id, message));
    }
}

/// A type that comes with the program takes further extensions and nothing else.
fn kind_alone(builtin: &Registry, kind: &mut Value, flaws: &mut Vec<Flaw>) {
    let name = text(kind, "name").to_owned();
    let at = format!("resource type {name}");
    let shipped = builtin
        .kinds()
        .find(|one| one.name.eq_ignore_ascii_case(&name))
        .cloned();
    let Some(body) = kind.as_object_mut() else { return };
    let Some(shipped) = shipped else {
        for (key, example) in [("endpoint", "/Devices"), ("schema", "the URN of its core schema")] {
            if !body.contains_key(key) {
                flaws.push(Flaw::new(&at, format!("{key} is missing: {example}")));
            }
        }
        let endpoint = body.get("endpoint").and_then(Value::as_str).unwrap_or_default();
        if ENDPOINTS.iter().any(|taken| taken.eq_ignore_ascii_case(endpoint)) {
            flaws.push(Flaw::new(
                &at,
                format!("endpoint {endpoint} is one of the protocol's"),
            ));
        }
        return;
    };
    for (key, is) in [
        ("name", &shipped.name),
        ("endpoint", &shipped.endpoint),
        ("schema", &shipped.schema.id),
    ] {
        let given = body.get(key).and_then(Value::as_str);
        if given.is_some_and(|given| !given.eq_ignore_ascii_case(is)) {
            flaws.push(Flaw::new(
                &at,
                format!("{key} is {is} and cannot be changed: add schemaExtensions only"),
            ));
        }
        body.insert(key.to_owned(), Value::from(is.as_str()));
    }
    if let Some(Value::Array(extensions)) = body.get_mut("schemaExtensions") {
        extensions.retain(|one| shipped.extension(text(one, "schema")).is_none());
    }
}

/// Whether a type's schemas fit its place among the others, and what the program knows about some names.
fn kind_among(builtin: &Registry, registry: &Registry, kind: &ResourceType, flaws: &mut Vec<Flaw>) {
    let at = format!("resource type {}", kind.name);
    let mut urns = vec![kind.schema.id.to_ascii_lowercase()];
    for extension in &kind.extensions {
        let urn = extension.schema.id.to_ascii_lowercase();
        if urns.contains(&urn) {
            flaws.push(Flaw::new(
                &at,
                format!("{} stands there twice", extension.schema.id),
            ));
        }
        urns.push(urn);
    }
    if registry
        .kinds()
        .filter(|other| other.endpoint.eq_ignore_ascii_case(&kind.endpoint))
        .count()
        > 1
    {
        flaws.push(Flaw::new(
            &at,
            format!("endpoint {} has another type already", kind.endpoint),
        ));
    }
    if builtin.kind(&kind.name).is_some() {
        return;
    }
    if builtin.schema(&kind.schema.id).is_some() {
        let message = format!("schema {} is of a type of the program", kind.schema.id);
        flaws.push(Flaw::new(&at, message));
    }
    for extension in &kind.extensions {
        if builtin.schema(&extension.schema.id).is_some() {
            let message = format!("{} extends users only", extension.schema.id);
            flaws.push(Flaw::new(&at, message));
        }
    }
    // These have columns of their own in the store.
    for attribute in &kind.schema.attributes {
        let wanted = match attribute.name.to_ascii_lowercase().as_str() {
            "username" | "displayname" => crate::scim::Type::String,
            "active" => crate::scim::Type::Boolean,
            _ => continue,
        };
        let spelled = ["userName", "displayName", "active"].contains(&attribute.name.as_str());
        if !spelled || attribute.kind != wanted || attribute.multi_valued || attribute.case_exact {
            let message = format!(
                "{} is spelled and typed as in User: userName and displayName one text without caseExact, active one boolean",
                attribute.name
            );
            flaws.push(Flaw::new(&at, message));
        } else if attribute.name == "userName" && attribute.uniqueness == crate::scim::Uniqueness::None {
            let message = "userName is unique in the store: say uniqueness server";
            flaws.push(Flaw::new(&at, message));
        }
    }
}

/// Every reference names something that there is, and no URN reads as an attribute of another schema.
fn references(registry: &Registry, flaws: &mut Vec<Flaw>) {
    for schema in registry.schemas() {
        let leaves = schema
            .attributes
            .iter()
            .flat_map(|one| std::iter::once(one).chain(&one.sub_attributes));
        for attribute in leaves {
            for named in &attribute.reference_types {
                let known = matches!(named.as_str(), "external" | "uri") || registry.kind(named).is_some();
                if !known {
                    let message = format!(
                        "referenceTypes of {}: {named:?} is neither external nor uri nor a resource type",
                        attribute.name
                    );
                    flaws.push(Flaw::new(&schema.id, message));
                }
            }
        }
        if let Some((urn, name)) = schema.id.rsplit_once(':')
            && let Some(other) = registry.schema(urn)
            && other.attribute(name).is_some()
        {
            let message = format!("reads like attribute {name} of {urn}; choose another URN");
            flaws.push(Flaw::new(&schema.id, message));
        }
    }
}
