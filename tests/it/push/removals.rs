//! Accounts that nobody of ours has: listed, removed by hand one by one and many at a time, and never by themselves; a
//! protected one not even by hand.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::command_line::{json_of, run};
use super::{StubApp, account, file, patch, publish, user};
use crate::kit::{Bridge, answer, with_json};

async fn external(bridge: &Bridge) -> Vec<(String, String)> {
    let listed = json_of(
        bridge,
        &["app", "accounts", "app", "--state", "unmatched", "--json"],
    )
    .await;
    let text = |item: &Value, member: &str| item[member].as_str().unwrap().to_owned();
    let mut found: Vec<(String, String)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(item, "name"), text(item, "id")))
        .collect();
    found.sort();
    found
}

async fn audited(bridge: &Bridge, action: &str) -> i64 {
    let trail = format!("SELECT count(*) FROM audit_entry WHERE action = '{action}'");
    bridge.count(&trail).await
}

/// A bridge with ten people and an app that has 21 others besides, two of them protected; all as strict as can be.
async fn world() -> (Bridge, StubApp, Vec<String>, Value) {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for n in 1..=19 {
        let name = format!("stranger{n:02}@x");
        app.has("Users", &json!({ "userName": name, "active": true }));
    }
    for name in ["root@x", "glass@x"] {
        app.has("Users", &json!({ "userName": name, "active": true }));
    }
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({ "title": "T" })).await);
    }
    let strict = json!({
        "protect": { "accounts": ["root@x", "GLASS@x", "u9@x"] },
        "reconcile": { "every": "24h", "repair": true },
        "deprovision": {
            "leaver": [{ "do": "delete" }], "out_of_scope": [{ "do": "delete" }], "missing": [{ "do": "delete" }],
        },
    });
    // The one to be protected has an account already.
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let settings = file("app", &app.stub.base_url, &strict);
    publish(&bridge, &settings).await;
    bridge.drain().await;
    app.mutations();
    (bridge, app, ids, settings)
}

/// Covers: PAYH-22, PAYH-23
#[tokio::test(flavor = "multi_thread")]
async fn external_accounts_are_removed_by_hand_one_or_many_and_never_by_themselves() {
    let (bridge, app, _, settings) = world().await;
    // A compare, a new publication, three days: nothing takes them away.
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    for _ in 0..3 {
        bridge.clock.advance(TimeDelta::hours(25));
        bridge.drain().await;
    }
    publish(&bridge, &settings).await;
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    let listed = external(&bridge).await;
    assert_eq!(listed.len(), 21);

    // One, from the command line.
    let (name, id) = listed.iter().find(|(name, _)| name == "stranger01@x").unwrap();
    let remote = app.named(name)["id"].as_str().unwrap().to_owned();
    let said = run(&bridge, &["account", "remove", id, "--app", "app"]).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    bridge.drain().await;
    assert_eq!(app.mutations(), [format!("DELETE /Users/{remote}")]);
    let trail = format!(
        "SELECT count(*) FROM audit_entry WHERE action = 'account.remove' AND actor LIKE 'token:%' AND subject LIKE '%{id}%'"
    );
    assert_eq!(bridge.count(&trail).await, 1);
    assert_eq!(external(&bridge).await.len(), 20);

    // Many: a plan, and no call before it is approved.
    let order = [
        "bulk",
        "remove",
        "--app",
        "app",
        "--state",
        "unmatched",
        "--reason",
        "old",
        "--json",
    ];
    let waiting = run(&bridge, &order).await;
    assert_eq!(waiting.status.code(), Some(3));
    let plan: Value = serde_json::from_slice(&waiting.stdout).unwrap();
    assert_eq!(plan["counts"]["removals"], 18, "{plan}");
    bridge.drain().await;
    assert!(app.mutations().is_empty(), "no call before the approval");
    let path = format!("/api/v1/plans/{}", plan["plan"].as_str().unwrap());
    let items = bridge.get(&format!("{path}/items?limit=100")).await;
    let protected = items["items"].as_array().unwrap().iter().filter(|item| {
        item["action"] == "skip" && item["reason"] == "a protected account" && item["calls"] == json!([])
    });
    assert_eq!(protected.count(), 2, "{items}");
    bridge
        .post(&format!("{path}/approve"), &json!({ "plan": plan["plan_hash"] }))
        .await;
    bridge.drain().await;
    let mut sent = app.mutations();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 18, "each once: {sent:?}");
    assert!(sent.iter().all(|line| line.starts_with("DELETE /Users/")));
    assert_eq!(
        (
            audited(&bridge, "bulk.order").await,
            audited(&bridge, "plan.approve").await
        ),
        (1, 1)
    );
    let left: Vec<String> = external(&bridge)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left, ["glass@x", "root@x"]);
    assert_eq!(app.all("Users").len(), 12);

    // A compare finds nothing to make again.
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    assert!(app.mutations().is_empty());
}

/// Protected is protected: by name with us or in the app, one by one, in bulk, by a compare, and for whoever leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_protected_account_is_refused_to_every_hand() {
    let (bridge, app, ids, _) = world().await;
    let listed = external(&bridge).await;
    let of = |name: &str| listed.iter().find(|(one, _)| one == name).unwrap().1.clone();
    let refused = [of("root@x"), of("glass@x"), ids[9].clone()];
    for id in &refused {
        let path = format!("/api/v1/accounts/{id}?app=app");
        let (status, body) = answer(bridge.request(Method::DELETE, &path)).await;
        assert_eq!(status, 422, "{body}");
        assert!(body["detail"].as_str().unwrap().contains("protected"), "{body}");
    }
    assert_eq!(audited(&bridge, "account.remove").await, 0);
    let order = json!({ "action": "remove", "app": "app", "ids": refused });
    let request = bridge.request(Method::POST, "/api/v1/bulk");
    let (status, body) = answer(with_json(request, &order)).await;
    assert_eq!((status, &body["counts"]["removals"]), (200, &json!(0)), "{body}");
    bridge.drain().await;
    assert!(app.mutations().is_empty());

    // Changed by hand in the app, then gone from it: neither is repaired.
    let path = format!("/Users/{}", app.named("u9@x")["id"].as_str().unwrap());
    app.held.lock().unwrap().resources.get_mut(&path).unwrap()["title"] = json!("King");
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    assert_eq!(app.named("u9@x")["title"], "King");
    app.held.lock().unwrap().resources.remove(&path);
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    assert!(app.mutations().is_empty(), "it is not made again either");
    // Whoever is protected leaves us, and the account stays.
    let off = json!([{ "op": "replace", "path": "active", "value": false }]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[9]), &off).await;
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    assert_eq!(
        account(&bridge, &ids[9]).await,
        ("skipped".to_owned(), "a protected account".to_owned())
    );
}

/// Who was in the app before us, was only ever found equal and does not belong there is left alone: no step is taken,
/// whatever the file says of those out of scope. Whoever was written once is ours, and the steps are taken.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_there_before_us_and_was_never_written_is_left_alone_out_of_scope() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for (name, title) in [("a@x", "T"), ("b@x", "T"), ("c@x", "other"), ("d@x", "other")] {
        ids.push(user(&bridge, name, &json!({ "title": title })).await);
    }
    // The last one bears our id already: it is ours from an earlier life.
    for (name, id) in [
        ("a@x", None),
        ("b@x", None),
        ("c@x", None),
        ("d@x", Some(&ids[3])),
    ] {
        let mut there = json!({ "userName": name, "title": "theirs", "active": true });
        if let Some(id) = id {
            there["externalId"] = json!(id);
        }
        app.has("Users", &there);
    }
    let steps = json!({ "out_of_scope": [{ "do": "delete" }], "missing": [{ "do": "disable" }] });
    let narrow = json!({
        "scope": { "include": "user.title == \"T\"" }, "deprovision": steps, "guard": { "removals": { "count": 9 } },
    });
    publish(&bridge, &file("app", &app.stub.base_url, &narrow)).await;
    bridge.drain().await;
    // c never belonged there and was never written: it is known as c's, and left as it is.
    assert_eq!(
        account(&bridge, &ids[2]).await,
        ("out_of_scope".to_owned(), "outside the app's scope".to_owned())
    );
    let mut sent = app.mutations();
    sent.sort();
    let begins = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let sent: Vec<String> = sent.iter().map(begins).collect();
    assert_eq!(sent, ["DELETE /Users/a4", "PATCH /Users/a1", "PATCH /Users/a2"]);
    // Now nobody belongs: those we wrote to are ours and go; c stays.
    let none = json!({
        "scope": { "include": "user.title == \"nobody\"" }, "deprovision": steps,
        "guard": { "removals": { "count": 9 } },
    });
    publish(&bridge, &file("app", &app.stub.base_url, &none)).await;
    bridge.drain().await;
    let mut sent = app.mutations();
    sent.sort();
    assert_eq!(sent, ["DELETE /Users/a1", "DELETE /Users/a2"]);
    assert_eq!(account(&bridge, &ids[2]).await.0, "out_of_scope");
    assert_eq!(app.named("c@x")["title"], "theirs");
}
