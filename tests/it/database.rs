//! The ways to the database: TLS, several hosts, PgBouncer.
//!
//! PgBouncer stands before the shared test cluster and speaks TLS for it. Without it these tests have nothing to look
//! at: they say so and end.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use scim_bridge::access::Scope;
use scim_bridge::app::Background;
use scim_bridge::base::Chain;
use scim_bridge::db::{self, Db, Error};
use serde_json::json;

use crate::kit::{Bridge, Settings, TestDatabase, answer, certificates, good, left_out, with_json};

struct Pooler {
    folder: PathBuf,
    port: u16,
    child: Child,
    /// Major and minor version, such as (1, 18).
    version: (u32, u32),
}

fn pgbouncer() -> PathBuf {
    std::env::var_os("SCIM_BRIDGE_TEST_PGBOUNCER").map_or_else(|| PathBuf::from("pgbouncer"), PathBuf::from)
}

fn version() -> Option<(u32, u32)> {
    let output = Command::new(pgbouncer()).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.lines().next()?.split(' ').nth(1)?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

impl Pooler {
    /// None without PgBouncer.
    fn start(database: &TestDatabase, mode: &str, tls: bool) -> Option<Self> {
        let Some(version) = version() else {
            left_out("there is no pgbouncer on this machine");
            return None;
        };
        let folder = PathBuf::from(format!("/var/tmp/scim-bridge-pooler-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let word = |name: &str| {
            let part = database.url.split(' ').find_map(|part| part.strip_prefix(name));
            part.unwrap().to_owned()
        };
        let (host, user, name) = (word("host="), word("user="), word("dbname="));
        let mut config = format!(
            "[databases]\n{name} = host={host} dbname={name} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\nlogfile = {}/log\n\
             default_pool_size = 10\n",
            folder.display()
        );
        if version >= (1, 21) {
            config.push_str("max_prepared_statements = 100\n");
        }
        if tls {
            certificates(&folder, "DNS:localhost");
            let at = folder.display();
            config.push_str(&format!(
                "client_tls_sslmode = require\nclient_tls_key_file = {at}/server.key\nclient_tls_cert_file = {at}/server.pem\n"
            ));
        }
        std::fs::write(folder.join("pgbouncer.ini"), config).unwrap();
        let mut command = Command::new(pgbouncer());
        command
            .arg("-q")
            .arg(folder.join("pgbouncer.ini"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            // As the user of the cluster, whom alone its socket lets in.
            let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&host).unwrap());
            for entry in std::fs::read_dir(&folder).unwrap() {
                chown(entry.unwrap().path(), Some(owner), None).unwrap();
            }
            chown(&folder, Some(owner), None).unwrap();
            command.uid(owner);
        }
        let child = command.spawn().unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Some(Self {
            folder,
            port,
            child,
            version,
        })
    }

    fn url(&self, host: &str, database: &TestDatabase, rest: &str) -> String {
        let name = database
            .url
            .split("dbname=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        format!("postgres://scim_bridge@{host}:{}/{name}?{rest}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _gone = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// What comes of one statement at this address.
async fn trial(url: &str) -> Result<(), String> {
    let db = Db::connect(url, 1).map_err(|error| Chain(&error).to_string())?;
    db.conn()
        .await
        .map(drop)
        .map_err(|error| Chain(&error).to_string())
}

#[tokio::test]
async fn tls_means_what_its_mode_says() {
    let database = TestDatabase::create().await;
    let Some(pooler) = Pooler::start(&database, "session", true) else {
        return;
    };
    let at = |host: &str, rest: &str| pooler.url(host, &database, rest);
    let ca = format!("sslrootcert={}/ca.pem", pooler.folder.display());
    for good in [
        at("localhost", "sslmode=require"),
        at("localhost", "sslmode=prefer"),
        at("localhost", &format!("sslmode=verify-full&{ca}")),
        at("127.0.0.1", &format!("sslmode=verify-ca&{ca}")),
        at("127.0.0.1", "sslmode=require"),
    ] {
        assert_eq!(trial(&good).await, Ok(()), "{good}");
    }
    for (bad, why) in [
        (at("localhost", "sslmode=disable"), "SSL required"),
        (
            at("127.0.0.1", &format!("sslmode=verify-full&{ca}")),
            "certificate not valid for name",
        ),
        (at("localhost", "sslmode=verify-full"), "UnknownIssuer"),
        (at("localhost", "sslmode=verify-ca"), "UnknownIssuer"),
        (
            at("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem"),
            "/nowhere.pem",
        ),
    ] {
        let said = trial(&bad).await.unwrap_err();
        assert!(said.contains(why), "{bad}: {said}");
    }
    let plain = Pooler::start(&database, "session", false).unwrap();
    assert_eq!(
        trial(&plain.url("localhost", &database, "sslmode=prefer")).await,
        Ok(())
    );
    let said = trial(&plain.url("localhost", &database, "sslmode=require"))
        .await
        .unwrap_err();
    assert!(said.contains("TLS"), "{said}");
}

#[tokio::test]
async fn of_several_hosts_the_first_that_answers_is_taken() {
    let database = TestDatabase::create().await;
    let Some(pooler) = Pooler::start(&database, "session", false) else {
        return;
    };
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = pooler.url(
        &format!("127.0.0.1:{dead},127.0.0.1"),
        &database,
        "connect_timeout=5",
    );
    assert_eq!(trial(&url).await, Ok(()));
}

#[tokio::test]
async fn behind_pgbouncer_in_transaction_mode_everything_works_or_is_refused_in_a_sentence() {
    let database = TestDatabase::create().await;
    let Some(pooler) = Pooler::start(&database, "transaction", false) else {
        return;
    };
    let url = pooler.url("127.0.0.1", &database, "");
    if pooler.version < (1, 21) {
        let db = Db::connect(&url, 4).unwrap();
        let refused = db::check_pooler(&db).await.unwrap_err();
        assert!(matches!(refused, Error::PoolerForgets), "{refused}");
        assert!(refused.to_string().contains("1.21"));
        return;
    }
    let direct = database.url.clone();
    let settings = Settings {
        background: Background::Running,
        environment: vec![("DATABASE_URL", url), ("SCIM_BRIDGE_DATABASE_DIRECT_URL", direct)],
        ..Settings::default()
    };
    let bridge = Bridge::spawn_on(database, settings).await;
    let operator = bridge.make_operator_token().await;
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let order = json!({ "name": format!("tenant-{n}") });
            tokio::spawn(answer(with_json(
                bridge.request_as(&operator, Method::POST, "/api/v1/tenants"),
                &order,
            )))
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().0, 201);
    }
    // LISTEN goes round the pooler.
    let secret = bridge.make_token(bridge.tenant, "okta", &[Scope::Admin]).await;
    good(bridge.request_as(&secret, Method::GET, "/api/v1/tokens")).await;
    let sql =
        "UPDATE token SET revoked_at = now() WHERE name = 'okta'; SELECT pg_notify('bridge_access', '')";
    bridge.rows().await.batch_execute(sql).await.unwrap();
    let begun = std::time::Instant::now();
    while answer(bridge.request_as(&secret, Method::GET, "/api/v1/tokens"))
        .await
        .0
        != 401
    {
        assert!(begun.elapsed() < std::time::Duration::from_secs(4));
    }
    bridge.stop().await;
}
