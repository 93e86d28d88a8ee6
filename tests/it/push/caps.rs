//! Rolling 24-hour caps: an app that would do too much freezes and asks, whatever the cause.

use chrono::TimeDelta;
use serde_json::json;

use super::{StubApp, file, patch, publish, state, user};
use crate::kit::Bridge;
use crate::sync_kit::{Company, connected, connection_file, done};

#[tokio::test]
async fn a_mass_of_disables_freezes_the_app_and_a_single_leaver_does_not() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    app.mutations();
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[0]), &leave).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[0]).await, "disabled");
    assert_eq!(app.mutations().len(), 1, "one leaver is daily life");
    // 40 of 60 at once, whatever let them pass.
    for id in &ids[1..41] {
        patch(&bridge, &format!("/scim/v2/Users/{id}"), &leave).await;
    }
    // The clients' own cap is another matter.
    bridge
        .rows()
        .await
        .batch_execute("DELETE FROM frozen")
        .await
        .unwrap();
    bridge.drain().await;
    let sent = app.mutations().len();
    assert_eq!(sent, 11, "12 of 60 is the cap of 20 %, and one went before");
    let frozen = bridge.get("/api/v1/freezes").await;
    let reason = frozen["items"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("disabled 12 of 60 accounts") && reason.contains("caps.disables"),
        "{frozen}"
    );
    assert_eq!(frozen["items"][0]["by"], "cap", "{frozen}");
    // A day later it is still frozen: somebody has to look.
    bridge.clock.advance(TimeDelta::hours(25));
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    // Who thaws it has seen what waits.
    bridge.post("/api/v1/thaw", &json!({"app": "app"})).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 40 - 11);
    assert_eq!(bridge.get("/api/v1/freezes").await["items"], json!([]));
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[50]), &leave).await;
    bridge.drain().await;
    assert_eq!(state(&bridge, &ids[50]).await, "disabled");
}

#[tokio::test]
async fn a_cap_can_be_set_for_every_effect() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for n in 0..15 {
        user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 15, "an empty app is filled");
    let caps = json!({"caps": {"creates": {"count": 4}}});
    publish(&bridge, &file("app", &app.stub.base_url, &caps)).await;
    for n in 15..21 {
        user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await;
    }
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 4);
    bridge.post("/api/v1/thaw", &json!({"app": "app"})).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 2);
    let wrong = json!({"caps": {"disables": {"share": 20.0}}});
    let (status, body) = super::try_apply(&bridge, &file("app", &app.stub.base_url, &wrong)).await;
    assert_eq!(status, 422, "{body}");
    assert!(
        body["errors"][0].as_str().unwrap().contains("caps.disables"),
        "{body}"
    );
}

#[tokio::test]
async fn a_mass_of_due_last_days_does_not_pass_the_cap() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    let mut company = Company::of(60);
    for n in 10..50 {
        company.row(&n.to_string()).last_day = "2026-12-10".to_owned();
    }
    done(&bridge, &company).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 60);
    app.mutations();
    bridge.clock.set("2026-12-12T12:00:00Z");
    bridge.drain().await;
    let disabled = app
        .all("Users")
        .iter()
        .filter(|user| user["active"] == false)
        .count();
    assert!(disabled <= 12, "{disabled} of 60 within a day");
    let frozen = bridge.get("/api/v1/freezes").await;
    let waiting = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    assert!(
        frozen["items"] != json!([]) || waiting["items"] != json!([]),
        "somebody is asked: {frozen} {waiting}"
    );
}

/// Who lifts a freeze has seen what waits, and nothing else: what needed no call, and what is due in weeks, is counted.
#[tokio::test]
async fn what_a_thaw_lets_pass_is_what_waited_and_not_what_comes_a_week_later() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({})).await);
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    bridge.post("/api/v1/freeze", &json!({"app": "app"})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    bridge.post("/api/v1/thaw", &json!({"app": "app"})).await;
    bridge.drain().await;
    let passes = "SELECT count(*) FROM account WHERE allowed";
    assert_eq!(bridge.count(passes).await, 0, "everybody was as they should be");
    app.mutations();
    bridge.clock.advance(TimeDelta::days(7));
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    for id in &ids[..40] {
        patch(&bridge, &format!("/scim/v2/Users/{id}"), &leave).await;
    }
    // The clients' own cap is another matter.
    let rows = bridge.rows().await;
    rows.batch_execute("DELETE FROM frozen").await.unwrap();
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 12, "the cap of 20 % holds");
    let frozen = bridge.get("/api/v1/freezes").await;
    assert_eq!(frozen["items"][0]["by"], "cap", "{frozen}");
}

/// A mass of leavers that a human approved as a run: no cap asks once more, neither for the steps that are due at once nor
/// where an app keeps them to the end of the month. What comes by a waiting time of its own is counted when it comes.
#[tokio::test]
async fn what_was_approved_of_a_run_passes_with_all_that_follows_at_once_and_where_it_waits() {
    let bridge = connected(&connection_file()).await;
    let (now, later) = (StubApp::start().await, StubApp::start().await);
    let mut company = Company::of(60);
    done(&bridge, &company).await;
    let steps = json!({ "deprovision": { "leaver": [
        { "do": "set", "attributes": { "userType": "alumni" } }, { "do": "disable" },
        { "do": "delete", "after": "30d" },
    ] } });
    publish(&bridge, &file("now", &now.stub.base_url, &steps)).await;
    let month = json!({ "lifecycle": { "leave": "end_of_month" } });
    publish(&bridge, &file("later", &later.stub.base_url, &month)).await;
    bridge.drain().await;
    now.mutations();
    later.mutations();

    bridge.clock.set("2026-12-11T12:00:00Z");
    for n in 11..=50 {
        company.row(&n.to_string()).last_day = "2026-12-10".to_owned();
    }
    let run = crate::sync_kit::run(&bridge, &company).await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    let path = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    let sent = now.mutations();
    let of = |what: &str| sent.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        (of("alumni"), of(r#""path":"active","value":false"#)),
        (40, 40),
        "{sent:?}"
    );
    assert!(later.mutations().is_empty());
    assert_eq!(bridge.get("/api/v1/freezes").await["items"], json!([]));

    bridge.clock.set("2027-01-01T00:00:01Z");
    bridge.drain().await;
    assert_eq!(later.mutations().len(), 40);
    assert_eq!(bridge.get("/api/v1/freezes").await["items"], json!([]));

    bridge.clock.set("2027-01-11T12:00:00Z");
    bridge.drain().await;
    let deleted = now.mutations();
    assert_eq!(deleted.len(), 12, "a fifth of sixty: {deleted:?}");
    let frozen = bridge.get("/api/v1/freezes").await;
    assert!(
        frozen["items"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("caps.removals"),
        "{frozen}"
    );
}
