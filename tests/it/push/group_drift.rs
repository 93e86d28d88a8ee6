//! The full compare looks into groups: who of ours is missing there, and whom of ours somebody else put there.

use reqwest::Method;
use serde_json::{Value, json};

use super::{StubApp, file, patch, publish, scim, user};
use crate::kit::{Answer, Bridge};

async fn group(bridge: &Bridge, name: &str, members: &[&str]) -> String {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members,
    });
    let made = scim(bridge, Method::POST, "/scim/v2/Groups", &body).await;
    made["id"].as_str().unwrap().to_owned()
}

fn settings(more: &Value) -> Value {
    let mut settings = json!({
        "groups": { "push": true, "member_batch": 2 }, "reconcile": { "every": "24h", "repair": true },
    });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    settings
}

/// A bridge with `people` users, an app, and what is in its groups after the first push.
async fn world(people: usize) -> (Bridge, StubApp, Vec<String>) {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..people {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({})).await);
    }
    (bridge, app, ids)
}

async fn pushed(bridge: &Bridge, app: &StubApp, more: &Value) {
    publish(bridge, &file("app", &app.stub.base_url, &settings(more))).await;
    bridge.drain().await;
    app.mutations();
}

async fn compare(bridge: &Bridge) -> Value {
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    let found = bridge.get("/api/v1/apps/app/drift").await;
    assert_eq!(found["compare"]["state"], "done", "{found}");
    found
}

/// The remote id of the n-th user.
fn remote(app: &StubApp, n: usize) -> String {
    app.named(&format!("u{n}@x"))["id"].as_str().unwrap().to_owned()
}

/// Who is in a group of the app, sorted.
fn members(app: &StubApp, name: &str) -> Vec<String> {
    let group = app.named(name);
    let members = group["members"].as_array().into_iter().flatten();
    let mut ids: Vec<String> = members
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// Somebody sets the members of a group in the app by hand.
fn set(app: &StubApp, name: &str, members: &[&str]) {
    let path = format!("/Groups/{}", app.named(name)["id"].as_str().unwrap());
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    app.held.lock().unwrap().resources.get_mut(&path).unwrap()["members"] = json!(members);
}

fn of<'v>(found: &'v Value, name: &str) -> &'v Value {
    let items = found["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["name"] == name)
        .unwrap_or(&Value::Null)
}

/// What differs of what is ours.
fn ours(found: &Value) -> Vec<&Value> {
    let items = found["items"].as_array().unwrap();
    items.iter().filter(|item| item["kind"] != "unknown").collect()
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

/// Covers: C57, LEAP-12
#[tokio::test(flavor = "multi_thread")]
async fn members_who_are_missing_come_back_and_ours_whom_somebody_else_put_there_go() {
    let (bridge, app, ids) = world(5).await;
    let stranger = app.has("Users", &json!({ "userName": "stranger@x", "active": true }));
    group(
        &bridge,
        "Sales",
        &ids.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    group(&bridge, "Ops", &[&ids[0], &ids[1]]).await;
    pushed(&bridge, &app, &json!({})).await;
    assert!(ours(&compare(&bridge).await).is_empty(), "as it was pushed");

    let all: Vec<String> = (0..5).map(|n| remote(&app, n)).collect();
    set(&app, "Sales", &[&all[0], &all[4]]);
    set(&app, "Ops", &[&all[0], &all[1], &all[4], &stranger, "nobody"]);
    let found = compare(&bridge).await;
    let (sales, ops) = (of(&found, "Sales"), of(&found, "Ops"));
    let difference = |one: &Value| one["differences"][0].clone();
    let (missing, foreign) = (difference(sales), difference(ops));
    assert_eq!(
        (
            &sales["kind"],
            &missing["path"],
            &missing["missing"],
            &missing["foreign"]
        ),
        (&json!("changed"), &json!("members"), &json!(3), &json!(0)),
        "{found}"
    );
    assert_eq!(missing["expected"], json!(sorted(&[&ids[1], &ids[2], &ids[3]])));
    assert_eq!(
        (&foreign["missing"], &foreign["foreign"], &foreign["found"]),
        (&json!(0), &json!(1), &json!([ids[4]])),
        "who is not ours is no matter of ours: {found}"
    );
    let plan = found["compare"]["plan"].as_str().unwrap();
    let items = bridge.get(&format!("/api/v1/plans/{plan}/items")).await;
    let items = items["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{items:?}");
    for item in items {
        assert_eq!(
            (
                &item["action"],
                &item["changes"][0]["path"],
                &item["calls"][0]["method"]
            ),
            (&json!("update"), &json!("members"), &json!("PATCH")),
            "{item}"
        );
    }
    assert_eq!(members(&app, "Sales"), sorted(&all.iter().collect::<Vec<_>>()));
    assert_eq!(
        members(&app, "Ops"),
        sorted(&[&all[0], &all[1], &stranger, &"nobody".to_owned()])
    );
    let sent = app.mutations();
    assert_eq!(sent.len(), 3, "two batches of two, and one who goes: {sent:?}");
    assert!(ours(&compare(&bridge).await).is_empty());
    assert!(app.mutations().is_empty());

    // Who was taken out in HR and in the app alike is no difference, and who was put in both neither.
    set(&app, "Ops", &[&all[0], &all[2]]);
    let sales_or_ops = bridge
        .get("/scim/v2/Groups?filter=displayName%20eq%20%22Ops%22")
        .await;
    let ops = sales_or_ops["Resources"][0]["id"].as_str().unwrap();
    let operations = json!([
        { "op": "remove", "path": format!("members[value eq \"{}\"]", ids[1]) },
        { "op": "add", "path": "members", "value": [{ "value": ids[2] }] },
    ]);
    patch(&bridge, &format!("/scim/v2/Groups/{ops}"), &operations).await;
    bridge.drain().await;
    assert!(ours(&compare(&bridge).await).is_empty());
    assert_eq!(members(&app, "Ops"), sorted(&[&all[0], &all[2]]));
}

/// Over a limit the repair waits, what is left out is not done, and an app's own groups keep whom they had.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_of_members_is_judged_and_a_group_that_was_there_before_us_keeps_its_own() {
    let (bridge, app, ids) = world(4).await;
    group(&bridge, "Sales", &[&ids[0], &ids[1]]).await;
    group(&bridge, "Ops", &[&ids[0], &ids[1]]).await;
    group(&bridge, "Legacy", &[&ids[1]]).await;
    let legacy = app.has("Groups", &json!({ "displayName": "Legacy", "members": [] }));
    pushed(&bridge, &app, &json!({ "guard": { "updates": { "count": 1 } } })).await;
    let plans = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    assert_eq!(plans["items"], json!([]), "{plans}");
    let all: Vec<String> = (0..4).map(|n| remote(&app, n)).collect();
    assert_eq!(app.named("Legacy")["id"], json!(legacy));

    set(&app, "Legacy", &[&all[1], &all[2]]);
    let found = compare(&bridge).await;
    let one = of(&found, "Legacy");
    assert_eq!(
        (
            &one["repair"],
            &one["differences"][0]["foreign"],
            &one["differences"][0]["left_alone"]
        ),
        (&json!("never"), &json!(1), &json!(1)),
        "{found}"
    );
    let plan = found["compare"]["plan"].as_str().unwrap();
    let items = bridge.get(&format!("/api/v1/plans/{plan}/items")).await;
    assert_eq!(items["items"], json!([]));
    assert!(app.mutations().is_empty());

    set(&app, "Sales", &[&all[0]]);
    set(&app, "Ops", &[&all[0], &all[1], &all[3]]);
    set(&app, "Legacy", &[&all[2]]);
    let found = compare(&bridge).await;
    assert_eq!(found["compare"]["plan_state"], "awaiting_approval", "{found}");
    assert!(app.mutations().is_empty(), "no call before the approval");
    let plan = found["compare"]["plan"].as_str().unwrap();
    let items = bridge.get(&format!("/api/v1/plans/{plan}/items")).await;
    let items = items["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 3);
    // Approved for all but Ops.
    let listed = bridge
        .get("/scim/v2/Groups?filter=displayName%20eq%20%22Ops%22")
        .await;
    let ops = &listed["Resources"][0]["id"];
    let chosen: Vec<&Value> = items
        .iter()
        .filter(|item| item["user"] != *ops)
        .map(|item| &item["ordinal"])
        .collect();
    assert_eq!(chosen.len(), 2, "{items:?}");
    bridge
        .post(
            &format!("/api/v1/plans/{plan}/approve"),
            &json!({ "only": { "items": chosen } }),
        )
        .await;
    bridge.drain().await;
    assert_eq!(members(&app, "Sales"), sorted(&[&all[0], &all[1]]));
    assert_eq!(members(&app, "Ops"), sorted(&[&all[0], &all[1], &all[3]]));
    assert_eq!(members(&app, "Legacy"), sorted(&[&all[1], &all[2]]));
    assert_eq!(app.mutations().len(), 2);
}

/// Groups may be listed without members, or shown without any: they are asked for, and silence says something only of an
/// app that speaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_members_is_asked_behind_and_silence_is_believed_only_of_an_app_that_speaks() {
    for speaks in [true, false] {
        let (bridge, app, ids) = world(3).await;
        group(&bridge, "Sales", &[&ids[0], &ids[1]]).await;
        group(&bridge, "Ops", &[&ids[2]]).await;
        pushed(&bridge, &app, &json!({})).await;
        let held = std::sync::Arc::clone(&app.held);
        app.stub.rule(move |request| {
            if request.method != "GET" || !request.path.starts_with("/Groups") {
                return None;
            }
            let is_list = request.path == "/Groups";
            let without = |mut group: Value| {
                let is_empty = group["members"].as_array().is_none_or(Vec::is_empty);
                if is_list || is_empty || !speaks {
                    group.as_object_mut().unwrap().remove("members");
                }
                group
            };
            let held = held.lock().unwrap();
            if !is_list {
                return Some(Answer::json(
                    200,
                    &without(held.resources.get(&request.path)?.clone()),
                ));
            }
            let is_first = request.param("startIndex").is_none_or(|start| start == "1");
            let groups = held
                .resources
                .iter()
                .filter(|(path, _)| path.starts_with("/Groups/"));
            let groups: Vec<Value> = groups.map(|(_, group)| without(group.clone())).collect();
            let page = if is_first { groups } else { Vec::new() };
            Some(Answer::json(
                200,
                &json!({ "totalResults": 2, "Resources": page }),
            ))
        });
        assert_eq!(compare(&bridge).await["items"], json!([]));
        let (zero, two) = (remote(&app, 0), remote(&app, 2));
        set(&app, "Sales", &[&zero]);
        set(&app, "Ops", &[]);
        let found = compare(&bridge).await;
        let sent = app.mutations();
        if speaks {
            assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
            assert_eq!(members(&app, "Ops"), [two]);
            assert_eq!(members(&app, "Sales").len(), 2);
            assert_eq!(sent.len(), 2, "{sent:?}");
        } else {
            assert_eq!(found["items"], json!([]));
            assert!(sent.is_empty(), "{sent:?}");
        }
        bridge.stop().await;
    }
}

/// What an app keeps in a group beside ours may be larger than any page: it is read, and nobody of them is touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_very_many_others_is_read_to_its_end() {
    const OTHERS: usize = 110_000;
    let (bridge, app, ids) = world(2).await;
    group(&bridge, "All", &[&ids[0], &ids[1]]).await;
    pushed(&bridge, &app, &json!({})).await;
    let mut everybody: Vec<Value> = (0..OTHERS)
        .map(|n| {
            let value = format!("other-{n}-0123456789abcdef0123456789abcdef");
            let link = format!("https://app.example/scim/v2/Users/{value}");
            json!({ "value": value, "$ref": link, "display": format!("Somebody Else {n}"), "type": "User" })
        })
        .collect();
    everybody.push(json!({ "value": remote(&app, 1) }));
    let path = format!("/Groups/{}", app.named("All")["id"].as_str().unwrap());
    let large = {
        let mut held = app.held.lock().unwrap();
        let group = held.resources.get_mut(&path).unwrap();
        group["members"] = json!(everybody);
        group.to_string().len()
    };
    assert!(large > 20 * 1024 * 1024, "{large} bytes");
    let found = compare(&bridge).await;
    let difference = &of(&found, "All")["differences"][0];
    assert_eq!(
        (&difference["missing"], &difference["foreign"]),
        (&json!(1), &json!(0)),
        "{difference}"
    );
    assert_eq!(members(&app, "All").len(), OTHERS + 2);
    assert_eq!(app.mutations().len(), 1);
}

/// A group of very many is compared a page at a time, and filled again in batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_many_that_was_emptied_is_filled_again() {
    const MANY: usize = 1_100;
    let (bridge, app, ids) = world(MANY).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    group(&bridge, "All", &ids).await;
    let batches = json!({ "groups": { "push": true, "member_batch": 500 } });
    pushed(&bridge, &app, &batches).await;
    assert_eq!(members(&app, "All").len(), MANY);
    set(&app, "All", &[]);
    let found = compare(&bridge).await;
    let difference = &of(&found, "All")["differences"][0];
    assert_eq!(difference["missing"], MANY, "{found}");
    assert_eq!(difference["expected"].as_array().unwrap().len(), 20);
    assert_eq!(members(&app, "All").len(), MANY);
    assert_eq!(app.mutations().len(), 3);
    let left = "SELECT count(*) FROM account_member WHERE sure";
    assert_eq!(bridge.count(left).await, i64::try_from(MANY).unwrap());
}
