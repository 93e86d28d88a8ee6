//! The embedded Postgres, by the program itself: started, shared, killed, recovered, refused.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::kit::{good, http_client};

/// A data directory, and the program working on it.
struct Home {
    data_dir: PathBuf,
    /// Runs the program as this user.
    user: Option<u32>,
}

struct Server {
    child: Child,
    base_url: String,
}

impl Home {
    fn new() -> Self {
        let data_dir = PathBuf::from(format!("/var/tmp/scim-bridge-home-{}", uuid::Uuid::now_v7()));
        Self { data_dir, user: None }
    }

    fn of_nobody() -> Self {
        let mut home = Self::new();
        std::fs::create_dir(&home.data_dir).unwrap();
        chown(&home.data_dir, Some(65_534), Some(65_534)).unwrap();
        home.user = Some(65_534);
        home
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
        command
            .args(arguments)
            .current_dir("/")
            .env_remove("DATABASE_URL")
            .env_remove("RUST_LOG")
            .env("SCIM_BRIDGE_DATA_DIR", &self.data_dir)
            .env("SCIM_BRIDGE_LISTEN", "127.0.0.1:0")
            .env("SCIM_BRIDGE_LOG", "json")
            .stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Stdout of a command that must end well.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn serve(&self) -> Server {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended: {said:?}");
            };
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if parsed["message"] == "serving" {
                break parsed["address"].as_str().unwrap().to_owned();
            }
            said.push(line);
        };
        // Somebody must read on, or the server would wait for the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Server {
            child,
            base_url: format!("http://{address}"),
        }
    }

    fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.data_dir.join("postgres/postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.parse().ok()?)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(pid) = self.postmaster() {
            let _stopped = kill_process(pid, Signal::QUIT);
        }
        let _gone = std::fs::remove_dir_all(&self.data_dir);
    }
}

impl Server {
    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap()
    }

    async fn tenants(&self, token: &str) -> Vec<String> {
        let request = http_client()
            .get(format!("{}/api/v1/tenants", self.base_url))
            .bearer_auth(token);
        let list = good(request).await;
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn gone_soon(pid: Pid) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if test_kill_process(pid).is_err() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn a_server_starts_its_database_shares_it_with_commands_and_stops_it() {
    let home = Home::new();
    let operator = home.good(&["token", "create", "--operator"]);
    assert!(
        operator.starts_with("sbo_") && !operator.contains('\n'),
        "the token alone: {operator}"
    );
    assert!(home.postmaster().is_none(), "a command stops what it started");

    let mut server = home.serve();
    home.good(&["tenant", "create", "acme"]);
    assert_eq!(server.tenants(&operator).await, ["acme"]);
    assert!(
        home.postmaster().is_some(),
        "a command leaves the server's database running"
    );

    let second = home.run(&["serve"]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(
        said.contains("another scim-bridge server is using the data directory"),
        "{said}"
    );
    assert_eq!(
        said.trim_end()
            .lines()
            .filter(|line| !line.starts_with('{'))
            .count(),
        1,
        "one sentence: {said}"
    );

    let postmaster = home.postmaster().unwrap();
    assert!(server.signal(Signal::TERM).success());
    assert!(test_kill_process(postmaster).is_err(), "stopped with the server");
    assert!(home.postmaster().is_none(), "stopped in an orderly way");
    assert_eq!(mode(&home.data_dir.join("postgres")), 0o700);
    assert_eq!(mode(&home.data_dir.join("master.key")), 0o600);
}

#[tokio::test]
async fn a_killed_server_leaves_a_database_that_the_next_one_adopts() {
    let home = Home::new();
    let operator = home.good(&["token", "create", "--operator"]);
    let mut server = home.serve();
    home.good(&["tenant", "create", "acme"]);
    let postmaster = home.postmaster().unwrap();
    server.signal(Signal::KILL);
    assert!(
        test_kill_process(postmaster).is_ok(),
        "the database outlives its server"
    );

    let mut server = home.serve();
    assert_eq!(home.postmaster(), Some(postmaster), "adopted, not started again");
    assert_eq!(server.tenants(&operator).await, ["acme"]);
    assert!(server.signal(Signal::TERM).success());
    assert!(gone_soon(postmaster), "an adopted database is stopped too");
}

#[tokio::test]
async fn a_killed_database_is_recovered_with_all_that_was_committed() {
    let home = Home::new();
    let operator = home.good(&["token", "create", "--operator"]);
    let mut server = home.serve();
    home.good(&["tenant", "create", "acme"]);
    let postmaster = home.postmaster().unwrap();
    server.signal(Signal::KILL);
    kill_process(postmaster, Signal::KILL).unwrap();
    assert!(gone_soon(postmaster));
    assert!(home.postmaster().is_some(), "a stale postmaster.pid is left");

    let server = home.serve();
    assert_eq!(server.tenants(&operator).await, ["acme"]);
    assert_ne!(home.postmaster(), Some(postmaster));
}

#[tokio::test]
async fn a_stale_file_that_names_a_stranger_is_not_believed() {
    let home = Home::new();
    home.good(&["tenant", "create", "acme"]);
    // As after a restart of a container: the number belongs to somebody else now, here to this test.
    let file = home.data_dir.join("postgres/postmaster.pid");
    let us = std::process::id();
    std::fs::write(
        &file,
        format!("{us}\n{}\n1\n5432\n/tmp\n\n\n", home.data_dir.display()),
    )
    .unwrap();
    assert!(home.good(&["tenant", "list"]).contains("acme"));
}

#[tokio::test]
async fn commands_at_the_same_time_share_one_database() {
    let home = Home::new();
    let children: Vec<Child> = (0..4)
        .map(|n| {
            let name = format!("tenant-{n}");
            home.command(&["tenant", "create", &name])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(home.good(&["tenant", "list"]).lines().count(), 5);
    assert!(home.postmaster().is_none());
}

#[tokio::test]
async fn an_ordinary_user_runs_it_as_itself() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test here runs as an ordinary user already.
        return;
    }
    let home = Home::of_nobody();
    home.good(&["tenant", "create", "acme"]);
    let owner = std::fs::metadata(home.data_dir.join("postgres")).unwrap().uid();
    assert_eq!(owner, 65_534);
    let mut server = home.serve();
    assert!(server.signal(Signal::INT).success());
    assert!(home.postmaster().is_none());
}

#[test]
fn missing_binaries_are_one_sentence_that_says_what_to_do() {
    let home = Home::new();
    let output = home
        .command(&["migrate"])
        .env("SCIM_BRIDGE_PG_BIN", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains("SCIM_BRIDGE_PG_BIN names /nowhere"), "{said}");
}

#[test]
fn too_old_binaries_are_named_with_their_version() {
    let home = Home::new();
    let old = home.data_dir.with_extension("old");
    std::fs::create_dir(&old).unwrap();
    for program in ["postgres", "initdb"] {
        let path = old.join(program);
        std::fs::write(&path, "#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let output = home
        .command(&["migrate"])
        .env("SCIM_BRIDGE_PG_BIN", &old)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&old).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("are version 13; 15 or newer is needed: install it ("),
        "{said}"
    );
}
