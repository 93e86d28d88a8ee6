//! What the server says of itself (RFC 7643 §5 to §7, RFC 7644 §4, RFC 9865 §4).

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::registry::{Registry, ResourceType};

const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The schemas of what discovery answers. No resource type has them, and `Schema` nests deeper than others may.
static PROTOCOL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let shipped = [
        include_str!("../../scim-schemas/service-provider-config.json"),
        include_str!("../../scim-schemas/resource-type.json"),
        include_str!("../../scim-schemas/schema.json"),
    ];
    shipped
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect()
});

/// What the server does and how much; whoever serves it fills this in, so that the answer tells the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// PATCH is served.
    pub patch: bool,
    /// Bulk is served.
    pub bulk: bool,
    /// Operations in one Bulk. authentik takes it as the size of its PATCHes, so it is useful even without Bulk.
    pub bulk_operations: u64,
    /// Bytes of a body.
    pub payload_bytes: u64,
    /// Resources in one answer.
    pub page_max: u64,
    /// Resources in one answer when the client does not say.
    pub page_default: u64,
    /// Sorting is served.
    pub sort: bool,
    /// ETags are served.
    pub etag: bool,
    /// Passwords can be changed.
    pub change_password: bool,
    /// Walks by cursor are served.
    pub cursor: bool,
    /// Seconds that a cursor is good for.
    pub cursor_seconds: u32,
}

/// The resource at `/ServiceProviderConfig`. `base` is the address that the client sees, without a slash at the end.
#[must_use]
pub fn service_provider_config(limits: &Limits, base: &str) -> Value {
    let mut pagination = json!({
        "cursor": limits.cursor,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": limits.page_default,
        "maxPageSize": limits.page_max,
    });
    if let (true, Some(pagination)) = (limits.cursor, pagination.as_object_mut()) {
        pagination.insert("cursorTimeout".to_owned(), Value::from(limits.cursor_seconds));
    }
    json!({
        "schemas": [CONFIG],
        "patch": {"supported": limits.patch},
        "bulk": {
            "supported": limits.bulk,
            "maxOperations": limits.bulk_operations,
            "maxPayloadSize": limits.payload_bytes,
        },
        "filter": {"supported": true, "maxResults": limits.page_max},
        "changePassword": {"supported": limits.change_password},
        "sort": {"supported": limits.sort},
        "etag": {"supported": limits.etag},
        "pagination": pagination,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth bearer token",
            "description": "A token of the tenant in the Authorization header (RFC 6750)",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// The resources at `/ResourceTypes`.
#[must_use]
pub fn resource_types(registry: &Registry, base: &str) -> Vec<Value> {
    registry.kinds().map(|kind| resource_type(kind, base)).collect()
}

/// One resource at `/ResourceTypes/{name}`.
#[must_use]
pub fn resource_type(kind: &ResourceType, base: &str) -> Value {
    let extensions: Vec<Value> = kind
        .extensions
        .iter()
        .map(|extension| json!({"schema": extension.schema.id, "required": extension.required}))
        .collect();
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": kind.name,
        "name": kind.name,
        "endpoint": kind.endpoint,
        "description": kind.description,
        "schema": kind.schema.id,
        "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name)},
    })
}

/// The resources at `/Schemas`: the tenant's, and those of discovery itself (RFC 7643 §8.7.2).
#[must_use]
pub fn schemas(registry: &Registry, base: &str) -> Vec<Value> {
    let own = registry.schemas().map(|schema| &schema.definition);
    own.chain(PROTOCOL.iter()).map(|one| schema(one, base)).collect()
}

/// The resource at `/Schemas/{urn}`, in any case.
#[must_use]
pub fn schema_of(registry: &Registry, urn: &str, base: &str) -> Option<Value> {
    let protocol = || PROTOCOL.iter().find(|one| id(one).eq_ignore_ascii_case(urn));
    let found = registry
        .schema(urn)
        .map(|schema| &schema.definition)
        .or_else(protocol)?;
    Some(schema(found, base))
}

fn id(definition: &Value) -> &str {
    definition.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn schema(definition: &Value, base: &str) -> Value {
    let mut body = definition.clone();
    if let Some(body) = body.as_object_mut() {
        let location = format!("{base}/Schemas/{}", id(definition));
        let meta = json!({"resourceType": "Schema", "location": location});
        body.insert("meta".to_owned(), meta);
        body.entry("schemas").or_insert_with(|| json!([SCHEMA]));
        body.entry("attributes").and_modify(public);
    }
    body
}

/// Takes out what is no characteristic of the RFC but a rule of ours.
fn public(attributes: &mut Value) {
    for attribute in attributes.as_array_mut().into_iter().flatten() {
        if let Some(attribute) = attribute.as_object_mut() {
            attribute.remove("sensitive");
            attribute.entry("subAttributes").and_modify(public);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_5_every_schema_of_a_type_is_served() {
        let registry = Registry::builtin();
        let served = schemas(&registry, "https://x.test/scim/v2");
        for kind in resource_types(&registry, "https://x.test/scim/v2") {
            let extensions = kind["schemaExtensions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| &one["schema"]);
            for urn in extensions.chain([&kind["schema"]]) {
                assert!(served.iter().any(|schema| schema["id"] == *urn), "{urn}");
            }
        }
        assert_eq!(
            served[0]["meta"],
            json!({"resourceType": "Schema", "location": format!("https://x.test/scim/v2/Schemas/{}", super::super::USER)})
        );
    }

    #[test]
    fn rule_10_9_types_have_canonical_values() {
        let user = schema_of(&Registry::builtin(), super::super::USER, "").unwrap();
        let emails = user["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "emails")
            .unwrap();
        let kind = emails["subAttributes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "type")
            .unwrap();
        assert_eq!(kind["canonicalValues"], json!(["work", "home", "other"]));
    }
}
