//! Steps of deprovisioning: limited roles, hooks of the customer's, waiting times, their order, and a return.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{StubApp, account, file, patch, publish, state, user};
use crate::kit::{Answer, Bridge, Stub};

async fn set_active(bridge: &Bridge, user: &str, active: bool) {
    let operation = json!([{"op": "replace", "path": "active", "value": active}]);
    patch(bridge, &format!("/scim/v2/Users/{user}"), &operation).await;
    bridge.drain().await;
}

async fn shown(bridge: &Bridge, user: &str) -> Value {
    let items = bridge.get("/api/v1/apps/app/accounts").await;
    let found = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["user"] == *user);
    found.unwrap().clone()
}

/// The hook blocks the cards before the account is disabled; it fails first, which is seen and tried again with the same
/// id; its answer is kept. The steps go on in their order after their waiting times.
///
/// Covers: PAYH-26, RG-25
#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_goes_through_the_apps_steps_and_the_hook_blocks_the_cards_first() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let cards = Stub::start().await;
    cards.queue("POST", "/block", Answer::json(503, &json!({"detail": "later"})));
    cards.queue(
        "POST",
        "/block",
        Answer::json(200, &json!({"cards": ["1234", "5678"]})),
    );
    let anna = user(&bridge, "anna@x", &json!({"displayName": "Anna"})).await;
    let steps = json!({
        "hook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "deprovision": {"leaver": [
            {"do": "hook", "url": format!("{}/block", cards.base_url)},
            {"do": "disable"},
            {"do": "delete", "after": "30d"},
        ]},
    });
    publish(&bridge, &file("app", &app.stub.base_url, &steps)).await;
    bridge.drain().await;
    app.mutations();
    set_active(&bridge, &anna, false).await;
    assert!(app.mutations().is_empty(), "the step after a hook waits for it");
    let (found, reason) = account(&bridge, &anna).await;
    assert_eq!(found, "pending");
    assert!(reason.contains("hook of step leaver.0 failed: 503"), "{reason}");

    bridge.clock.advance(TimeDelta::hours(2));
    bridge.drain().await;
    let calls = cards.take_received();
    assert_eq!(calls.len(), 2);
    let header = |call: usize, name: &str| calls[call].header(name).unwrap_or_default().to_owned();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    let call = &calls[1];
    let signed = format!(
        "{}.{}.{}",
        header(1, "webhook-id"),
        header(1, "webhook-timestamp"),
        String::from_utf8_lossy(&call.body)
    );
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let digest = scim_bridge::base::keyed_digest(&key, signed.as_bytes());
    assert_eq!(
        header(1, "webhook-signature"),
        format!("v1,{}", STANDARD.encode(digest))
    );
    let told = call.json();
    assert_eq!(
        (&told["data"]["userName"], &told["data"]["cause"]),
        (&json!("anna@x"), &json!("leaver"))
    );
    assert!(
        call.header("authorization").is_none(),
        "the app's token goes to the app alone"
    );
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(state(&bridge, &anna).await, "disabled");
    assert_eq!(
        shown(&bridge, &anna).await["answers"]["leaver.0"]["cards"],
        json!(["1234", "5678"])
    );
    let settings = bridge.get("/api/v1/apps/app").await;
    assert!(!settings.to_string().contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    bridge.clock.advance(TimeDelta::days(31));
    bridge.drain().await;
    assert_eq!(app.mutations(), ["DELETE /Users/a1"]);
    assert!(
        cards.take_received().is_empty(),
        "a step that is done is not done again"
    );
    bridge.stop().await;
}

/// A hook that may fail does not keep a leaver's account open for ever; one without a secret is refused.
#[tokio::test]
async fn a_hook_that_may_fail_gives_way_after_eight_times() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let broken = Stub::start().await;
    broken.rule(|_| Some(Answer::status(500)));
    let anna = user(&bridge, "anna@x", &json!({})).await;
    let steps = json!({
        "hook_secret": "a secret of ours",
        "deprovision": {"leaver": [
            {"do": "hook", "url": format!("{}/x", broken.base_url), "may_fail": true}, {"do": "disable"},
        ]},
    });
    let mut unsigned = file("app", &app.stub.base_url, &steps);
    unsigned.as_object_mut().unwrap().remove("hook_secret");
    let put = crate::kit::with_json(
        bridge.request(reqwest::Method::PUT, "/api/v1/apps/app"),
        &unsigned,
    );
    let (status, body) = crate::kit::answer(put).await;
    assert_eq!(status, 422, "{body}");
    assert!(body.to_string().contains("hook_secret"), "{body}");
    publish(&bridge, &file("app", &app.stub.base_url, &steps)).await;
    bridge.drain().await;
    app.mutations();
    set_active(&bridge, &anna, false).await;
    for _ in 0..7 {
        assert!(app.mutations().is_empty());
        bridge.clock.advance(TimeDelta::hours(6));
        bridge.drain().await;
    }
    assert_eq!(broken.take_received().len(), 8);
    assert_eq!(state(&bridge, &anna).await, "disabled");
    assert_eq!(app.mutations().len(), 1);
    let failed = shown(&bridge, &anna).await["answers"]["leaver.0"]["failed"].clone();
    assert!(failed.as_str().unwrap().contains("500"), "{failed}");
}

/// Who has left keeps a limited role for a while and is disabled later; who returns in between gets everything back.
#[tokio::test]
async fn prob_28_who_has_left_keeps_a_limited_role_and_is_disabled_later() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(
        &bridge,
        "anna@x",
        &json!({"userType": "employee", "title": "CFO"}),
    )
    .await;
    let steps = json!({"deprovision": {"leaver": [
        {"do": "set", "attributes": {"userType": "alumni", "title": ""}}, {"do": "disable", "after": "90d"},
    ]}});
    publish(&bridge, &file("app", &app.stub.base_url, &steps)).await;
    bridge.drain().await;
    app.mutations();
    set_active(&bridge, &anna, false).await;
    let held = app.get("/Users/a1");
    assert_eq!(
        (&held["userType"], &held["title"], &held["active"]),
        (&json!("alumni"), &json!(null), &json!(true))
    );
    assert_eq!(app.mutations().len(), 1);
    let (_, reason) = account(&bridge, &anna).await;
    assert!(reason.contains("the next step is due"), "{reason}");
    set_active(&bridge, &anna, true).await;
    let held = app.get("/Users/a1");
    assert_eq!(
        (&held["userType"], &held["title"]),
        (&json!("employee"), &json!("CFO"))
    );
    set_active(&bridge, &anna, false).await;
    bridge.clock.advance(TimeDelta::days(89));
    bridge.drain().await;
    assert_eq!(app.get("/Users/a1")["active"], true);
    bridge.clock.advance(TimeDelta::days(2));
    bridge.drain().await;
    let held = app.get("/Users/a1");
    assert_eq!(
        (&held["userType"], &held["active"]),
        (&json!("alumni"), &json!(false))
    );
    assert_eq!(state(&bridge, &anna).await, "disabled");
}
