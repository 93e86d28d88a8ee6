//! PATCH over HTTP, as the RFC has it and as Entra ID, Okta and others send it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::scim_resource::{group, text, user};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn patch(bridge: &Bridge, path: &str, operations: Value) -> (u16, Value) {
    let body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    answer(with_json(bridge.request(Method::PATCH, path), &body)).await
}

fn path(one: &Value) -> String {
    let endpoint = if one["meta"]["resourceType"] == json!("Group") {
        "Groups"
    } else {
        "Users"
    };
    format!("/scim/v2/{endpoint}/{}", text(one, "/id"))
}

#[tokio::test]
async fn rules_5_2_5_23_5_32_all_or_nothing_and_no_change_is_no_change() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann@acme.test").await;
    let path = path(&ann);
    let (status, body) = patch(
        &bridge,
        &path,
        json!([{ "op": "add", "path": "title", "value": "Lead" }, { "op": "remove", "path": "userName" }]),
    )
    .await;
    assert_eq!((status, text(&body, "/scimType")), (400, "mutability"));
    assert_eq!(bridge.get(&path).await, ann, "nothing of it was done");

    let add = json!([{ "op": "add", "path": "emails", "value": { "type": "work", "value": "a@acme.test" } }]);
    let (status, once) = patch(&bridge, &path, add.clone()).await;
    assert_eq!((status, text(&once, "/meta/version")), (200, "W/\"2\""));
    bridge.clock.advance(chrono::TimeDelta::hours(1));
    let (status, twice) = patch(&bridge, &path, add).await;
    assert_eq!((status, twice), (200, once));
    let changes = bridge.count("SELECT count(*) FROM change").await;
    assert_eq!(changes, 2);
    for (operations, keyword) in [
        (json!([{ "op": "remove" }]), "noTarget"),
        (
            json!([{ "op": "replace", "path": "emails[type eq \"nope\"].value", "value": "x" }]),
            "noTarget",
        ),
        (
            json!([{ "op": "replace", "path": "nope", "value": "x" }]),
            "invalidPath",
        ),
        (
            json!([{ "op": "rename", "path": "title", "value": "x" }]),
            "invalidSyntax",
        ),
        (
            json!([{ "op": "replace", "path": "id", "value": "x" }]),
            "mutability",
        ),
        (
            json!([{ "op": "replace", "path": "active", "value": "maybe" }]),
            "invalidValue",
        ),
    ] {
        let (status, body) = patch(&bridge, &path, operations.clone()).await;
        assert_eq!((status, text(&body, "/scimType")), (400, keyword), "{operations}");
    }
    // 5.4: who asks for less or more gets it.
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                       "Operations": [{ "op": "replace", "path": "title", "value": "x" }] });
    let minimal = bridge
        .request(Method::PATCH, &path)
        .header("prefer", "return=minimal");
    assert_eq!(answer(with_json(minimal, &body)).await, (204, Value::Null));
    let asked = bridge.request(Method::PATCH, &format!("{path}?attributes=title"));
    let (status, shown) = answer(with_json(asked, &body)).await;
    assert_eq!(
        (status, shown),
        (200, json!({ "id": ann["id"], "schemas": [USER], "title": "x" }))
    );
}

#[tokio::test]
async fn entra_id_in_its_default_mode() {
    let bridge = Bridge::spawn().await;
    let boss = user(&bridge, "boss@acme.test").await;
    let ann = user(&bridge, "ann@acme.test").await;
    let path = path(&ann);
    let operations = json!([
        { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "ann@acme.test" },
        { "op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True" },
        { "op": "Replace", "path": "active", "value": "False" },
        { "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": boss["id"] },
        { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Ops" },
    ]);
    let (status, shown) = patch(&bridge, &path, operations).await;
    assert_eq!(status, 200);
    assert_eq!(shown["active"], json!(false));
    assert_eq!(
        shown["emails"],
        json!([{ "type": "work", "value": "ann@acme.test", "primary": true }])
    );
    let manager = json!({ "value": boss["id"], "$ref": boss["meta"]["location"] });
    assert_eq!(
        shown[ENTERPRISE],
        json!({ "department": "Ops", "manager": manager })
    );
    let (_, shown) = patch(
        &bridge,
        &path,
        json!([{ "op": "Replace", "path": "manager", "value": "" }]),
    )
    .await;
    assert_eq!(shown[ENTERPRISE], json!({ "department": "Ops" }));
    let restore = json!([{ "op": "Replace", "path": "active", "value": "True" }]);
    assert_eq!(patch(&bridge, &path, restore).await.1["active"], json!(true));

    let ops = group(&bridge, "Ops", &[]).await;
    let at = self::path(&ops);
    let add = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": ann["id"] }] }]);
    assert_eq!(patch(&bridge, &at, add.clone()).await, (204, Value::Null));
    let version = bridge.get(&at).await["meta"]["version"].clone();
    assert_eq!(patch(&bridge, &at, add).await.0, 204, "a member already: success");
    assert_eq!(bridge.get(&at).await["meta"]["version"], version, "and no change");
    let remove = json!([{ "op": "Remove", "path": "members", "value": [{ "value": ann["id"] }] }]);
    assert_eq!(patch(&bridge, &at, remove).await.0, 204);
    assert_eq!(bridge.get(&at).await.get("members"), None);
    assert!(
        bridge
            .http
            .get(format!("{}/metrics", bridge.base_url))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("bridge_scim_tolerated_shapes_total{shape=\"operation_case\",dialect=\"standard\"}")
    );
}

#[tokio::test]
async fn entra_id_with_its_flag_and_okta() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann@acme.test").await;
    let path = path(&ann);
    let operations = json!([{ "op": "replace", "value": {
        "id": "x", "displayName": "Ann Brook", "name.givenName": "Ann",
        format!("{ENTERPRISE}:employeeNumber"): "E-1", "password": "Secret-1" } }]);
    let (status, shown) = patch(&bridge, &path, operations).await;
    assert_eq!(
        (
            status,
            text(&shown, "/displayName"),
            text(&shown, "/name/givenName")
        ),
        (200, "Ann Brook", "Ann")
    );
    assert_eq!(shown[ENTERPRISE]["employeeNumber"], json!("E-1"));
    assert_eq!(shown["id"], ann["id"]);
    let stored = bridge.count(
        "SELECT count(*) FROM resource r, change c WHERE r.body::text || c.delta::text LIKE '%Secret-1%'",
    );
    assert_eq!(stored.await, 0, "a password is never kept");

    let deactivate = json!([{ "op": "replace", "value": { "active": false } }]);
    assert_eq!(patch(&bridge, &path, deactivate).await.1["active"], json!(false));

    let (bob, eve) = (
        user(&bridge, "bob@acme.test").await,
        user(&bridge, "eve@acme.test").await,
    );
    let ops = group(&bridge, "Ops", &[text(&ann, "/id"), text(&bob, "/id")]).await;
    let at = self::path(&ops);
    let operations = json!([
        { "op": "replace", "value": { "id": ops["id"], "displayName": "Ops EU" } },
        { "op": "remove", "path": format!("members[value eq \"{}\"]", text(&ann, "/id")) },
        { "op": "add", "path": "members", "value": [{ "value": eve["id"], "display": "eve" }] },
    ]);
    assert_eq!(patch(&bridge, &at, operations).await.0, 204);
    let now = bridge.get(&at).await;
    let members: Vec<&str> = now["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/value"))
        .collect();
    assert_eq!(
        (text(&now, "/displayName"), members),
        ("Ops EU", vec![text(&bob, "/id"), text(&eve, "/id")])
    );
    let keep = json!([{ "op": "remove", "path": "members[type eq \"User\" and not (value eq \"x\")]" }]);
    assert_eq!(patch(&bridge, &at, keep).await.0, 204);
    assert_eq!(bridge.get(&at).await.get("members"), None);
    let full = json!([{ "op": "replace", "path": "members", "value": [{ "value": ann["id"] }] }]);
    assert_eq!(
        patch(&bridge, &format!("{at}?attributes=members"), full).await.1["members"][0]["value"],
        ann["id"]
    );
}

#[tokio::test]
async fn c41_c42_members_added_at_once_are_all_there() {
    let bridge = Bridge::spawn().await;
    let ops = group(&bridge, "Ops", &[]).await;
    let at = path(&ops);
    let mut users = Vec::new();
    for number in 0..12 {
        users.push(user(&bridge, &format!("u{number}@acme.test")).await);
    }
    let adds = users.iter().map(|one| {
        patch(
            &bridge,
            &at,
            json!([{ "op": "add", "path": "members", "value": [{ "value": one["id"] }] }]),
        )
    });
    for (status, _) in futures_util::future::join_all(adds).await {
        assert_eq!(status, 204);
    }
    let now = bridge.get(&at).await;
    assert_eq!(now["members"].as_array().unwrap().len(), 12);
    assert_eq!(
        text(&now, "/meta/version"),
        "W/\"13\"",
        "one version for each change"
    );
    bridge.drain().await;
    let lines = bridge
        .count(
            "SELECT count(*) FROM change WHERE action = 'members' AND id IN (SELECT id FROM numbered_change)",
        )
        .await;
    assert_eq!(lines, 12, "and one line in the log");
    // Who is deleted is in no group.
    answer(bridge.request(Method::DELETE, &path(&users[0]))).await;
    assert_eq!(bridge.get(&at).await["members"].as_array().unwrap().len(), 11);
}

/// One of some operations on a user, and whether a client may do it alone.
fn operations() -> impl Strategy<Value = Vec<Value>> {
    let urn = |name: &str| format!("{ENTERPRISE}:{name}");
    let word = || select(vec![json!("a"), json!("A"), json!(""), Value::Null, json!(7)]);
    let op = || select(vec!["add", "replace", "remove"]);
    let paths = [
        "title".to_owned(),
        "name.givenName".to_owned(),
        "emails[type eq \"work\"].value".to_owned(),
        "emails[type eq \"own\"].display".to_owned(),
        "externalId".to_owned(),
        "userName".to_owned(),
        "id".to_owned(),
        urn("department"),
        urn("manager.displayName"),
    ];
    let single = (op(), select(paths.to_vec()), word()).prop_map(|(op, path, value)| match op {
        "remove" => json!({ "op": op, "path": path }),
        _ => json!({ "op": op, "path": path, "value": value }),
    });
    let email = (select(vec!["work", "home"]), word(), any::<bool>())
        .prop_map(|(kind, value, primary)| json!({ "type": kind, "value": value, "primary": primary }));
    let list = (op(), vec(email, 0..3))
        .prop_map(|(op, value)| json!({ "op": op, "path": "emails", "value": value }));
    let whole = (word(), word()).prop_map(|(title, department)| {
        json!({ "op": "replace", "value": { "title": title, "id": "x", ENTERPRISE: { "department": department } } })
    });
    let active =
        any::<bool>().prop_map(|active| json!({ "op": "replace", "path": "active", "value": active }));
    let extension = op().prop_map(|op| match op {
        "remove" => json!({ "op": op, "path": ENTERPRISE }),
        _ => json!({ "op": op, "path": ENTERPRISE, "value": { "costCenter": "7" } }),
    });
    vec(
        prop_oneof![6 => single, 2 => list, 1 => whole, 1 => active, 1 => extension],
        1..4,
    )
}

/// What is said of a user and its version go together: a refusal leaves both, a change moves the version by one, and
/// what changes nothing moves nothing.
///
/// Covers: rfc 5.2, 5.23, 5.32, 5.33, 9.1; item 4
#[tokio::test]
async fn a_version_moves_when_something_changes_and_only_then() {
    let bridge = Bridge::spawn().await;
    let path = path(&user(&bridge, "ann@acme.test").await);
    let mut runner = TestRunner::deterministic();
    let strategy = operations();
    let without_meta = |user: &Value| {
        let mut user = user.clone();
        user.as_object_mut().unwrap().remove("meta");
        user
    };
    let version = |user: &Value| -> u64 {
        let tag = text(user, "/meta/version")
            .trim_start_matches("W/")
            .trim_matches('"');
        tag.parse().unwrap()
    };
    let (mut changed, mut idle, mut refused) = (0, 0, 0);
    let mut before = bridge.get(&path).await;
    for _ in 0..400 {
        let operations = Value::Array(strategy.new_tree(&mut runner).unwrap().current());
        bridge.clock.advance(chrono::TimeDelta::seconds(1));
        let (status, answered) = patch(&bridge, &path, operations.clone()).await;
        let after = bridge.get(&path).await;
        match status {
            200 if without_meta(&after) == without_meta(&before) => {
                assert_eq!(after, before, "{operations}");
                idle += 1;
            }
            200 => {
                assert_eq!(version(&after), version(&before) + 1, "{operations}");
                assert_ne!(after["meta"]["lastModified"], before["meta"]["lastModified"]);
                changed += 1;
            }
            _ => {
                assert_eq!((status, &after), (400, &before), "{operations}");
                refused += 1;
            }
        }
        if status == 200 {
            assert_eq!(answered, after, "{operations}");
        }
        before = after;
    }
    let changes = bridge.count("SELECT count(*) FROM change").await;
    assert_eq!(changes, 1 + changed, "one change for each");
    assert!(
        changed > 60 && idle > 40 && refused > 60,
        "{changed} {idle} {refused}"
    );
}
