//! First and unchanged second sync of many sandbox employees, by a real server process on its embedded Postgres.
//!
//! `cargo bench --bench sync -- [EMPLOYEES]` prints people per second and the server's peak memory.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name that is missing is null"
)]

mod bridge;

use std::time::{Duration, Instant};

use scim_bridge::base::{Clock, Secret};
use scim_bridge::cli::Client;
use scim_bridge::demo::sandbox::{Sandbox, serve};
use serde_json::{Value, json};
use url::Url;

use bridge::{Failure, Server, bridge, said};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let employees = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(20_000);
    let data = std::env::temp_dir().join(format!("scim-bridge-bench-{}", std::process::id()));
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    said(bridge(&data, &listen).args(["tenant", "create", "bench"]))?;
    let token = said(bridge(&data, &listen).args([
        "token", "create", "--tenant", "bench", "--name", "bench", "--scope", "admin",
    ]))?;
    let server = Server(bridge(&data, &listen).arg("serve").spawn()?);
    let client = Client::new(Url::parse(&format!("http://{listen}"))?, Secret::new(token))?;
    let sandbox = Sandbox::new(employees, 7, Clock::system().now().date_naive());
    let hr = serve(sandbox.clone())?;
    connect(&client, &sandbox, &hr.base_url).await?;
    for name in ["first", "second"] {
        let begun = Instant::now();
        let run = run(&client).await?;
        let took = begun.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(employees)?) / took;
        println!(
            "{name} sync of {employees} employees: {took:.2} s, {rate:.0} people/s; {}",
            run["counts"]
        );
    }
    println!("peak memory of the server process: {}", peak(server.0.id())?);
    hr.stop().await;
    drop(server);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

async fn connect(client: &Client, sandbox: &Sandbox, hr: &str) -> Result<(), Failure> {
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
    Ok(())
}

async fn run(client: &Client) -> Result<Value, Failure> {
    let queued = client.post("/connections/people/runs", &json!({})).await?;
    let path = format!("/runs/{}", queued["id"].as_str().unwrap_or_default());
    loop {
        let run = client.get(&path, &[]).await?;
        match run["state"].as_str().unwrap_or_default() {
            "done" => return Ok(run),
            "queued" | "reading" | "planning" | "applying" => {}
            _ => return Err(run.to_string().into()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
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
