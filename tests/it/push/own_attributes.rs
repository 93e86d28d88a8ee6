//! Attributes that the tenant defined, in scope and mapping of an app.

use serde_json::json;

use super::{StubApp, file, patch, publish, state, user};
use crate::kit::{Bridge, answer, with_json};
use crate::schemas::{BADGE, with_badge};

/// Covers: item 2
#[tokio::test]
async fn an_attribute_of_the_tenants_own_scopes_an_app_and_is_pushed_when_it_is_mapped() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let own = format!("{BADGE}:badge");
    let settings = json!({
        "scope": { "include": "user.parking.lot == 'P1'" },
        "mapping": { "nickName": { "from": "'B-' ~ user.badge" }, &own: { "from": "user.badge | lower" } },
    });
    let settings = file("app", &app.stub.base_url, &settings);
    let refused = with_json(
        bridge.request(reqwest::Method::PUT, "/api/v1/apps/app"),
        &settings,
    );
    let (status, body) = answer(refused).await;
    assert_eq!(status, 422, "{body}");
    assert!(body["errors"].to_string().contains("user.parking"), "{body}");

    with_badge(&bridge).await;
    let ann = user(
        &bridge,
        "ann@x",
        &json!({ BADGE: { "badge": "K7", "parking": { "lot": "P1" } } }),
    )
    .await;
    let bo = user(
        &bridge,
        "bo@x",
        &json!({ BADGE: { "badge": "K8", "parking": { "lot": "P2" } } }),
    )
    .await;
    publish(&bridge, &settings).await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [format!(
            "POST /Users {{\"active\":true,\"externalId\":\"{ann}\",\"nickName\":\"B-K7\",\"{BADGE}\":{{\"badge\":\"k7\"}},\"userName\":\"ann@x\"}}"
        )]
    );
    assert_eq!(state(&bridge, &ann).await, "in_sync");
    assert_eq!(state(&bridge, &bo).await, "out_of_scope");

    let change = json!([{ "op": "replace", "path": own, "value": "K9" }]);
    patch(&bridge, &format!("/scim/v2/Users/{ann}"), &change).await;
    bridge.drain().await;
    let sent = app.mutations().join("\n");
    assert!(sent.starts_with("PATCH /Users/a1"), "{sent}");
    assert!(
        sent.contains(&format!("\"path\":\"{own}\",\"value\":\"k9\"")) && sent.contains("B-K9"),
        "{sent}"
    );
    bridge.stop().await;
}
