//! Runs as people see them: the history, the files of errors and warnings, progress, stopping and going on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::kit::{Answer, Bridge, Stub, answer, good, with_json};
use crate::sync_kit::{
    Company, active_users, connected, connection_file, done, person, run, run_again, run_text, said, show,
    upload,
};

fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

async fn post(bridge: &Bridge, path: &str) -> (u16, Value) {
    answer(with_json(bridge.request(Method::POST, path), &json!({}))).await
}

/// An HR system of one page a request, ten people each, that takes its time.
async fn slow(pages: usize, after: Duration) -> (Bridge, Stub, Value) {
    let bridge = Bridge::spawn().await;
    let hr = Stub::start().await;
    hr.rule(move |request| {
        let page: usize = request.param("page").map_or(1, |page| page.parse().unwrap());
        let data: Vec<Value> = (0..if page <= pages { 10 } else { 0 })
            .map(|n| {
                let n = page * 10 + n;
                json!({ "id": n.to_string(), "given": "G", "family": format!("F{n}"),
                        "email": format!("p{n}@acme.example"), "state": "on" })
            })
            .collect();
        let mut answer = Answer::json(200, &json!({ "data": data, "total": pages * 10 }));
        answer.after = after;
        Some(answer)
    });
    let file = json!({
        "name": "people", "connector": "rest",
        "settings": {
            "base": hr.base_url, "path": "/people", "records": "/data", "count": "/total", "paging": "page",
            "paging_send": "page", "sign_in": "none",
        },
        "fields": {
            "source_id": "/id", "given_name": "/given", "family_name": "/family", "work_email": "/email",
            "status": { "at": "/state", "words": { "on": "active" } },
        },
    });
    let put = bridge.request(Method::PUT, "/api/v1/connections/people?publish=true");
    good(with_json(put, &file)).await;
    (bridge, hr, file)
}

/// Waits until the run is so, with everything running as in production.
async fn until(bridge: &Bridge, run: &Value, what: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let now = show(bridge, run).await;
        if what(&now) {
            return now;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn rg_19_prob_21_the_history_has_every_run_with_its_trigger_actor_time_counts_and_result() {
    let mut file = connection_file();
    file["schedule"] = json!({ "at": "04:00" });
    let bridge = connected(&file).await;
    bridge.drain().await;
    let shown = bridge.get("/api/v1/connections/people").await;
    assert_eq!(
        shown["next_run_at"], "2026-12-02T04:00:00Z",
        "what is scheduled is shown"
    );
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    company.row("3").status = String::new();
    upload(&bridge, &company.csv()).await;
    bridge.clock.set("2026-12-02T04:00:10Z");
    bridge.drain().await;
    let broken = run_text(&bridge, "Id,Number\n1,2\n").await;
    assert_eq!(broken["state"], "failed");
    let history = bridge.get("/api/v1/runs?connection=people").await;
    let rows: Vec<(&str, &str, i64, &str)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            let effects = run["counts"]["disable"].as_i64().unwrap_or(-1);
            (
                run["cause"].as_str().unwrap(),
                run["actor"].as_str().unwrap(),
                effects,
                run["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(rows.len(), 3, "{history}");
    assert_eq!((rows[0].0, rows[0].3), ("manual", "failed"));
    assert_eq!(rows[1], ("schedule", "schedule", 1, "done"));
    assert_eq!((rows[2].0, rows[2].2, rows[2].3), ("manual", 0, "done"));
    assert!(rows[2].1.starts_with("token:"), "who did it: {}", rows[2].1);
    for run in history["items"].as_array().unwrap() {
        for member in ["queued_at", "started_at", "finished_at"] {
            assert!(run[member].is_string(), "{run}");
        }
        assert!(
            run["duration_seconds"]
                .as_i64()
                .is_some_and(|seconds| seconds >= 0),
            "{run}"
        );
    }
    assert!(
        history["items"][0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("has no column"),
        "{history}"
    );
    // What became of each person is in the items of the plan.
    let items = bridge
        .get(&format!("/api/v1/runs/{}/items", id(&history["items"][1])))
        .await;
    let outcome = &items["items"][0];
    assert_eq!(
        (&outcome["action"], &outcome["state"]),
        (&json!("disable"), &json!("applied")),
        "{items}"
    );
    assert!(
        outcome["person"].is_string() && outcome["user"].is_string(),
        "{outcome}"
    );
}

#[tokio::test]
async fn rg_20_rg_28_exp_10_errors_and_warnings_are_files_of_their_own_with_person_field_message_and_advice()
{
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(40);
    done(&bridge, &company).await;
    company.row("2").email = String::new();
    company.row("5").given = String::new();
    company.row("5").family = String::new();
    company.row("7").manager = "nobody".to_owned();
    company.row("9").status = "Sabbatical".to_owned();
    let run = done(&bridge, &company).await;
    let errors = said(&bridge, &run, "errors").await;
    let named: Vec<(&str, &str)> = errors
        .iter()
        .map(|one| (one["source_id"].as_str().unwrap(), one["field"].as_str().unwrap()))
        .collect();
    let missing = [
        ("2", "work_email"),
        ("5", "given_name"),
        ("5", "family_name"),
        ("9", "status"),
    ];
    assert_eq!(named, missing, "exactly what is missing, person by person");
    for one in &errors {
        for member in ["person", "message", "advice"] {
            assert!(one[member].as_str().is_some_and(|text| !text.is_empty()), "{one}");
        }
    }
    assert!(
        errors[0]["advice"]
            .as_str()
            .unwrap()
            .contains("fill in work_email"),
        "{}",
        errors[0]
    );
    let warnings = said(&bridge, &run, "warnings").await;
    let named: Vec<&Value> = warnings.iter().map(|one| &one["source_id"]).collect();
    assert_eq!(named, [&json!("7")], "{warnings:?}");
    for (what, rows) in [("errors", 4), ("warnings", 1)] {
        let request = bridge.request(Method::GET, &format!("/api/v1/runs/{}/{what}", id(&run)));
        let response = request.header("accept", "text/csv").send().await.unwrap();
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/csv")
        );
        let text = response.text().await.unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(
            head,
            [
                "source_id",
                "employee_number",
                "field",
                "message",
                "person",
                "advice"
            ]
        );
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), rows, "{text}");
        assert!(
            records
                .iter()
                .all(|record| record.iter().all(|cell| !cell.is_empty())),
            "{text}"
        );
    }
}

/// How much memory this process holds, in bytes: the server runs in it.
fn held() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A million rows with `SCIM_BRIDGE_TEST_ROWS=1000000`.
#[tokio::test]
async fn rg_20_a_file_of_very_many_errors_streams_in_flat_memory() {
    let rows: usize = std::env::var("SCIM_BRIDGE_TEST_ROWS")
        .ok()
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(200_000);
    let bridge = connected(&connection_file()).await;
    let run = done(&bridge, &Company::of(2)).await;
    let database = bridge.rows().await;
    let sql = format!(
        "INSERT INTO run_outcome (tenant_id, run_id, ordinal, severity, source_id, employee_number, person_id, outcome, field, message)
         SELECT run.tenant_id, run.id, 100 + n, 'error', 'r' || lpad(n::text, 8, '0'), 'E' || n, gen_random_uuid(), 'skipped',
           'work_email', 'work_email is empty in HR: no account is made until it is filled in'
         FROM run, generate_series(1, {rows}) AS n WHERE run.id = '{}'",
        id(&run)
    );
    database.batch_execute(&sql).await.unwrap();
    database.batch_execute("ANALYZE run_outcome").await.unwrap();
    let mut grown = Vec::new();
    for format in ["csv", "json"] {
        let before = held();
        let mut most = before;
        let started = Instant::now();
        let path = format!("/api/v1/runs/{}/errors?format={format}", id(&run));
        let mut response = bridge.request(Method::GET, &path).send().await.unwrap();
        let (mut bytes, mut lines) = (0, 0);
        while let Some(chunk) = response.chunk().await.unwrap() {
            bytes += chunk.len();
            lines += chunk.windows(7).filter(|part| part == b"fill in").count();
            most = most.max(held());
        }
        assert!(
            lines <= rows && lines > rows * 99 / 100,
            "{lines} of {rows} in whole chunks"
        );
        let took = started.elapsed();
        eprintln!(
            "{format}: {rows} rows, {bytes} bytes in {took:?}, {} bytes more held",
            most - before
        );
        grown.push(most - before);
    }
    assert!(grown.iter().all(|grown| *grown < 32 * 1024 * 1024), "{grown:?}");

    // The command hands the file on as it comes.
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_scim-bridge"))
        .args(["run", "errors", id(&run), "--csv"])
        .env("SCIM_BRIDGE_URL", &bridge.base_url)
        .env("SCIM_BRIDGE_TOKEN", &bridge.token)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", program.id().unwrap());
    let (mut out, mut lines, mut most) = (program.stdout.take().unwrap(), 0, 0);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = out.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        lines += piece[..read].iter().filter(|byte| **byte == b'\n').count();
        let said = std::fs::read_to_string(&status).unwrap_or_default();
        let held = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let held = held.and_then(|held| held.split_whitespace().next()?.parse::<usize>().ok());
        most = most.max(held.unwrap_or_default());
    }
    assert!(program.wait().await.unwrap().success());
    assert!(lines > rows, "{lines} lines of {rows} rows and a head");
    eprintln!("run errors --csv: {lines} lines, {most} kB at most");
    assert!((1..64 * 1024).contains(&most), "{most} kB");
}

/// One event of a stream.
#[derive(Debug, Clone)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

/// Reads events until the stream ends, or `until` says so.
async fn events(
    bridge: &Bridge,
    run: &Value,
    last: Option<&str>,
    until: impl Fn(&Event) -> bool,
) -> Vec<Event> {
    let mut request = bridge.request(Method::GET, &format!("/api/v1/runs/{}/events", id(run)));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut response = request.send().await.unwrap();
    if response.status() == 204 {
        return Vec::new();
    }
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut text, mut events) = (String::new(), Vec::new());
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let event = Event {
                kind: field("event:"),
                id: field("id:"),
                data: serde_json::from_str(&field("data:")).unwrap_or_default(),
            };
            text = rest.to_owned();
            let stop = until(&event);
            events.push(event);
            if stop {
                return events;
            }
        }
    }
    events
}

#[tokio::test]
async fn rg_27_progress_is_streamed_grows_survives_a_reconnect_and_ends_at_a_hundred() {
    let (bridge, _hr, _) = slow(8, Duration::from_millis(400)).await;
    let mut worker = scim_bridge::worker::Worker::default();
    worker.start(&bridge.app.context);
    let run = bridge.post("/api/v1/connections/people/runs", &json!({})).await;
    let is_reading =
        |event: &Event| event.data["state"] == "reading" && event.data["percent"].as_u64() > Some(5);
    let first = events(&bridge, &run, None, is_reading).await;
    let last = first.last().unwrap();
    assert_eq!(last.kind, "progress");
    assert_eq!(last.data["of"], 80, "{last:?}");
    let second = events(&bridge, &run, Some(&last.id), |_| false).await;
    worker.stop().await;
    let all: Vec<&Event> = first.iter().chain(&second).collect();
    let percents: Vec<u64> = all
        .iter()
        .map(|event| event.data["percent"].as_u64().unwrap())
        .collect();
    assert!(percents.is_sorted(), "{percents:?}");
    assert!(
        percents.len() > 4 && percents.iter().any(|percent| (6..50).contains(percent)),
        "{percents:?}"
    );
    let end = all.last().unwrap();
    assert_eq!((end.kind.as_str(), &end.data["state"]), ("end", &json!("done")));
    assert_eq!(end.data["percent"], 100);
    assert_eq!(end.id, "100-done");
    let again = events(&bridge, &run, Some(&end.id), |_| false).await;
    assert!(again.is_empty(), "an EventSource stops at 204");
    let late = events(&bridge, &run, None, |_| false).await;
    assert_eq!(
        (late.len(), late[0].kind.as_str()),
        (1, "end"),
        "who comes late gets the end"
    );
    let (status, _) = answer(bridge.request(
        Method::GET,
        &format!("/api/v1/runs/{}/events", uuid::Uuid::now_v7()),
    ))
    .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_run_that_waits_for_a_slow_page_stops_at_once_and_can_go_on() {
    let (bridge, hr, _) = slow(1, Duration::from_secs(120)).await;
    let mut worker = scim_bridge::worker::Worker::default();
    worker.start(&bridge.app.context);
    let run = bridge.post("/api/v1/connections/people/runs", &json!({})).await;
    let started = Instant::now();
    while hr.received().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = Instant::now();
    bridge
        .post(&format!("/api/v1/runs/{}/cancel", id(&run)), &json!({}))
        .await;
    let stopped = until(&bridge, &run, |run| run["state"] == "cancelled").await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(stopped["progress"]["stopped_in"], "reading", "{stopped}");
    let (status, _) = post(&bridge, &format!("/api/v1/runs/{}/cancel", id(&run))).await;
    assert_eq!(status, 409, "it has ended");
    hr.rule(|request| {
        let data = if request.param("page").is_none_or(|page| page == "1") {
            json!([{ "id": "1", "given": "G", "family": "F", "email": "p1@acme.example", "state": "on" }])
        } else {
            json!([])
        };
        Some(Answer::json(200, &json!({ "data": data, "total": 1 })))
    });
    let (status, body) = post(&bridge, &format!("/api/v1/runs/{}/resume", id(&run))).await;
    assert_eq!(status, 202, "{body}");
    let ended = until(&bridge, &run, |run| run["state"] == "done").await;
    worker.stop().await;
    assert_eq!(ended["counts"]["applied"], 1, "{ended}");
    let audited = "SELECT count(*) FROM audit_entry WHERE action IN ('run.cancel', 'run.resume')";
    assert_eq!(bridge.count(audited).await, 2);
}

#[tokio::test]
async fn a_plan_that_is_stopped_half_way_says_what_was_applied_and_goes_on_exactly_there() {
    let bridge = connected(&connection_file()).await;
    upload(&bridge, &Company::of(1_100).csv()).await;
    // Somebody cancels while the first batch is being applied.
    let database = bridge.rows().await;
    database
        .batch_execute(
            "CREATE FUNCTION stop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               UPDATE run SET cancel_asked = true WHERE state = 'applying'; RETURN NULL; END $$;
             CREATE TRIGGER stop_it AFTER UPDATE ON plan_item FOR EACH STATEMENT EXECUTE FUNCTION stop_it();",
        )
        .await
        .unwrap();
    let stopped = run_again(&bridge, false).await;
    database
        .batch_execute("DROP TRIGGER stop_it ON plan_item")
        .await
        .unwrap();
    assert_eq!(stopped["state"], "cancelled", "{stopped}");
    assert_eq!(
        (&stopped["counts"]["applied"], &stopped["counts"]["left"]),
        (&json!(500), &json!(600)),
        "{stopped}"
    );
    assert_eq!(
        active_users(&bridge).await,
        500,
        "the batch that was applied stays"
    );
    let path = format!("/api/v1/runs/{}/resume", id(&stopped));
    let (status, body) = post(&bridge, &path).await;
    assert_eq!((status, &body["state"]), (202, &json!("applying")), "{body}");
    bridge.drain().await;
    let ended = show(&bridge, &stopped).await;
    assert_eq!(
        (&ended["state"], &ended["counts"]["applied"]),
        (&json!("done"), &json!(1_100)),
        "{ended}"
    );
    assert_eq!(ended["counts"]["left"], Value::Null);
    assert_eq!(active_users(&bridge).await, 1_100);
    let made = "SELECT count(*) FROM change WHERE kind = 'User' AND action = 'create'";
    assert_eq!(bridge.count(made).await, 1_100, "each once");
    let (status, body) = post(&bridge, &path).await;
    assert_eq!(status, 409, "it is done: {body}");
    let unchanged = run_again(&bridge, false).await;
    assert_eq!(
        (&unchanged["counts"]["unchanged"], &unchanged["counts"]["update"]),
        (&json!(1_100), &json!(0))
    );
}

#[tokio::test]
async fn a_stopped_run_does_not_go_on_after_a_newer_one_or_while_its_connection_is_paused() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(4);
    done(&bridge, &company).await;
    let broken = run_text(&bridge, "Id\n").await;
    assert_eq!(broken["state"], "failed");
    let path = format!("/api/v1/runs/{}/resume", id(&broken));
    bridge.post("/api/v1/connections/people/pause", &json!({})).await;
    let (status, body) = post(&bridge, &path).await;
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("paused"), "{body}");
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    company.row("2").title = "Boss".to_owned();
    done(&bridge, &company).await;
    let (status, body) = post(&bridge, &path).await;
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("newer run"), "{body}");
}

#[tokio::test]
async fn rg_26_rg_30_runs_of_one_connection_never_overlap_however_they_are_started() {
    let (bridge, hr, mut file) = slow(1, Duration::from_millis(60)).await;
    file["schedule"] = json!({ "every": "1m" });
    let put = bridge.request(Method::PUT, "/api/v1/connections/people?publish=true");
    good(with_json(put, &file)).await;
    let at: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&at);
    hr.rule(move |_| {
        noted.lock().unwrap().push(Instant::now());
        None
    });
    // By hand from several sides, by the schedule, and by three that lead runs, all at once.
    let starts = (0..6).map(|_| async { bridge.post("/api/v1/connections/people/runs", &json!({})).await });
    let leaders = (0..3).map(|_| async {
        for round in 0..40 {
            if round % 10 == 0 {
                bridge.clock.advance(TimeDelta::seconds(61));
            }
            bridge.app.context.sync.tick().await.unwrap();
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    });
    let (started, _) = tokio::join!(
        futures_util::future::join_all(starts),
        futures_util::future::join_all(leaders)
    );
    bridge.drain().await;
    assert_eq!(started.len(), 6);
    let runs = bridge.get("/api/v1/runs?limit=100").await;
    let runs = runs["items"].as_array().unwrap();
    let causes: Vec<&str> = runs.iter().map(|run| run["cause"].as_str().unwrap()).collect();
    assert_eq!(
        causes.iter().filter(|cause| **cause == "manual").count(),
        6,
        "{causes:?}"
    );
    assert!(causes.contains(&"schedule"), "{causes:?}");
    assert!(runs.iter().all(|run| run["state"] == "done"), "{runs:?}");
    // Two pages a run, one after the other: never were two asked for at the same time.
    let asked = at.lock().unwrap().clone();
    assert!(asked.len() >= runs.len(), "{} {}", asked.len(), runs.len());
    let closest = asked.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(closest >= Duration::from_millis(55), "{closest:?}");
    let changes = bridge
        .count("SELECT count(*) FROM change WHERE action = 'create' AND kind = 'User'")
        .await;
    assert_eq!(changes, 10, "and nobody was made twice");
}

#[tokio::test]
async fn leap_23_who_is_not_active_any_more_is_disabled_and_who_lost_the_address_is_kept_and_reported() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    company.row("4").status = String::new();
    company.row("8").email = String::new();
    company.row("8").title = "Not to be written".to_owned();
    let run = run(&bridge, &company).await;
    assert_eq!(
        (&run["state"], &run["counts"]["disable"]),
        (&json!("done"), &json!(1)),
        "{run}"
    );
    assert_eq!(person(&bridge, 4).await["active"], false);
    let kept = person(&bridge, 8).await;
    assert_eq!(
        (&kept["active"], &kept["title"]),
        (&json!(true), &json!("Engineer")),
        "as it was: {kept}"
    );
    assert_eq!(kept["emails"][0]["value"], "person8@acme.example");
    let errors = said(&bridge, &run, "errors").await;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        (&errors[0]["source_id"], &errors[0]["field"]),
        (&json!("8"), &json!("work_email"))
    );
    assert!(
        errors[0]["message"].as_str().unwrap().contains("stays as it is"),
        "{errors:?}"
    );
}
