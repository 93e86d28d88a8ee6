//! Clients that write into a connection: what they write are employees like any other.

use chrono::Duration;
use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, good, with_json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

struct Hr {
    bridge: Bridge,
    token: String,
}

impl Hr {
    /// A bridge with a published connection `push`, and a client that writes into it.
    async fn spawn() -> Self {
        let bridge = Bridge::spawn().await;
        bridge.clock.set("2026-11-20T12:00:00Z");
        let file = json!({
            "name": "push", "connector": "scim",
            "group": [{ "key": "employee.department.name", "name": "employee.department.name" }],
        });
        good(with_json(
            bridge.request(Method::PUT, "/api/v1/connections/push"),
            &file,
        ))
        .await;
        bridge.post("/api/v1/connections/push/publish", &json!({})).await;
        let order = json!({ "name": "workday", "scopes": ["scim:read", "scim:write"], "connection": "push" });
        let token = bridge.post("/api/v1/tokens", &order).await["token"]
            .as_str()
            .unwrap()
            .to_owned();
        Self { bridge, token }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.bridge.scim_as(&self.token, method, path, body).await
    }

    async fn hire(&self, n: usize, manager: Option<&Value>) -> Value {
        let mut user = json!({
            "schemas": [USER, ENTERPRISE], "userName": format!("hr{n}"), "externalId": format!("W{n}"),
            "name": { "givenName": format!("Given{n}"), "familyName": format!("Family{n}") },
            "emails": [{ "value": format!("person{n}@acme.example"), "type": "work" }],
            "title": "Engineer", ENTERPRISE: { "employeeNumber": format!("E{n}"), "department": "Dev" },
        });
        if let Some(manager) = manager {
            user[ENTERPRISE]["manager"] = json!({ "value": manager["id"] });
        }
        let (status, made) = self.ask(Method::POST, "/Users", Some(&user)).await;
        assert_eq!(status, 201, "{made}");
        made
    }

    async fn patch(&self, user: &Value, path: &str, value: &Value) -> (u16, Value) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": path, "value": value }],
        });
        let path = format!("/Users/{}", user["id"].as_str().unwrap());
        self.ask(Method::PATCH, &path, Some(&body)).await
    }

    /// Lets the client be silent for long enough, and the bridge do what is due.
    async fn rest(&self) {
        self.bridge.drain().await;
        self.bridge.clock.advance(Duration::seconds(6));
        self.bridge.drain().await;
    }

    /// The tenant's user of that address, as its other clients see it.
    async fn person(&self, n: usize) -> Value {
        crate::sync_kit::person(&self.bridge, n).await
    }

    async fn last_run(&self) -> Value {
        let runs = self.bridge.get("/api/v1/runs?limit=1").await;
        runs["items"][0].clone()
    }
}

/// Covers: item 9
#[tokio::test]
async fn what_a_client_writes_into_a_connection_becomes_employees_and_then_users() {
    let hr = Hr::spawn().await;
    let boss = hr.hire(1, None).await;
    let report = hr.hire(2, Some(&boss)).await;
    hr.bridge.drain().await;
    assert_eq!(hr.person(1).await, Value::Null, "the client is not silent yet");
    hr.rest().await;
    let run = hr.last_run().await;
    assert_eq!(
        (&run["cause"], &run["state"], &run["counts"]["create"]),
        (&json!("written"), &json!("done"), &json!(2)),
        "{run}"
    );
    let user = hr.person(2).await;
    assert_ne!(user["id"], report["id"], "the record and the user are two things");
    assert_eq!(
        (&user["userName"], &user["title"]),
        (&json!("person2@acme.example"), &json!("Engineer"))
    );
    assert_eq!(user[ENTERPRISE]["manager"]["value"], hr.person(1).await["id"]);
    assert_eq!(user["groups"][0]["display"], "Dev");
    let found = hr.bridge.get("/api/v1/users?employee_number=E2").await;
    assert_eq!(found["items"][0]["id"], user["id"]);

    // A change, and nothing after that: one run each.
    assert_eq!(hr.patch(&report, "title", &json!("Director")).await.0, 200);
    hr.rest().await;
    assert_eq!(hr.person(2).await["title"], "Director");
    let runs = hr.bridge.count("SELECT count(*) FROM run").await;
    hr.rest().await;
    assert_eq!(hr.bridge.count("SELECT count(*) FROM run").await, runs);
    assert_eq!(runs, 2);
}

/// Covers: item 9; rfc 4.10, 4.12
#[tokio::test]
async fn who_is_set_inactive_or_deleted_has_left_and_may_come_back() {
    let hr = Hr::spawn().await;
    let mut users = Vec::new();
    for n in 1..=12 {
        users.push(hr.hire(n, None).await);
    }
    hr.rest().await;
    assert_eq!(
        hr.patch(&users[0], "active", &json!(false)).await.1["active"],
        false
    );
    let at = format!("/Users/{}", users[1]["id"].as_str().unwrap());
    assert_eq!(hr.ask(Method::DELETE, &at, None).await.0, 204);
    assert_eq!(hr.ask(Method::DELETE, &at, None).await.0, 404);
    hr.rest().await;
    for n in [1, 2] {
        assert_eq!(hr.person(n).await["active"], false, "{n}");
    }
    assert_eq!(hr.person(3).await["active"], true);
    let run = hr.last_run().await;
    assert_eq!(run["counts"]["disable"], 2, "{run}");

    // Both come back: the one by its record, the other by a new record with the same number.
    let before = hr.person(2).await;
    hr.patch(&users[0], "active", &json!(true)).await;
    hr.hire(2, None).await;
    hr.rest().await;
    assert_eq!(hr.person(1).await["active"], true);
    let after = hr.person(2).await;
    assert_eq!((&after["id"], &after["active"]), (&before["id"], &json!(true)));
    assert_eq!(
        hr.bridge.count("SELECT count(*) FROM person").await,
        12,
        "nobody is doubled"
    );

    // Too many at once wait for a human, like with any other HR system.
    for user in &users[4..] {
        hr.patch(user, "active", &json!(false)).await;
    }
    hr.rest().await;
    assert_eq!(hr.last_run().await["state"], "awaiting_approval");
    assert_eq!(hr.person(6).await["active"], true);
}

/// Covers: item 9; rfc 2.2
#[tokio::test]
async fn the_client_sees_what_it_wrote_as_it_wrote_it_and_nothing_else() {
    let hr = Hr::spawn().await;
    let own = json!({ "schemas": [USER], "userName": "local" });
    let local = hr.bridge.post("/scim/v2/Users", &own).await;
    let user = hr.hire(1, None).await;
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Staff",
        "members": [{ "value": user["id"] }],
    });
    let (status, group) = hr.ask(Method::POST, "/Groups", Some(&group)).await;
    assert_eq!(status, 201, "{group}");
    hr.rest().await;

    let id = user["id"].as_str().unwrap();
    let (_, mut again) = hr.ask(Method::GET, &format!("/Users/{id}"), None).await;
    assert_eq!(again["groups"][0]["display"], "Staff");
    again.as_object_mut().unwrap().remove("groups");
    assert_eq!(again, user, "the run has not touched it");
    for filter in [
        "userName eq \"HR1\"",
        "externalId eq \"W1\"",
        "emails.value eq \"person1@acme.example\"",
    ] {
        let query = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect::<String>();
        let (_, list) = hr.ask(Method::GET, &format!("/Users?filter={query}"), None).await;
        assert_eq!(
            (&list["totalResults"], &list["Resources"][0]["id"]),
            (&json!(1), &user["id"]),
            "{filter}"
        );
    }
    let (_, list) = hr.ask(Method::GET, "/Users", None).await;
    assert_eq!(list["totalResults"], 1);
    // Neither the tenant's users nor the user made of its own record are there for it, by any way.
    for other in [&local, &hr.person(1).await] {
        let path = format!("/Users/{}", other["id"].as_str().unwrap());
        assert_eq!(hr.ask(Method::GET, &path, None).await.0, 404);
        assert_eq!(hr.ask(Method::DELETE, &path, None).await.0, 404);
        assert_eq!(hr.patch(other, "title", &json!("x")).await.0, 404);
        let (status, _) = hr
            .patch(&user, &format!("{ENTERPRISE}:manager.value"), &other["id"])
            .await;
        assert_eq!(status, 400, "nor as a manager");
    }
    // Nor is its record there for the others.
    let (status, _) = answer(hr.bridge.request(Method::GET, &format!("/scim/v2/Users/{id}"))).await;
    assert_eq!(status, 404);
    let all = hr.bridge.get("/scim/v2/Users").await;
    assert_eq!(all["totalResults"], 2);
    assert_eq!(
        hr.bridge.get("/scim/v2/Groups").await["Resources"][0]["displayName"],
        "Dev"
    );

    // A conflict is answered, and the ETag counts.
    let twice = json!({ "schemas": [USER], "userName": "hr1" });
    assert_eq!(hr.ask(Method::POST, "/Users", Some(&twice)).await.0, 409);
    let request = hr
        .bridge
        .request_as(&hr.token, Method::DELETE, &format!("/scim/v2/Users/{id}"))
        .header("if-match", "W/\"99\"");
    assert_eq!(answer(request).await.0, 412);
}

/// Covers: item 9
#[tokio::test]
async fn the_names_of_groups_are_facts_of_an_employee() {
    let hr = Hr::spawn().await;
    let mut file = hr.bridge.get("/api/v1/connections/push").await["settings"].clone();
    if file.is_null() {
        file = json!({ "name": "push", "connector": "scim" });
    }
    file["filter"] = json!({ "include": "'Staff' in (employee.custom.groups or [])" });
    good(with_json(
        hr.bridge.request(Method::PUT, "/api/v1/connections/push"),
        &file,
    ))
    .await;
    hr.bridge
        .post("/api/v1/connections/push/publish", &json!({}))
        .await;
    let (one, _two) = (hr.hire(1, None).await, hr.hire(2, None).await);
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Staff",
        "members": [{ "value": one["id"] }],
    });
    hr.ask(Method::POST, "/Groups", Some(&group)).await;
    hr.rest().await;
    assert_eq!(hr.person(1).await["active"], true);
    assert_eq!(hr.person(2).await, Value::Null);
}

/// Covers: item 9
#[tokio::test]
async fn a_road_is_chosen_once_and_only_into_connections_that_clients_write() {
    let hr = Hr::spawn().await;
    let order = |name: &str, connection: Value| json!({ "name": name, "scopes": ["scim:write"], "connection": connection });
    let make = async |order: Value| {
        answer(with_json(
            hr.bridge.request(Method::POST, "/api/v1/tokens"),
            &order,
        ))
        .await
    };
    assert_eq!(make(order("other", json!("nowhere"))).await.0, 404);
    let file = crate::sync_kit::connection_file();
    crate::sync_kit::apply(&hr.bridge, &file).await;
    let (status, body) = make(order("other", json!("people"))).await;
    assert!(
        status == 422 && body["detail"].as_str().unwrap().contains("people"),
        "{body}"
    );
    assert_eq!(
        make(order("tests", json!("push"))).await.0,
        409,
        "that one writes into the directory"
    );
    // A new token of the same client goes the same road.
    let (status, rotated) = make(order("workday", Value::Null)).await;
    assert_eq!(status, 201, "{rotated}");
    let user = hr.hire(1, None).await;
    let path = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    let full = hr
        .bridge
        .make_token(hr.bridge.tenant, "workday", &Scope::ALL)
        .await;
    assert_eq!(
        answer(hr.bridge.request_as(&full, Method::GET, &path)).await.0,
        200
    );

    // A draft or paused connection takes what is written, and acts on it when it is published.
    hr.bridge.post("/api/v1/connections/push/pause", &json!({})).await;
    hr.hire(2, None).await;
    hr.rest().await;
    assert_eq!(hr.person(2).await, Value::Null);
    hr.bridge
        .post("/api/v1/connections/push/publish", &json!({}))
        .await;
    hr.rest().await;
    assert_eq!(hr.person(2).await["active"], true);
}
