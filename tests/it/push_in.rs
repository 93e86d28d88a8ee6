//! Records that a caller uploads: JSON, SCIM users and CSV, at once and in sessions.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::kit::{Bridge, answer, client, good, with_json};
use crate::sync_kit::{active_users, said, show, user};
use crate::sync_process::Program;

const SESSIONS: &str = "/api/v1/connections/people/sessions";

async fn pushed(more: &Value) -> Bridge {
    let bridge = Bridge::spawn().await;
    let mut file = json!({ "name": "people", "connector": "push" });
    file.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    crate::sync_kit::apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge
}

fn record(n: usize) -> Value {
    json!({
        "source_id": format!("p{n}"), "employee_number": format!("E{n:03}"), "given_name": format!("Given{n}"),
        "family_name": format!("Family{n}"), "work_email": format!("person{n}@acme.example"), "title": "Engineer",
        "department": { "name": "Lab" }, "status": "active", "first_day": "2020-01-01",
        "manager": if n == 1 { Value::Null } else { json!("p1") }, "national_id": format!("secret-{n}"),
    })
}

fn records(numbers: impl IntoIterator<Item = usize>) -> Value {
    Value::Array(numbers.into_iter().map(record).collect())
}

async fn open(bridge: &Bridge, kind: &str) -> String {
    let opened = bridge.post(SESSIONS, &json!({ "kind": kind })).await;
    opened["id"].as_str().unwrap().to_owned()
}

async fn send(bridge: &Bridge, session: &str, page: i32, body: &Value) -> (u16, Value) {
    let path = format!("{SESSIONS}/{session}/pages/{page}");
    answer(with_json(bridge.request(Method::PUT, &path), body)).await
}

async fn commit(bridge: &Bridge, session: &str, pages: usize) -> (u16, Value) {
    let path = format!("{SESSIONS}/{session}/commit");
    let (status, run) = answer(with_json(
        bridge.request(Method::POST, &path),
        &json!({ "pages": pages }),
    ))
    .await;
    bridge.drain().await;
    if status == 202 {
        (status, show(bridge, &run).await)
    } else {
        (status, run)
    }
}

/// Uploads everybody of these numbers, in pages of `size`.
async fn everybody(bridge: &Bridge, numbers: &[usize], size: usize) -> Value {
    let session = open(bridge, "complete").await;
    let pages: Vec<&[usize]> = numbers.chunks(size).collect();
    for (place, page) in pages.iter().enumerate() {
        let page_number = i32::try_from(place + 1).unwrap();
        let (status, taken) = send(bridge, &session, page_number, &records(page.iter().copied())).await;
        assert_eq!((status, &taken["errors"]), (200, &json!([])), "{taken}");
    }
    let (status, run) = commit(bridge, &session, pages.len()).await;
    assert_eq!(status, 202, "{run}");
    run
}

#[tokio::test]
async fn people_come_and_go_by_committed_complete_sessions_alone() {
    let bridge = pushed(&json!({ "lifecycle": { "missing": { "do": "disable", "reads": 1 } } })).await;
    let all: Vec<usize> = (1..=12).collect();
    let run = everybody(&bridge, &all, 5).await;
    assert_eq!(
        (
            run["state"].clone(),
            run["counts"]["create"].clone(),
            run["cause"].clone()
        ),
        (json!("done"), json!(12), json!("pushed")),
        "{run}"
    );
    let five = user(&bridge, "person5@acme.example").await;
    let one = user(&bridge, "person1@acme.example").await;
    assert_eq!(
        five["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"],
        one["id"]
    );
    assert_eq!(
        bridge.count("SELECT count(*) FROM push_page").await,
        0,
        "deleted once the run has ended"
    );
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM source_record WHERE sealed IS NOT NULL")
            .await,
        0,
        "sensitive fields only by choice"
    );

    // Of some, nothing is said of the others; a leaver that is named leaves.
    let mut left = record(7);
    left["status"] = json!("left");
    let mut moved = record(8);
    moved["title"] = json!("Lead");
    let path = "/api/v1/connections/people/records";
    let taken = good(with_json(
        bridge.request(Method::POST, path),
        &json!([left, moved]),
    ))
    .await;
    assert_eq!(
        (taken["records"].clone(), taken["errors"].clone()),
        (json!(2), json!([]))
    );
    bridge.drain().await;
    let run = show(&bridge, &taken["run"]).await;
    assert_eq!(
        (
            run["state"].clone(),
            run["counts"]["disable"].clone(),
            run["counts"]["update"].clone()
        ),
        (json!("done"), json!(1), json!(1)),
        "{run}"
    );
    assert_eq!(active_users(&bridge).await, 11);

    // An aborted session and one that is never committed make nobody leave.
    let session = open(&bridge, "complete").await;
    send(&bridge, &session, 1, &records(1..=2)).await;
    let aborted = bridge
        .post(&format!("{SESSIONS}/{session}/abort"), &json!({}))
        .await;
    assert_eq!(aborted["state"], "aborted");
    assert_eq!(send(&bridge, &session, 2, &records(3..=4)).await.0, 409);
    assert_eq!(commit(&bridge, &session, 1).await.0, 409);
    let open_one = open(&bridge, "complete").await;
    send(&bridge, &open_one, 1, &records(1..=2)).await;
    assert_eq!(bridge.count("SELECT count(*) FROM push_page").await, 1);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM push_page WHERE position('Given' in encode(sealed, 'escape')) > 0")
            .await,
        0,
        "sealed"
    );
    bridge.clock.advance(chrono::TimeDelta::days(3));
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 11);
    let (status, over) = send(&bridge, &open_one, 2, &records(3..=4)).await;
    assert_eq!(
        (status, over["detail"].as_str().unwrap().contains("expired")),
        (409, true),
        "{over}"
    );

    // A committed one does. The guard judges it like any other read.
    let most: Vec<usize> = (1..=12).filter(|n| *n != 3 && *n != 7).collect();
    let run = everybody(&bridge, &most, 100).await;
    assert_eq!(
        (run["state"].clone(), run["counts"]["disable"].clone()),
        (json!("done"), json!(1)),
        "{run}"
    );
    let run = everybody(&bridge, &[1, 2], 100).await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    assert_eq!(active_users(&bridge).await, 10);

    // By hand, what was pushed before is looked at again, and nobody is missing.
    let again = crate::sync_kit::run_again(&bridge, false).await;
    assert_eq!(
        (again["state"].clone(), again["counts"]["missing"].clone()),
        (json!("done"), json!(0)),
        "{again}"
    );
    let audited = "SELECT count(*) FROM audit_entry WHERE action = 'connection.push'";
    assert_eq!(bridge.count(audited).await, 4);
    let sessions = bridge.get(SESSIONS).await;
    let states: Vec<&str> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states.iter().filter(|state| **state == "committed").count(),
        4,
        "{states:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_index_and_field_and_counts_as_there() {
    let bridge = pushed(&json!({ "lifecycle": { "missing": { "do": "disable", "reads": 1 } } })).await;
    let all: Vec<usize> = (1..=10).collect();
    everybody(&bridge, &all, 100).await;
    let session = open(&bridge, "complete").await;
    let mut page = records(1..=9);
    page[3]["first_day"] = json!("1.1.2020");
    page[4]["surname"] = json!("X");
    page[8]["source_id"] = Value::Null;
    let (status, taken) = send(&bridge, &session, 1, &page).await;
    assert_eq!(status, 200);
    let errors: Vec<(u64, &str, &Value)> = taken["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["index"].as_u64().unwrap(),
                error["field"].as_str().unwrap(),
                &error["source_id"],
            )
        })
        .collect();
    assert_eq!(
        errors,
        [
            (3, "first_day", &json!("p4")),
            (4, "surname", &json!("p5")),
            (8, "source_id", &Value::Null)
        ]
    );
    // Somebody without an id may be anybody: the read is partial, and nobody leaves.
    let (_, run) = commit(&bridge, &session, 1).await;
    assert_eq!(
        (run["state"].clone(), run["counts"]["disable"].clone()),
        (json!("partial"), json!(0)),
        "{run}"
    );
    // The page may be sent again as often as needed, under its number; gaps are found.
    let session = open(&bridge, "complete").await;
    send(&bridge, &session, 1, &page).await;
    page[8]["source_id"] = json!("p9");
    send(&bridge, &session, 1, &page).await;
    send(&bridge, &session, 3, &json!([])).await;
    let (status, gap) = commit(&bridge, &session, 2).await;
    assert_eq!(status, 409, "{gap}");
    send(&bridge, &session, 2, &json!([])).await;
    let (_, run) = commit(&bridge, &session, 3).await;
    assert_eq!(
        (run["state"].clone(), run["counts"]["disable"].clone()),
        (json!("done"), json!(1)),
        "p10 alone: {run}"
    );
    assert_eq!(active_users(&bridge).await, 9);
    let errors = said(&bridge, &run, "errors").await;
    let told: Vec<&str> = errors
        .iter()
        .map(|one| one["source_id"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["p4", "p5"]);
    // A commit that is asked again names the same run.
    let (status, same) = commit(&bridge, &session, 3).await;
    assert_eq!((status, &same["id"]), (202, &run["id"]));

    for (path, body, status, word) in [
        (SESSIONS.to_owned(), json!({ "kind": "some" }), 400, "changes"),
        (
            format!("{SESSIONS}/{session}/commit"),
            json!({ "page": 1 }),
            400,
            "page",
        ),
        (
            "/api/v1/connections/people/records".to_owned(),
            json!({ "people": [] }),
            422,
            "records",
        ),
    ] {
        let (got, problem) = answer(with_json(bridge.request(Method::POST, &path), &body)).await;
        assert_eq!(got, status, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    let large = bridge
        .request(Method::POST, "/api/v1/connections/people/records")
        .header("content-type", "application/json")
        .body("[".repeat(9 * 1024 * 1024));
    assert_eq!(answer(large).await.0, 413);
    let strange = bridge
        .request(Method::POST, "/api/v1/connections/people/records")
        .header("content-type", "application/xml")
        .body("<x/>");
    assert_eq!(answer(strange).await.0, 415);
    for _ in 0..5 {
        open(&bridge, "changes").await;
    }
    let (status, full) = answer(with_json(
        bridge.request(Method::POST, SESSIONS),
        &json!({ "kind": "changes" }),
    ))
    .await;
    assert_eq!(
        (status, full["detail"].as_str().unwrap().contains("5 sessions")),
        (409, true),
        "{full}"
    );
}

#[tokio::test]
async fn scim_users_and_tables_are_records_too_and_no_other_tenant_sees_a_session() {
    let bridge = pushed(&json!({ "read": { "optional": ["given_name", "family_name", "work_email", "title", "department", "private_email"] } })).await;
    let scim = json!({ "Resources": [
        { "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "s1", "userName": "ada", "active": true,
          "name": { "givenName": "Ada", "familyName": "King" }, "title": "Countess",
          "emails": [{ "value": "ada@acme.example", "type": "work" }, { "value": "ada@home.example", "type": "home" }] },
        { "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "s2", "userName": "bob", "active": true,
          "name": { "givenName": "Bob", "familyName": "Ross" }, "emails": [{ "value": "bob@acme.example", "type": "work" }],
          "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "s1" } } },
    ] });
    let path = "/api/v1/connections/people/records";
    let request = bridge
        .request(Method::POST, path)
        .header("content-type", "application/scim+json")
        .body(scim.to_string());
    let taken = good(request).await;
    assert_eq!(taken["errors"], json!([]), "{taken}");
    bridge.drain().await;
    let (ada, bob) = (
        user(&bridge, "ada@acme.example").await,
        user(&bridge, "bob@acme.example").await,
    );
    assert_eq!(ada["title"], "Countess");
    assert_eq!(
        bob["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"],
        ada["id"]
    );
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM source_record WHERE sealed IS NOT NULL")
            .await,
        1,
        "chosen, and sealed"
    );

    let table = "source_id,given_name,family_name,work_email,department.name,first_day,status\n\
                 s2,Bob,Ross,bob@acme.example,Art,2020-01-01,active\n\
                 s3,Cy,Young,cy@acme.example,,,retired\n";
    let request = bridge
        .request(Method::POST, &format!("{path}?complete=false"))
        .header("content-type", "text/csv; charset=utf-8")
        .body(table);
    let taken = good(request).await;
    assert_eq!(
        (
            taken["errors"][0]["index"].clone(),
            taken["errors"][0]["field"].clone()
        ),
        (json!(1), json!("status")),
        "{taken}"
    );
    bridge.drain().await;
    let bob = user(&bridge, "bob@acme.example").await;
    assert_eq!(
        bob["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["department"],
        "Art"
    );
    assert!(user(&bridge, "cy@acme.example").await.is_null());

    let session = open(&bridge, "changes").await;
    let other = bridge.make_tenant("other").await;
    let token = bridge
        .make_token(other, "t", &scim_bridge::access::Scope::ALL)
        .await;
    for (method, more) in [
        (Method::GET, ""),
        (Method::POST, "/commit"),
        (Method::POST, "/abort"),
        (Method::PUT, "/pages/1"),
    ] {
        let request = bridge.request_as(&token, method, &format!("{SESSIONS}/{session}{more}"));
        let (status, _) = answer(with_json(request, &json!({}))).await;
        assert!((404..=422).contains(&status), "{more}: {status}");
    }
    let csv = json!({ "name": "read", "connector": "scim" });
    crate::sync_kit::apply(&bridge, &csv).await;
    let (status, _) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/connections/read/sessions"),
        &json!({ "kind": "changes" }),
    ))
    .await;
    assert_eq!(status, 422);
}

async fn stop(mut server: Child) {
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_killed_loses_no_page_and_doubles_nobody() {
    let program = Program::new().await;
    program.write("people.toml", "name = \"people\"\nconnector = \"push\"\n");
    let mut table = String::from(
        "source_id,employee_number,given_name,family_name,work_email,title,department.name,first_day,manager.source_id,status\n",
    );
    for n in 1..=1200 {
        let manager = if n == 1 { "" } else { "p1" };
        table.push_str(&format!(
            "p{n},E{n:03},Given{n},Family{n},person{n}@acme.example,Engineer,Lab,2020-01-01,{manager},active\n"
        ));
    }
    program.write("people.csv", &table);
    let server = program.serve().await;
    let applied = program
        .run(&["connection", "apply", "people.toml", "--publish"])
        .await;
    assert_eq!(applied.code, 0, "{}", applied.err);

    // A session of two pages; the server dies between them, and again once it is committed.
    let http = crate::kit::http_client();
    let call = async |method: Method, path: &str, body: &Value| {
        let url = format!("http://127.0.0.1:{}{path}", program.port);
        let request = http.request(method, url).bearer_auth(&program.token);
        answer(with_json(request, body)).await
    };
    let (_, opened) = call(Method::POST, SESSIONS, &json!({ "kind": "complete" })).await;
    let at = format!("{SESSIONS}/{}", opened["id"].as_str().unwrap());
    let (status, _) = call(Method::PUT, &format!("{at}/pages/1"), &records(1..=600)).await;
    assert_eq!(status, 200);
    stop(server).await;
    let server = program.serve().await;
    for _ in 0..2 {
        let (status, _) = call(Method::PUT, &format!("{at}/pages/2"), &records(601..=1200)).await;
        assert_eq!(status, 200);
    }
    let (status, run) = call(Method::POST, &format!("{at}/commit"), &json!({ "pages": 2 })).await;
    assert_eq!(status, 202, "{run}");
    stop(server).await;
    let lapse = "UPDATE run SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL";
    client(&program.database.url)
        .await
        .batch_execute(lapse)
        .await
        .unwrap();
    let server = program.serve().await;
    program
        .until("SELECT count(*) FROM run WHERE state = 'done'", 1)
        .await;
    for sql in [
        "SELECT count(*) FROM person",
        "SELECT count(*) FROM resource WHERE kind = 'User' AND active",
        "SELECT count(*) FROM change WHERE action = 'create'",
    ] {
        assert_eq!(program.count(sql).await, 1200, "{sql}");
    }

    // The command sends a file page by page and waits.
    let pushed = program
        .run(&["push", "people", "people.csv", "--complete", "--json"])
        .await;
    assert_eq!(pushed.code, 0, "{} {}", pushed.err, pushed.out);
    let pushed: Value = serde_json::from_str(&pushed.out).unwrap();
    assert_eq!(
        (
            pushed["run"]["counts"]["read"].clone(),
            pushed["run"]["counts"]["create"].clone(),
            pushed["errors"].clone()
        ),
        (json!(1200), json!(0), json!([])),
        "{pushed}"
    );
    program.write(
        "one.jsonl",
        "{\"source_id\": \"p1\", \"status\": \"nobody knows\"}\n",
    );
    let wrong = program.run(&["push", "people", "one.jsonl"]).await;
    assert!(
        wrong.out.contains("page 1 record 0 (p1): status is none of"),
        "{} {}",
        wrong.out,
        wrong.err
    );
    stop(server).await;
}

async fn changes(bridge: &Bridge, records: Vec<Value>) -> Value {
    let session = open(bridge, "changes").await;
    let (status, taken) = send(bridge, &session, 1, &Value::Array(records)).await;
    assert_eq!((status, &taken["errors"]), (200, &json!([])), "{taken}");
    let (status, run) = commit(bridge, &session, 1).await;
    assert_eq!(status, 202, "{run}");
    run
}

fn but(n: usize, more: &Value) -> Value {
    let mut record = record(n);
    record
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    record
}

#[tokio::test]
async fn what_a_newer_session_said_stands_when_an_older_plan_is_approved() {
    let bridge = pushed(&json!({})).await;
    bridge.clock.set("2026-11-22T08:00:00Z");
    let all: Vec<usize> = (1..=12).collect();
    everybody(&bridge, &all, 12).await;
    bridge.clock.set("2026-11-22T09:00:00Z");
    let mut older: Vec<Value> = (2..=7)
        .map(|n| but(n, &json!({ "status": "left", "last_day": "2026-11-20" })))
        .collect();
    older.extend([8, 9].map(|n| but(n, &json!({ "title": "Old" }))));
    let waiting = changes(&bridge, older).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    bridge.clock.set("2026-11-22T10:00:00Z");
    let newer = vec![
        but(8, &json!({ "title": "New" })),
        but(9, &json!({ "status": "left", "last_day": "2026-11-20" })),
    ];
    let done = changes(&bridge, newer).await;
    assert_eq!(done["state"], "done", "{done}");

    bridge.clock.set("2026-11-22T11:00:00Z");
    let path = format!("/api/v1/runs/{}/approve", waiting["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    bridge.clock.set("2026-11-24T11:00:00Z");
    bridge.drain().await;
    let applied = show(&bridge, &waiting).await;
    assert_eq!(applied["counts"]["refused"], 2, "{applied}");
    assert_eq!(user(&bridge, "person8@acme.example").await["title"], "New");
    let left = user(&bridge, "person9@acme.example").await;
    assert_eq!(left["active"], false, "who left stays out: {left}");
    assert_eq!(active_users(&bridge).await, 5);
}

#[tokio::test]
async fn a_run_whose_pages_are_deleted_does_not_go_on_as_if_nobody_had_been_pushed() {
    let bridge = pushed(&json!({})).await;
    let all: Vec<usize> = (1..=12).collect();
    everybody(&bridge, &all, 12).await;
    let session = open(&bridge, "complete").await;
    let (status, problem) = commit(&bridge, &session, 0).await;
    assert_eq!(status, 409, "{problem}");
    let leavers = (2..=9)
        .map(|n| but(n, &json!({ "status": "left", "last_day": "2020-11-20" })))
        .collect();
    let waiting = changes(&bridge, leavers).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    let path = format!("/api/v1/runs/{}", waiting["id"].as_str().unwrap());
    bridge.post(&format!("{path}/cancel"), &json!({})).await;
    bridge.clock.advance(chrono::TimeDelta::minutes(20));
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM push_page").await, 0);
    let resume = with_json(
        bridge.request(Method::POST, &format!("{path}/resume")),
        &json!({}),
    );
    let (status, problem) = answer(resume).await;
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("push it again"),
        "{problem}"
    );
}
