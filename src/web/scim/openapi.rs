//! The OpenAPI document of the SCIM end points, made of the registry: what the RFC says in words, for tools. Open to
//! everybody; it has the resource types that every tenant has.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::super::State;
use super::session;
use crate::scim::bulk::BULK_REQUEST;
use crate::scim::message::{MEDIA_TYPE, PATCH_OP, SEARCH_REQUEST};
use crate::scim::{Attribute, Error, Registry, ResourceType, Type};

/// The document.
pub async fn document(request: HttpRequest, state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(whole(&Registry::builtin(), &session::base(&request, &state)))
}

fn whole(registry: &Registry, base: &str) -> Value {
    let mut paths = around();
    let mut schemas = messages();
    for kind in registry.kinds() {
        schemas.insert(kind.name.clone(), schema_of(kind));
        paths.insert(kind.endpoint.clone(), collection(kind));
        paths.insert(format!("{}/.search", kind.endpoint), search());
        paths.insert(format!("{}/{{id}}", kind.endpoint), single(Some(kind), &[id()]));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SCIM 2.0",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "RFC 7643, RFC 7644 and RFC 9865. Every refusal has the body of RFC 7644 §3.12.",
        },
        "servers": [{ "url": base }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The end points that are not of a resource type.
fn around() -> Map<String, Value> {
    let open = |what: &str| json!({ "get": operation(what, &[], None, "200") });
    let named = json!({ "parameters": [id()], "get": operation("one of them", &[], None, "200") });
    let mut paths = Map::new();
    paths.insert("/ServiceProviderConfig".to_owned(), open("what is supported"));
    paths.insert("/ResourceTypes".to_owned(), open("the resource types"));
    paths.insert("/ResourceTypes/{id}".to_owned(), named.clone());
    paths.insert("/Schemas".to_owned(), open("the schemas"));
    paths.insert("/Schemas/{id}".to_owned(), named);
    paths.insert(
        "/".to_owned(),
        json!({ "get": operation("resources of all types", &query(), None, "200") }),
    );
    paths.insert("/.search".to_owned(), search());
    let bulk = operation("many writes at once", &[], Some("BulkRequest"), "200");
    paths.insert("/Bulk".to_owned(), json!({ "post": bulk }));
    paths.insert("/Me".to_owned(), single(None, &[]));
    paths
}

fn id() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } })
}

fn parameter(place: &str, name: &str, kind: &str) -> Value {
    json!({ "name": name, "in": place, "schema": { "type": kind } })
}

fn projection() -> Vec<Value> {
    vec![
        parameter("query", "attributes", "string"),
        parameter("query", "excludedAttributes", "string"),
    ]
}

fn query() -> Vec<Value> {
    let mut all = projection();
    for (name, kind) in [
        ("filter", "string"),
        ("sortBy", "string"),
        ("startIndex", "integer"),
        ("count", "integer"),
        ("cursor", "string"),
    ] {
        all.push(parameter("query", name, kind));
    }
    let order = json!({ "type": "string", "enum": ["ascending", "descending"] });
    all.push(json!({ "name": "sortOrder", "in": "query", "schema": order }));
    all
}

fn search() -> Value {
    json!({ "post": operation("a search whose filter is in no address", &[], Some("SearchRequest"), "200") })
}

fn collection(kind: &ResourceType) -> Value {
    json!({
        "get": operation(&format!("lists resources of the type {}", kind.name), &query(), None, "200"),
        "post": operation("creates one", &projection(), Some(&kind.name), "201"),
    })
}

/// A resource, or `/Me`, which may be of any type.
fn single(kind: Option<&ResourceType>, path: &[Value]) -> Value {
    let (none_match, matches) = (
        parameter("header", "If-None-Match", "string"),
        parameter("header", "If-Match", "string"),
    );
    let with = |more: &[&Value]| {
        let mut all = projection();
        all.extend(more.iter().map(|one| (*one).clone()));
        all
    };
    let body = kind.map_or("User", |kind| kind.name.as_str());
    json!({
        "parameters": path,
        "get": operation("reads it", &with(&[&none_match]), None, "200"),
        "put": operation("replaces it", &with(&[&matches]), Some(body), "200"),
        "patch": operation("changes some attributes", &with(&[&matches]), Some("PatchOp"), "200"),
        "delete": operation("deletes it", std::slice::from_ref(&matches), None, "204"),
    })
}

fn operation(summary: &str, parameters: &[Value], body: Option<&str>, good: &str) -> Value {
    let content = json!({ MEDIA_TYPE: { "schema": { "type": "object" } } });
    let mut responses = Map::new();
    let answer = if good == "204" {
        json!({ "description": "done" })
    } else {
        json!({ "description": "done", "content": content })
    };
    responses.insert(good.to_owned(), answer);
    if good == "200" {
        responses.insert(
            "204".to_owned(),
            json!({ "description": "done, nothing to show" }),
        );
        responses.insert("304".to_owned(), json!({ "description": "not modified" }));
    }
    let error = json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Error" } } });
    responses.insert(
        "default".to_owned(),
        json!({ "description": "refused", "content": error }),
    );
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), summary.into());
    operation.insert("parameters".to_owned(), parameters.into());
    operation.insert("responses".to_owned(), responses.into());
    if let Some(body) = body {
        let schema = json!({ "schema": { "$ref": format!("#/components/schemas/{body}") } });
        let body = json!({ "required": true, "content": { MEDIA_TYPE: schema } });
        operation.insert("requestBody".to_owned(), body);
    }
    operation.into()
}

fn message(urn: &str, properties: Value, required: &[&str]) -> Value {
    let schemas = json!({ "type": "array", "items": { "const": urn }, "minItems": 1, "maxItems": 1 });
    let mut all = Map::from_iter([("schemas".to_owned(), schemas)]);
    if let Value::Object(properties) = properties {
        all.extend(properties);
    }
    json!({ "type": "object", "properties": all, "required": required })
}

fn messages() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let integer = || json!({ "type": "integer" });
    let operation = json!({
        "type": "object",
        "properties": { "op": { "enum": ["add", "remove", "replace"] }, "path": text(), "value": {} },
        "required": ["op"],
    });
    let bulk = json!({
        "type": "object",
        "properties": {
            "method": { "enum": ["POST", "PUT", "PATCH", "DELETE"] }, "path": text(), "bulkId": text(),
            "version": text(), "data": { "type": "object" },
        },
        "required": ["method", "path"],
    });
    let list = |items: &Value| json!({ "type": "array", "items": items });
    let mut all = Map::new();
    let error = json!({ "status": text(), "scimType": text(), "detail": text() });
    all.insert(
        "Error".to_owned(),
        message(Error::SCHEMA, error, &["schemas", "status"]),
    );
    let patch = json!({ "Operations": list(&operation) });
    all.insert(
        "PatchOp".to_owned(),
        message(PATCH_OP, patch, &["schemas", "Operations"]),
    );
    let request = json!({ "failOnErrors": { "type": "integer", "minimum": 1 }, "Operations": list(&bulk) });
    all.insert(
        "BulkRequest".to_owned(),
        message(BULK_REQUEST, request, &["schemas", "Operations"]),
    );
    let search = json!({
        "attributes": texts(), "excludedAttributes": texts(), "filter": text(), "sortBy": text(),
        "sortOrder": { "enum": ["ascending", "descending"] }, "startIndex": integer(), "count": integer(),
        "cursor": text(),
    });
    all.insert(
        "SearchRequest".to_owned(),
        message(SEARCH_REQUEST, search, &["schemas"]),
    );
    all
}

/// The body of a resource as JSON Schema.
fn schema_of(kind: &ResourceType) -> Value {
    let mut properties = Map::new();
    let mut required = vec![Value::from("schemas")];
    let own = kind.common.iter().filter(|one| one.name != "schemas");
    for attribute in kind.schema.attributes.iter().chain(own) {
        properties.insert(attribute.name.clone(), shape_of(attribute));
        if attribute.required && !attribute.is_read_only() {
            required.push(attribute.name.as_str().into());
        }
    }
    let mut urns = vec![kind.schema.id.as_str()];
    for extension in &kind.extensions {
        let schema = &extension.schema;
        urns.push(&schema.id);
        let attributes = schema.attributes.iter();
        let parts: Map<String, Value> = attributes.map(|one| (one.name.clone(), shape_of(one))).collect();
        properties.insert(
            schema.id.clone(),
            json!({ "type": "object", "properties": parts }),
        );
    }
    let schemas = json!({
        "type": "array", "items": { "enum": urns }, "contains": { "const": kind.schema.id }, "uniqueItems": true,
    });
    properties.insert("schemas".to_owned(), schemas);
    json!({ "type": "object", "properties": properties, "required": required })
}

fn shape_of(attribute: &Attribute) -> Value {
    let (read_only, one) = (attribute.is_read_only(), single_shape(attribute));
    match (attribute.multi_valued, read_only) {
        (true, _) => json!({ "type": "array", "items": one, "readOnly": read_only }),
        (false, true) => json!({ "allOf": [one], "readOnly": true }),
        (false, false) => one,
    }
}

fn single_shape(attribute: &Attribute) -> Value {
    match attribute.kind {
        Type::String | Type::Reference | Type::Binary => json!({ "type": "string" }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Integer => json!({ "type": "integer" }),
        Type::Decimal => json!({ "type": "number" }),
        Type::DateTime => json!({ "type": "string", "format": "date-time" }),
        Type::Complex => {
            let subs = attribute.sub_attributes.iter();
            let parts: Map<String, Value> = subs.map(|one| (one.name.clone(), shape_of(one))).collect();
            json!({ "type": "object", "properties": parts })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_type_with_what_it_requires() {
        let document = whole(&Registry::builtin(), "https://x.test/scim/v2");
        for kind in Registry::builtin().kinds() {
            for path in ["", "/{id}", "/.search"] {
                assert!(
                    document["paths"]
                        .get(format!("{}{path}", kind.endpoint))
                        .is_some()
                );
            }
        }
        let user = &document["components"]["schemas"]["User"];
        assert_eq!(user["required"], json!(["schemas", "userName"]));
        assert_eq!(
            user["properties"]["emails"]["items"]["properties"]["primary"]["type"],
            "boolean"
        );
        assert_eq!(user["properties"]["groups"]["readOnly"], true);
    }
}
