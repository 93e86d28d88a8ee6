//! When the app, the network or we fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::{StubApp, account, file, patch, publish, state, user};
use crate::kit::{Answer, Bridge, Received};

fn is_write(request: &Received) -> bool {
    request.method != "GET"
}

#[tokio::test]
async fn a_429_pauses_the_whole_app_for_as_long_as_it_asks_and_leavers_go_first_after() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let one_by_one = json!({"pace": {"concurrency": 1}});
    let leaver = user(&bridge, "leaver@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &one_by_one)).await;
    bridge.drain().await;
    app.mutations();
    let limited = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&limited);
    app.stub.rule(move |request| {
        (is_write(request) && flag.load(Ordering::Relaxed))
            .then(|| Answer::status(429).header("retry-after", "60"))
    });
    for name in ["a@x", "b@x", "c@x"] {
        user(&bridge, name, &json!({})).await;
    }
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1, "one refusal costs one call");
    assert_eq!(bridge.get("/api/v1/status").await["settled"], false);
    patch(
        &bridge,
        &format!("/scim/v2/Users/{leaver}"),
        &json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    bridge.clock.advance(TimeDelta::seconds(59));
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    limited.store(false, Ordering::Relaxed);
    bridge.clock.advance(TimeDelta::seconds(1));
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent[0].starts_with("PATCH /Users/a1"), "{sent:?}");
    assert_eq!(app.all("Users").len(), 4);
}

#[tokio::test]
async fn a_create_whose_outcome_is_unknown_is_looked_up_before_it_is_repeated() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    // The app makes the account and then fails to say so.
    let held = Arc::clone(&app.held);
    let failing = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&failing);
    app.stub.rule(move |request| {
        let is_post = request.method == "POST" && flag.swap(false, Ordering::Relaxed);
        is_post.then(|| {
            held.lock().unwrap().create("Users", request.json());
            Answer::status(500)
        })
    });
    let anna = user(&bridge, "anna@x", &json!({})).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &anna).await, "pending");
    bridge.clock.advance(TimeDelta::seconds(5));
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    assert_eq!(
        app.mutations()
            .iter()
            .filter(|line| line.starts_with("POST"))
            .count(),
        1
    );
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn a_create_that_never_arrived_is_repeated() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.stub.queue("POST", "/Users", Answer::status(502));
    let anna = user(&bridge, "anna@x", &json!({})).await;
    bridge.drain().await;
    bridge.clock.advance(TimeDelta::seconds(5));
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn an_update_whose_outcome_is_unknown_is_read_back_even_when_it_is_no_longer_wanted() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({"title": "old"})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let held = Arc::clone(&app.held);
    let failing = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&failing);
    app.stub.rule(move |request| {
        let is_patch = request.method == "PATCH" && flag.swap(false, Ordering::Relaxed);
        is_patch.then(|| {
            held.lock().unwrap().one("PATCH", request);
            Answer::status(504)
        })
    });
    let path = format!("/scim/v2/Users/{anna}");
    patch(
        &bridge,
        &path,
        &json!([{"op": "replace", "path": "title", "value": "new"}]),
    )
    .await;
    bridge.drain().await;
    patch(
        &bridge,
        &path,
        &json!([{"op": "replace", "path": "title", "value": "old"}]),
    )
    .await;
    bridge.clock.advance(TimeDelta::seconds(5));
    bridge.drain().await;
    assert_eq!(app.named("anna@x")["title"], "old");
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}

#[tokio::test]
async fn an_app_that_keeps_failing_is_quarantined_probed_slowly_and_caught_up() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(
        &bridge,
        &file("app", &app.stub.base_url, &json!({"pace": {"concurrency": 1}})),
    )
    .await;
    bridge.drain().await;
    let down = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&down);
    app.stub
        .rule(move |_| flag.load(Ordering::Relaxed).then(|| Answer::status(500)));
    let mut users = Vec::new();
    for number in 0..30 {
        users.push(user(&bridge, &format!("u{number}@x"), &json!({})).await);
    }
    bridge.drain().await;
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(status["apps"][0]["counts"], json!({"quarantined": 30}));
    assert_eq!(status["settled"], true);
    assert!(app.stub.take_received().len() < 60);
    bridge.clock.advance(TimeDelta::minutes(2));
    bridge.drain().await;
    assert_eq!(app.stub.take_received().len(), 1, "one probe");
    down.store(false, Ordering::Relaxed);
    bridge.clock.advance(TimeDelta::hours(1));
    bridge.drain().await;
    bridge.clock.advance(TimeDelta::hours(1));
    bridge.drain().await;
    assert_eq!(
        bridge.get("/api/v1/status").await["apps"][0]["counts"],
        json!({"in_sync": 30})
    );
    assert_eq!(app.all("Users").len(), 30);
}

#[tokio::test]
async fn a_token_that_the_app_refuses_stops_everything_and_says_so() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.stub
        .rule(|_| Some(Answer::json(401, &json!({"detail": "bad token"}))));
    let anna = user(&bridge, "anna@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(
        status["apps"][0]["trouble"],
        "the app does not accept our token: 401: bad token"
    );
    assert_eq!(account(&bridge, &anna).await.0, "quarantined");
    assert_eq!(app.stub.received().len(), 1);
    // Who publishes again wants it tried again: until then its accounts are pending, and waiting for them is right.
    bridge
        .post("/api/v1/apps/app/publish", &json!({"mode": "live"}))
        .await;
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(status["apps"][0]["counts"], json!({"pending": 1}));
    assert_eq!(status["settled"], false);
}

#[tokio::test]
async fn a_process_that_dies_between_intent_and_result_neither_loses_nor_doubles() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let mut users = Vec::new();
    for number in 0..12 {
        users.push(user(&bridge, &format!("u{number}@x"), &json!({})).await);
    }
    scim_bridge::db::number_changes(&bridge.app.state.db, uuid::Uuid::now_v7())
        .await
        .unwrap();
    // Half of the calls make the account and hang; nothing is answered before the engine is gone.
    let held = Arc::clone(&app.held);
    let hanging = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&hanging);
    app.stub.rule(move |request| {
        if request.method != "POST" || !flag.load(Ordering::Relaxed) {
            return None;
        }
        let name = request.json()["userName"].as_str().unwrap().to_owned();
        let is_made = name
            .trim_start_matches('u')
            .split('@')
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            % 2
            == 0;
        if is_made {
            held.lock().unwrap().create("Users", request.json());
        }
        let mut answer = Answer::status(500);
        answer.after = Duration::from_secs(4);
        Some(answer)
    });
    let engine = bridge.app.context.delivery.clone();
    engine.dispatch().await.unwrap();
    let dying = tokio::spawn(async move { engine.push().await });
    loop {
        let posted = app
            .stub
            .received()
            .iter()
            .filter(|request| request.method == "POST")
            .count();
        // Not within a transaction: the pool would keep it open, and the row of the app locked.
        let open = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state NOT IN ('idle')";
        if posted >= 8 && bridge.count(open).await == 0 {
            break;
        }
        assert!(!dying.is_finished(), "it ended after {posted} creates");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dying.abort();
    let _aborted = dying.await;
    hanging.store(false, Ordering::Relaxed);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM operation WHERE state = 'pending'")
            .await,
        12
    );
    // Its lease lapses.
    bridge
        .rows()
        .await
        .batch_execute("UPDATE app SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 12);
    let mut names: Vec<String> = app
        .all("Users")
        .iter()
        .map(|user| user["userName"].to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12);
    for id in &users {
        assert_eq!(state(&bridge, id).await, "in_sync");
    }
}

#[tokio::test]
async fn results_of_a_lost_lease_are_dropped_and_looked_up_by_whoever_took_over() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let anna = user(&bridge, "anna@x", &json!({})).await;
    scim_bridge::db::number_changes(&bridge.app.state.db, uuid::Uuid::now_v7())
        .await
        .unwrap();
    let held = Arc::clone(&app.held);
    app.stub.rule(move |request| {
        (request.method == "POST").then(|| {
            let made = held.lock().unwrap().create("Users", request.json());
            let mut answer = Answer::json(201, &made);
            answer.after = Duration::from_millis(500);
            answer
        })
    });
    let engine = bridge.app.context.delivery.clone();
    engine.dispatch().await.unwrap();
    let slow = tokio::spawn(async move { engine.push().await });
    while app.stub.received().iter().all(|request| request.method != "POST") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bridge
        .rows()
        .await
        .batch_execute("UPDATE app SET lease_epoch = lease_epoch + 1, lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    assert!(slow.await.unwrap().unwrap());
    assert_ne!(state(&bridge, &anna).await, "in_sync");
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    assert_eq!(state(&bridge, &anna).await, "in_sync");
}
