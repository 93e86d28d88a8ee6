//! The real program as processes: the command line, and a server that is killed in the middle of a run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use scim_bridge::base::Sealer;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::kit::{TestDatabase, client, http_client};
use crate::sync_kit::Company;

/// A connection to a file of people.
pub(crate) const FILE: &str = r#"
name = "people"
connector = "csv"
[settings]
path = "people.csv"
[fields]
source_id = "Id"
employee_number = "Number"
given_name = "Given"
family_name = "Family"
work_email = "Email"
title = "Title"
department = { name = "Department" }
manager = { at = "Manager", kind = "source_id" }
status = { at = "Status", words = { Current = "active", "" = "left" }, otherwise = "hold" }
first_day = { at = "From", date = "%Y-%m-%d" }
last_day = { at = "To", date = "%Y-%m-%d" }
[[group]]
key = "employee.department.name"
name = "employee.department.name"
"#;

/// The program with its database, its folder and its port.
pub(crate) struct Program {
    pub(crate) database: TestDatabase,
    folder: PathBuf,
    key: String,
    pub(crate) port: u16,
    pub(crate) token: String,
    /// Further environment variables.
    pub(crate) environment: Vec<(&'static str, String)>,
}

pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("scim-bridge-process-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(folder.join("connectors")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut program = Self {
            database: TestDatabase::create().await,
            folder,
            key: Sealer::new_key(),
            port,
            token: String::new(),
            environment: Vec::new(),
        };
        assert_eq!(program.run(&["tenant", "create", "acme"]).await.code, 0);
        let arguments = [
            "token",
            "create",
            "--tenant",
            "acme",
            "--name",
            "t",
            "--scope",
            "admin,provisioning:read",
        ];
        program.token = program.run(&arguments).await.out.trim().to_owned();
        program
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
        command
            .env("DATABASE_URL", &self.database.url)
            .env("SCIM_BRIDGE_MASTER_KEY", &self.key)
            .env("SCIM_BRIDGE_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("SCIM_BRIDGE_URL", format!("http://127.0.0.1:{}", self.port))
            .env("SCIM_BRIDGE_TOKEN", &self.token)
            .env("SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS", "true")
            .env("SCIM_BRIDGE_CONNECTORS_DIR", self.folder.join("connectors"))
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command().args(arguments).output().await.unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) async fn serve(&self) -> Child {
        self.serve_at(self.port).await
    }

    /// One more server on the same database.
    pub(crate) async fn serve_at(&self, port: u16) -> Child {
        self.serve_logging(port, "off").await
    }

    /// Everything that the servers wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("servers.log")).unwrap()
    }

    /// A server that logs as `filter` says.
    pub(crate) async fn serve_logging(&self, port: u16, filter: &str) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("servers.log"))
            .unwrap();
        let child = self
            .command()
            .env("SCIM_BRIDGE_LISTEN", format!("127.0.0.1:{port}"))
            .env("RUST_LOG", filter)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}/readyz");
        let http = http_client();
        for _ in 0..600 {
            if http
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return child;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not start");
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        client(&self.database.url)
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    /// Waits until a query gives at least this, for two minutes at most.
    pub(crate) async fn until(&self, sql: &str, least: i64) -> i64 {
        for _ in 0..2400 {
            let count = self.count(sql).await;
            if count >= least {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{sql} never gave {least}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// The command line and the API start the same runs, and the history shows both.
async fn by_hand(program: &Program) {
    let url = format!("http://127.0.0.1:{}/api/v1/connections/people/runs", program.port);
    let request = http_client().post(url).bearer_auth(&program.token);
    let started = request
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert!(started.status().is_success());
    let again = program.run(&["sync", "people", "--json"]).await;
    assert_eq!(again.code, 0, "a run waits for the one under way: {}", again.err);
    let listed = program.run(&["run", "list"]).await.out;
    let head: Vec<&str> = listed.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        head,
        [
            "ID",
            "CONNECTION",
            "QUEUED",
            "CAUSE",
            "ACTOR",
            "SECONDS",
            "RESULT",
            "EFFECTS"
        ]
    );
    let latest: Vec<&str> = listed.lines().skip(1).take(2).collect();
    for line in latest {
        assert!(
            line.contains("manual") && line.contains("token:") && line.contains("done"),
            "{listed}"
        );
        assert!(line.contains("read 20"), "{listed}");
    }
    assert!(listed.contains("disable 10"), "{listed}");
    let json: Value = serde_json::from_str(&program.run(&["run", "list", "--json"]).await.out).unwrap();
    let id = json["items"][0]["id"].as_str().unwrap();
    let errors = program.run(&["run", "errors", id, "--csv"]).await;
    assert_eq!(
        errors.out,
        "source_id,employee_number,field,message,person,advice\n"
    );
    let done = program.run(&["run", "resume", id]).await;
    assert!(
        done.code == 1 && done.err.contains("neither cancelled nor did it fail"),
        "{}",
        done.err
    );
}

/// Covers: RG-19, RG-26, PROB-21
#[tokio::test]
async fn the_command_line_tells_by_its_exit_code_how_a_run_ended() {
    let program = Program::new().await;
    let mut server = program.serve().await;
    let mut company = Company::of(20);
    program.write(
        "people.toml",
        &FILE.replace("title = \"Title\"", "titel = \"Title\""),
    );
    program.write("people.csv", &company.csv());
    let wrong = program
        .run(&["connection", "apply", "people.toml", "--publish"])
        .await;
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("people.toml:12:9") && wrong.err.contains("titel"),
        "{}",
        wrong.err
    );
    let bad = format!("{FILE}[mapping]\ntitle = {{ from = \"employee.titel\" }}\n");
    program.write("people.toml", &bad);
    let wrong = program.run(&["connection", "apply", "people.toml"]).await;
    assert!(
        wrong.err.contains("people.toml:22:") && wrong.err.contains("title"),
        "{}",
        wrong.err
    );

    program.write("people.toml", FILE);
    let draft = program.run(&["connection", "apply", "people.toml"]).await;
    assert_eq!(draft.code, 0, "{}", draft.err);
    let refused = program.run(&["sync", "people"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("publish"), "{}", refused.err);
    let published = program.run(&["connection", "publish", "people"]).await;
    assert_eq!(published.code, 0, "{}", published.err);

    let dry = program.run(&["sync", "people", "--dry-run", "--json"]).await;
    let dry: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(dry["run"]["counts"]["create"], 20, "{dry}");
    let first = program.run(&["sync", "people", "--json"]).await;
    assert_eq!(first.code, 0, "{}", first.err);
    let first: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(first["run"]["state"], "done", "{first}");

    for n in 2..=11 {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-01-31".to_owned();
    }
    program.write("people.csv", &company.csv());
    let waiting = program.run(&["sync", "people", "--json"]).await;
    assert_eq!(waiting.code, 3, "{}", waiting.err);
    let waiting: Value = serde_json::from_str(&waiting.out).unwrap();
    let id = waiting["run"]["id"].as_str().unwrap();
    let hash = waiting["run"]["plan_hash"].as_str().unwrap();
    let approved = program.run(&["run", "approve", id, "--plan", hash]).await;
    assert_eq!(approved.code, 0, "{}", approved.err);
    assert!(approved.out.contains("done"), "{}", approved.out);
    let active = "SELECT count(*) FROM resource WHERE kind = 'User' AND active";
    assert_eq!(
        program.count(active).await,
        10,
        "it returns when the plan has been applied"
    );
    by_hand(&program).await;
    assert_eq!(program.run(&["connection", "pause", "people"]).await.code, 0);
    assert_eq!(program.run(&["sync", "people"]).await.code, 1);
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_killed_while_it_applies_loses_nothing_and_doubles_nothing() {
    const PEOPLE: usize = 4000;
    let program = Program::new().await;
    program.write("people.toml", FILE);
    program.write("people.csv", &Company::of(PEOPLE).csv());
    let mut server = program.serve().await;
    let applied = program
        .run(&["connection", "apply", "people.toml", "--publish"])
        .await;
    assert_eq!(applied.code, 0, "{}", applied.err);
    let mut waiting = program
        .command()
        .args(["sync", "people"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let users = "SELECT count(*) FROM resource WHERE kind = 'User'";
    let all = i64::try_from(PEOPLE).unwrap();
    let mut kills = 0;
    for least in [1, 1500] {
        if program.until(users, least).await < all {
            kills += 1;
        }
        server.kill().await.unwrap();
        // The killed server's lease would lapse within a minute.
        let lapse = "UPDATE run SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL";
        client(&program.database.url)
            .await
            .batch_execute(lapse)
            .await
            .unwrap();
        server = program.serve().await;
    }
    assert!(kills > 0, "it was killed in the middle at least once");
    program
        .until("SELECT count(*) FROM run WHERE state = 'done'", 1)
        .await;
    let _ended = waiting.wait().await.unwrap();
    for (sql, what) in [
        (users, "users"),
        ("SELECT count(*) FROM person", "people"),
        (
            "SELECT count(*) FROM person WHERE user_id IS NOT NULL",
            "people with a user",
        ),
        (
            "SELECT count(*) FROM source_record WHERE outcome = 'linked'",
            "records",
        ),
        ("SELECT count(*) FROM external_id", "external ids"),
        (
            "SELECT count(*) FROM change WHERE kind = 'User' AND action = 'create'",
            "creations",
        ),
        ("SELECT count(*) FROM membership", "members"),
        ("SELECT count(*) FROM plan_item WHERE state = 'applied'", "items"),
    ] {
        assert_eq!(program.count(sql).await, all, "{what}");
    }
    let managed = "SELECT count(*) FROM resource WHERE body -> 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' -> 'manager' ->> 'value' IS NOT NULL";
    assert_eq!(
        program.count(managed).await,
        all - 1,
        "everybody but the first has a manager"
    );
    assert_eq!(program.count("SELECT count(*) FROM staging_record").await, 0);
    server.kill().await.unwrap();
}
