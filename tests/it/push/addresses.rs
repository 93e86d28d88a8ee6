//! Apps whose address changes: ids of one server mean nothing on another.

use reqwest::Method;
use serde_json::{Value, json};

use super::{StubApp, command_line, file, patch, publish, state, try_apply, user};
use crate::kit::{Bridge, answer, with_json};

async fn order(bridge: &Bridge, order: &Value) -> (u16, Value) {
    answer(with_json(
        bridge.request(Method::POST, "/api/v1/apps/app/publish"),
        order,
    ))
    .await
}

/// Three users in an app; its draft leads to another server, where one of them has an account already.
async fn moved() -> (Bridge, StubApp, StubApp, Vec<String>) {
    let (bridge, old, new) = (
        Bridge::spawn().await,
        StubApp::start().await,
        StubApp::start().await,
    );
    new.has("Users", &json!({"userName": "boss@y", "active": true}));
    new.has(
        "Users",
        &json!({"userName": "u1@x", "active": true, "title": "Theirs"}),
    );
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    publish(&bridge, &file("app", &old.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(old.all("Users").len(), 3);
    let draft = file("app", &new.stub.base_url, &json!({}));
    assert_eq!(try_apply(&bridge, &draft).await.0, 200);
    old.mutations();
    (bridge, old, new, ids)
}

/// `a1` is somebody's of ours on the old server, and the boss on the new one.
#[tokio::test]
async fn another_server_is_matched_anew_and_nothing_is_sent_under_old_ids() {
    let (bridge, old, new, ids) = moved().await;
    let (status, body) = order(&bridge, &json!({})).await;
    assert_eq!(status, 409, "{body}");
    let said = body["detail"].as_str().unwrap();
    assert!(
        said.contains("3 accounts") && said.contains("--same-accounts") && said.contains("--new-target"),
        "{said}"
    );
    assert_eq!(order(&bridge, &json!({"accounts": "other"})).await.0, 422);
    bridge.drain().await;
    assert!(
        new.stub.received().is_empty(),
        "no call of any kind before it is said"
    );

    let (status, body) = order(&bridge, &json!({"accounts": "new"})).await;
    assert_eq!((status, &body["state"]), (200, &json!("published")), "{body}");
    assert_eq!(
        body["counts"]["creates"], 3,
        "as far as it is known before the app is read"
    );
    bridge.drain().await;
    assert_eq!(
        new.all("Users").len(),
        4,
        "two were made, one was found: {:?}",
        new.all("Users")
    );
    assert_eq!(new.named("u1@x")["title"], "T");
    assert!(
        old.stub.take_received().is_empty(),
        "the old server is left alone"
    );
    new.mutations();
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &leave).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "disabled");
    assert_eq!(new.named("u0@x")["active"], false);
    assert_eq!(new.named("boss@y")["active"], true);
    assert_eq!(new.mutations().len(), 1);
    let audited =
        "SELECT count(*) FROM audit_entry WHERE action = 'app.publish' AND detail ->> 'accounts' = 'new'";
    assert_eq!(bridge.count(audited).await, 1);
    // A slash more leads to no other place.
    let slash = format!("{}/", new.stub.base_url);
    publish(&bridge, &file("app", &slash, &json!({}))).await;
}

#[tokio::test]
async fn the_same_accounts_under_another_address_keep_their_links() {
    let (bridge, old, _, ids) = moved().await;
    // The same server, by another name.
    let alias = old.stub.base_url.replace("127.0.0.1", "localhost");
    assert_eq!(try_apply(&bridge, &file("app", &alias, &json!({}))).await.0, 200);
    let (status, body) = order(&bridge, &json!({"accounts": "same"})).await;
    assert_eq!((status, &body["counts"]["creates"]), (200, &json!(0)), "{body}");
    bridge.drain().await;
    assert!(old.mutations().is_empty(), "everybody is as they should be");
    let put = json!([{"op": "replace", "path": "title", "value": "New"}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[2]), &put).await;
    bridge.drain().await;
    assert_eq!(old.named("u2@x")["title"], "New");
    assert_eq!(old.mutations().len(), 1);
}

/// The answer is kept with the plan while it waits.
#[tokio::test]
async fn a_move_that_waits_for_an_approval_drops_the_links_only_then() {
    let (bridge, old, new, ids) = moved().await;
    let careful = json!({"guard": {"creates": {"count": 2}}});
    assert_eq!(
        try_apply(&bridge, &file("app", &new.stub.base_url, &careful))
            .await
            .0,
        200
    );
    let (status, body) = order(&bridge, &json!({"accounts": "new"})).await;
    assert_eq!(status, 202, "{body}");
    let put = json!([{"op": "replace", "path": "nickName", "value": "N"}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &put).await;
    bridge.drain().await;
    assert_eq!(old.mutations().len(), 1, "the old one is in force meanwhile");
    assert!(new.stub.received().is_empty());
    let path = format!("/api/v1/plans/{}/approve", body["plan"].as_str().unwrap());
    let approval = json!({"plan": body["plan_hash"]});
    assert_eq!(
        answer(with_json(bridge.request(Method::POST, &path), &approval))
            .await
            .0,
        202
    );
    bridge.drain().await;
    assert!(old.stub.take_received().is_empty());
    assert_eq!(new.all("Users").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_whose_accounts_are_there() {
    let (bridge, old, new, _) = moved().await;
    let refused = command_line::run(&bridge, &["app", "publish", "app"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--new-target"));
    let both = ["app", "publish", "app", "--new-target", "--same-accounts"];
    assert_eq!(command_line::run(&bridge, &both).await.status.code(), Some(2));
    let published =
        command_line::json_of(&bridge, &["app", "publish", "app", "--new-target", "--json"]).await;
    assert_eq!(published["state"], "published");
    bridge.drain().await;
    assert_eq!((old.mutations().len(), new.all("Users").len()), (0, 4));
}

/// The address stays and the token is that of another tenant: whom the app has now is nobody of ours.
#[tokio::test]
async fn an_app_that_has_none_of_ours_any_more_is_sent_nothing_until_somebody_says_what_it_is() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    let settings = file("app", &app.stub.base_url, &json!({}));
    publish(&bridge, &settings).await;
    bridge.drain().await;
    // The same ids, other people.
    let ours = {
        let mut held = app.held.lock().unwrap();
        let ours = held.resources.clone();
        for (n, theirs) in held.resources.values_mut().enumerate() {
            theirs["userName"] = json!(format!("t{n}@y"));
            theirs["externalId"] = json!(format!("T-{n}"));
        }
        ours
    };
    let change = |value: &str| json!([{"op": "replace", "path": "title", "value": value}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &change("A")).await;
    publish(&bridge, &settings).await;
    app.mutations();
    bridge.drain().await;
    assert!(app.mutations().is_empty(), "nobody else's account is touched");
    let trouble = bridge.get("/api/v1/apps/app").await["trouble"].clone();
    assert!(trouble.as_str().unwrap().contains("--new-target"), "{trouble}");

    // Nobody of ours is there at all.
    app.held.lock().unwrap().resources.clear();
    app.has("Users", &json!({"userName": "boss@y", "active": true}));
    bridge.clock.advance(chrono::TimeDelta::minutes(10));
    bridge.drain().await;
    assert!(app.mutations().is_empty(), "nor is anybody made anew by itself");
    let trouble = bridge.get("/api/v1/apps/app").await["trouble"].clone();
    assert!(
        trouble.as_str().unwrap().contains("none of the linked accounts"),
        "{trouble}"
    );

    // The right token again: all goes on where it was.
    app.held.lock().unwrap().resources = ours;
    bridge.clock.advance(chrono::TimeDelta::minutes(10));
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(app.named("u0@x")["title"], "A");

    // Or it is another tenant, and meant to be.
    app.held.lock().unwrap().resources.clear();
    assert_eq!(order(&bridge, &json!({"accounts": "new"})).await.0, 200);
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 4);
}
