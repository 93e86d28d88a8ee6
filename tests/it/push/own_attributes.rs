//! Attributes that the tenant defined, in scope and mapping of an app.

use serde_json::json;

use super::{StubApp, command_line, file, patch, publish, state, user};
use crate::kit::{Bridge, answer, with_json};
use crate::schemas::{BADGE, BADGE_FILE, errors, found, with_badge};
use crate::scim_resource::text;
use crate::sync_kit::{self, Company, connection_file};

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

/// From the definition by the command line to the app, and back: what settings name cannot be taken away.
///
/// Covers: item 2
#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_goes_from_its_definition_to_the_app_and_stays_while_settings_name_it() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    command_line::json_of(&bridge, &["schema", "apply", BADGE_FILE, "--json"]).await;
    let mut connection = connection_file();
    connection["mapping"] = json!({ format!("{BADGE}:badge"): { "from": "'B' ~ employee.employee_number" } });
    sync_kit::apply(&bridge, &connection).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    sync_kit::done(&bridge, &Company::of(2)).await;
    let badge = text(&sync_kit::person(&bridge, 1).await, &format!("/{BADGE}/badge")).to_owned();
    let filter = format!("{BADGE}:badge eq \"{badge}\"");
    assert_eq!(found(&bridge, "/scim/v2/Users", &filter).await.len(), 1);
    let settings = json!({
        "scope": { "include": format!("user.badge == '{badge}'") },
        "mapping": { "nickName": { "from": "user.badge" }, format!("{BADGE}:badge"): { "from": "user.badge" } },
    });
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains(&format!("\"nickName\":\"{badge}\"")), "{sent:?}");
    assert!(
        sent[0].contains(&format!("\"{BADGE}\":{{\"badge\":\"{badge}\"}}")),
        "{sent:?}"
    );

    // Nobody has a badge any more, but the settings of both ends speak of it.
    let rows = bridge.rows().await;
    rows.batch_execute("DELETE FROM membership; DELETE FROM resource")
        .await
        .unwrap();
    let remove = ["schema", "remove", BADGE];
    let refused = command_line::run(&bridge, &remove).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("connection people") && said.contains("app app") && said.contains("badge"),
        "{said}"
    );
    let narrower = json!([{ "id": BADGE, "attributes": [{ "name": "parking" }] }]);
    let (status, lines) = errors(&bridge, &narrower).await;
    assert_eq!((status, lines.len()), (409, 2), "{lines:?}");
    assert!(lines[0].starts_with("connection people: mapping"), "{lines:?}");
    assert_eq!(
        bridge.get("/scim/v2/ResourceTypes/user").await["id"],
        "User",
        "in any case"
    );
    assert_eq!(bridge.get("/api/v1/resource-types/uSER").await["name"], "User");

    // What they do not name may go; and all of it once they say no more of it.
    let without_parking = json!([{ "id": BADGE, "attributes": [{ "name": "badge" }] }]);
    assert_eq!(errors(&bridge, &without_parking).await, (200, vec![]));
    connection["mapping"] = json!({});
    sync_kit::apply(&bridge, &connection).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    assert_eq!(command_line::run(&bridge, &remove).await.status.code(), Some(0));
    bridge.stop().await;
}
