//! Values that an app keeps until a human decides.

use reqwest::Method;
use serde_json::{Value, json};

use super::command_line::{json_of, run};
use super::{StubApp, account, file, patch, publish, state, user};
use crate::kit::{Bridge, answer, with_json};

fn mail(address: &str) -> Value {
    json!([{"value": address, "type": "work", "primary": true}])
}

async fn set(bridge: &Bridge, user: &str, attribute: &str, value: &Value) {
    let operation = json!([{"op": "replace", "path": attribute, "value": value}]);
    patch(bridge, &format!("/scim/v2/Users/{user}"), &operation).await;
    bridge.drain().await;
}

async fn open(bridge: &Bridge) -> Vec<Value> {
    bridge.get("/api/v1/holds").await["items"]
        .as_array()
        .unwrap()
        .clone()
}

async fn decide(bridge: &Bridge, hold: &Value, how: &str) -> (u16, Value) {
    let path = format!("/api/v1/holds/{}/{how}", hold["id"].as_str().unwrap());
    answer(with_json(bridge.request(Method::POST, &path), &json!({}))).await
}

/// An app that keeps its mail addresses and titles, with one user in sync.
async fn kept(bridge: &Bridge, app: &StubApp) -> String {
    let anna = user(
        bridge,
        "anna@x",
        &json!({"emails": mail("anna@x"), "title": "old"}),
    )
    .await;
    let lines = json!({"mapping": {"emails": {"policy": "hold"}, "title": {"policy": "hold"}}});
    publish(bridge, &file("payroll", &app.stub.base_url, &lines)).await;
    bridge.drain().await;
    app.mutations();
    anna
}

/// PAYH-7: a changed address is not written over. PAYH-8: it is listed with app, person, old and new; approved, it is
/// pushed once.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_address_is_listed_and_pushed_once_when_it_is_approved() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = kept(&bridge, &app).await;
    set(&bridge, &anna, "emails", &mail("new@x")).await;
    assert!(app.mutations().is_empty());
    assert_eq!(
        account(&bridge, &anna).await,
        ("held".to_owned(), "waits for a decision about emails".to_owned())
    );
    let holds = open(&bridge).await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    let hold = &holds[0];
    assert_eq!(hold["app"], bridge.get("/api/v1/apps/payroll").await["id"]);
    assert_eq!((&hold["user"], &hold["field"]), (&json!(anna), &json!("emails")));
    assert_eq!((&hold["old"], &hold["new"]), (&mail("anna@x"), &mail("new@x")));
    assert_eq!(hold["detail"], "the app payroll holds another value");
    let listed = json_of(&bridge, &["hold", "list", "--json"]).await;
    assert_eq!(listed["items"], json!(holds));
    let table = run(&bridge, &["hold", "list"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    for member in ["id", "app", "user", "detail"] {
        assert!(table.contains(hold[member].as_str().unwrap()), "{table}");
    }

    let (status, body) = decide(&bridge, hold, "approve").await;
    assert_eq!((status, &body["state"]), (200, &json!("approved")));
    bridge.drain().await;
    let sent = app.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(app.named("anna@x")["emails"][0]["value"], "new@x");
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    assert!(open(&bridge).await.is_empty());
    assert_eq!(decide(&bridge, hold, "approve").await.0, 409);
    assert_eq!(decide(&bridge, hold, "reject").await.0, 409);

    // What was approved once is not approved for ever.
    set(&bridge, &anna, "emails", &mail("anna@x")).await;
    let back = open(&bridge).await;
    assert_eq!(back[0]["old"], mail("new@x"));
    assert_eq!(decide(&bridge, &back[0], "approve").await.0, 200);
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    set(&bridge, &anna, "emails", &mail("new@x")).await;
    assert_eq!(open(&bridge).await.len(), 1);
    assert!(app.mutations().is_empty());
}

/// PAYH-7, PAYH-8: rejected, the app's address stays and nobody is asked again; the rest goes on being pushed.
#[tokio::test]
async fn a_rejected_value_stays_as_it_is_and_is_not_asked_for_again() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = kept(&bridge, &app).await;
    set(&bridge, &anna, "emails", &mail("new@x")).await;
    set(&bridge, &anna, "title", &json!("new")).await;
    let holds = open(&bridge).await;
    assert_eq!(holds.len(), 2);
    let about = |field: &str| holds.iter().find(|hold| hold["field"] == field).unwrap().clone();
    assert_eq!(decide(&bridge, &about("emails"), "reject").await.0, 200);
    bridge.drain().await;
    assert_eq!(
        account(&bridge, &anna).await,
        ("held".to_owned(), "waits for a decision about title".to_owned())
    );
    assert_eq!(decide(&bridge, &about("title"), "reject").await.0, 200);
    bridge.drain().await;
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    set(&bridge, &anna, "nickName", &json!("An")).await;
    assert_eq!(app.mutations().len(), 1);
    let theirs = app.named("anna@x");
    assert_eq!(
        (
            &theirs["emails"][0]["value"],
            &theirs["title"],
            &theirs["nickName"]
        ),
        (&json!("anna@x"), &json!("old"), &json!("An"))
    );
    assert!(open(&bridge).await.is_empty());

    // Another value is another question; a question that answers itself goes.
    set(&bridge, &anna, "emails", &mail("other@x")).await;
    assert_eq!(open(&bridge).await[0]["new"], mail("other@x"));
    set(&bridge, &anna, "emails", &mail("anna@x")).await;
    assert!(open(&bridge).await.is_empty());
    let gone = bridge.get("/api/v1/holds?state=gone").await;
    assert_eq!(gone["items"][0]["new"], mail("other@x"));
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    assert!(app.mutations().is_empty());
}
