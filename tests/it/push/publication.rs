//! Publications: a plan of all effects, judged before the first call, approved whole or in part.

use std::sync::{Mutex, mpsc};

use reqwest::Method;
use serde_json::{Value, json};

use super::{StubApp, account, file, patch, publish, state, try_publish, user};
use crate::kit::{Answer, Bridge, answer, with_json};

/// So many users with accounts, written straight into the tables.
async fn fill(bridge: &Bridge, count: i32) {
    let rows = bridge.rows().await;
    rows.batch_execute(&format!(
        r#"INSERT INTO resource (tenant_id, id, kind, user_name, display_name, active, created, last_modified, version, body)
           SELECT '{tenant}', gen_random_uuid(), 'User', 'u' || n || '@x', NULL, true, now(), now(), 1,
                  json_build_object('userName', 'u' || n || '@x', 'active', true, 'title', 'T')
           FROM generate_series(1, {count}) AS n;
           INSERT INTO account (tenant_id, app_id, resource_id, kind, remote_id, state, since, acknowledged_at, look, known)
           SELECT '{tenant}', a.id, r.id, 'User', 'a-' || r.user_name, 'in_sync', now(), now(), false,
                  r.body::jsonb || jsonb_build_object('externalId', r.id::text)
           FROM resource r, app a WHERE r.tenant_id = '{tenant}' AND a.tenant_id = '{tenant}' AND r.user_name LIKE 'u%@x';
           UPDATE app SET planned_revision = live_revision, matched_at = now();"#,
        tenant = bridge.tenant
    ))
    .await
    .unwrap();
}

async fn approve(bridge: &Bridge, published: &Value, more: &Value) -> (u16, Value) {
    let mut order = json!({ "plan": published["plan_hash"] });
    order
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let path = format!("/api/v1/plans/{}/approve", published["plan"].as_str().unwrap());
    answer(with_json(bridge.request(Method::POST, &path), &order)).await
}

#[tokio::test]
async fn a_wrong_scope_over_5000_accounts_causes_no_call_before_the_approval() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    fill(&bridge, 5_000).await;
    app.stub.take_received();
    let wrong = file(
        "app",
        &app.stub.base_url,
        &json!({"scope": {"include": "user.title == \"X\""}, "deprovision": {"out_of_scope": [{"do": "delete"}]}}),
    );
    let preview = {
        let path = "/api/v1/apps/app";
        let applied = answer(with_json(bridge.request(Method::PUT, path), &wrong)).await;
        assert_eq!(applied.0, 200, "{}", applied.1);
        bridge.get("/api/v1/apps/app/preview").await
    };
    assert_eq!(preview["items"].as_array().unwrap().len(), 5_000);
    assert_eq!(preview["counts"]["draft"]["removals"], 5_000);
    assert_eq!(preview["counts"]["live"]["removals"], 0);
    assert_eq!(preview["verdict"]["ok"], false);
    let (status, published) = try_publish(&bridge, &wrong).await;
    assert_eq!((status, &published["state"]), (202, &json!("awaiting_approval")));
    assert_eq!(published["counts"]["removals"], 5_000);
    bridge.drain().await;
    assert!(app.stub.received().is_empty(), "no call of any kind");
    let plan = published["plan"].as_str().unwrap();
    let items = bridge.get(&format!("/api/v1/plans/{plan}/items?limit=1")).await;
    let first = &items["items"][0];
    assert_eq!(first["action"], "remove");
    assert_eq!(first["calls"][0]["method"], "DELETE", "{first}");

    let other = json!({"plan": "00000000"});
    let path = format!("/api/v1/plans/{plan}/approve");
    let refused = answer(with_json(bridge.request(Method::POST, &path), &other)).await;
    assert_eq!(refused.0, 409, "it is bound to its hash");
    // One of them is approved; the others stay, and say why.
    let (status, body) = approve(&bridge, &published, &json!({"only": {"items": [1]}})).await;
    assert_eq!(status, 202, "{body}");
    // The app lists nobody, but has whom it is asked for.
    app.stub.rule(|request| {
        let is_one = request.method == "GET" && request.path.starts_with("/Users/a-");
        is_one.then(|| Answer::json(200, &json!({})))
    });
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    let held =
        "SELECT count(*) FROM account WHERE state = 'held' AND reason LIKE 'left out of the plan % by %'";
    assert_eq!(bridge.count(held).await, 4_999);
}

#[tokio::test]
async fn what_a_publication_clears_for_many_waits_and_the_first_filling_does_not() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 12, "an empty app is filled without asking");
    let plans = bridge.get("/api/v1/plans?cause=app").await;
    assert_eq!(plans["items"][0]["state"], "applied", "{plans}");
    assert_eq!(plans["items"][0]["counts"]["creates"], 12);

    let empties = json!({"mapping": {"title": {"from": "user.nickName", "clear_when_empty": true}}});
    let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &empties)).await;
    assert_eq!(status, 202);
    assert!(
        published["reasons"][0]
            .as_str()
            .unwrap()
            .contains("12 of 12 accounts (100.0 %) would lose the value of title"),
        "{published}"
    );
    // Between plan and approval one moves on so that its item would do more than was looked at.
    patch(
        &bridge,
        &format!("/scim/v2/Users/{}", ids[0]),
        &json!([{"op": "replace", "path": "displayName", "value": "D"}]),
    )
    .await;
    bridge.drain().await;
    app.mutations();
    let (status, body) = approve(&bridge, &published, &json!({})).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    assert_eq!(
        app.mutations().len(),
        12,
        "it moved, and its item is as large as before"
    );
    assert_eq!(state(&bridge, &ids[0]).await, "in_sync");

    // Rejected, nothing is ever done.
    let disables = json!({"scope": {"include": "user.userName == \"u1@x\""}});
    let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &disables)).await;
    assert_eq!(status, 202);
    let path = format!("/api/v1/plans/{}/reject", published["plan"].as_str().unwrap());
    let (status, _) = answer(with_json(bridge.request(Method::POST, &path), &json!({}))).await;
    assert_eq!(status, 200);
    bridge.drain().await;
    assert!(app.mutations().is_empty());
}

#[tokio::test]
async fn what_moved_between_plan_and_approval_is_refused_and_a_leaver_passes_what_was_left_out() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(
            user(
                &bridge,
                &format!("u{n}@x"),
                &json!({"title": "T", "nickName": "N"}),
            )
            .await,
        );
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let empties = json!({"mapping": {"title": {"from": "user.displayName", "clear_when_empty": true}}});
    let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &empties)).await;
    assert_eq!(status, 202);
    let put = json!([{"op": "replace", "path": "nickName", "value": "M"}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &put).await;
    app.mutations();
    let except = json!({"except": {"items": [2]}});
    let (status, body) = approve(&bridge, &published, &except).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    let states: Vec<(String, String)> = {
        let mut found = Vec::new();
        for id in &ids {
            found.push(account(&bridge, id).await);
        }
        found
    };
    let held: Vec<&(String, String)> = states.iter().filter(|(state, _)| state == "held").collect();
    assert_eq!(held.len(), 2, "{states:?}");
    assert!(states[0].1.contains("what it stood on changed"), "{states:?}");
    let declined = states
        .iter()
        .position(|(_, why)| why.contains("left out of the plan") && why.contains(" by "));
    let declined = declined.expect("one was left out by hand");
    // Who leaves is disabled all the same: what was left out was something else.
    app.mutations();
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[declined]), &leave).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[declined]).await, "disabled");
    assert_eq!(app.mutations().len(), 1);
}

/// An app that was never read is published straight into `live`: what is found there is judged all the same.
#[tokio::test]
async fn accounts_that_are_found_only_after_the_publication_are_judged_before_the_first_call() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..5 {
        let name = format!("u{n}@x");
        app.has("Users", &json!({"userName": name, "active": true}));
        ids.push(user(&bridge, &name, &json!({})).await);
    }
    // All left while the app was not connected, and it holds them as active.
    for id in &ids {
        let put = json!([{"op": "replace", "path": "active", "value": false}]);
        patch(&bridge, &format!("/scim/v2/Users/{id}"), &put).await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert!(
        app.mutations().is_empty(),
        "nobody is disabled before somebody said so"
    );
    let plans = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    let plan = &plans["items"][0];
    assert_eq!(plan["counts"]["disables"], 5, "{plans}");
    assert!(
        account(&bridge, &ids[0])
            .await
            .1
            .starts_with("waits for the approval of the plan")
    );
    let published = json!({"plan": plan["id"], "plan_hash": plan["hash"]});
    let (status, body) = approve(&bridge, &published, &json!({"only": {"items": [1, 2]}})).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 2);
}

/// What waits for a plan that is rejected does not wait for it any more, and who leaves then is disabled all the same.
#[tokio::test]
async fn who_was_found_and_left_out_by_a_rejection_can_still_leave() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..5 {
        let name = format!("u{n}@x");
        app.has(
            "Users",
            &json!({"userName": name, "active": true, "title": "Old"}),
        );
        ids.push(user(&bridge, &name, &json!({"title": "T"})).await);
    }
    let strict = json!({"guard": {"updates": {"count": 1}}});
    publish(&bridge, &file("app", &app.stub.base_url, &strict)).await;
    bridge.drain().await;
    let plans = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    let plan = plans["items"][0]["id"].as_str().unwrap();
    assert_eq!(plans["items"][0]["counts"]["updates"], 5, "{plans}");
    bridge
        .post(&format!("/api/v1/plans/{plan}/reject"), &json!({}))
        .await;
    let (held, reason) = account(&bridge, &ids[0]).await;
    assert_eq!(held, "held");
    assert!(reason.starts_with("left out of the plan"), "{reason}");
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &leave).await;
    bridge.drain().await;
    assert_eq!(app.named("u0@x")["active"], false);
    assert_eq!(app.mutations().len(), 1, "the others stay as they are");
}

/// A worker that still waits for an answer under the old settings looks at nobody by them any more.
#[tokio::test]
async fn settings_published_during_a_call_hold_for_everybody_who_is_looked_at_after_it() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let put = json!([{"op": "replace", "path": "nickName", "value": "N"}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &put).await;
    let engine = bridge.app.context.delivery.clone();
    let db = &bridge.app.state.db;
    scim_bridge::db::number_changes(db, uuid::Uuid::now_v7())
        .await
        .unwrap();
    while engine.dispatch().await.unwrap() {}

    let (came, mut comes) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    app.stub.rule(move |request| {
        if request.method == "PATCH" {
            let _nobody_waits_any_more = came.send(());
            let _let_go_or_dropped = gate.lock().unwrap().recv();
        }
        None
    });
    let worker = tokio::spawn({
        let engine = engine.clone();
        async move { engine.push().await }
    });
    comes.recv().await.unwrap();
    let narrow = json!({
        "scope": {"include": "user.userName == \"u0@x\""}, "guard": {"disables": {"share": 1.0}},
    });
    publish(&bridge, &file("app", &app.stub.base_url, &narrow)).await;
    while engine.dispatch().await.unwrap() {}
    drop(let_go);
    assert!(worker.await.unwrap().unwrap());
    bridge.drain().await;
    assert_eq!(app.named("u1@x")["active"], false);
    assert_eq!(app.named("u2@x")["active"], false);
    let first = app.named("u0@x");
    assert_eq!(
        (&first["active"], &first["nickName"]),
        (&json!(true), &json!("N"))
    );
}

/// What the settings would do to those who were not in the plan is judged by itself.
#[tokio::test]
async fn an_approval_lets_go_only_what_was_looked_at() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..10 {
        let title = if n < 3 { "X" } else { "T" };
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": title})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let narrow = json!({
        "scope": {"include": "user.title == \"T\""}, "caps": {"disables": {"count": 100}},
    });
    let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &narrow)).await;
    assert_eq!(
        (status, &published["counts"]["disables"]),
        (202, &json!(3)),
        "{published}"
    );
    let put = json!([{"op": "replace", "path": "title", "value": "X"}]);
    for id in &ids[3..8] {
        patch(&bridge, &format!("/scim/v2/Users/{id}"), &put).await;
    }
    bridge.drain().await;
    app.mutations();
    let (status, body) = approve(&bridge, &published, &json!({})).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 3, "who was looked at");
    let plans = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    let later = &plans["items"][0];
    assert_eq!(later["counts"]["disables"], 5, "{plans}");
    assert_eq!(state(&bridge, &ids[3]).await, "held");
    let later = json!({"plan": later["id"], "plan_hash": later["hash"]});
    assert_eq!(approve(&bridge, &later, &json!({})).await.0, 202);
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 5);
    // One more is daily life again.
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[8]), &put).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
}

/// Who pauses an app, or has it only observe, does not find old settings in force weeks later.
#[tokio::test]
async fn a_publication_that_waits_ends_when_the_app_is_paused_or_only_observes() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for n in 0..5 {
        user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let nobody = json!({"scope": {"include": "user.title == \"X\""}});
    for path in ["/api/v1/apps/app/pause", "/api/v1/apps/app/publish"] {
        let order = if path.ends_with("publish") {
            json!({"mode": "observe"})
        } else {
            json!({})
        };
        let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &nobody)).await;
        assert_eq!(status, 202, "{published}");
        bridge.post(path, &order).await;
        let (status, body) = approve(&bridge, &published, &json!({})).await;
        assert_eq!(status, 409, "{body}");
        let plan = bridge
            .get(&format!("/api/v1/plans/{}", published["plan"].as_str().unwrap()))
            .await;
        assert_eq!(plan["state"], "superseded");
        assert!(!plan["reason"].as_str().unwrap_or_default().is_empty(), "{plan}");
        assert!(
            body["detail"]
                .as_str()
                .unwrap()
                .contains(plan["reason"].as_str().unwrap()),
            "{body}"
        );
    }
}
