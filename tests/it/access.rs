//! Tenants and tokens, over HTTP.

use reqwest::Method;
use scim_bridge::access::{self, Scope};
use scim_bridge::db::Transactional as _;
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

#[tokio::test]
async fn the_store_of_tokens_keeps_tenants_apart_by_every_id_and_cursor() {
    let bridge = Bridge::spawn().await;
    let (mine, theirs) = (bridge.tenant, bridge.make_tenant("other").await);
    for n in 0..3 {
        bridge
            .make_token(mine, &format!("mine-{n}"), &[Scope::ScimRead])
            .await;
        bridge
            .make_token(theirs, &format!("theirs-{n}"), &[Scope::ScimRead])
            .await;
    }
    bridge.make_operator_token().await;
    let mut conn = bridge.conn().await;
    let all = |rows: Vec<access::TokenView>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
    let mine_all = access::tokens(&mut conn, Some(mine), None, 100).await.unwrap();
    assert_eq!(all(mine_all.clone()), ["tests", "mine-0", "mine-1", "mine-2"]);
    let theirs_all = access::tokens(&mut conn, Some(theirs), None, 100).await.unwrap();
    assert_eq!(all(theirs_all.clone()), ["theirs-0", "theirs-1", "theirs-2"]);
    assert_eq!(
        all(access::tokens(&mut conn, None, None, 100).await.unwrap()),
        ["operator"]
    );
    // Their id as a cursor shows only what is ours after it.
    let page = access::tokens(&mut conn, Some(mine), Some(theirs_all[0].id), 100)
        .await
        .unwrap();
    assert_eq!(all(page), ["mine-1", "mine-2"]);
    let now = bridge.clock.now();
    for id in [mine_all[0].id, mine_all[1].id] {
        for owner in [Some(theirs), None] {
            let refused = access::revoke_token(&mut conn, owner, id, "test", now).await;
            assert!(matches!(refused, Err(access::Error::NoSuchToken)));
        }
    }
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM token WHERE revoked_at IS NOT NULL")
            .await,
        0
    );
    // A client of the same name is another one in each tenant.
    let here = access::client_for(&mut conn, mine, "okta", now).await.unwrap();
    let there = access::client_for(&mut conn, theirs, "okta", now).await.unwrap();
    assert_ne!(here, there);
    assert_eq!(
        access::client_for(&mut conn, mine, "okta", now).await.unwrap(),
        here
    );
}

#[tokio::test]
async fn a_deed_and_its_entry_in_the_audit_trail_stand_and_fall_together() {
    let bridge = Bridge::spawn().await;
    let made = bridge
        .post("/api/v1/tokens", &json!({"name": "okta", "scopes": ["admin"]}))
        .await;
    let id = made["id"].as_str().unwrap();
    let rows = bridge.rows().await;
    let sql = "SELECT actor, action, tenant_id, detail FROM audit_entry WHERE subject = $1 ORDER BY id";
    let entry = &rows.query(sql, &[&format!("token:{id}")]).await.unwrap()[0];
    let (actor, action): (String, String) = (entry.get(0), entry.get(1));
    assert!(actor.starts_with("token:") && action == "token.create");
    assert_eq!(entry.get::<_, uuid::Uuid>(2), bridge.tenant.uuid());
    assert_eq!(entry.get::<_, serde_json::Value>(3)["scopes"], json!(["admin"]));
    assert!(
        !entry
            .get::<_, serde_json::Value>(3)
            .to_string()
            .contains(made["token"].as_str().unwrap())
    );

    let before = bridge.count("SELECT count(*) FROM audit_entry").await;
    let now = bridge.clock.now();
    let name = "globex".parse().unwrap();
    let mut conn = bridge.conn().await;
    let undone: Result<(), access::Error> = conn
        .transaction(async |conn| {
            access::create_tenant(conn, &name, "test", now).await?;
            Err(access::Error::BadName)
        })
        .await;
    undone.unwrap_err();
    assert_eq!(bridge.count("SELECT count(*) FROM audit_entry").await, before);
}

/// Covers: item 8
#[tokio::test]
async fn a_client_keeps_its_settings_until_they_are_dropped() {
    let bridge = Bridge::spawn().await;
    bridge
        .make_token(bridge.tenant, "okta of a", &[Scope::ScimRead])
        .await;
    let listed = bridge.get("/api/v1/clients").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&listed["items"][1]["name"], &listed["items"][1]["profile"]),
        (&json!("okta of a"), &json!({}))
    );
    let path = "/api/v1/clients/okta%20of%20a";
    let change =
        |body: serde_json::Value| with_json(bridge.request(Method::PATCH, path), &json!({ "profile": body }));
    let body = good(change(
        json!({ "dialect": "entra", "rate": { "per_second": 30 } }),
    ))
    .await;
    assert_eq!(
        body["profile"],
        json!({ "dialect": "entra", "rate": { "per_second": 30 } })
    );
    let body = good(change(json!({ "dialect": null }))).await;
    assert_eq!(body["profile"], json!({ "rate": { "per_second": 30 } }));
    let by_id = format!("/api/v1/clients/{}", body["id"].as_str().unwrap());
    assert_eq!(bridge.get(&by_id).await, body);
    for (wrong, named) in [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "dialect": "klingon" }), "klingon"),
        (json!({ "rate": { "per_second": 0 } }), "nonzero"),
    ] {
        let (status, body) = answer(change(wrong)).await;
        assert_eq!(status, 400);
        assert!(body["detail"].as_str().unwrap().contains(named), "{body}");
    }
    let noted = "SELECT count(*) FROM audit_entry WHERE action = 'client.change' AND actor LIKE 'token:%'";
    assert_eq!(bridge.count(noted).await, 2);
}

#[tokio::test]
async fn clients_of_another_tenant_are_not_there() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(other, "admin", &[Scope::Admin]).await;
    let mine = bridge.get("/api/v1/clients/tests").await["id"].clone();
    let mine = mine.as_str().unwrap();
    for which in [mine, "tests"] {
        let path = format!("/api/v1/clients/{which}");
        assert_eq!(
            answer(bridge.request_as(&stranger, Method::GET, &path)).await.0,
            404
        );
        let change = with_json(
            bridge.request_as(&stranger, Method::PATCH, &path),
            &json!({ "profile": { "dialect": "strict" } }),
        );
        assert_eq!(answer(change).await.0, 404);
    }
    let path = format!("/api/v1/clients?after={mine}");
    let page = good(bridge.request_as(&stranger, Method::GET, &path)).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(bridge.get("/api/v1/clients/tests").await["profile"], json!({}));
}
