//! A real server, killed while it moves people to another connection.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{client, good, http_client, with_json};
use crate::sync_kit::Company;
use crate::sync_process::{FILE, Program};

/// Two batches of a move.
const PEOPLE: usize = 700;
/// What one batch moves.
const BATCH: i64 = 500;

async fn call(program: &Program, method: Method, path: &str) -> Value {
    let url = format!("http://127.0.0.1:{}{path}", program.port);
    let request = http_client().request(method, url).bearer_auth(&program.token);
    good(with_json(request, &json!({}))).await
}

async fn done(program: &Program, arguments: &[&str], code: i32) -> Value {
    let ended = program.run(arguments).await;
    assert_eq!(ended.code, code, "{arguments:?}: {}{}", ended.out, ended.err);
    serde_json::from_str(&ended.out).unwrap_or_default()
}

/// Killed with one batch committed and the next one open: that one never happened, and all are moved once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_moves_people_loses_nobody_and_makes_nobody_anew() {
    let program = Program::new().await;
    let company = Company::of(PEOPLE);
    program.write("people.csv", &company.csv());
    program.write("people.toml", FILE);
    // The new system has other ids and the same personnel numbers.
    let mut renamed = Company::default();
    for row in company.0.values() {
        let mut row = row.clone();
        row.id = format!("n{}", row.id);
        row.manager = if row.manager.is_empty() {
            String::new()
        } else {
            format!("n{}", row.manager)
        };
        renamed.add(row);
    }
    program.write("new.csv", &renamed.csv());
    program.write(
        "new.toml",
        &FILE
            .replace("\"people\"", "\"new\"")
            .replace("people.csv", "new.csv"),
    );
    let mut server = program.serve().await;
    done(&program, &["connection", "apply", "people.toml", "--publish"], 0).await;
    done(&program, &["sync", "people"], 0).await;
    done(&program, &["connection", "apply", "new.toml"], 0).await;
    let url = format!("http://127.0.0.1:{}/api/v1/connections/new/upload", program.port);
    let upload = http_client()
        .put(url)
        .bearer_auth(&program.token)
        .body(renamed.csv());
    assert_eq!(upload.send().await.unwrap().status(), 201);
    let order = [
        "connection",
        "rekey",
        "people",
        "--to",
        "new",
        "--by",
        "employee-number",
        "--json",
    ];
    let waiting = done(&program, &order, 3).await;
    let run = waiting["run"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{waiting}"));

    // The last record that moves is in somebody else's hands: the batch that comes to it cannot end.
    let mut database = client(&program.database.url).await;
    let hand = database.transaction().await.unwrap();
    let last = format!(
        "SELECT r.source_id FROM source_record r WHERE r.person_id = (
             SELECT i.person_id FROM plan_item i JOIN run ON run.plan_id = i.plan_id
             WHERE run.id = '{run}' ORDER BY i.ordinal DESC LIMIT 1) FOR UPDATE"
    );
    assert_eq!(hand.query(&last, &[]).await.unwrap().len(), 1);
    call(&program, Method::POST, &format!("/api/v1/runs/{run}/approve")).await;
    let moved = format!(
        "SELECT count(*) FROM plan_item i JOIN run ON run.plan_id = i.plan_id
         WHERE run.id = '{run}' AND i.state = 'applied'"
    );
    program.until(&moved, BATCH).await;
    let held = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    program.until(held, 1).await;
    server.kill().await.unwrap();
    hand.rollback().await.unwrap();
    assert_eq!(
        program.count(&moved).await,
        BATCH,
        "the open batch never happened"
    );
    // Somebody had asked it to stop, too: what has moved has moved, and the new connection is a draft still.
    database
        .batch_execute(
            "UPDATE run SET lease_until = now() - interval '1 second', cancel_asked = true WHERE lease_until IS NOT NULL",
        )
        .await
        .unwrap();

    let mut server = program.serve().await;
    let stopped = format!("SELECT count(*) FROM run WHERE id = '{run}' AND state = 'cancelled'");
    program.until(&stopped, 1).await;
    call(&program, Method::POST, &format!("/api/v1/runs/{run}/resume")).await;
    let ended = format!("SELECT count(*) FROM run WHERE id = '{run}' AND state = 'done'");
    program.until(&ended, 1).await;
    let all = i64::try_from(PEOPLE).unwrap();
    let linked = "SELECT count(*) FROM source_record WHERE outcome = 'linked' AND source_id LIKE 'n%'";
    assert_eq!(program.count(linked).await, all);
    let left = "SELECT count(*) FROM source_record WHERE outcome = 'linked' AND source_id NOT LIKE 'n%'";
    assert_eq!(program.count(left).await, 0);
    // The run of the new connection that follows finds everybody as they were.
    done(&program, &["sync", "new"], 0).await;
    assert_eq!(program.count("SELECT count(*) FROM person").await, all);
    let active = "SELECT count(*) FROM resource WHERE kind = 'User' AND active";
    assert_eq!(program.count(active).await, all);
    tokio::time::timeout(Duration::from_secs(20), server.kill())
        .await
        .unwrap()
        .unwrap();
}
