//! The two servers, each a process of its own.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Error;
use super::load::{Aim, Connection};
use crate::config;

/// A server process that ends with the measurement.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    pub port: u16,
}

impl Server {
    /// Starts this program with some arguments on a scratch folder and waits until it listens.
    pub async fn start(arguments: &[&str], folder: &Path) -> Result<Self, Error> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new(config::program()?)
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env_remove("SCIM_BRIDGE_DATABASE_DIRECT_URL")
            .env("SCIM_BRIDGE_DATA_DIR", folder)
            .env("SCIM_BRIDGE_LISTEN", format!("127.0.0.1:{port}"))
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()?;
        let mut server = Self { process, port };
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            if server.process.try_wait()?.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::Wrong("a server did not get ready".to_owned()))
    }

    /// Its memory now and at most, in MiB, where the system tells.
    pub fn memory(&self) -> Option<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let mib = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
            Some(kib / 1024)
        };
        Some((mib("VmRSS:")?, mib("VmHWM:")?))
    }

    /// SQL statements for one request: half of some requests, sent alone, took no more. What the background does
    /// meanwhile is counted too, but not in half of them.
    pub async fn statements(&self, aim: &Aim) -> Result<u64, Error> {
        let metrics = Aim::new(self.port, |out, _, _| {
            out.extend_from_slice(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        });
        let mut connection = Connection::to(self.port).await?;
        let mut counts = Vec::new();
        for _ in 0..15 {
            connection.ask(&metrics, 0).await?;
            let first = counted(connection.body());
            connection.ask(&metrics, 0).await?;
            let before = counted(connection.body());
            // The metrics take statements too.
            let own = before.saturating_sub(first);
            connection.ask(aim, 0).await?;
            connection.ask(&metrics, 0).await?;
            let after = counted(connection.body());
            counts.push(after.saturating_sub(before).saturating_sub(own));
        }
        counts.sort_unstable();
        Ok(counts.get(counts.len() / 2).copied().unwrap_or_default())
    }

    /// Asks it to end and waits for it.
    pub fn stop(mut self) -> Result<(), Error> {
        self.tell();
        self.process.wait()?;
        Ok(())
    }

    fn tell(&self) {
        let pid = i32::try_from(self.process.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only when something went wrong before it was stopped.
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            self.tell();
        }
    }
}

/// The number of statements in the metrics.
fn counted(metrics: &[u8]) -> u64 {
    String::from_utf8_lossy(metrics)
        .lines()
        .find_map(|line| line.strip_prefix("bridge_database_statements "))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_default()
}
