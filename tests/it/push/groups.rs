//! Groups and their members.

use reqwest::Method;
use serde_json::json;

use super::{StubApp, file, patch, publish, scim, state, user};
use crate::kit::Bridge;

async fn group(bridge: &Bridge, name: &str, members: &[&str]) -> String {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members});
    scim(bridge, Method::POST, "/scim/v2/Groups", &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Covers: C43, C46, C47
#[tokio::test]
async fn a_group_is_pushed_with_its_members_in_batches_and_only_ours_are_taken_out() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut users = Vec::new();
    for number in 0..5 {
        users.push(user(&bridge, &format!("u{number}@x"), &json!({})).await);
    }
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    let sales = group(&bridge, "Sales", &ids).await;
    let pushed = json!({"groups": {"push": true, "member_batch": 2}});
    publish(&bridge, &file("app", &app.stub.base_url, &pushed)).await;
    bridge.drain().await;
    let batches: Vec<usize> = app
        .stub
        .received()
        .iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| request.json()["Operations"][0]["value"].as_array().unwrap().len())
        .collect();
    assert_eq!(batches, [2, 2, 1]);
    assert_eq!(app.named("Sales")["members"].as_array().unwrap().len(), 5);
    assert_eq!(app.named("Sales")["externalId"], json!(sales));
    assert_eq!(state(&bridge, &sales).await, "in_sync");
    app.mutations();

    // Somebody adds a member in the app by hand; we take out only ours.
    let path = format!("/Groups/{}", app.named("Sales")["id"].as_str().unwrap());
    app.held.lock().unwrap().resources.get_mut(&path).unwrap()["members"]
        .as_array_mut()
        .unwrap()
        .push(json!({"value": "foreign"}));
    let remote = app.named("u0@x")["id"].as_str().unwrap().to_owned();
    patch(
        &bridge,
        &format!("/scim/v2/Groups/{sales}"),
        &json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[0])}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [format!(
            "PATCH {path} {{\"Operations\":[{{\"op\":\"remove\",\"path\":\"members[value eq \\\"{remote}\\\"]\"}}]}}"
        )]
    );
    assert_eq!(app.named("Sales")["members"].as_array().unwrap().len(), 5);

    patch(
        &bridge,
        &format!("/scim/v2/Groups/{sales}"),
        &json!([{"op": "replace", "path": "displayName", "value": "Sale"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.mutations(),
        [format!(
            "PATCH {path} {{\"Operations\":[{{\"op\":\"replace\",\"path\":\"displayName\",\"value\":\"Sale\"}}]}}"
        )]
    );
}

#[tokio::test]
async fn a_member_that_comes_later_joins_and_a_deleted_group_goes() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({"title": "in"})).await;
    let bo = user(&bridge, "bo@x", &json!({"title": "out"})).await;
    let sales = group(&bridge, "Sales", &[&anna, &bo]).await;
    let scoped = json!({"groups": {"push": true}, "scope": {"include": "user.title == \"in\""}});
    publish(&bridge, &file("app", &app.stub.base_url, &scoped)).await;
    bridge.drain().await;
    assert_eq!(
        app.named("Sales")["members"],
        json!([{"value": app.named("anna@x")["id"]}])
    );
    patch(
        &bridge,
        &format!("/scim/v2/Users/{bo}"),
        &json!([{"op": "replace", "path": "title", "value": "in"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(app.named("Sales")["members"].as_array().unwrap().len(), 2);
    patch(
        &bridge,
        &format!("/scim/v2/Users/{anna}"),
        &json!([{"op": "replace", "path": "title", "value": "out"}]),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.named("Sales")["members"],
        json!([{"value": app.named("bo@x")["id"]}])
    );
    assert_eq!(app.named("anna@x")["active"], false);
    assert_eq!(state(&bridge, &anna).await, "disabled");
    let gone = bridge
        .request(Method::DELETE, &format!("/scim/v2/Groups/{sales}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    bridge.drain().await;
    assert!(app.all("Groups").is_empty());
}

#[tokio::test]
async fn an_app_without_patch_gets_groups_by_put() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.held.lock().unwrap().no_patch = true;
    let anna = user(&bridge, "anna@x", &json!({})).await;
    group(&bridge, "Sales", &[&anna]).await;
    publish(
        &bridge,
        &file("app", &app.stub.base_url, &json!({"groups": {"push": true}})),
    )
    .await;
    bridge.drain().await;
    assert_eq!(
        app.named("Sales")["members"],
        json!([{"value": app.named("anna@x")["id"]}])
    );
    assert_eq!(app.named("Sales")["displayName"], "Sales");
}

/// What an app holds is in our own record: nobody asks it membership by membership, and one change is one request.
///
/// Covers: C46
#[tokio::test]
async fn many_users_in_many_groups_are_known_without_asking_for_each() {
    const MANY: usize = 15;
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut users = Vec::new();
    for number in 0..MANY {
        users.push(user(&bridge, &format!("u{number}@x"), &json!({})).await);
    }
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut groups = Vec::new();
    for number in 0..MANY {
        groups.push(group(&bridge, &format!("G{number}"), &ids).await);
    }
    let pushed = json!({"groups": {"push": true, "member_batch": 100}});
    publish(&bridge, &file("app", &app.stub.base_url, &pushed)).await;
    bridge.drain().await;
    assert_eq!(app.named("G7")["members"].as_array().unwrap().len(), MANY);
    let all = app.stub.take_received();
    let sent = |method: &str| all.iter().filter(|request| request.method == method).count();
    assert_eq!(
        (sent("POST"), sent("PATCH")),
        (2 * MANY, MANY),
        "each is made, each group filled at once"
    );
    assert!(
        sent("GET") < 10,
        "{} reads, for {} memberships",
        sent("GET"),
        MANY * MANY
    );

    let path = format!("/scim/v2/Groups/{}", groups[3]);
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[4])}]);
    patch(&bridge, &path, &remove).await;
    bridge.drain().await;
    let lines: Vec<String> = app
        .stub
        .take_received()
        .iter()
        .map(|request| request.method.clone())
        .collect();
    assert_eq!(lines, ["PATCH"], "one change, one request, nothing read");
    assert_eq!(app.named("G3")["members"].as_array().unwrap().len(), MANY - 1);
    assert_eq!(app.named("G4")["members"].as_array().unwrap().len(), MANY);
}
