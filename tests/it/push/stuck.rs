//! What goes wrong with one app, or one plan, is that one's matter: all others go on.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use super::{StubApp, file, patch, publish, try_publish, user};
use crate::kit::{Bridge, answer, with_json};
use crate::schemas::{BADGE, with_badge};

/// The same server as another tenant sees it.
async fn as_other(bridge: &Bridge, token: &str, method: Method, path: &str, body: &Value) -> Value {
    let (status, body) = answer(with_json(bridge.request_as(token, method, path), body)).await;
    assert!((200..300).contains(&status), "{path}: {status} {body}");
    body
}

/// Another tenant with a user in an app of its own; the user's path.
async fn neighbour(bridge: &Bridge, app: &StubApp) -> (String, String) {
    let tenant = bridge.make_tenant("other").await;
    let token = bridge.make_token(tenant, "all", &Scope::ALL).await;
    let body =
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "n@y", "active": true});
    let made = as_other(bridge, &token, Method::POST, "/scim/v2/Users", &body).await;
    let settings = file("theirs", &app.stub.base_url, &json!({}));
    as_other(bridge, &token, Method::PUT, "/api/v1/apps/theirs", &settings).await;
    let none = json!({});
    as_other(bridge, &token, Method::POST, "/api/v1/apps/theirs/publish", &none).await;
    bridge.drain().await;
    app.mutations();
    (token, format!("/scim/v2/Users/{}", made["id"].as_str().unwrap()))
}

async fn leaves(bridge: &Bridge, (token, path): &(String, String)) {
    let leave = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}],
    });
    as_other(bridge, token, Method::PATCH, path, &leave).await;
}

#[tokio::test]
async fn an_approved_plan_that_cannot_be_applied_fails_and_says_why_and_all_others_go_on() {
    let (bridge, app, theirs) = (
        Bridge::spawn().await,
        StubApp::start().await,
        StubApp::start().await,
    );
    let neighbour = neighbour(&bridge, &theirs).await;
    with_badge(&bridge).await;
    for n in 0..5 {
        user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await;
    }
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let badge = json!({
        "scope": {"include": "user.title == \"X\""}, "mapping": {"nickName": {"from": "user.badge"}},
    });
    let (status, published) = try_publish(&bridge, &file("app", &app.stub.base_url, &badge)).await;
    assert_eq!(status, 202, "{published}");
    // A newer draft says nothing of the attribute, so it may go; the plan that waits still does.
    let plain = file("app", &app.stub.base_url, &json!({}));
    assert_eq!(super::try_apply(&bridge, &plain).await.0, 200);
    let schema = format!("/api/v1/schemas/{BADGE}");
    let (status, body) = answer(bridge.request(Method::DELETE, &schema)).await;
    assert!((200..300).contains(&status), "{status} {body}");
    let plan = format!("/api/v1/plans/{}", published["plan"].as_str().unwrap());
    let approval = json!({"plan": published["plan_hash"]});
    let approve = with_json(
        bridge.request(Method::POST, &format!("{plan}/approve")),
        &approval,
    );
    assert_eq!(answer(approve).await.0, 202);
    leaves(&bridge, &neighbour).await;
    app.mutations();
    bridge.drain().await;
    assert_eq!(theirs.mutations().len(), 1, "the neighbour's leaver goes");
    assert!(app.mutations().is_empty());
    let shown = bridge.get(&plan).await;
    assert_eq!(shown["state"], "failed", "{shown}");
    assert!(shown["reason"].as_str().unwrap().contains("badge"), "{shown}");
    let failed = bridge.get("/api/v1/plans?state=failed").await;
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    let audited = "SELECT count(*) FROM audit_entry WHERE action = 'plan.fail'";
    assert_eq!(bridge.count(audited).await, 1);
    let told = "SELECT count(*) FROM event WHERE kind = 'plan_failed'";
    assert_eq!(bridge.count(told).await, 1);
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, &format!("{plan}/approve")),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("badge"), "{body}");
}

#[tokio::test]
async fn an_app_whose_settings_cannot_be_read_any_more_stops_nobody_else() {
    let (bridge, app, theirs) = (
        Bridge::spawn().await,
        StubApp::start().await,
        StubApp::start().await,
    );
    let ann = user(&bridge, "ann@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    publish(&bridge, &file("good", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let neighbour = neighbour(&bridge, &theirs).await;
    // As a newer program may have left them.
    let rows = bridge.rows().await;
    rows.batch_execute(
        "UPDATE setting_revision SET body = '{\"new\": 1}' WHERE owner_id = (SELECT id FROM app WHERE name = 'app')",
    )
    .await
    .unwrap();
    app.mutations();
    leaves(&bridge, &neighbour).await;
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{ann}"), &leave).await;
    bridge.drain().await;
    assert_eq!(theirs.mutations().len(), 1, "the other tenant's leaver goes");
    assert_eq!(app.mutations().len(), 1, "and so does ours in the app that works");
    // The broken one leased because something of it is to be done says what is wrong, and is left alone for a while.
    rows.batch_execute(
        "UPDATE account SET look = true, due_at = NULL WHERE app_id = (SELECT id FROM app WHERE name = 'app')",
    )
    .await
    .unwrap();
    bridge.drain().await;
    let status = bridge.get("/api/v1/status").await;
    let broken = status["apps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|app| app["name"] == "app")
        .unwrap();
    assert!(broken.to_string().contains("settings"), "{status}");
}

/// What the database refuses of one app is that one's matter too.
#[tokio::test]
async fn an_app_whose_rows_the_database_refuses_stops_nobody_else() {
    let (bridge, app, theirs) = (
        Bridge::spawn().await,
        StubApp::start().await,
        StubApp::start().await,
    );
    let ann = user(&bridge, "ann@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let neighbour = neighbour(&bridge, &theirs).await;
    let rows = bridge.rows().await;
    let refuse =
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$";
    rows.batch_execute(refuse).await.unwrap();
    let only = |what: &str| {
        format!(
            "DROP TRIGGER IF EXISTS refuse ON account;
             DO $do$ BEGIN EXECUTE format('CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON account FOR EACH ROW
             WHEN (NEW.app_id = %L AND {what}) EXECUTE FUNCTION refuse()', (SELECT id FROM app WHERE name = 'app')); END $do$;"
        )
    };
    // First it cannot even be told of the change, then it cannot be worked on.
    for (what, value) in [("NEW.look", false), ("NOT NEW.look", true)] {
        rows.batch_execute(&only(what)).await.unwrap();
        app.mutations();
        theirs.mutations();
        let put = json!([{"op": "replace", "path": "active", "value": value}]);
        patch(&bridge, &format!("/scim/v2/Users/{ann}"), &put).await;
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": put,
        });
        as_other(&bridge, &neighbour.0, Method::PATCH, &neighbour.1, &body).await;
        bridge.drain().await;
        assert_eq!(theirs.mutations().len(), 1, "{what}: the neighbour goes on");
        assert!(app.mutations().is_empty(), "{what}");
    }
    // Once it is mended, all that was missed is made up for.
    rows.batch_execute("DROP TRIGGER refuse ON account")
        .await
        .unwrap();
    let put = json!([{"op": "replace", "path": "title", "value": "T"}]);
    patch(&bridge, &format!("/scim/v2/Users/{ann}"), &put).await;
    bridge.clock.advance(chrono::TimeDelta::minutes(1));
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(app.named("ann@x")["title"], "T");
}
