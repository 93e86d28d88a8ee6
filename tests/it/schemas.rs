//! A tenant's own schemas and resource types, through the whole protocol.

use reqwest::Method;
use serde_json::json;

use crate::kit::{Bridge, answer};
use crate::scim_resource::query;

const DEVICE: &str = "urn:example:params:scim:schemas:acme:1.0:Device";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const BADGE: &str = "urn:example:params:scim:schemas:extension:acme:1.0:User";

#[tokio::test]
async fn definitions_are_the_tenants_own() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    for (kind, name, body) in [
        (
            "schema",
            DEVICE,
            json!({"id": DEVICE, "attributes": [{"name": "serial"}]}),
        ),
        (
            "schema",
            BADGE,
            json!({"id": BADGE, "attributes": [{"name": "badge"}]}),
        ),
        (
            "type",
            "Device",
            json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE}),
        ),
        (
            "type",
            "User",
            json!({"name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [{"schema": BADGE}]}),
        ),
    ] {
        rows.execute(
            "INSERT INTO definition VALUES ($1, $2, $3, $4::text::jsonb, now(), now())",
            &[&bridge.tenant.uuid(), &kind, &name, &body.to_string()],
        )
        .await
        .unwrap();
    }
    bridge.app.state.directory.forget_registries();
    let device = bridge
        .post("/scim/v2/Devices", &json!({"schemas": [DEVICE], "serial": "S-1"}))
        .await;
    assert_eq!(device["meta"]["resourceType"], "Device");
    let user = bridge
        .post(
            "/scim/v2/Users",
            &json!({"schemas": [USER, BADGE], "userName": "ann", BADGE: {"badge": "B7"}}),
        )
        .await;
    assert_eq!(user[BADGE]["badge"], "B7");
    let found = bridge
        .get(&query(
            "/scim/v2/Users",
            &[("filter", &format!("{BADGE}:badge eq \"b7\""))],
        ))
        .await;
    assert_eq!(found["totalResults"], 1);

    let other = bridge.make_tenant("other").await;
    let other = bridge
        .make_token(other, "tests", &scim_bridge::access::Scope::ALL)
        .await;
    for (token, status) in [(&bridge.token, 200), (&other, 404)] {
        for path in [
            "/scim/v2/Devices".to_owned(),
            format!("/scim/v2/Schemas/{BADGE}"),
            "/scim/v2/ResourceTypes/Device".to_owned(),
        ] {
            let (got, _) = answer(bridge.request_as(token, Method::GET, &path)).await;
            assert_eq!(got, status, "{path}");
        }
    }
    bridge.stop().await;
}
