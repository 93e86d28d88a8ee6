//! An app's settings over time: revisions, export, going back to any of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{StubApp, file, publish, try_apply};
use crate::kit::{Bridge, answer, with_json};

#[tokio::test]
async fn every_revision_can_be_seen_exported_and_put_in_force_again() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for title in ["one", "two", "three"] {
        let settings = json!({"scope": {"include": format!("user.title == \"{title}\"")}});
        publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    }
    let draft = json!({"scope": {"include": "user.title == \"four\""}});
    assert_eq!(
        try_apply(&bridge, &file("app", &app.stub.base_url, &draft))
            .await
            .0,
        200
    );
    let found = bridge.get("/api/v1/apps/app/revisions").await;
    let said: Vec<(i64, bool, bool)> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["revision"].as_i64().unwrap(),
                one["is_live"].as_bool().unwrap(),
                one["is_draft"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (4, false, true),
            (3, true, false),
            (2, false, false),
            (1, false, false)
        ]
    );
    assert!(!found.to_string().contains("t0ken"));
    let page = bridge.get("/api/v1/apps/app/revisions?limit=3").await;
    assert_eq!(page["next"], "2");

    let back = json!({"revision": 1});
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/apps/app/rollback"),
        &back,
    ))
    .await;
    assert_eq!((status, &body["draft_revision"]), (200, &json!(1)), "{body}");
    bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    let shown = bridge.get("/api/v1/apps/app").await;
    assert_eq!(shown["live_revision"], 1);
    assert_eq!(shown["has_token"], true, "the token of that revision");
    assert_eq!(shown["settings"]["scope"]["include"], "user.title == \"one\"");

    let toml = bridge
        .request(Method::GET, "/api/v1/apps/app/export?revision=2")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let read = scim_bridge::provision::Settings::from_toml(&toml).unwrap();
    assert_eq!(read.scope.include.as_deref(), Some("user.title == \"two\""));
    assert_eq!(read.token, None);
    let again: Value = serde_json::to_value(&read).unwrap();
    assert_eq!(
        try_apply(&bridge, &again).await.0,
        200,
        "an exported file can be applied"
    );
    assert_eq!(bridge.get("/api/v1/apps/app").await["has_token"], true);
    let missing = bridge.request(Method::GET, "/api/v1/apps/app/export?revision=99");
    assert_eq!(answer(missing).await.0, 409);
}
