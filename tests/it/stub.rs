//! The kit's own stub: a test that leans on it must know that it holds.

use std::time::Duration;

use scim_bridge::access::Scope;
use serde_json::json;

use crate::kit::{Answer, Bridge, Settings, Stub, TestDatabase, http_client};

#[tokio::test]
async fn the_stub_answers_as_told_and_keeps_what_it_got() {
    let (stub, http) = (Stub::start().await, http_client());
    stub.on("GET", "/a", Answer::json(200, &json!({"n": 1})));
    stub.on("GET", "/a", Answer::json(200, &json!({"n": 2})));
    stub.queue("GET", "/a", Answer::status(429).header("retry-after", "1"));
    stub.rule(|request| (request.json()["k"] == "v").then(|| Answer::text(201, "text/plain", "made")));
    let get = |path: &str| http.get(format!("{}{path}", stub.base_url)).send();
    let first = get("/a?x=%201").await.unwrap();
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "1")
    );
    assert_eq!(get("/a").await.unwrap().text().await.unwrap(), "{\"n\":2}");
    assert_eq!(get("/b").await.unwrap().status(), 404);
    let mut slow = Answer::status(204);
    slow.after = Duration::from_millis(1);
    stub.on("DELETE", "/c", slow);
    assert_eq!(
        http.delete(format!("{}/c", stub.base_url))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let posted = http
        .post(format!("{}/d", stub.base_url))
        .body("{\"k\":\"v\"}")
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 201);
    assert_eq!(stub.received()[0].param("x").as_deref(), Some(" 1"));
    assert!(stub.received()[0].header("host").is_some());
    assert_eq!(stub.log().last().unwrap(), "POST /d {\"k\":\"v\"}");
    assert_eq!(stub.take_received().len(), 5);
    assert!(stub.received().is_empty());
    stub.stop().await;
    assert!(http_client().get(&stub.base_url).send().await.is_err());
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own_that_outlives_a_restart() {
    let bridge = Bridge::spawn().await;
    bridge.drain().await;
    let token = bridge.make_token(bridge.tenant, "x", &[Scope::ScimRead]).await;
    assert_eq!(bridge.count("SELECT count(*) FROM token").await, 2);
    assert!(bridge.database_url().contains("dbname=t_"));
    let database: TestDatabase = bridge.stop().await;
    assert!(!token.is_empty() && !database.url.is_empty());
    let other = Bridge::spawn_with(Settings::default()).await;
    assert_eq!(other.count("SELECT count(*) FROM token").await, 1);
}
