//! How fast the SCIM server is, measured against the limit of its framework, pool and database on the same machine at the
//! same time: `cargo bench --bench scim`. It needs `wrk` and the PostgreSQL server binaries.
//!
//! Both servers, Postgres and the load generator share the machine, so only the ratio says something. Rounds alternate
//! between the servers; the table shows the median of the rounds. `BENCH_SECONDS` (default 5) and `BENCH_ROUNDS`
//! (default 3) make it longer.

mod limit;
mod load;
mod wrk;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use scim_bridge::base::Clock;
use scim_bridge::db::Db;
use scim_bridge::db::embedded::{Cluster, Role, Settings};
use wrk::{Found, Script, Wrk};

/// Whatever went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_scim-bridge");
const TENANT: &str = "bench";
/// As many connections as the server takes.
const POOL: usize = scim_bridge::config::MAX_CONNECTIONS;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("scim-bridge-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&folder).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn measure(folder: &Path) -> Result<(), Failure> {
    let data_dir = folder.join("data");
    let port = free_port()?;
    let mut bridge = Bridge::start(&data_dir, port)?;
    let settings = Settings {
        data_dir: data_dir.clone(),
        bin_dir: None,
        path: std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
        durable: true,
    };
    let cluster = Cluster::open(&settings, Role::Command).await?;
    let db = Db::connect(&cluster.url(), POOL)?;
    let told = tell(&bridge, &db, folder).await;
    drop(db);
    bridge.stop()?;
    cluster.close().await?;
    told
}

async fn tell(bridge: &Bridge, db: &Db, folder: &Path) -> Result<(), Failure> {
    bridge.command(&["tenant", "create", TENANT])?;
    let token = bridge.command(&[
        "token",
        "create",
        "--tenant",
        TENANT,
        "--name",
        "bench",
        "--scope",
        "scim:read,scim:write",
    ])?;
    let people = folder.join("people.txt");
    load::people(db, TENANT, Clock::system().now(), &people).await?;
    let limit = limit::serve(db.clone()).await?;
    println!("{} users, {} connections", load::USERS, wrk::CONNECTIONS);
    let wrk = Wrk::new(folder, &token, number("BENCH_SECONDS", 5));
    let rounds = number("BENCH_ROUNDS", 3);
    println!(
        "| request | limit/s | bridge/s | ratio | limit p50/p99 ms | bridge p50/p99 ms |\n| --- | --- | --- | --- | --- | --- |"
    );
    for request in requests(&people) {
        let (mut limits, mut bridges) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let rest: Vec<String> = match request.script.name {
                "patch" => [round, rounds]
                    .iter()
                    .map(u32::to_string)
                    .chain([wrk::THREADS.to_string()])
                    .collect(),
                "post" => vec![round.to_string()],
                _ => Vec::new(),
            };
            let with = |first: &[String]| [first, &rest].concat();
            limits.push(on_a_thread(&wrk, request.script, limit, with(&request.limit)).await?);
            bridges.push(on_a_thread(&wrk, request.script, bridge.port, with(&request.bridge)).await?);
        }
        let (limit, bridge) = (median(limits)?, median(bridges)?);
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.1}/{:.1} | {:.1}/{:.1} |",
            request.title,
            limit.per_second,
            bridge.per_second,
            bridge.per_second / limit.per_second,
            limit.median_ms,
            limit.p99_ms,
            bridge.median_ms,
            bridge.p99_ms,
        );
    }
    Ok(())
}

/// Runs the load generator without blocking the limit server's runtime.
async fn on_a_thread(wrk: &Wrk, script: Script, port: u16, arguments: Vec<String>) -> Result<Found, Failure> {
    let wrk = wrk.clone();
    tokio::task::spawn_blocking(move || wrk.run(script, port, &arguments)).await?
}

struct Request {
    title: &'static str,
    script: Script,
    /// First arguments of the script for each server.
    limit: Vec<String>,
    bridge: Vec<String>,
}

fn requests(people: &Path) -> Vec<Request> {
    let people = people.display().to_string();
    let with = |parts: &[&str]| -> Vec<String> {
        std::iter::once(people.clone())
            .chain(parts.iter().map(|part| (*part).to_owned()))
            .collect()
    };
    let request = |title, script, limit, bridge| Request {
        title,
        script,
        limit,
        bridge,
    };
    vec![
        request(
            "GET by id",
            wrk::GET,
            with(&["/users/"]),
            with(&["/scim/v2/Users/"]),
        ),
        request(
            "userName eq",
            wrk::LOOKUP,
            with(&["/names/"]),
            with(&["/scim/v2/Users?filter=userName%20eq%20%22", "%22"]),
        ),
        request(
            "PATCH active",
            wrk::PATCH,
            with(&["/users/"]),
            with(&["/scim/v2/Users/"]),
        ),
        request(
            "POST",
            wrk::POST,
            vec!["/users".to_owned()],
            vec!["/scim/v2/Users".to_owned()],
        ),
    ]
}

fn median(mut found: Vec<Found>) -> Result<Found, Failure> {
    found.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    found
        .get(found.len() / 2)
        .copied()
        .ok_or_else(|| "nothing was measured".into())
}

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The real server, as a process of its own.
struct Bridge {
    process: Child,
    data_dir: PathBuf,
    port: u16,
}

impl Bridge {
    fn start(data_dir: &Path, port: u16) -> Result<Self, Failure> {
        let process = Command::new(PROGRAM)
            .arg("serve")
            .env_remove("DATABASE_URL")
            .env("SCIM_BRIDGE_DATA_DIR", data_dir)
            .env("SCIM_BRIDGE_LISTEN", format!("127.0.0.1:{port}"))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::inherit())
            .spawn()?;
        let bridge = Self {
            process,
            data_dir: data_dir.to_owned(),
            port,
        };
        for _ in 0..600 {
            if bridge.is_ready() {
                return Ok(bridge);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the server did not get ready".into())
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let asked = stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n");
        let mut line = String::new();
        asked.is_ok() && BufReader::new(&mut stream).read_line(&mut line).is_ok() && line.contains(" 200 ")
    }

    /// Runs a command beside the server and gives back what it printed.
    fn command(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("SCIM_BRIDGE_DATA_DIR", &self.data_dir)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Asks the server to end and waits for it.
    fn stop(&mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.process.id())?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("no such process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // Only when something went wrong before it was stopped.
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
        }
    }
}
