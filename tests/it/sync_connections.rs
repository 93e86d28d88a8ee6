//! Connections over the API: drafts, secrets, schedules, problems with their places, other tenants.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Stub, answer, with_json};
use crate::sync_kit::{Company, apply, connected, connection_file, done, run_again, upload};

async fn put(bridge: &Bridge, file: &Value) -> (u16, Value) {
    let path = format!("/api/v1/connections/{}", file["name"].as_str().unwrap());
    answer(with_json(bridge.request(Method::PUT, &path), file)).await
}

fn personio(base_url: &str) -> Value {
    json!({
        "name": "hr", "connector": "personio",
        "settings": { "client_id": "papi-1", "client_secret": "topsecret", "base_url": base_url },
    })
}

#[tokio::test]
async fn leap_2_a_draft_makes_no_call_and_cannot_run() {
    let stub = Stub::start().await;
    stub.rule(|_| Some(Answer::status(500)));
    let bridge = Bridge::spawn().await;
    let mut file = personio(&stub.base_url);
    file["schedule"] = json!({ "every": "1h" });
    apply(&bridge, &file).await;
    bridge.clock.advance(chrono::TimeDelta::days(2));
    bridge.drain().await;
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/connections/hr/runs"),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("publish"), "{body}");
    assert!(stub.received().is_empty());
}

#[tokio::test]
async fn rg_9_secrets_are_never_shown_and_a_changed_host_destroys_them() {
    let bridge = Bridge::spawn().await;
    apply(&bridge, &personio("http://127.0.0.1:9000")).await;
    let shown = bridge.get("/api/v1/connections/hr").await.to_string();
    assert!(
        !shown.contains("topsecret") && shown.contains("sealed"),
        "{shown}"
    );
    let stored = bridge
        .count("SELECT count(*) FROM setting_revision WHERE body::text LIKE '%topsecret%' OR encode(sealed, 'escape') LIKE '%topsecret%'")
        .await;
    assert_eq!(stored, 0);

    let mut same_host = personio("http://127.0.0.1:9000");
    same_host["settings"]["client_secret"] = json!("sealed");
    same_host["read"] = json!({ "required": ["work_email"] });
    let (status, body) = put(&bridge, &same_host).await;
    assert_eq!((status, body["revision"].clone()), (200, json!(2)), "{body}");
    let (status, body) = put(&bridge, &same_host).await;
    assert_eq!((status, body["changed"].clone()), (200, json!(false)), "{body}");

    let mut other_host = same_host.clone();
    other_host["settings"]["base_url"] = json!("http://127.0.0.1:9001");
    let (status, body) = put(&bridge, &other_host).await;
    assert_eq!(status, 422, "{body}");
    assert_eq!(body["errors"][0]["at"], "settings.client_secret", "{body}");
    let mut reference = personio("http://127.0.0.1:9000");
    reference["settings"]["client_secret"] = json!("env:HOME");
    assert_eq!(
        put(&bridge, &reference).await.0,
        422,
        "the server resolves nothing"
    );
}

#[tokio::test]
async fn problems_of_a_file_are_named_with_their_place() {
    let bridge = Bridge::spawn().await;
    let toml = |text: &str| {
        bridge
            .request(Method::PUT, "/api/v1/connections/people")
            .header("content-type", "application/toml")
            .body(text.to_owned())
    };
    let (status, body) = answer(toml(
        "name = \"people\"\nconnector = \"csv\"\n[shedule]\nat = \"04:00\"\n",
    ))
    .await;
    assert_eq!(status, 422, "{body}");
    assert_eq!(
        (
            body["errors"][0]["line"].clone(),
            body["errors"][0]["column"].clone()
        ),
        (json!(3), json!(2))
    );
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("shedule"));

    let mut file = connection_file();
    file["filter"] = json!({ "include": "employee.departmnt.name == \"x\"" });
    let (status, body) = put(&bridge, &file).await;
    assert_eq!(status, 422);
    assert_eq!(body["errors"][0]["at"], "filter.include", "{body}");
    assert!(body["errors"][0]["column"].as_u64().is_some());
    let mut file = connection_file();
    file["connector"] = json!("nosuch");
    let (_, body) = put(&bridge, &file).await;
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("personio"),
        "{body}"
    );
    assert_eq!(
        bridge.count("SELECT count(*) FROM connection").await,
        0,
        "an unusable file makes nothing"
    );
}

#[tokio::test]
async fn exp_6_publishing_with_a_schedule_starts_a_run_and_the_schedule_goes_on() {
    let bridge = Bridge::spawn().await;
    let mut file = connection_file();
    file["schedule"] = json!({ "at": "04:00", "zone": "Etc/UTC" });
    apply(&bridge, &file).await;
    upload(&bridge, &Company::of(4).csv()).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge.drain().await;
    let runs = bridge.get("/api/v1/runs").await;
    assert_eq!(runs["items"][0]["cause"], "publish", "{runs}");
    assert_eq!(runs["items"][0]["state"], "done", "{runs}");
    let next = bridge.get("/api/v1/connections/people").await["next_run_at"].clone();
    assert_eq!(next, json!("2026-12-02T04:00:00Z"));
    bridge.clock.set("2026-12-02T04:00:20Z");
    bridge.drain().await;
    let runs = bridge.get("/api/v1/runs").await;
    assert_eq!(runs["items"][0]["cause"], "schedule", "{runs}");
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);

    bridge.post("/api/v1/connections/people/pause", &json!({})).await;
    bridge.clock.set("2026-12-09T04:00:20Z");
    bridge.drain().await;
    assert_eq!(
        bridge.get("/api/v1/runs").await["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge.drain().await;
    assert_eq!(
        bridge.get("/api/v1/runs").await["items"]
            .as_array()
            .unwrap()
            .len(),
        3,
        "every reconnection starts a run"
    );
}

#[tokio::test]
async fn a_draft_beside_the_live_settings_is_compared_published_and_rolled_back() {
    let bridge = connected(&connection_file()).await;
    done(&bridge, &Company::of(3)).await;
    let mut file = connection_file();
    file["mapping"] = json!({ "title": { "from": "employee.title | upper" } });
    apply(&bridge, &file).await;
    let diff = bridge.get("/api/v1/connections/people/diff").await;
    assert_eq!(diff["items"][0]["path"], "mapping.title.from", "{diff}");
    assert_eq!(
        run_again(&bridge, false).await["counts"]["update"],
        0,
        "a draft decides nothing"
    );
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    assert_eq!(run_again(&bridge, false).await["counts"]["update"], 3);
    bridge
        .post("/api/v1/connections/people/rollback", &json!({}))
        .await;
    assert_eq!(run_again(&bridge, false).await["counts"]["update"], 3);
    let export = bridge
        .request(Method::GET, "/api/v1/connections/people/export")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(export.contains("connector = \"csv\""), "{export}");
}

#[tokio::test]
async fn nothing_of_a_tenant_is_seen_or_changed_by_another() {
    let bridge = connected(&connection_file()).await;
    let run = done(&bridge, &Company::of(3)).await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(other, "admin", &Scope::ALL).await;
    let id = run["id"].as_str().unwrap();
    for path in [
        "/api/v1/connections/people".to_owned(),
        "/api/v1/connections/people/diff".to_owned(),
        "/api/v1/connections/people/export".to_owned(),
        format!("/api/v1/runs/{id}"),
        format!("/api/v1/runs/{id}/items"),
        format!("/api/v1/runs/{id}/errors"),
    ] {
        let (status, body) = answer(bridge.request_as(&stranger, Method::GET, &path)).await;
        assert_eq!(status, 404, "{path}: {body}");
    }
    for path in ["publish", "pause", "rollback", "runs", "check"] {
        let path = format!("/api/v1/connections/people/{path}");
        let request = with_json(bridge.request_as(&stranger, Method::POST, &path), &json!({}));
        assert_eq!(answer(request).await.0, 404, "{path}");
    }
    for path in [
        "/api/v1/connections",
        "/api/v1/runs",
        "/api/v1/reviews",
        "/api/v1/holds",
    ] {
        let (_, body) = answer(bridge.request_as(&stranger, Method::GET, path)).await;
        assert_eq!(body["items"], json!([]), "{path}");
    }
    let reader = bridge
        .make_token(bridge.tenant, "reader", &[Scope::ProvisioningRead])
        .await;
    let request = with_json(
        bridge.request_as(&reader, Method::POST, "/api/v1/connections/people/runs"),
        &json!({}),
    );
    assert_eq!(answer(request).await.0, 403);
    assert_eq!(
        answer(bridge.request_as(&reader, Method::GET, "/api/v1/runs"))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_read_that_breaks_off_hires_but_nobody_leaves() {
    let stub = Stub::start().await;
    let bridge = Bridge::spawn().await;
    let kombo = json!({
        "name": "people", "connector": "kombo",
        "settings": { "api_key": "k", "integration_id": "i", "base_url": stub.base_url },
    });
    let employee = |n: usize, status: &str| {
        json!({
            "id": n.to_string(), "remote_id": n.to_string(), "employee_number": format!("E{n}"),
            "first_name": format!("Given{n}"), "last_name": format!("Family{n}"),
            "work_email": format!("person{n}@acme.example"), "employment_status": status,
            "start_date": "2020-01-01T00:00:00Z",
            "termination_date": if status == "INACTIVE" { json!("2026-11-01T00:00:00Z") } else { Value::Null },
            "groups": [], "legal_entity": null, "manager_id": null, "display_full_name": null,
            "mobile_phone_number": null, "job_title": null, "work_location": null, "employment_type": null,
            "custom_fields": null, "personal_email": null,
        })
    };
    let page = |employees: Vec<Value>, next: Value| {
        Answer::json(
            200,
            &json!({ "status": "success", "data": { "results": employees, "next": next } }),
        )
    };
    stub.rule({
        let first = page((1..=5).map(|n| employee(n, "ACTIVE")).collect(), Value::Null);
        move |request| request.path.contains("employees").then(|| first.clone())
    });
    apply(&bridge, &kombo).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    let complete = run_again(&bridge, false).await;
    assert_eq!(complete["state"], "done", "{complete}");
    assert_eq!(complete["counts"]["create"], 5, "{complete}");

    stub.rule({
        let mut people: Vec<Value> = vec![employee(1, "INACTIVE")];
        people.extend([2, 6].map(|n| employee(n, "ACTIVE")));
        let first = page(people, json!("more"));
        move |request| {
            request
                .path
                .contains("employees")
                .then(|| match request.param("cursor") {
                    None => first.clone(),
                    Some(_) => Answer::status(403),
                })
        }
    });
    let partial = run_again(&bridge, false).await;
    assert_eq!(partial["state"], "partial", "{partial}");
    assert_eq!(partial["counts"]["create"], 1, "{partial}");
    assert_eq!(
        crate::sync_kit::active_users(&bridge).await,
        6,
        "hires apply, the leaver waits"
    );
    let warnings = crate::sync_kit::said(&bridge, &partial, "warnings").await;
    assert_eq!(warnings[0]["source_id"], "1", "{warnings:?}");
    assert!(
        partial["coverage"]["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty())
    );
}
