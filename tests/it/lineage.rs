//! Where each value comes from, and what each app holds of it and why.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Settings, StatementCounter, TestDatabase};
use crate::push::{StubApp, command_line, file, patch, publish};
use crate::sync_kit::{Company, apply, connection_file, done, person};

fn at<'v>(body: &'v Value, path: &str) -> &'v Value {
    let found = body["attributes"].as_array().unwrap().iter();
    found
        .clone()
        .find(|one| one["path"] == path)
        .unwrap_or_else(|| panic!("no {path} in {body}"))
}

async fn connected(bridge: &Bridge, file: &Value) {
    apply(bridge, file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

/// Covers: item 12
#[tokio::test(flavor = "multi_thread")]
async fn each_value_tells_its_record_field_mapping_line_policy_run_and_time_and_each_app_its_answer() {
    let database = TestDatabase::create().await;
    let counter = StatementCounter::before(&database.url).await;
    let settings = Settings {
        environment: vec![("DATABASE_URL", counter.url.clone())],
        ..Settings::default()
    };
    let bridge = Bridge::spawn_on(database, settings).await;
    let app = StubApp::start().await;
    let mut own = connection_file();
    own["mapping"] = json!({ "nickName": { "from": "employee.given_name | upper", "policy": "fill" } });
    connected(&bridge, &own).await;
    let company = Company::of(3);
    let run = done(&bridge, &company).await;
    let mapped = json!({ "mapping": { "title": { "from": "user.title | upper", "policy": "hold" } } });
    publish(&bridge, &file("expenses", &app.stub.base_url, &mapped)).await;
    bridge.drain().await;
    let user = person(&bridge, 2).await;
    let id = user["id"].as_str().unwrap();

    let body = bridge.get(&format!("/api/v1/users/{id}/explain")).await;
    assert_eq!(body["records"][0]["source_id"], "2");
    assert_eq!(body["records"][0]["connector"], "csv");
    let title = at(&body, "title");
    assert_eq!(title["value"], "Engineer");
    assert_eq!(
        (&title["connection"], &title["revision"]),
        (&json!("people"), &json!(1))
    );
    assert_eq!(title["source_ids"], json!(["2"]));
    assert_eq!(title["writer"]["run"], run["id"]);
    assert_eq!(
        title["written_at"],
        bridge
            .clock
            .now()
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    );
    assert_eq!(
        title["mapping"],
        json!([{ "name": "title", "from": "employee.title", "set_in": "default", "policy": "overwrite",
                 "clear_when_empty": false, "fields": [{ "field": "title", "at": ["Title"] }] }])
    );
    let nick = &at(&body, "nickName")["mapping"][0];
    assert_eq!(
        (&nick["set_in"], &nick["policy"]),
        (&json!("connection"), &json!("fill"))
    );
    assert_eq!(nick["fields"][0]["at"], json!(["Given"]));
    let manager = at(
        &body,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    );
    assert_eq!(
        manager["mapping"][0]["fields"],
        json!([{ "field": "manager", "at": ["Manager"] }])
    );
    assert_eq!(
        at(&body, "active")["mapping"][0]["fields"][0]["at"],
        json!(["Status"])
    );
    assert!(!body["lifecycle"]["rule"].as_str().unwrap().is_empty());

    // The app has it, and says what it should have; then it holds a value for a decision, and refuses another.
    let expenses = &body["apps"][0];
    assert_eq!(
        (&expenses["app"], &expenses["state"]),
        (&json!("expenses"), &json!("in_sync"))
    );
    assert_eq!(expenses["last"]["action"], "create");
    assert_eq!(expenses["last"]["status"], 201);
    let value = |body: &Value, path: &str| -> Value {
        let values = body["apps"][0]["values"].as_array().unwrap().clone();
        values.into_iter().find(|value| value["path"] == path).unwrap()
    };
    assert_eq!(
        value(&body, "title"),
        json!({ "path": "title", "known": "ENGINEER", "wanted": "ENGINEER", "from": "user.title | upper", "policy": "hold" })
    );
    let path = format!("/scim/v2/Users/{id}");
    app.stub.rule(|request| {
        (request.method == "PATCH").then(|| Answer::json(400, &json!({ "detail": "no such nickname" })))
    });
    let lines = json!([{ "op": "replace", "path": "title", "value": "Poet" },
                       { "op": "replace", "path": "nickName", "value": "Bee" }]);
    patch(&bridge, &path, &lines).await;
    bridge.drain().await;
    let body = bridge.get(&format!("/api/v1/users/{id}/explain")).await;
    let expenses = &body["apps"][0];
    assert_eq!(expenses["state"], "parked", "{expenses}");
    assert_eq!(expenses["last"]["status"], 400);
    assert!(
        expenses["last"]["answer"]
            .as_str()
            .unwrap()
            .contains("no such nickname")
    );
    assert_eq!(expenses["holds"][0]["field"], "title");
    assert_eq!(expenses["holds"][0]["new"], "POET");
    assert_eq!(value(&body, "title")["known"], "ENGINEER");
    assert_eq!(value(&body, "nickName")["wanted"], "Bee");
    let nick = at(&body, "nickName");
    assert_eq!(
        (&nick["writer"]["by"], &nick["mapping"]),
        (&json!("client"), &json!([]))
    );

    // By whatever the asker holds.
    for key in ["person2@acme.example", "E0002"] {
        let shown = command_line::json_of(&bridge, &["user", "explain", key, "--json"]).await;
        assert_eq!(shown["id"], *id, "{key}");
    }
    let text = command_line::run(&bridge, &["user", "explain", "E0002"]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("given_name at Given") && text.contains("no such nickname"),
        "{text}"
    );

    // A second app and more changes cost no more statements.
    let count = async || {
        bridge.request(Method::GET, &path).send().await.unwrap();
        let before = counter.executed();
        bridge.get(&format!("/api/v1/users/{id}/explain")).await;
        counter.executed() - before
    };
    let first = count().await;
    let second = StubApp::start().await;
    publish(&bridge, &file("second", &second.stub.base_url, &json!({}))).await;
    for title in ["a", "b", "c"] {
        patch(
            &bridge,
            &path,
            &json!([{ "op": "replace", "path": "title", "value": title }]),
        )
        .await;
    }
    bridge.drain().await;
    assert_eq!(count().await, first);
}
