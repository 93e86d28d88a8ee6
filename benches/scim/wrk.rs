//! Drives `wrk` and reads what it found.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Failure;

const COMMON: &str = include_str!("wrk/common.lua");

/// One kind of request, as a script of `wrk`.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// Name of the script.
    pub name: &'static str,
    /// What it does beside the common part.
    pub text: &'static str,
}

/// The scripts.
pub const GET: Script = Script {
    name: "get",
    text: include_str!("wrk/get.lua"),
};
/// See [`GET`].
pub const LOOKUP: Script = Script {
    name: "lookup",
    text: include_str!("wrk/lookup.lua"),
};
/// See [`GET`].
pub const PATCH: Script = Script {
    name: "patch",
    text: include_str!("wrk/patch.lua"),
};
/// See [`GET`].
pub const POST: Script = Script {
    name: "post",
    text: include_str!("wrk/post.lua"),
};

/// Connections that send at the same time.
pub const CONNECTIONS: usize = 16;
/// Threads of the load generator.
pub const THREADS: usize = 2;

/// What one run found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub median_ms: f64,
    /// 99 of 100 answers took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// The load generator.
#[derive(Debug, Clone)]
pub struct Wrk {
    folder: PathBuf,
    token: String,
    seconds: u32,
}

impl Wrk {
    /// A generator that keeps its scripts in `folder`.
    pub fn new(folder: &Path, token: &str, seconds: u32) -> Self {
        Self {
            folder: folder.to_owned(),
            token: token.to_owned(),
            seconds,
        }
    }

    /// Sends for some seconds. An answer that is no success is a failure of the measurement.
    pub fn run(&self, script: Script, port: u16, arguments: &[String]) -> Result<Found, Failure> {
        let file = self.folder.join(format!("{}.lua", script.name));
        std::fs::write(&file, format!("{COMMON}\n{}", script.text))?;
        let output = Command::new("wrk")
            .args(["-t", &THREADS.to_string(), "-c", &CONNECTIONS.to_string()])
            .args(["-d", &format!("{}s", self.seconds), "--timeout", "10s"])
            .args(["-H", &format!("Authorization: Bearer {}", self.token)])
            .args(["-H", "Content-Type: application/scim+json"])
            .arg("-s")
            .arg(&file)
            .arg(format!("http://127.0.0.1:{port}/"))
            .arg("--")
            .args(arguments)
            .output()
            .map_err(|error| format!("wrk is needed (apt-get install wrk): {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text
            .lines()
            .find_map(|line| line.strip_prefix("RESULT "))
            .map(|line| line.split(' ').filter_map(|word| word.parse().ok()).collect())
            .unwrap_or_default();
        match numbers.as_slice() {
            [requests, micros, 0.0, median, p99] if *requests > 0.0 => Ok(Found {
                per_second: requests / micros * 1e6,
                median_ms: median / 1e3,
                p99_ms: p99 / 1e3,
            }),
            _ => Err(format!("{}: not every answer was a success:\n{text}", script.name).into()),
        }
    }
}
