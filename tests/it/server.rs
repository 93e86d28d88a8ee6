//! Health, metrics, OAuth, and what the server does when others stop, break or ask it to end.

use std::time::Duration;

use reqwest::Method;
use scim_bridge::access::Scope;
use scim_bridge::app::Background;
use serde_json::json;

use crate::kit::{Bridge, Settings, answer, good, http_client, with_json};

#[tokio::test]
async fn health_readiness_and_metrics_need_no_token_and_tell_no_tenants_data() {
    let bridge = Bridge::spawn().await;
    let at = |path: &str| bridge.http.get(format!("{}{path}", bridge.base_url));
    assert_eq!(good(at("/healthz")).await["status"], "ok");
    assert_eq!(good(at("/readyz")).await["status"], "ready");
    bridge.get("/api/v1/tokens?limit=1").await;
    let text = at("/metrics").send().await.unwrap().text().await.unwrap();
    let line = "bridge_http_requests_total{method=\"GET\",route=\"/api/v1/tokens\",status=\"200\"} 1";
    assert!(text.contains(line), "{text}");
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("acme") && !text.contains("limit"));
}

#[tokio::test]
async fn readiness_tells_of_missing_migrations() {
    let bridge = Bridge::spawn().await;
    bridge
        .rows()
        .await
        .batch_execute("DELETE FROM schema_migration")
        .await
        .unwrap();
    let (status, body) = answer(bridge.http.get(format!("{}/readyz", bridge.base_url))).await;
    assert_eq!(
        (status, body["reason"].as_str()),
        (503, Some("migrations are missing"))
    );
    assert_eq!(
        answer(bridge.http.get(format!("{}/healthz", bridge.base_url)))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn lost_connections_are_made_anew() {
    let bridge = Bridge::spawn().await;
    bridge.get("/api/v1/tokens").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bridge.rows().await.batch_execute(cut).await.unwrap();
    let mut failures = 0;
    while answer(bridge.request(Method::GET, "/api/v1/tokens")).await.0 != 200 {
        failures += 1;
        assert!(failures < 5);
    }
}

#[tokio::test]
async fn client_credentials_give_a_short_token_that_ends_with_the_one_it_stands_for() {
    let bridge = Bridge::spawn().await;
    let made = bridge
        .post("/api/v1/tokens", &json!({"name": "okta", "scopes": ["admin"]}))
        .await;
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let url = format!("{}/oauth/token", bridge.base_url);
    let ask = |form: String| {
        let request = bridge.http.post(&url);
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
    };
    let granted = good(ask("grant_type=client_credentials".to_owned()).basic_auth(id, Some(secret))).await;
    assert_eq!(
        (granted["token_type"].as_str(), granted["scope"].as_str()),
        (Some("Bearer"), Some("admin"))
    );
    let short = granted["access_token"].as_str().unwrap().to_owned();
    good(bridge.request_as(&short, Method::GET, "/api/v1/tokens")).await;
    let posted = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    good(ask(posted)).await;

    let other = bridge.token.clone();
    for (form, status, error) in [
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret={other}"),
            401,
            "invalid_client",
        ),
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret={short}"),
            401,
            "invalid_client",
        ),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        (
            "grant_type=password&username=a&password=b".to_owned(),
            400,
            "unsupported_grant_type",
        ),
        ("x".to_owned(), 400, "invalid_request"),
    ] {
        let (got, body) = answer(ask(form.clone())).await;
        assert_eq!((got, body["error"].as_str()), (status, Some(error)), "{form}");
    }

    bridge.clock.advance(chrono::TimeDelta::minutes(15));
    assert_eq!(
        answer(bridge.request_as(&short, Method::GET, "/api/v1/tokens"))
            .await
            .0,
        401
    );
    let fresh = good(ask("grant_type=client_credentials".to_owned()).basic_auth(id, Some(secret))).await;
    let fresh = fresh["access_token"].as_str().unwrap();
    good(bridge.request_as(fresh, Method::GET, "/api/v1/tokens")).await;
    good(bridge.request(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await;
    assert_eq!(
        answer(bridge.request_as(fresh, Method::GET, "/api/v1/tokens"))
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn another_process_hears_of_a_revoked_token_at_once() {
    let here = Bridge::spawn_with(Settings {
        background: Background::Running,
        ..Settings::default()
    })
    .await;
    let secret = here.make_token(here.tenant, "okta", &[Scope::Admin]).await;
    good(here.request_as(&secret, Method::GET, "/api/v1/tokens")).await;
    // As another process does it: in the database, without this one's help.
    let sql =
        "UPDATE token SET revoked_at = now() WHERE name = 'okta'; SELECT pg_notify('bridge_access', '')";
    here.rows().await.batch_execute(sql).await.unwrap();
    let begun = std::time::Instant::now();
    while answer(here.request_as(&secret, Method::GET, "/api/v1/tokens"))
        .await
        .0
        != 401
    {
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "sooner than the cache would forget it"
        );
    }
    here.stop().await;
}

#[tokio::test]
async fn the_last_use_of_a_token_is_noted_once_a_minute_and_not_by_each_request() {
    let bridge = Bridge::spawn().await;
    let used = "SELECT count(*) FROM token WHERE last_used_at IS NOT NULL";
    bridge.get("/api/v1/tokens").await;
    assert_eq!(bridge.count(used).await, 0);
    bridge.drain().await;
    assert_eq!(bridge.count(used).await, 1);
    let version = "SELECT xmin::text::bigint FROM token WHERE name = 'tests'";
    let first = bridge.count(version).await;
    for _ in 0..3 {
        bridge.get("/api/v1/tokens").await;
        bridge.drain().await;
    }
    assert_eq!(bridge.count(version).await, first, "no write within the minute");
    bridge.clock.advance(chrono::TimeDelta::minutes(1));
    bridge.get("/api/v1/tokens").await;
    bridge.drain().await;
    assert_ne!(bridge.count(version).await, first);
}

#[tokio::test]
async fn an_admin_gives_no_more_than_it_has() {
    let bridge = Bridge::spawn().await;
    let admin = bridge.make_token(bridge.tenant, "admin", &[Scope::Admin]).await;
    let order = json!({"name": "spy", "scopes": ["sensitive:read"]});
    let (status, _) = answer(with_json(
        bridge.request_as(&admin, Method::POST, "/api/v1/tokens"),
        &order,
    ))
    .await;
    assert_eq!(status, 403);
    bridge.post("/api/v1/tokens", &order).await;
    let order = json!({"name": "none", "scopes": []});
    assert_eq!(
        answer(with_json(
            bridge.request_as(&admin, Method::POST, "/api/v1/tokens"),
            &order
        ))
        .await
        .0,
        422
    );
}

#[tokio::test]
async fn an_orderly_end_lets_requests_under_way_finish() {
    let bridge = Bridge::spawn_with(Settings {
        background: Background::Running,
        ..Settings::default()
    })
    .await;
    // The request waits for a lock until after the server was told to end.
    let mut rows = bridge.rows().await;
    let lock = rows.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE client IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let order = json!({"name": "late", "scopes": ["admin"]});
    let request = with_json(bridge.request(Method::POST, "/api/v1/tokens"), &order);
    let base_url = bridge.base_url.clone();
    let watcher = bridge.rows().await;
    let asked = tokio::spawn(answer(request));
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'client'::regclass";
    while watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(bridge.stop());
    while http_client()
        .get(format!("{base_url}/healthz"))
        .send()
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    lock.commit().await.unwrap();
    assert_eq!(asked.await.unwrap().0, 201);
    stopping.await.unwrap();
}
