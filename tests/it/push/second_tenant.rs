//! A second tenant of the bridge as the app: real SCIM on both sides.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use super::{ENTERPRISE, file, patch, publish, scim, user};
use crate::kit::{Bridge, answer};

async fn theirs(bridge: &Bridge, token: &str, path: &str) -> Value {
    let (status, body) = answer(bridge.request_as(token, Method::GET, path)).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn users_managers_and_groups_arrive_and_every_account_is_in_sync() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let token = bridge.make_token(other, "push", &Scope::ALL).await;
    let mut ids: Vec<String> = Vec::new();
    for number in 0..50_usize {
        let manager = number.checked_sub(1).map(|number| ids[number / 5].clone());
        let mut more = json!({
            "title": format!("T{number}"), "displayName": format!("Ü {number}"),
            "name": {"givenName": "Ü", "familyName": number.to_string()},
            "emails": [{"value": format!("u{number}@x"), "type": "work", "primary": true}],
            ENTERPRISE: {"employeeNumber": number.to_string(), "department": format!("D{}", number % 3)}
        });
        if let Some(manager) = manager {
            more[ENTERPRISE]["manager"] = json!({"value": manager});
        }
        ids.push(user(&bridge, &format!("u{number}@x"), &more).await);
    }
    for department in 0..3_usize {
        let members: Vec<Value> = ids
            .iter()
            .skip(department)
            .step_by(3)
            .map(|id| json!({"value": id}))
            .collect();
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": format!("D{department}"), "members": members});
        scim(&bridge, Method::POST, "/scim/v2/Groups", &body).await;
    }
    let base_url = format!("{}/scim/v2", bridge.base_url);
    publish(
        &bridge,
        &file(
            "app",
            &base_url,
            &json!({"token": token, "groups": {"push": true, "member_batch": 7}}),
        ),
    )
    .await;
    bridge.drain().await;
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(
        (&status["apps"][0]["counts"], &status["settled"]),
        (&json!({"in_sync": 53}), &json!(true))
    );

    let users = theirs(&bridge, &token, "/scim/v2/Users?count=100").await;
    let users = users["Resources"].as_array().unwrap();
    assert_eq!(users.len(), 50);
    let id_of =
        |external: &str| users.iter().find(|user| user["externalId"] == *external).unwrap()["id"].clone();
    for (number, id) in ids.iter().enumerate().skip(1) {
        let user = users.iter().find(|user| user["externalId"] == **id).unwrap();
        assert_eq!(
            user[ENTERPRISE]["manager"]["value"],
            id_of(&ids[(number - 1) / 5]),
            "{number}"
        );
    }
    let groups = theirs(&bridge, &token, "/scim/v2/Groups").await;
    let sizes: Vec<usize> = groups["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["members"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 50);
    assert_eq!(sizes.len(), 3);

    // One mover, one leaver: two calls, and nothing else in their log.
    let before = bridge.count("SELECT count(*) FROM operation").await;
    patch(
        &bridge,
        &format!("/scim/v2/Users/{}", ids[7]),
        &json!([{"op": "replace", "path": "title", "value": "New"}]),
    )
    .await;
    patch(
        &bridge,
        &format!("/scim/v2/Users/{}", ids[8]),
        &json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM operation").await - before, 2);
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(status["apps"][0]["counts"], json!({"disabled": 1, "in_sync": 52}));
    let mover = theirs(
        &bridge,
        &token,
        &format!("/scim/v2/Users/{}", id_of(&ids[7]).as_str().unwrap()),
    )
    .await;
    assert_eq!(mover["title"], "New");
    // A second look at everything finds nothing to do.
    bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM operation").await - before, 2);
}
