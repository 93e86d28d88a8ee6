//! Joiners, movers, leavers.

use reqwest::Method;
use serde_json::json;

use super::{ENTERPRISE, StubApp, account, file, patch, publish, state, user};
use crate::kit::{Answer, Bridge};

#[tokio::test]
async fn a_joiner_is_posted_a_mover_patched_a_leaver_disabled_and_nothing_else_is_sent() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(
        &bridge,
        "anna@x",
        &json!({"title": "CFO", "name": {"givenName": "Anna"}}),
    )
    .await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [format!(
            "POST /Users {{\"active\":true,\"externalId\":\"{anna}\",\"name\":{{\"givenName\":\"Anna\"}},\"title\":\"CFO\",\"userName\":\"anna@x\"}}"
        )]
    );
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    assert_eq!(app.stub.received().len(), 0);

    patch(
        &bridge,
        &format!("/scim/v2/Users/{anna}"),
        &json!([{"op": "replace", "path": "title", "value": "CEO"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [r#"PATCH /Users/a1 {"Operations":[{"op":"replace","path":"title","value":"CEO"}]}"#]
    );

    let leave = json!([{"op": "replace", "path": "active", "value": false}, {"op": "replace", "path": "title", "value": "x"}]);
    patch(&bridge, &format!("/scim/v2/Users/{anna}"), &leave).await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [r#"PATCH /Users/a1 {"Operations":[{"op":"replace","path":"active","value":false}]}"#]
    );
    assert_eq!(state(&bridge, &anna).await, "disabled");
    bridge.drain().await;
    assert!(app.mutations().is_empty());

    patch(
        &bridge,
        &format!("/scim/v2/Users/{anna}"),
        &json!([{"op": "replace", "path": "active", "value": true}]),
    )
    .await;
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(
        sent[0].contains(r#""path":"active","value":true"#) && sent[0].contains(r#""value":"x""#),
        "{sent:?}"
    );
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn managers_are_sent_by_the_apps_ids_and_made_before_their_reports() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let boss = user(&bridge, "boss@x", &json!({})).await;
    let lead = user(
        &bridge,
        "lead@x",
        &json!({ENTERPRISE: {"manager": {"value": boss}}}),
    )
    .await;
    let anna = user(
        &bridge,
        "anna@x",
        &json!({ENTERPRISE: {"manager": {"value": lead}}}),
    )
    .await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 3, "{sent:#?}");
    let id = |name: &str| app.named(name)["id"].clone();
    assert_eq!(app.named("lead@x")[ENTERPRISE]["manager"]["value"], id("boss@x"));
    assert_eq!(app.named("anna@x")[ENTERPRISE]["manager"]["value"], id("lead@x"));
    for id in [boss, lead, anna] {
        assert_eq!(state(&bridge, &id).await, "in_sync");
    }
}

#[tokio::test]
async fn people_who_report_in_a_circle_all_arrive_with_their_managers() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let boss = user(&bridge, "boss@x", &json!({})).await;
    let lead = user(
        &bridge,
        "lead@x",
        &json!({ENTERPRISE: {"manager": {"value": boss}}}),
    )
    .await;
    let anna = user(
        &bridge,
        "anna@x",
        &json!({ENTERPRISE: {"manager": {"value": lead}}}),
    )
    .await;
    let reports = json!([{"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": {"value": anna}}]);
    patch(&bridge, &format!("/scim/v2/Users/{boss}"), &reports).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let id = |name: &str| app.named(name)["id"].clone();
    assert_eq!(app.all("Users").len(), 3);
    for (name, manager) in [("boss@x", "anna@x"), ("lead@x", "boss@x"), ("anna@x", "lead@x")] {
        assert_eq!(
            app.named(name)[ENTERPRISE]["manager"]["value"],
            id(manager),
            "{name}"
        );
    }
    for id in [boss, lead, anna] {
        assert_eq!(state(&bridge, &id).await, "in_sync");
    }
}

#[tokio::test]
async fn a_manager_outside_the_app_is_left_out_and_sent_once_there() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let boss = user(&bridge, "boss@x", &json!({"title": "out"})).await;
    let anna = user(
        &bridge,
        "anna@x",
        &json!({"title": "in", ENTERPRISE: {"manager": {"value": boss}}}),
    )
    .await;
    let scoped = file(
        "app",
        &app.stub.base_url,
        &json!({"scope": {"include": "user.title == \"in\""}}),
    );
    publish(&bridge, &scoped).await;
    bridge.drain().await;
    assert_eq!(app.named("anna@x")[ENTERPRISE], json!(null));
    assert_eq!(state(&bridge, &boss).await, "out_of_scope");
    app.mutations();
    patch(
        &bridge,
        &format!("/scim/v2/Users/{boss}"),
        &json!([{"op": "replace", "path": "title", "value": "in"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.named("anna@x")[ENTERPRISE]["manager"]["value"],
        app.named("boss@x")["id"]
    );
    assert_eq!(app.mutations().len(), 2);
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn existing_accounts_are_adopted_not_doubled_and_what_the_app_owns_stays() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.has(
        "Users",
        &json!({"userName": "ANNA@X", "title": "old", "nickName": "Ann", "active": "true"}),
    );
    app.has(
        "Users",
        &json!({"userName": "b.other", "emails": [{"value": "bo@x", "type": "work"}]}),
    );
    app.has("Users", &json!({"userName": "stranger"}));
    app.has(
        "Users",
        &json!({"userName": "t1", "emails": [{"value": "team@x", "type": "work"}]}),
    );
    app.has(
        "Users",
        &json!({"userName": "t2", "emails": [{"value": "team@x", "type": "work"}]}),
    );
    let anna = user(&bridge, "anna@x", &json!({"title": "new"})).await;
    let bo = user(
        &bridge,
        "bo@x",
        &json!({"emails": [{"value": "bo@x", "type": "work"}]}),
    )
    .await;
    let team = user(
        &bridge,
        "team@x",
        &json!({"emails": [{"value": "team@x", "type": "work"}]}),
    )
    .await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert!(app.mutations().iter().all(|line| line.starts_with("PATCH")));
    assert_eq!(app.all("Users").len(), 5);
    let adopted = app.get("/Users/a1");
    assert_eq!(
        (&adopted["title"], &adopted["nickName"], &adopted["externalId"]),
        (&json!("new"), &json!("Ann"), &json!(anna))
    );
    assert_eq!(app.get("/Users/a2")["externalId"], json!(bo));
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    let (state, reason) = account(&bridge, &team).await;
    assert_eq!(
        (state.as_str(), reason.as_str()),
        ("held", "more than one account of the app fits")
    );
    let unmatched = bridge.get("/api/v1/apps/app/accounts?state=unmatched").await;
    let names: Vec<&str> = unmatched["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["stranger", "t1", "t2"]);
}

#[tokio::test]
async fn an_account_that_appeared_meanwhile_is_adopted_when_the_app_answers_409() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.has("Users", &json!({"userName": "anna@x", "title": "theirs"}));
    let anna = user(&bridge, "anna@x", &json!({"title": "ours"})).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    assert_eq!(app.get("/Users/a1")["title"], "ours");
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn an_app_without_patch_gets_put_and_keeps_what_is_its_own() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.held.lock().unwrap().no_patch = true;
    app.has(
        "Users",
        &json!({"userName": "anna@x", "nickName": "Ann", "title": "old"}),
    );
    let anna = user(&bridge, "anna@x", &json!({"title": "new"})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].starts_with("PUT /Users/a1 "), "{sent:?}");
    assert_eq!(
        (&app.get("/Users/a1")["title"], &app.get("/Users/a1")["nickName"]),
        (&json!("new"), &json!("Ann"))
    );
    patch(
        &bridge,
        &format!("/scim/v2/Users/{anna}"),
        &json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(app.get("/Users/a1")["active"], false);
    assert_eq!(state(&bridge, &anna).await, "disabled");
}

#[tokio::test]
async fn a_deleted_user_is_disabled_or_deleted_as_the_steps_say() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({})).await;
    let steps = json!({"deprovision": {"missing": [{"do": "disable"}, {"do": "delete", "after": "2d"}]}});
    publish(&bridge, &file("app", &app.stub.base_url, &steps)).await;
    bridge.drain().await;
    app.mutations();
    let gone = bridge
        .request(Method::DELETE, &format!("/scim/v2/Users/{anna}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [r#"PATCH /Users/a1 {"Operations":[{"op":"replace","path":"active","value":false}]}"#]
    );
    let settled = bridge.get("/api/v1/status").await;
    assert_eq!(
        (&settled["settled"], &settled["apps"][0]["counts"]),
        (&json!(true), &json!({"disabled": 1}))
    );
    bridge.clock.advance(chrono::TimeDelta::days(2));
    bridge.drain().await;
    assert_eq!(app.mutations(), ["DELETE /Users/a1"]);
    assert_eq!(
        bridge.get("/api/v1/status").await["apps"][0]["counts"],
        json!({"removed": 1})
    );
}

#[tokio::test]
async fn an_account_that_vanished_from_the_app_is_made_again() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.held.lock().unwrap().resources.clear();
    patch(
        &bridge,
        &format!("/scim/v2/Users/{anna}"),
        &json!([{"op": "add", "path": "title", "value": "T"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    assert_eq!(app.named("anna@x")["title"], "T");
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn a_permanent_refusal_parks_with_the_apps_words_until_something_changes_or_somebody_says_so() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.stub.queue(
        "POST",
        "/Users",
        Answer::json(
            400,
            &json!({"detail": "title is  too long", "scimType": "invalidValue"}),
        ),
    );
    let anna = user(&bridge, "anna@x", &json!({})).await;
    let bo = user(&bridge, "bo@x", &json!({})).await;
    publish(
        &bridge,
        &file("app", &app.stub.base_url, &json!({"pace": {"concurrency": 1}})),
    )
    .await;
    bridge.drain().await;
    let (parked, fine) = if state(&bridge, &anna).await == "parked" {
        (&anna, &bo)
    } else {
        (&bo, &anna)
    };
    assert_eq!(
        account(&bridge, parked).await,
        (
            "parked".to_owned(),
            "400 invalidValue: title is too long".to_owned()
        )
    );
    assert_eq!(state(&bridge, fine).await, "in_sync");
    assert_eq!(bridge.get("/api/v1/status").await["settled"], true);
    let operations = bridge.get("/api/v1/operations?state=parked").await;
    let operation = &operations["items"][0];
    assert_eq!(
        (&operation["user"], &operation["status"], &operation["app"]),
        (&json!(parked), &json!(400), &json!("app"))
    );
    let path = format!("/api/v1/operations/{}/retry", operation["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, parked).await, "in_sync");
}
