//! A database for each test, from a template that is migrated once.

use std::path::{Path, PathBuf};

use scim_bridge::db::embedded::{Cluster, Role, Settings};
use scim_bridge::db::{self, Db};
use tokio_postgres::{Client, NoTls};

/// A database of one's own, dropped at the end.
#[derive(Debug)]
pub struct TestDatabase {
    pub url: String,
    name: String,
    admin_url: String,
}

/// Databases of test processes that were killed are dropped when they are this old, in seconds.
const STALE: i64 = 3600;

impl TestDatabase {
    pub async fn create() -> Self {
        let cluster = Cluster::open(&settings(), Role::Command)
            .await
            .expect("the test cluster runs");
        let admin_url = cluster.url_of("postgres");
        let admin = client(&admin_url).await;
        let template = template(&admin, &cluster).await;
        let name = format!("t_{}_{}", now(), uuid::Uuid::now_v7().simple());
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await
            .expect("a database for the test");
        Self {
            url: cluster.url_of(&name),
            name,
            admin_url,
        }
    }

    /// A database without any table.
    pub async fn create_empty() -> Self {
        let cluster = Cluster::open(&settings(), Role::Command)
            .await
            .expect("the test cluster runs");
        let admin_url = cluster.url_of("postgres");
        let name = format!("t_{}_{}", now(), uuid::Uuid::now_v7().simple());
        client(&admin_url)
            .await
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a database for the test");
        Self {
            url: cluster.url_of(&name),
            name,
            admin_url,
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let admin = client(&url).await;
                let dropped = admin
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                    .await;
                std::io::Result::Ok(dropped.is_ok())
            })
        });
        let _dropped = dropping.join();
    }
}

/// Seconds since 1970, in names of databases.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a database is measured by the machine's clock"
)]
fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the test cluster answers");
    tokio::spawn(async move {
        let _ended = connection.await;
    });
    client
}

/// The settings of the shared cluster.
pub fn settings() -> Settings {
    let path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect());
    Settings {
        data_dir: data_dir(),
        bin_dir: std::env::var_os("SCIM_BRIDGE_PG_BIN").map(PathBuf::from),
        path: path.unwrap_or_default(),
        durable: false,
    }
}

/// `target/test-postgres`, or for root, when not everybody may enter that, a folder below `/var/tmp` of the same standing.
fn data_dir() -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("target")
        .to_owned();
    let root = rustix::process::geteuid().is_root();
    let open = target
        .ancestors()
        .all(|part| std::fs::metadata(part).is_ok_and(|meta| meta.mode() & 0o001 != 0));
    if root && !open {
        let digest = scim_bridge::base::digest(target.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        PathBuf::from(format!("/var/tmp/scim-bridge-tests-{short}"))
    } else {
        target.join("test-postgres")
    }
}

/// The template for this set of migrations; made under a session lock by whoever comes first.
async fn template(admin: &Client, cluster: &Cluster) -> String {
    let digest = db::migrations_digest();
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("template_{short}");
    let exists = "SELECT 1 FROM pg_database WHERE datname = $1";
    if !admin.query(exists, &[&name]).await.unwrap().is_empty() {
        return name;
    }
    admin
        .batch_execute("SELECT pg_advisory_lock(8151)")
        .await
        .unwrap();
    if admin.query(exists, &[&name]).await.unwrap().is_empty() {
        drop_stale(admin).await;
        let draft = format!("draft_{short}");
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"))
            .await
            .unwrap();
        admin
            .batch_execute(&format!("CREATE DATABASE {draft}"))
            .await
            .unwrap();
        let migrated = Db::connect(&cluster.url_of(&draft), 1).unwrap();
        db::migrate(&migrated).await.expect("the migrations run");
        drop(migrated);
        // A connection that was just dropped may still be there for a moment.
        admin
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                &[&draft],
            )
            .await
            .unwrap();
        for attempt in 0.. {
            let renamed = admin
                .batch_execute(&format!("ALTER DATABASE {draft} RENAME TO {name}"))
                .await;
            if renamed.is_ok() {
                break;
            }
            assert!(attempt < 100, "the template cannot be renamed: {renamed:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    admin
        .batch_execute("SELECT pg_advisory_unlock(8151)")
        .await
        .unwrap();
    name
}

/// Drops what killed test processes left, and templates of other migrations.
async fn drop_stale(admin: &Client) {
    let rows = admin
        .query(
            "SELECT datname FROM pg_database WHERE datname LIKE 't\\_%' OR datname LIKE 'template\\_%'",
            &[],
        )
        .await
        .unwrap();
    for row in rows {
        let name: String = row.get(0);
        let born = name.split('_').nth(1).and_then(|text| text.parse::<i64>().ok());
        if name.starts_with("template_") || born.is_some_and(|born| now() - born > STALE) {
            let _gone = admin
                .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await;
        }
    }
}
