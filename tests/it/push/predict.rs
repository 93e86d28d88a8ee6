//! What is foretold is what is sent.

use scim_bridge::base::ResourceId;
use scim_bridge::delivery::{AppInForce, Call, UserAfter, predict};
use scim_bridge::{guard, provision};
use serde_json::{Value, json};

use super::{ENTERPRISE, StubApp, file, patch, publish, user};
use crate::kit::Bridge;

/// The users as stored, changed by `change`.
async fn after(bridge: &Bridge, ids: &[ResourceId], change: impl Fn(&mut Value)) -> Vec<UserAfter> {
    let mut conn = bridge.conn().await;
    let stored = bridge
        .app
        .state
        .directory
        .load(&mut conn, bridge.tenant, ids)
        .await
        .unwrap();
    ids.iter()
        .map(|id| {
            let mut object = Value::Object(stored[id].object.clone());
            change(&mut object);
            UserAfter {
                id: *id,
                object: object.as_object().cloned(),
            }
        })
        .collect()
}

/// What the app is foretold to be sent: `METHOD path body`, sorted.
async fn foretold(bridge: &Bridge, users: &[UserAfter]) -> Vec<String> {
    let directory = &bridge.app.state.directory;
    let mut conn = bridge.conn().await;
    let app = provision::app(&mut conn, bridge.tenant, "app").await.unwrap();
    let app = AppInForce::live(&mut conn, directory, bridge.tenant, &app)
        .await
        .unwrap()
        .unwrap();
    let found = predict(
        &mut conn,
        directory,
        bridge.tenant,
        &app,
        users,
        bridge.clock.now(),
    )
    .await
    .unwrap();
    let mut lines: Vec<String> = found.iter().flat_map(|one| one.calls()).map(line).collect();
    lines.sort();
    lines
}

fn line(call: &Call) -> String {
    let mut body = call.body.clone().unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.remove("schemas");
    }
    let body = if body.is_null() {
        String::new()
    } else {
        format!(" {body}")
    };
    format!("{} {}{body}", call.method, call.path)
}

fn sent(app: &StubApp) -> Vec<String> {
    let mut lines = app.mutations();
    lines.sort();
    lines
}

#[tokio::test]
async fn what_is_foretold_is_what_the_app_is_sent() {
    for no_patch in [false, true] {
        let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
        app.held.lock().unwrap().no_patch = no_patch;
        let boss = user(&bridge, "boss@x", &json!({"title": "CEO"})).await;
        let report = json!({"title": "T", ENTERPRISE: {"manager": {"value": boss}}});
        let anna = user(&bridge, "anna@x", &report).await;
        let cora = user(&bridge, "cora@x", &json!({"active": false})).await;
        let ids: Vec<ResourceId> = [&boss, &anna, &cora].map(|id| id.parse().unwrap()).to_vec();
        // An app without accounts, in which everybody is to be made.
        let settings = json!({"deprovision": {"leaver": [{"do": "disable"}, {"do": "delete"}]},
                              "scope": {"include": "user.userName != \"dora@x\""}});
        publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
        let creations = foretold(&bridge, &after(&bridge, &ids, |_| {}).await).await;
        assert!(app.stub.received().is_empty(), "nothing is sent");
        bridge.drain().await;
        let boss_there = app.named("boss@x")["id"].as_str().unwrap().to_owned();
        let mut expected: Vec<String> = creations
            .iter()
            .map(|line| line.replace(&format!("{{id of {boss}}}"), &boss_there))
            .collect();
        expected.sort();
        assert_eq!(expected.len(), 2, "{expected:?}");
        assert_eq!(sent(&app), expected);
        assert_eq!(
            foretold(&bridge, &after(&bridge, &ids, |_| {}).await).await,
            [""; 0]
        );

        // A change, and a leaver with two steps that are due at once.
        let changed = after(&bridge, &ids[..1], |user| user["title"] = json!("Chair")).await;
        let left = after(&bridge, &ids[1..2], |user| user["active"] = json!(false)).await;
        let expected = foretold(&bridge, &[changed, left].concat()).await;
        patch(
            &bridge,
            &format!("/scim/v2/Users/{boss}"),
            &json!([{"op": "replace", "path": "title", "value": "Chair"}]),
        )
        .await;
        patch(
            &bridge,
            &format!("/scim/v2/Users/{anna}"),
            &json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await;
        bridge.drain().await;
        assert_eq!(expected.len(), 3, "{expected:?}");
        let sent = sent(&app);
        if no_patch {
            // PUT keeps what the app has beside ours, and that is only known when it is sent.
            let heads = |lines: &[String]| -> Vec<String> {
                lines
                    .iter()
                    .map(|line| line.split('{').next().unwrap().to_owned())
                    .collect()
            };
            assert_eq!(heads(&sent), heads(&expected));
        } else {
            assert_eq!(sent, expected);
        }
    }
}

#[tokio::test]
async fn what_stops_a_call_is_foretold_too() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({"nickName": "A"})).await;
    let settings = json!({"mapping": {"nickName": {"policy": "hold"}}, "protect": {"accounts": ["root@x"]}});
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    bridge.drain().await;
    let directory = &bridge.app.state.directory;
    let id: ResourceId = anna.parse().unwrap();
    let mut users = after(&bridge, &[id], |user| user["nickName"] = json!("B")).await;
    users.push(UserAfter {
        id: ResourceId::new(),
        object: json!({"userName": "root@x", "active": true}).as_object().cloned(),
    });
    users.push(UserAfter {
        id: ResourceId::new(),
        object: json!({"userName": "new@x", "active": true}).as_object().cloned(),
    });
    let mut conn = bridge.conn().await;
    let app = provision::app(&mut conn, bridge.tenant, "app").await.unwrap();
    let live = AppInForce::live(&mut conn, directory, bridge.tenant, &app)
        .await
        .unwrap()
        .unwrap();
    let found = predict(
        &mut conn,
        directory,
        bridge.tenant,
        &live,
        &users,
        bridge.clock.now(),
    )
    .await
    .unwrap();
    let said: Vec<(&str, &str, Option<guard::Action>)> = found
        .iter()
        .map(|one| (one.state.word(), one.reason.as_str(), one.action))
        .collect();
    assert_eq!(
        said,
        [
            ("held", "waits for a decision about nickName", None),
            ("skipped", "a protected account", None),
            ("in_sync", "", Some(guard::Action::Create)),
        ]
    );
    let rows = "SELECT (SELECT count(*) FROM hold) + (SELECT count(*) FROM account) + (SELECT count(*) FROM operation)";
    assert_eq!(bridge.count(rows).await, 2, "nothing is written");
}
