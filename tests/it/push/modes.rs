//! Modes, publication, guard, isolation, and who may ask.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::json;

use super::{StubApp, account, file, publish, state, try_publish, user};
use crate::kit::{Bridge, answer, with_json};

#[tokio::test]
async fn observe_and_link_change_nothing_and_say_what_would_be() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.has("Users", &json!({"userName": "anna@x", "title": "old"}));
    let anna = user(&bridge, "anna@x", &json!({"title": "new"})).await;
    let bo = user(&bridge, "bo@x", &json!({})).await;
    for mode in ["observe", "link"] {
        publish(&bridge, &file("app", &app.stub.base_url, &json!({"mode": mode}))).await;
        bridge.drain().await;
        assert!(app.mutations().is_empty());
        let would = |deed: &str| {
            (
                "pending".to_owned(),
                format!("would {deed}; the app is in mode {mode}"),
            )
        };
        assert_eq!(
            account(&bridge, &anna).await,
            would("change title, active, externalId")
        );
        assert_eq!(account(&bridge, &bo).await, would("be created"));
        assert_eq!(bridge.get("/api/v1/status").await["settled"], true);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 2);
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn a_paused_app_is_left_alone_and_caught_up_when_published_again() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    bridge.post("/api/v1/apps/app/pause", &json!({})).await;
    app.stub.take_received();
    user(&bridge, "anna@x", &json!({})).await;
    bridge.drain().await;
    assert!(app.stub.received().is_empty());
    bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
}

/// Covers: item 9
#[tokio::test]
async fn a_frozen_app_is_left_alone_is_not_waited_for_and_is_caught_up_when_thawed() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.stub.take_received();
    for what in [json!({ "app": "app" }), json!({})] {
        let before = app.all("Users").len();
        user(&bridge, &format!("user{before}@x"), &json!({})).await;
        bridge.post("/api/v1/freeze", &what).await;
        bridge.drain().await;
        assert_eq!(app.all("Users").len(), before, "{what}");
        let status = bridge.get("/api/v1/status").await;
        assert_eq!(status["settled"], true, "{status}");
        assert_eq!(status["frozen"].as_array().unwrap().len(), 1);
        bridge.post("/api/v1/thaw", &what).await;
        assert_eq!(bridge.get("/api/v1/status").await["settled"], false);
        bridge.drain().await;
        assert_eq!(app.all("Users").len(), before + 1);
    }
}

#[tokio::test]
async fn a_scope_that_would_disable_many_waits_for_an_approval() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for number in 0..10 {
        user(
            &bridge,
            &format!("u{number}@x"),
            &json!({"title": if number < 6 { "in" } else { "out" }}),
        )
        .await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.mutations();
    let narrow = file(
        "app",
        &app.stub.base_url,
        &json!({"scope": {"include": "user.title == \"in\""}}),
    );
    let (status, body) = try_publish(&bridge, &narrow).await;
    assert_eq!((status, &body["state"]), (202, &json!("awaiting_approval")));
    assert_eq!(
        body["counts"],
        json!({"accounts": 10, "creates": 0, "updates": 0, "disables": 4, "removals": 0, "cleared": {}})
    );
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    let (plan, hash) = (
        body["plan"].as_str().unwrap().parse().unwrap(),
        body["plan_hash"].as_str().unwrap(),
    );
    let mut conn = bridge.conn().await;
    let approve = scim_bridge::guard::Decision::Approve;
    scim_bridge::guard::decide(
        &mut conn,
        bridge.tenant,
        plan,
        approve,
        Some(hash),
        "test",
        bridge.clock.now(),
    )
    .await
    .unwrap();
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 4);
    assert_eq!(
        bridge.get("/api/v1/status").await["apps"][0]["counts"],
        json!({"disabled": 4, "in_sync": 6})
    );
}

#[tokio::test]
async fn what_is_one_tenants_is_neither_seen_nor_pushed_by_another() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let other = bridge.make_tenant("other").await;
    let token = bridge.make_token(other, "other", &Scope::ALL).await;
    let operation = bridge.get("/api/v1/operations").await["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        "/api/v1/apps/app",
        "/api/v1/apps/app/accounts",
        "/api/v1/apps/app/diff",
    ] {
        assert_eq!(
            answer(bridge.request_as(&token, Method::GET, path)).await.0,
            404,
            "{path}"
        );
    }
    for path in [
        "/api/v1/apps/app/publish",
        "/api/v1/apps/app/pause",
        "/api/v1/apps/app/check",
    ] {
        let request = with_json(bridge.request_as(&token, Method::POST, path), &json!({}));
        assert_eq!(answer(request).await.0, 404, "{path}");
    }
    for deed in ["retry", "skip"] {
        let path = format!("/api/v1/operations/{operation}/{deed}");
        assert_eq!(
            answer(bridge.request_as(&token, Method::POST, &path)).await.0,
            404
        );
    }
    let theirs = format!("/api/v1/users/{anna}/provisioning");
    assert_eq!(
        answer(bridge.request_as(&token, Method::GET, &theirs)).await.0,
        404
    );
    let empty = json!({"items": []});
    for path in [
        "/api/v1/apps",
        "/api/v1/operations",
        "/api/v1/users?user_name=anna@x",
    ] {
        assert_eq!(
            answer(bridge.request_as(&token, Method::GET, path)).await.1,
            empty,
            "{path}"
        );
    }
    assert_eq!(
        answer(bridge.request_as(&token, Method::GET, "/api/v1/status"))
            .await
            .1["apps"],
        json!([])
    );
    // A user of theirs is not pushed to our app.
    let made = bridge
        .request_as(&token, Method::POST, "/scim/v2/Users")
        .header("content-type", "application/scim+json")
        .body(
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "theirs@x"})
                .to_string(),
        );
    assert_eq!(answer(made).await.0, 201);
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
}

#[tokio::test]
async fn settings_are_checked_versioned_and_their_token_is_never_shown() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let put =
        |body: serde_json::Value| answer(with_json(bridge.request(Method::PUT, "/api/v1/apps/app"), &body));
    let good = file("app", &app.stub.base_url, &json!({}));
    for (more, said) in [
        (json!({"tokn": "x"}), "tokn"),
        (json!({"token": "env:X"}), "env:"),
        (json!({"scope": {"include": "user.departmint"}}), "departmint"),
        (json!({"name": "other"}), "name"),
    ] {
        let (status, body) = put(file("app", &app.stub.base_url, &more)).await;
        assert_eq!(status, 422, "{body}");
        assert!(body.to_string().contains(said), "{body}");
    }
    publish(&bridge, &good).await;
    let (_, draft) = put(file(
        "app",
        &app.stub.base_url,
        &json!({"token": "n3w", "mode": "observe"}),
    ))
    .await;
    assert_eq!(
        (
            &draft["live_revision"],
            &draft["draft_revision"],
            &draft["has_token"]
        ),
        (&json!(1), &json!(2), &json!(true))
    );
    assert!(!draft.to_string().contains("n3w"));
    let diff = bridge.get("/api/v1/apps/app/diff").await;
    assert_eq!(
        diff["changes"],
        json!([{"at": "mode", "live": "live", "draft": "observe"}])
    );
    assert!(!bridge.get("/api/v1/apps/app").await.to_string().contains("n3w"));
    bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    let back = bridge.post("/api/v1/apps/app/rollback", &json!({})).await;
    assert_eq!(
        (&back["live_revision"], &back["draft_revision"]),
        (&json!(2), &json!(1))
    );
    let published = bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    assert_eq!(
        (&published["app"]["mode"], &published["app"]["live_revision"]),
        (&json!("live"), &json!(1))
    );
    // Another host destroys the sealed token, the same one keeps it.
    let mut moved = file("app", "https://elsewhere.example/scim", &json!({}));
    moved.as_object_mut().unwrap().remove("token");
    assert_eq!(put(moved).await.1["has_token"], false);
    let steps = bridge.post("/api/v1/apps/app/check", &json!({})).await;
    assert_eq!(steps["ok"], false);
}

#[tokio::test]
async fn users_are_found_by_what_the_asker_holds() {
    let bridge = Bridge::spawn().await;
    let anna = user(
        &bridge,
        "Anna@x",
        &json!({"externalId": "e1", "displayName": "Anna", "emails": [{"value": "anna.work@x", "type": "work"}],
                super::ENTERPRISE: {"employeeNumber": "007"}}),
    )
    .await;
    user(&bridge, "bo@x", &json!({})).await;
    let expected = json!({"items": [{"id": anna, "person": null, "user_name": "Anna@x", "display_name": "Anna", "active": true}]});
    for query in [
        "email=Anna.Work@X",
        "user_name=anna@X",
        "employee_number=007",
        "external_id=e1",
    ] {
        assert_eq!(
            bridge.get(&format!("/api/v1/users?{query}")).await,
            expected,
            "{query}"
        );
    }
    assert_eq!(
        bridge.get("/api/v1/users?source_id=1").await,
        json!({"items": []})
    );
    for query in ["", "email=a&user_name=b", "name=x"] {
        assert_eq!(
            answer(bridge.request(Method::GET, &format!("/api/v1/users?{query}")))
                .await
                .0,
            400,
            "{query}"
        );
    }
    let reader = bridge
        .make_token(bridge.tenant, "reader", &[Scope::ProvisioningRead])
        .await;
    assert_eq!(
        answer(bridge.request_as(&reader, Method::GET, "/api/v1/users?user_name=bo@x"))
            .await
            .0,
        200
    );
    assert_eq!(
        answer(bridge.request_as(&reader, Method::GET, "/api/v1/operations"))
            .await
            .0,
        403
    );
    let scim_only = bridge.make_token(bridge.tenant, "scim", &[Scope::ScimRead]).await;
    assert_eq!(
        answer(bridge.request_as(&scim_only, Method::GET, "/api/v1/status"))
            .await
            .0,
        403
    );
}
