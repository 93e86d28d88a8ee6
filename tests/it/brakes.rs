//! Caps, freezing, and what admins see of users and do to them.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, good, with_json};
use crate::push::command_line;
use crate::sync_kit::{Company, connected, connection_file, done, person};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

struct Client<'b> {
    bridge: &'b Bridge,
    token: String,
}

impl<'b> Client<'b> {
    async fn new(bridge: &'b Bridge, name: &str) -> Self {
        let scopes = [Scope::ScimRead, Scope::ScimWrite];
        let token = bridge.make_token(bridge.tenant, name, &scopes).await;
        Self { bridge, token }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.bridge.scim_as(&self.token, method, path, body).await
    }

    async fn make(&self, name: &str) -> (u16, Value) {
        let user = json!({ "schemas": [USER], "userName": name, "title": "Engineer" });
        self.ask(Method::POST, "/Users", Some(&user)).await
    }

    async fn set(&self, user: &Value, path: &str, value: Value) -> (u16, Value) {
        let op = if value.is_null() {
            json!({ "op": "remove", "path": path })
        } else {
            json!({ "op": "replace", "path": path, "value": value })
        };
        let body =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [op] });
        let path = format!("/Users/{}", user["id"].as_str().unwrap());
        self.ask(Method::PATCH, &path, Some(&body)).await
    }
}

async fn caps(bridge: &Bridge, client: &str, caps: &Value) {
    let request = bridge.request(Method::PATCH, &format!("/api/v1/clients/{client}"));
    good(with_json(request, &json!({ "profile": { "caps": caps } }))).await;
}

async fn frozen(bridge: &Bridge) -> Vec<Value> {
    let list = bridge.get("/api/v1/freezes").await;
    list["items"].as_array().unwrap().clone()
}

/// Covers: item 9, item 10; C58
#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_its_cap_is_frozen_reads_on_and_is_told_what_to_do() {
    let bridge = Bridge::spawn().await;
    let client = Client::new(&bridge, "okta").await;
    let other = Client::new(&bridge, "other").await;
    caps(
        &bridge,
        "okta",
        &json!({ "disable": { "count": 3 }, "delete": { "count": 1 } }),
    )
    .await;
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(client.make(&format!("u{n}")).await.1);
    }
    for user in &users[..3] {
        assert_eq!(client.set(user, "active", json!(false)).await.0, 200);
    }
    bridge.drain().await;
    assert!(frozen(&bridge).await.is_empty(), "at the cap is not over it");
    assert_eq!(client.set(&users[3], "active", json!(false)).await.0, 200);
    bridge.drain().await;

    let list = frozen(&bridge).await;
    assert_eq!(
        (&list[0]["what"], &list[0]["name"], &list[0]["by"]),
        (&json!("client"), &json!("okta"), &json!("cap"))
    );
    let (status, body) = client.set(&users[4], "active", json!(false)).await;
    let detail = body["detail"].as_str().unwrap();
    assert!(
        status == 403 && detail.contains("disabled 4 of 12") && detail.contains("scim-bridge thaw --client"),
        "{status} {body}"
    );
    assert_eq!(client.make("new").await.0, 403);
    let (status, read) = client
        .ask(
            Method::GET,
            &format!("/Users/{}", users[4]["id"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(
        (status, &read["active"]),
        (200, &json!(true)),
        "it may read, and nothing was changed"
    );
    assert_eq!(other.make("theirs").await.0, 201, "others go on");
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(status["frozen"][0]["name"], "okta");

    // Thawed by the command line; the 24 hours begin anew.
    let said = command_line::json_of(&bridge, &["thaw", "--client", "okta", "--json"]).await;
    assert_eq!(said["items"], json!([]));
    assert_eq!(client.set(&users[4], "active", json!(false)).await.0, 200);
    bridge.drain().await;
    assert!(frozen(&bridge).await.is_empty());

    // Other deeds count by themselves, and a day later they are forgotten.
    client
        .ask(
            Method::DELETE,
            &format!("/Users/{}", users[0]["id"].as_str().unwrap()),
            None,
        )
        .await;
    bridge.drain().await;
    bridge.clock.advance(chrono::Duration::hours(25));
    client
        .ask(
            Method::DELETE,
            &format!("/Users/{}", users[1]["id"].as_str().unwrap()),
            None,
        )
        .await;
    bridge.drain().await;
    assert!(frozen(&bridge).await.is_empty());
    client
        .ask(
            Method::DELETE,
            &format!("/Users/{}", users[2]["id"].as_str().unwrap()),
            None,
        )
        .await;
    bridge.drain().await;
    assert_eq!(frozen(&bridge).await.len(), 1);
}

/// Covers: item 9
#[tokio::test]
async fn by_default_a_first_cycle_passes_and_mass_deletes_do_not() {
    let bridge = Bridge::spawn().await;
    let client = Client::new(&bridge, "entra").await;
    let mut users = Vec::new();
    for n in 0..150 {
        let (status, user) = client.make(&format!("u{n}")).await;
        assert_eq!(status, 201);
        users.push(user);
    }
    bridge.drain().await;
    assert!(frozen(&bridge).await.is_empty());
    let mut deleted = 0;
    for user in &users {
        let path = format!("/Users/{}", user["id"].as_str().unwrap());
        if client.ask(Method::DELETE, &path, None).await.0 == 403 {
            break;
        }
        deleted += 1;
        bridge.drain().await;
    }
    assert_eq!(deleted, 50, "a fifth, but never less than 50");
}

/// Covers: item 9
#[tokio::test]
async fn cleared_values_count_and_the_whole_tenant_can_be_frozen_by_hand() {
    let bridge = Bridge::spawn().await;
    let client = Client::new(&bridge, "okta").await;
    caps(&bridge, "okta", &json!({ "clear": { "count": 1 } })).await;
    let (one, two) = (client.make("one").await.1, client.make("two").await.1);
    client.set(&one, "title", Value::Null).await;
    bridge.drain().await;
    assert!(frozen(&bridge).await.is_empty());
    client.set(&two, "title", Value::Null).await;
    bridge.drain().await;
    assert_eq!(client.make("three").await.0, 403);
    bridge.post("/api/v1/thaw", &json!({ "client": "okta" })).await;
    assert_eq!(client.make("three").await.0, 201);

    bridge
        .post("/api/v1/freeze", &json!({ "reason": "we are migrating" }))
        .await;
    let (status, body) = client.make("four").await;
    assert!(
        status == 403 && body["detail"].as_str().unwrap().contains("we are migrating"),
        "{body}"
    );
    assert_eq!(frozen(&bridge).await[0]["what"], "tenant");
    bridge.post("/api/v1/thaw", &json!({})).await;
    assert_eq!(client.make("four").await.0, 201);

    for (order, status) in [
        (json!({ "client": "nobody" }), 404),
        (json!({ "app": "nothing" }), 404),
        (json!({ "connection": "nothing" }), 404),
        (json!({ "app": "a", "client": "b" }), 422),
        (json!({ "planet": "x" }), 400),
    ] {
        let (got, body) = answer(with_json(bridge.request(Method::POST, "/api/v1/freeze"), &order)).await;
        assert_eq!(got, status, "{order} {body}");
    }
    // One tenant's freeze is not another's.
    let there = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(there, "x", &Scope::ALL).await;
    let request = bridge.request_as(&stranger, Method::POST, "/api/v1/freeze");
    assert_eq!(
        answer(with_json(request, &json!({ "client": "okta" }))).await.0,
        404
    );
}

/// Covers: item 9
#[tokio::test(flavor = "multi_thread")]
async fn an_admin_suspends_and_releases_and_nobody_else_lifts_that() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let client = Client::new(&bridge, "okta").await;
    let user = person(&bridge, 2).await;
    let id = user["id"].as_str().unwrap();

    let said = command_line::run(&bridge, &["user", "suspend", id, "--reason", "lost laptop"]).await;
    assert!(said.status.success());
    assert_eq!(person(&bridge, 2).await["active"], false);
    assert_eq!(client.set(&user, "active", json!(true)).await.1["active"], false);
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 2).await["active"], false);
    let story = bridge.get(&format!("/api/v1/users/{id}")).await;
    assert_eq!(story["held_by"], json!([{ "party": "admin", "name": null }]));

    // HR and the client hold it too; a release names a party, or lifts all.
    client.set(&user, "active", json!(false)).await;
    company.row("2").status = String::new();
    done(&bridge, &company).await;
    let story = bridge.get(&format!("/api/v1/users/{id}")).await;
    assert_eq!(story["held_by"].as_array().unwrap().len(), 3, "{story}");
    assert_eq!(story["held_by"][1]["name"], "okta");
    let release = format!("/api/v1/users/{id}/release");
    let done_so = bridge.post(&release, &json!({ "party": "client:okta" })).await;
    assert_eq!(
        (&done_so["released"], &done_so["user"]["active"]),
        (&json!("holds"), &json!(false))
    );
    company.row("2").status = "Current".to_owned();
    done(&bridge, &company).await;
    assert_eq!(
        person(&bridge, 2).await["active"],
        false,
        "the admin's hold is left"
    );
    let done_so = bridge.post(&release, &json!({})).await;
    assert_eq!(
        (&done_so["released"], &done_so["user"]["active"]),
        (&json!("holds"), &json!(true))
    );
    assert_eq!(bridge.post(&release, &json!({})).await["released"], "nothing");
    let audited = "SELECT count(*) FROM audit_entry WHERE action IN ('user.suspend', 'user.release')";
    assert_eq!(bridge.count(audited).await, 3);
    let (status, _) = answer(with_json(
        bridge.request(Method::POST, &release),
        &json!({ "party": "somebody" }),
    ))
    .await;
    assert_eq!(status, 422);
}

/// Covers: item 9; C91
#[tokio::test(flavor = "multi_thread")]
async fn a_released_deletion_lets_the_next_run_make_the_user_again() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(3);
    done(&bridge, &company).await;
    let client = Client::new(&bridge, "okta").await;
    let user = person(&bridge, 2).await;
    let id = user["id"].as_str().unwrap();
    client.ask(Method::DELETE, &format!("/Users/{id}"), None).await;
    done(&bridge, &company).await;
    let story = bridge.get(&format!("/api/v1/users/{id}")).await;
    assert_eq!(
        (&story["id"], &story["deleted"]["by"]["name"]),
        (&Value::Null, &json!("okta"))
    );
    let person_id = story["person"].as_str().unwrap().to_owned();
    assert_eq!(
        bridge.get(&format!("/api/v1/users/{person_id}")).await["deleted"]["by"]["name"],
        "okta"
    );

    let said = command_line::json_of(&bridge, &["user", "release", &person_id, "--json"]).await;
    assert_eq!(said["released"], "deletion");
    bridge.drain().await;
    let again = person(&bridge, 2).await;
    assert_eq!(again["title"], "Engineer", "a run for it starts by itself");
    assert_ne!(again["id"], user["id"]);
    let story = bridge.get(&format!("/api/v1/users/{person_id}")).await;
    assert_eq!((&story["id"], &story["deleted"]), (&again["id"], &Value::Null));
}

/// Covers: item 9
#[tokio::test(flavor = "multi_thread")]
async fn it_is_visible_who_wrote_what_and_whose_word_counts() {
    let mut file = connection_file();
    file["authority"] = json!({ "title": "client" });
    let bridge = connected(&file).await;
    let mut company = Company::of(3);
    done(&bridge, &company).await;
    let client = Client::new(&bridge, "okta").await;
    let user = person(&bridge, 2).await;
    client.set(&user, "title", json!("Poet")).await;
    client.set(&user, "nickName", json!("Two")).await;
    company.row("2").family = "Changed".to_owned();
    done(&bridge, &company).await;
    let id = user["id"].as_str().unwrap();

    let story = bridge.get(&format!("/api/v1/users/{id}")).await;
    let of = |path: &str| {
        let all = story["attributes"].as_array().unwrap();
        all.iter().find(|one| one["path"] == path).unwrap().clone()
    };
    let (title, family, nick) = (of("title"), of("name.familyName"), of("nickName"));
    assert_eq!(
        (&title["authority"], &title["writer"]["name"]),
        (&json!("client"), &json!("okta"))
    );
    assert_eq!(
        (
            &family["authority"],
            &family["connection"],
            &family["writer"]["by"],
            &family["writer"]["name"]
        ),
        (&json!("hr"), &json!("people"), &json!("run"), &json!("people"))
    );
    assert_eq!(
        (&nick["authority"], &nick["writer"]["by"]),
        (&Value::Null, &json!("client"))
    );
    assert_eq!(story["sources"][0]["source_id"], "2");

    let first = bridge.get(&format!("/api/v1/users/{id}/history?limit=2")).await;
    let next = first["next"].as_str().unwrap();
    let second = bridge
        .get(&format!("/api/v1/users/{id}/history?limit=2&after={next}"))
        .await;
    let all: Vec<Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap().clone())
        .collect();
    let by: Vec<&Value> = all.iter().map(|change| &change["by"]["by"]).collect();
    assert_eq!(
        by,
        [&json!("run"), &json!("client"), &json!("client"), &json!("run")]
    );
    assert_eq!(
        all[2]["changes"],
        json!([{ "path": "title", "before": "Engineer", "after": "Poet" }])
    );
    let last = second["next"].as_str().unwrap();
    let third = bridge
        .get(&format!("/api/v1/users/{id}/history?after={last}"))
        .await;
    assert_eq!(
        third["items"].as_array().unwrap().last().unwrap()["action"],
        "create"
    );
    assert_eq!(third["next"], Value::Null);
    let explained = command_line::run(&bridge, &["user", "explain", id]).await;
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(
        text.contains("from connection people (csv), record 2") && text.contains("client okta"),
        "{text}"
    );

    // Another tenant sees nothing of it.
    let there = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(there, "x", &Scope::ALL).await;
    let path = format!("/api/v1/users/{id}");
    assert_eq!(
        answer(bridge.request_as(&stranger, Method::GET, &path)).await.0,
        404
    );
    let history = good(bridge.request_as(&stranger, Method::GET, &format!("{path}/history"))).await;
    assert_eq!(history["items"], json!([]));
    for what in ["suspend", "release"] {
        let request = bridge.request_as(&stranger, Method::POST, &format!("{path}/{what}"));
        assert_eq!(answer(with_json(request, &json!({}))).await.0, 404);
    }
}

/// Covers: item 9; rfc 2.2, 2.3
#[tokio::test]
async fn each_client_has_an_external_id_of_its_own_and_hr_s_is_seen_by_those_without() {
    let bridge = connected(&connection_file()).await;
    done(&bridge, &Company::of(2)).await;
    let (okta, entra) = (
        Client::new(&bridge, "okta").await,
        Client::new(&bridge, "entra").await,
    );
    let user = person(&bridge, 2).await;
    let path = format!("/Users/{}", user["id"].as_str().unwrap());
    let seen = async |client: &Client<'_>| client.ask(Method::GET, &path, None).await.1["externalId"].clone();
    let hr = seen(&okta).await;
    assert!(hr.is_string(), "HR's");

    okta.set(&user, "externalId", json!("o-2")).await;
    assert_eq!(
        (seen(&okta).await, seen(&entra).await),
        (json!("o-2"), hr.clone())
    );
    let mut whole = entra.ask(Method::GET, &path, None).await.1;
    whole["externalId"] = json!("e-2");
    assert_eq!(entra.ask(Method::PUT, &path, Some(&whole)).await.0, 200);
    assert_eq!(
        (seen(&okta).await, seen(&entra).await),
        (json!("o-2"), json!("e-2"))
    );
    let found = async |client: &Client<'_>, value: &str| {
        let filter = format!("/Users?filter=externalId%20eq%20%22{value}%22");
        client.ask(Method::GET, &filter, None).await.1["totalResults"].clone()
    };
    assert_eq!(
        (found(&okta, "o-2").await, found(&okta, "e-2").await),
        (json!(1), json!(0))
    );
    assert_eq!(
        (found(&entra, "e-2").await, found(&entra, "o-2").await),
        (json!(1), json!(0))
    );
    // The same value by another client is another name.
    let twice = json!({ "schemas": [USER], "userName": "x", "externalId": "o-2" });
    assert_eq!(entra.ask(Method::POST, "/Users", Some(&twice)).await.0, 201);
    assert_eq!(
        (found(&okta, "o-2").await, found(&entra, "o-2").await),
        (json!(1), json!(1))
    );
    okta.set(&user, "externalId", Value::Null).await;
    assert_eq!(seen(&okta).await, hr);
}

/// Covers: item 9; C57
#[tokio::test]
async fn a_run_takes_only_its_own_members_out_of_a_group() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let groups = bridge
        .get("/scim/v2/Groups?filter=displayName%20eq%20%22Dept%200%22")
        .await;
    let group = groups["Resources"][0].clone();
    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let client = Client::new(&bridge, "okta").await;
    let guest = client.make("guest").await.1;
    let add = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": "members", "value": [{ "value": guest["id"] }] }],
    });
    assert!(client.ask(Method::PATCH, &path, Some(&add)).await.0 < 300);
    for department in ["Dept 1", "Dept 0"] {
        for n in 2..=4 {
            company.row(&n.to_string()).department = department.to_owned();
        }
        done(&bridge, &company).await;
        let (_, now) = client.ask(Method::GET, &path, None).await;
        let members = now["members"].as_array().unwrap();
        assert!(
            members.iter().any(|member| member["value"] == guest["id"]),
            "{department}"
        );
        assert_eq!(members.len(), if department == "Dept 1" { 8 } else { 11 });
    }
}
