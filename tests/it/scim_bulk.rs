//! Bulk over HTTP (RFC 7644 §3.7). Numbers are those of the conformance list.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::scim_protocol::refused;
use crate::scim_resource::{group, text, user};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

fn make_user(bulk_id: &str, name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": { "schemas": [USER], "userName": name } })
}

fn make_group(bulk_id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|value| json!({ "value": value })).collect();
    json!({
        "method": "POST", "path": "/Groups", "bulkId": bulk_id,
        "data": { "schemas": [GROUP], "displayName": name, "members": members },
    })
}

fn patch(path: &str, operation: &Value) -> Value {
    json!({ "method": "PATCH", "path": path, "data": { "schemas": [PATCH_OP], "Operations": [operation] } })
}

async fn bulk(bridge: &Bridge, operations: &[Value]) -> Vec<Value> {
    let body = json!({ "schemas": [BULK], "Operations": operations });
    let answer = bridge.post("/scim/v2/Bulk", &body).await;
    assert_eq!(answer["schemas"], json!([BULK_RESPONSE]));
    answer["Operations"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|one| text(one, "/status")).collect()
}

/// Covers: rfc 7.1, 7.2, 7.6, 9.6; item 6; C4
#[tokio::test]
async fn rfc_7_6_each_operation_has_its_result() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let (path, version) = (
        format!("/Users/{}", text(&ann, "/id")),
        text(&ann, "/meta/version"),
    );
    let with = |mut operation: Value, version: &str| {
        operation["version"] = json!(version);
        operation
    };
    let title = json!({ "op": "add", "path": "title", "value": "Dr" });
    let results = bulk(
        &bridge,
        &[
            make_user("b", "bob"),
            with(patch(&path, &title), version),
            with(patch(&path, &title), "W/\"99\""),
            json!({ "method": "PUT", "path": path, "bulkId": "p", "data": { "schemas": [USER], "userName": "anna" } }),
            make_user("c", "BOB"),
            json!({ "method": "POST", "path": "/Users", "bulkId": "d", "data": { "schemas": [USER] } }),
            with(json!({ "method": "DELETE", "path": path }), "*"),
            json!({ "method": "DELETE", "path": path }),
        ],
    )
    .await;
    assert_eq!(
        statuses(&results),
        ["201", "200", "412", "200", "409", "400", "204", "404"]
    );
    let location = format!("{}/scim/v2{path}", bridge.base_url);
    for at in [1, 2, 3, 6, 7] {
        assert_eq!(results[at]["location"], location.as_str(), "{}", results[at]);
    }
    assert_eq!(
        (
            &results[0]["method"],
            &results[0]["bulkId"],
            &results[3]["bulkId"]
        ),
        (&json!("POST"), &json!("b"), &json!("p"))
    );
    let bob = answer(
        bridge
            .http
            .get(text(&results[0], "/location"))
            .bearer_auth(&bridge.token),
    )
    .await
    .1;
    assert_eq!(
        (&bob["userName"], &bob["meta"]["version"]),
        (&json!("bob"), &results[0]["version"])
    );
    assert_eq!(results[3]["version"], "W/\"3\"");
    for (at, scim_type) in [
        (2, None),
        (4, Some("uniqueness")),
        (5, Some("invalidValue")),
        (7, None),
    ] {
        let error = &results[at]["response"];
        assert_eq!(
            (&error["schemas"], &error["status"]),
            (&json!([ERROR]), &results[at]["status"])
        );
        assert_eq!(error.get("scimType").and_then(Value::as_str), scim_type);
        assert!(results[at].get("version").is_none());
    }
    assert!(results[4].get("location").is_none(), "a failed POST has none");
    assert!(results[0].get("response").is_none());
}

/// Covers: rfc 7.3, 7.8; item 6
#[tokio::test]
async fn rfc_7_3_references_are_resolved_in_any_order() {
    let bridge = Bridge::spawn().await;
    let old = user(&bridge, "old").await;
    let mut ann = make_user("ann", "ann");
    ann["data"]["schemas"] = json!([USER, ENTERPRISE]);
    ann["data"][ENTERPRISE] = json!({ "manager": { "value": "bulkId:bob" } });
    let results = bulk(
        &bridge,
        &[
            make_group("all", "all", &["bulkId:team", text(&old, "/id")]),
            make_group("team", "team", &["bulkId:ann", "bulkId:bob"]),
            patch(
                "/Users/bulkId:bob",
                &json!({ "op": "add", "path": "title", "value": "Dr" }),
            ),
            patch(
                "/Groups/bulkId:team",
                &json!({ "op": "remove", "path": "members[value eq \"bulkId:bob\"]" }),
            ),
            ann,
            make_user("bob", "bob"),
        ],
    )
    .await;
    assert_eq!(
        statuses(&results),
        ["201", "201", "200", "200", "201", "201"],
        "{results:?}"
    );
    let at = async |n: usize| {
        answer(
            bridge
                .http
                .get(text(&results[n], "/location"))
                .bearer_auth(&bridge.token),
        )
        .await
        .1
    };
    let (all, team, ann, bob) = (at(0).await, at(1).await, at(4).await, at(5).await);
    let values = |group: &Value| {
        let members = group["members"].as_array().unwrap();
        members
            .iter()
            .map(|one| text(one, "/value").to_owned())
            .collect::<Vec<_>>()
    };
    assert!(values(&all).contains(&text(&team, "/id").to_owned()) && values(&all).len() == 2);
    assert_eq!(values(&team), [text(&ann, "/id")]);
    assert_eq!(ann[ENTERPRISE]["manager"]["value"], bob["id"]);
    assert_eq!(bob["title"], "Dr");
}

/// Covers: rfc 7.4, 7.8; item 6
#[tokio::test]
async fn rfc_7_4_circles_are_tried_and_what_cannot_be_is_409() {
    let bridge = Bridge::spawn().await;
    let chief = |bulk_id: &str, name: &str, manager: &str| {
        let mut one = make_user(bulk_id, name);
        one["data"]["schemas"] = json!([USER, ENTERPRISE]);
        one["data"][ENTERPRISE] = json!({ "manager": { "value": manager } });
        one
    };
    let results = bulk(
        &bridge,
        &[
            chief("a", "ann", "bulkId:b"),
            chief("b", "bob", "bulkId:a"),
            chief("self", "self", "bulkId:self"),
        ],
    )
    .await;
    assert_eq!(statuses(&results), ["201", "201", "201"], "{results:?}");
    let found = bridge.get("/scim/v2/Users?sortBy=userName").await;
    let (ann, bob, own) = (
        &found["Resources"][0],
        &found["Resources"][1],
        &found["Resources"][2],
    );
    assert_eq!(ann[ENTERPRISE]["manager"]["value"], bob["id"]);
    assert_eq!(bob[ENTERPRISE]["manager"]["value"], ann["id"]);
    assert_eq!(own[ENTERPRISE]["manager"]["value"], own["id"]);
    assert_eq!(results[0]["version"], ann["meta"]["version"]);

    // The example of RFC 7644 §3.7.1: two groups that are members of each other.
    let results = bulk(
        &bridge,
        &[
            make_group("x", "x", &["bulkId:y"]),
            make_group("y", "y", &["bulkId:x"]),
            make_group("z", "z", &["bulkId:x"]),
            make_group("free", "free", &["bulkId:b"]),
            make_group("lost", "lost", &["bulkId:lost"]),
            patch(
                "/Users/bulkId:x",
                &json!({ "op": "add", "path": "title", "value": "Dr" }),
            ),
            make_group("good", "good", &[]),
        ],
    )
    .await;
    assert_eq!(
        statuses(&results),
        ["409", "409", "409", "409", "409", "409", "201"],
        "{results:?}"
    );
    let groups = bridge.get("/scim/v2/Groups").await;
    assert_eq!(
        (&groups["totalResults"], &groups["Resources"][0]["displayName"]),
        (&json!(1), &json!("good"))
    );
}

/// Covers: rfc 7.5; item 6
#[tokio::test]
async fn rfc_7_5_fail_on_errors_stops_and_returns_what_was_done() {
    let bridge = Bridge::spawn().await;
    let gone = "/Users/0192f0c1-2b3c-7def-8a01-23456789abcd";
    let delete = json!({ "method": "DELETE", "path": gone });
    let operations = [
        make_user("a", "ann"),
        delete.clone(),
        make_user("b", "bob"),
        delete,
        make_user("c", "cid"),
    ];
    let body = |fail_on_errors: u64| json!({ "schemas": [BULK], "failOnErrors": fail_on_errors, "Operations": operations });
    let done = bridge.post("/scim/v2/Bulk", &body(2)).await;
    assert_eq!(
        statuses(done["Operations"].as_array().unwrap()),
        ["201", "404", "201", "404"]
    );
    assert_eq!(bridge.get("/scim/v2/Users").await["totalResults"], 2);
    let done = bridge.post("/scim/v2/Bulk", &body(1)).await;
    assert_eq!(statuses(done["Operations"].as_array().unwrap()), ["409"]);
}

/// Covers: rfc 7.7, 7.9, 10.4; item 6, item 10
#[tokio::test]
async fn rfc_7_7_limits_are_told_and_kept() {
    let bridge = Bridge::spawn().await;
    let config = bridge.get("/scim/v2/ServiceProviderConfig").await;
    assert_eq!(config["bulk"]["supported"], true);
    let most = config["bulk"]["maxOperations"].as_u64().unwrap();
    let operations: Vec<Value> = (0..=most)
        .map(|n| make_user(&n.to_string(), &format!("u{n}")))
        .collect();
    let post = |body: &Value| with_json(bridge.request(Method::POST, "/scim/v2/Bulk"), body);
    let (error, _) = refused(post(&json!({ "schemas": [BULK], "Operations": operations })), 413).await;
    assert!(text(&error, "/detail").contains(&most.to_string()), "{error}");
    let largest = config["bulk"]["maxPayloadSize"].as_u64().unwrap();
    let padding = "x".repeat(usize::try_from(largest).unwrap());
    let (error, _) = refused(
        post(&json!({ "schemas": [BULK], "Operations": [], "x": padding })),
        413,
    )
    .await;
    assert!(text(&error, "/detail").contains(&largest.to_string()), "{error}");
    assert_eq!(bridge.get("/scim/v2/Users").await["totalResults"], 0);
    for wrong in [
        json!({}),
        json!({ "schemas": [BULK] }),
        json!({ "schemas": [BULK], "Operations": {} }),
    ] {
        let (error, _) = refused(post(&wrong), 400).await;
        assert_eq!(error["scimType"], "invalidSyntax");
    }
    assert!(bulk(&bridge, &[]).await.is_empty());
    let reader = bridge
        .make_token(bridge.tenant, "reader", &[Scope::ScimRead])
        .await;
    let refusing = bridge.request_as(&reader, Method::POST, "/scim/v2/Bulk");
    refused(
        with_json(refusing, &json!({ "schemas": [BULK], "Operations": [] })),
        403,
    )
    .await;
}

/// Covers: rfc 7.8; item 1, item 6
#[tokio::test]
async fn every_resource_type_takes_part_and_nobody_reaches_another_tenant() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge
        .make_token(other, "stranger", &[Scope::ScimRead, Scope::ScimWrite])
        .await;
    let team = group(&bridge, "team", &[]).await;
    let ann = user(&bridge, "ann").await;
    let operations = [
        json!({ "method": "DELETE", "path": format!("/Groups/{}", text(&team, "/id")) }),
        patch(
            &format!("/Users/{}", text(&ann, "/id")),
            &json!({ "op": "add", "path": "title", "value": "x" }),
        ),
        make_group("g", "g", &[text(&ann, "/id")]),
        json!({ "method": "DELETE", "path": "/Nothing/x" }),
        json!({ "method": "DELETE", "path": "/Schemas/urn:x" }),
    ];
    let body = json!({ "schemas": [BULK], "Operations": operations });
    let (status, done) = answer(with_json(
        bridge.request_as(&stranger, Method::POST, "/scim/v2/Bulk"),
        &body,
    ))
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        statuses(done["Operations"].as_array().unwrap()),
        ["404", "404", "400", "404", "404"]
    );
    assert_eq!(
        bridge.get(&format!("/scim/v2/Users/{}", text(&ann, "/id"))).await,
        ann
    );
}
