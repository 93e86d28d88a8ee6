//! Bulk actions: a plan, judged, approved, applied once; and the same for one account.

use reqwest::Method;
use serde_json::{Value, json};

use super::{StubApp, account, file, publish, state, user};
use crate::kit::{Answer, Bridge, answer, with_json};

async fn order(bridge: &Bridge, order: &Value) -> (u16, Value) {
    answer(with_json(bridge.request(Method::POST, "/api/v1/bulk"), order)).await
}

async fn world(people: usize, more: &Value) -> (Bridge, StubApp, Vec<String>) {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..people {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, more)).await;
    bridge.drain().await;
    app.mutations();
    (bridge, app, ids)
}

#[tokio::test]
async fn many_are_suspended_only_after_an_approval_and_released_again() {
    let (bridge, app, ids) = world(10, &json!({})).await;
    let few = json!({"action": "suspend", "ids": [ids[0]], "reason": "drill"});
    let (status, body) = order(&bridge, &few).await;
    assert_eq!((status, &body["state"]), (200, &json!("applied")), "{body}");
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "disabled");
    app.mutations();
    let many = json!({"action": "suspend", "filter": "title eq \"T\""});
    let (status, body) = order(&bridge, &many).await;
    assert_eq!((status, &body["counts"]["disables"]), (202, &json!(9)), "{body}");
    bridge.drain().await;
    assert!(app.mutations().is_empty(), "no call before the approval");
    let path = format!("/api/v1/plans/{}/approve", body["plan"].as_str().unwrap());
    let part = json!({"plan": body["plan_hash"], "only": {"items": [1, 2, 3]}});
    assert_eq!(
        answer(with_json(bridge.request(Method::POST, &path), &part))
            .await
            .0,
        202
    );
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 3);
    let disabled =
        "SELECT count(*) FROM resource WHERE kind = 'User' AND NOT active AND disabled_by = '{admin}'";
    assert_eq!(bridge.count(disabled).await, 4);
    let again = answer(with_json(bridge.request(Method::POST, &path), &part)).await;
    assert_eq!(again.0, 409, "a plan is applied once");
    let (status, body) = order(
        &bridge,
        &json!({"action": "release", "filter": "active eq false"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 4);
    assert_eq!(bridge.count(disabled).await, 0);
}

#[tokio::test]
async fn accounts_are_removed_by_hand_and_not_made_again_before_a_push() {
    let (bridge, app, ids) = world(3, &json!({"protect": {"accounts": ["root@x"]}})).await;
    app.has("Users", &json!({"userName": "stranger@x", "active": true}));
    app.has("Users", &json!({"userName": "root@x", "active": true}));
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    let strangers = bridge.get("/api/v1/apps/app/accounts?state=unmatched").await;
    assert_eq!(strangers["items"].as_array().unwrap().len(), 2);
    let (status, body) = order(
        &bridge,
        &json!({"action": "remove", "app": "app", "state": "unmatched"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["counts"]["removals"], 1, "the protected one is left out");
    app.mutations();
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(app.named("stranger@x"), Value::Null);
    assert_eq!(app.named("root@x")["active"], true);

    let path = format!("/api/v1/accounts/{}", ids[0]);
    assert_eq!(answer(bridge.request(Method::DELETE, &path)).await.0, 202);
    bridge.drain().await;
    let sent = app.mutations();
    assert!(
        sent.len() == 1 && sent[0].starts_with("DELETE /Users/"),
        "{sent:?}"
    );
    let (held, reason) = account(&bridge, &ids[0]).await;
    assert!(
        held == "held" && reason.starts_with("removed from the app by token:"),
        "{held} {reason}"
    );
    let operations = "SELECT count(*) FROM operation WHERE action = 'delete' AND state = 'done'";
    assert_eq!(bridge.count(operations).await, 2, "each was an operation");
    bridge
        .post(&format!("/api/v1/users/{}/push", ids[0]), &json!({"app": "app"}))
        .await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "in_sync");
    assert_eq!(app.mutations().len(), 1);
    let audited =
        "SELECT count(*) FROM audit_entry WHERE action IN ('account.remove', 'user.push', 'bulk.order')";
    assert_eq!(bridge.count(audited).await, 3);
    let nobody = format!("/api/v1/accounts/{}", uuid::Uuid::now_v7());
    assert_eq!(answer(bridge.request(Method::DELETE, &nobody)).await.0, 404);
}

#[tokio::test]
async fn what_was_refused_is_tried_again_together_and_an_order_says_who_is_meant() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let refusing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let shared = std::sync::Arc::clone(&refusing);
    app.stub.rule(move |request| {
        (request.method == "POST" && shared.load(std::sync::atomic::Ordering::Relaxed))
            .then(|| Answer::json(400, &json!({"detail": "no"})))
    });
    for n in 0..4 {
        user(&bridge, &format!("u{n}@x"), &json!({})).await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let parked = "SELECT count(*) FROM account WHERE state = 'parked'";
    assert_eq!(bridge.count(parked).await, 4);
    refusing.store(false, std::sync::atomic::Ordering::Relaxed);
    let (status, body) = order(
        &bridge,
        &json!({"action": "retry", "app": "app", "state": "parked"}),
    )
    .await;
    assert_eq!((status, &body["counts"]["creates"]), (200, &json!(4)), "{body}");
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 4);
    for (wrong, expected) in [
        (json!({"action": "retry", "app": "app"}), 422),
        (json!({"action": "retry", "state": "parked"}), 422),
        (json!({"action": "retry", "app": "no", "state": "parked"}), 404),
        (json!({"action": "retry", "app": "app", "state": "tired"}), 422),
        (json!({"action": "suspend", "filter": "nonsense eq 1"}), 422),
    ] {
        assert_eq!(order(&bridge, &wrong).await.0, expected, "{wrong}");
    }
}

async fn approve(bridge: &Bridge, ordered: &Value) -> (u16, Value) {
    let path = format!("/api/v1/plans/{}/approve", ordered["plan"].as_str().unwrap());
    let body = json!({"plan": ordered["plan_hash"]});
    answer(with_json(bridge.request(Method::POST, &path), &body)).await
}

/// An order about one never takes the place of an order about many that waits.
#[tokio::test]
async fn a_waiting_order_stays_when_somebody_orders_something_else() {
    let (bridge, app, ids) = world(10, &json!({})).await;
    let suspend_one = json!({"action": "suspend", "ids": [ids[9]]});
    assert_eq!(order(&bridge, &suspend_one).await.0, 200);
    let (status, many) = order(&bridge, &json!({"action": "suspend", "ids": ids[..8]})).await;
    assert_eq!((status, &many["counts"]["disables"]), (202, &json!(8)), "{many}");
    let release_one = json!({"action": "release", "ids": [ids[9]]});
    assert_eq!(order(&bridge, &release_one).await.0, 200);
    let (status, removal) = order(
        &bridge,
        &json!({"action": "remove", "app": "app", "ids": ids[..8]}),
    )
    .await;
    assert_eq!(status, 202, "{removal}");
    let push_one = json!({"action": "push", "app": "app", "ids": [ids[9]]});
    assert_eq!(order(&bridge, &push_one).await.0, 200);
    bridge.drain().await;
    app.mutations();
    let waiting = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    assert_eq!(waiting["items"].as_array().unwrap().len(), 2, "{waiting}");
    let (status, body) = approve(&bridge, &many).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 8);
    assert_eq!(state(&bridge, &ids[0]).await, "disabled");
}

/// Between the order and its approval one is hired again, one becomes protected and one gets another account.
#[tokio::test]
async fn a_removal_looks_again_at_everybody_before_it_deletes() {
    let strict = json!({"guard": {"removals": {"count": 0}, "disables": {"count": 9}}});
    let (bridge, app, ids) = world(5, &strict).await;
    let active = |value: bool| json!([{"op": "replace", "path": "active", "value": value}]);
    for id in &ids[..4] {
        super::patch(&bridge, &format!("/scim/v2/Users/{id}"), &active(false)).await;
    }
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "disabled");
    let (status, ordered) = order(
        &bridge,
        &json!({"action": "remove", "app": "app", "state": "disabled"}),
    )
    .await;
    assert_eq!(
        (status, &ordered["counts"]["removals"]),
        (202, &json!(4)),
        "{ordered}"
    );

    super::patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &active(true)).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "in_sync");
    let mut protecting = strict.clone();
    protecting["protect"] = json!({"accounts": ["u1@x"]});
    publish(&bridge, &file("app", &app.stub.base_url, &protecting)).await;
    bridge.drain().await;
    bridge
        .rows()
        .await
        .batch_execute(&format!(
            "UPDATE account SET remote_id = 'another' WHERE resource_id = '{}'",
            ids[2]
        ))
        .await
        .unwrap();
    app.mutations();
    let (status, body) = approve(&bridge, &ordered).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 1, "only the fourth is as it was: {sent:?}");
    assert!(sent[0].starts_with("DELETE /Users/"), "{sent:?}");
    assert_eq!(app.named("u3@x"), Value::Null);
    let path = format!(
        "/api/v1/plans/{}/items?state=refused",
        ordered["plan"].as_str().unwrap()
    );
    let refused = bridge.get(&path).await;
    let notes: std::collections::BTreeMap<&str, &str> = refused["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["user"].as_str().unwrap(), item["note"].as_str().unwrap()))
        .collect();
    assert_eq!(notes.len(), 3, "{refused}");
    assert!(notes[ids[0].as_str()].contains("in_sync"), "{notes:?}");
    assert!(notes[ids[1].as_str()].contains("protected"), "{notes:?}");
    assert!(notes[ids[2].as_str()].contains("another account"), "{notes:?}");
}

/// A release that waits does not lift what was ordered anew since.
#[tokio::test]
async fn a_release_does_not_lift_a_suspension_that_was_ordered_after_it() {
    let (bridge, _app, ids) = world(3, &json!({})).await;
    assert_eq!(
        order(&bridge, &json!({"action": "suspend", "ids": [ids[0]]}))
            .await
            .0,
        200
    );
    let rows = bridge.rows().await;
    let (_, released) = order(&bridge, &json!({"action": "release", "ids": [ids[0]]})).await;
    assert_eq!(released["state"], "applied");
    assert_eq!(
        order(&bridge, &json!({"action": "suspend", "ids": [ids[0]]}))
            .await
            .0,
        200
    );
    // The same plan as it would stand if it had waited: nothing of a release passes a limit by itself.
    let plan = released["plan"].as_str().unwrap();
    rows.batch_execute(&format!(
        "UPDATE plan SET state = 'awaiting_approval' WHERE id = '{plan}';
         UPDATE plan_item SET state = 'planned' WHERE plan_id = '{plan}'"
    ))
    .await
    .unwrap();
    assert_eq!(approve(&bridge, &released).await.0, 202);
    bridge.drain().await;
    let held = "SELECT count(*) FROM resource WHERE disabled_by = '{admin}'";
    assert_eq!(bridge.count(held).await, 1, "the newer suspension stands");
}
