//! A real server, killed while it takes a run back.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{client, good, http_client, with_json};
use crate::push::{StubApp, file};
use crate::sync_kit::Company;
use crate::sync_process::{FILE, Program};

/// Two batches of an undo.
const PEOPLE: usize = 700;
/// What one batch applies.
const BATCH: i64 = 500;

async fn call(program: &Program, method: Method, path: &str, body: &Value) -> Value {
    let url = format!("http://127.0.0.1:{}{path}", program.port);
    let request = http_client().request(method, url).bearer_auth(&program.token);
    good(with_json(request, body)).await
}

async fn synced(program: &Program, company: &Company) -> String {
    program.write("people.csv", &company.csv());
    let run = program.run(&["sync", "people", "--json"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let run: Value = serde_json::from_str(&run.out).unwrap();
    run["run"]["id"].as_str().unwrap().to_owned()
}

async fn settled(program: &Program) {
    let waited = program.run(&["status", "--wait", "--timeout", "2m"]).await;
    assert_eq!(waited.code, 0, "{}", waited.err);
}

/// How often each account was sent a title.
fn titles_sent(app: &StubApp) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for request in app.stub.take_received() {
        if request.method == "PATCH" && request.json().to_string().contains("Engineer") {
            *sent.entry(request.path).or_default() += 1;
        }
    }
    sent
}

/// Killed with one batch committed and the next one open: that one never happened, and the whole is done once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_undoes_a_run_loses_nothing_and_doubles_nothing() {
    let program = Program::new().await;
    program.write("people.toml", FILE);
    let mut company = Company::of(PEOPLE);
    program.write("people.csv", &company.csv());
    let mut server = program.serve().await;
    let applied = program
        .run(&["connection", "apply", "people.toml", "--publish"])
        .await;
    assert_eq!(applied.code, 0, "{}", applied.err);
    synced(&program, &company).await;
    let app = StubApp::start().await;
    let settings = file(
        "app",
        &app.stub.base_url,
        &json!({ "pace": { "concurrency": 16 } }),
    );
    call(&program, Method::PUT, "/api/v1/apps/app", &settings).await;
    call(&program, Method::POST, "/api/v1/apps/app/publish", &json!({})).await;
    settled(&program).await;
    for row in company.0.values_mut() {
        row.title = "Architect".to_owned();
    }
    let run = synced(&program, &company).await;
    settled(&program).await;
    let titled = |title: &str| {
        app.all("Users")
            .iter()
            .filter(|user| user["title"] == title)
            .count()
    };
    assert_eq!(titled("Architect"), PEOPLE);
    app.stub.take_received();

    // The last user of the plan is in somebody else's hands: the batch that comes to it cannot end.
    let undoing = call(
        &program,
        Method::POST,
        &format!("/api/v1/runs/{run}/undo"),
        &json!({}),
    )
    .await;
    let id = undoing["id"].as_str().unwrap().to_owned();
    let waiting = format!("SELECT count(*) FROM run WHERE id = '{id}' AND state = 'awaiting_approval'");
    program.until(&waiting, 1).await;
    let mut database = client(&program.database.url).await;
    let hand = database.transaction().await.unwrap();
    let last = format!(
        "SELECT r.id FROM resource r WHERE r.id = (
             SELECT i.resource_id FROM plan_item i JOIN run ON run.plan_id = i.plan_id
             WHERE run.id = '{id}' ORDER BY i.ordinal DESC LIMIT 1) FOR UPDATE"
    );
    hand.query_one(&last, &[]).await.unwrap();
    call(
        &program,
        Method::POST,
        &format!("/api/v1/runs/{id}/approve"),
        &json!({}),
    )
    .await;
    let held = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    program.until(held, 1).await;
    let written = "SELECT count(*) FROM change WHERE origin ->> 'by' = 'undo'";
    assert_eq!(program.count(written).await, BATCH, "one batch is committed");
    server.kill().await.unwrap();
    hand.rollback().await.unwrap();
    assert_eq!(program.count(written).await, BATCH, "the open one never happened");
    // What the killed server leased would lapse within two minutes.
    database
        .batch_execute(
            "UPDATE run SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL;
             UPDATE app SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL",
        )
        .await
        .unwrap();

    server = program.serve().await;
    let done = format!("SELECT count(*) FROM run WHERE id = '{id}' AND state = 'done'");
    program.until(&done, 1).await;
    settled(&program).await;
    let each = "SELECT count(*) FROM (SELECT resource_id FROM change WHERE origin ->> 'by' = 'undo'
                GROUP BY resource_id HAVING count(*) = 1) AS once";
    let all = i64::try_from(PEOPLE).unwrap();
    assert_eq!(
        (program.count(written).await, program.count(each).await),
        (all, all),
        "everybody once"
    );
    let items = format!(
        "SELECT count(*) FROM plan_item i JOIN run ON run.plan_id = i.plan_id WHERE run.id = '{id}' AND i.state = 'applied'"
    );
    assert_eq!(program.count(&items).await, all);
    let noted = "SELECT count(*) FROM audit_entry WHERE action = 'run.undone'";
    assert_eq!(program.count(noted).await, 1);
    assert_eq!((titled("Engineer"), titled("Architect")), (PEOPLE, 0));
    let sent = titles_sent(&app);
    assert_eq!(sent.len(), PEOPLE);
    assert!(
        sent.values().all(|times| *times == 1),
        "the app was told once of each"
    );
    tokio::time::timeout(Duration::from_secs(30), server.kill())
        .await
        .unwrap()
        .unwrap();
}
