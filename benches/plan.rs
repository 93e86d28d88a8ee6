//! Plans of many sandbox employees, by a real server process: of a first run, of an unchanged run, and what a changed
//! mapping would do to everybody and to three apps; time, peak memory, and what the tables grow by.
//!
//! `cargo bench --bench plan -- [EMPLOYEES]` (100,000 when absent). With `DATABASE_URL` the server works on that database
//! and the growth of its tables is printed too (by `psql`); without, on its embedded Postgres.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name that is missing is null"
)]

mod bridge;

use std::process::Command;
use std::time::{Duration, Instant};

use scim_bridge::base::{Clock, Secret};
use scim_bridge::cli::Client;
use scim_bridge::demo::sandbox::{Sandbox, serve};
use serde_json::{Value, json};
use url::Url;

use bridge::{Failure, Server, bridge, said};

/// Rows written so far and bytes per table that grows with runs.
const GROWTH: &str = "SELECT s.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del AS written, \
    pg_size_pretty(pg_total_relation_size(s.relid)) AS size FROM pg_stat_user_tables s \
    WHERE s.n_tup_ins > 0 AND s.relname = ANY('{change,numbered_change,run,run_outcome,plan,plan_item,source_record,\
    person,resource,account,staging_page,staging_record}') ORDER BY 1";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let employees = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(100_000);
    let data = std::env::temp_dir().join(format!("scim-bridge-bench-{}", std::process::id()));
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    let tenant = format!("bench{}", std::process::id());
    said(bridge(&data, &listen).args(["tenant", "create", &tenant]))?;
    let token = said(bridge(&data, &listen).args([
        "token", "create", "--tenant", &tenant, "--name", "bench", "--scope", "admin",
    ]))?;
    let server = Server(bridge(&data, &listen).arg("serve").spawn()?);
    let client = Client::new(Url::parse(&format!("http://{listen}"))?, Secret::new(token))?;
    let sandbox = Sandbox::new(employees, 7, Clock::system().now().date_naive());
    let hr = serve(sandbox.clone())?;
    let file = connect(&client, &sandbox, &hr.base_url).await?;
    growth("before");
    for (name, dry_run) in [
        ("plan of a first run (dry)", true),
        ("first run", false),
        ("plan of an unchanged run (dry)", true),
        ("unchanged run", false),
    ] {
        let order = json!({ "dry_run": dry_run });
        timed(&client, name, "/connections/people/runs", &order).await?;
        growth(name);
    }
    apps(&client).await;
    let mut changed = file;
    changed["mapping"] = json!({ "title": { "from": "employee.title | upper" } });
    client.put("/connections/people", &changed).await?;
    let begun = Instant::now();
    let run = timed(
        &client,
        "what-if of a changed mapping",
        "/connections/people/preview",
        &json!({}),
    )
    .await?;
    let plan = run["plan"].as_str().unwrap_or_default();
    let apps = client.get(&format!("/plans/{plan}/apps"), &[]).await?;
    println!(
        "  with the calls of three apps: {:.2} s; {}",
        begun.elapsed().as_secs_f64(),
        apps["items"]
    );
    growth("what-if");
    println!("peak memory of the server process: {}", peak(server.0.id())?);
    hr.stop().await;
    drop(server);
    std::fs::remove_dir_all(&data).ok();
    Ok(())
}

async fn connect(client: &Client, sandbox: &Sandbox, hr: &str) -> Result<Value, Failure> {
    let begun = Instant::now();
    while client.get("/connections", &[]).await.is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("the server did not come up".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let settings =
        json!({ "api_key": sandbox.api_key(), "integration_id": sandbox.integration_id(), "base_url": hr });
    let group = json!([{ "key": "employee.department.id", "name": "employee.department.name" }]);
    let connection = json!({ "name": "people", "connector": "kombo", "settings": settings, "group": group });
    client.put("/connections/people", &connection).await?;
    client.post("/connections/people/publish", &json!({})).await?;
    Ok(connection)
}

/// Three apps with different mappings whose servers do not answer: what they would be sent is foretold all the same.
async fn apps(client: &Client) {
    for (name, more) in [
        ("one", json!({})),
        ("two", json!({ "scope": { "include": "user.active" } })),
        (
            "three",
            json!({ "mapping": { "nickName": { "from": "user.title" } } }),
        ),
    ] {
        let mut file =
            json!({ "name": name, "base_url": "http://127.0.0.1:9", "token": "t", "mode": "live" });
        if let (Some(file), Some(more)) = (file.as_object_mut(), more.as_object()) {
            file.extend(more.clone());
        }
        let path = format!("/apps/{name}");
        if let Err(error) = client.put(&path, &file).await {
            println!("app {name}: {error}");
        }
        client.post(&format!("{path}/publish"), &json!({})).await.ok();
    }
}

/// Starts a run and waits until it rests; prints how long it took in all, and from its plan on.
async fn timed(client: &Client, name: &str, path: &str, order: &Value) -> Result<Value, Failure> {
    let begun = Instant::now();
    let queued = client.post(path, order).await?;
    let path = format!("/runs/{}", queued["id"].as_str().unwrap_or_default());
    let mut planning = None;
    loop {
        let run = client.get(&path, &[]).await?;
        let state = run["state"].as_str().unwrap_or_default().to_owned();
        if state != "queued" && state != "reading" {
            planning.get_or_insert_with(Instant::now);
        }
        match state.as_str() {
            "queued" | "reading" | "planning" | "applying" => {}
            "done" => {
                println!(
                    "{name}: {:.2} s, of which {:.2} s after the read; {}",
                    begun.elapsed().as_secs_f64(),
                    planning.map_or(0.0, |at| at.elapsed().as_secs_f64()),
                    run["counts"]
                );
                return Ok(run);
            }
            _ => return Err(run.to_string().into()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn growth(after: &str) {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        return;
    };
    let shown = Command::new("psql")
        .args([&url, "-c", "SELECT pg_stat_force_next_flush()", "-Atc", GROWTH])
        .output();
    if let Ok(shown) = shown {
        println!("  rows written and sizes after {after}:");
        print!("{}", String::from_utf8_lossy(&shown.stdout));
    }
}

/// `VmHWM` of Linux: the most memory that was resident at once.
fn peak(pid: u32) -> Result<String, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    Ok(line.trim_start_matches("VmHWM:").trim().to_owned())
}
