//! Tenants and tokens, over HTTP.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::json;

use crate::kit::{Bridge, answer, good, with_json};

#[tokio::test]
async fn a_token_opens_its_own_tenant_until_it_is_revoked() {
    let bridge = Bridge::spawn().await;
    let made = bridge
        .post(
            "/api/v1/tokens",
            &json!({"name": "okta", "scopes": ["scim:read"]}),
        )
        .await;
    assert!(made["token"].as_str().unwrap().starts_with("sb_"));
    let listed = bridge.get("/api/v1/tokens").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(
        listed["items"][1].get("token").is_none(),
        "the secret is shown once: {listed}"
    );

    let admin = bridge
        .post("/api/v1/tokens", &json!({"name": "second", "scopes": ["admin"]}))
        .await;
    let secret = admin["token"].as_str().unwrap();
    good(bridge.request_as(secret, Method::GET, "/api/v1/tokens")).await;
    let path = format!("/api/v1/tokens/{}", admin["id"].as_str().unwrap());
    good(bridge.request(Method::DELETE, &path)).await;
    let (status, body) = answer(bridge.request_as(secret, Method::GET, "/api/v1/tokens")).await;
    assert_eq!(
        (status, body["type"].as_str()),
        (401, Some("urn:scim-bridge:problem:unauthorized"))
    );
}

#[tokio::test]
async fn no_token_ends_well_for_another_tenant() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(other, "admin", &[Scope::Admin]).await;
    let mine = bridge.get("/api/v1/tokens").await["items"][0]["id"].clone();
    let theirs = good(bridge.request_as(&stranger, Method::GET, "/api/v1/tokens")).await;
    assert_eq!(theirs["items"].as_array().unwrap().len(), 1);
    assert_ne!(theirs["items"][0]["id"], mine);
    let path = format!("/api/v1/tokens/{}", mine.as_str().unwrap());
    assert_eq!(
        answer(bridge.request_as(&stranger, Method::DELETE, &path))
            .await
            .0,
        404
    );
    bridge.get("/api/v1/tokens").await;
}

#[tokio::test]
async fn the_operator_makes_tenants_and_their_tokens() {
    let bridge = Bridge::spawn().await;
    let operator = bridge.make_operator_token().await;
    let order = json!({"name": "globex"});
    let made = good(with_json(
        bridge.request_as(&operator, Method::POST, "/api/v1/tenants"),
        &order,
    ))
    .await;
    assert_eq!(made["name"], "globex");
    let (status, _) = answer(with_json(
        bridge.request_as(&operator, Method::POST, "/api/v1/tenants"),
        &order,
    ))
    .await;
    assert_eq!(status, 409);
    let order = json!({"name": "okta", "scopes": ["admin"], "expires_in": "1h"});
    let path = "/api/v1/tenants/globex/tokens";
    let token = good(with_json(
        bridge.request_as(&operator, Method::POST, path),
        &order,
    ))
    .await;
    let secret = token["token"].as_str().unwrap();
    good(bridge.request_as(secret, Method::GET, "/api/v1/tokens")).await;
    bridge.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(
        answer(bridge.request_as(secret, Method::GET, "/api/v1/tokens"))
            .await
            .0,
        401
    );
}
