//! From options to a table.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::load::{self, CONNECTIONS, Found};
use super::requests::Kind;
use super::server::Server;
use super::{Error, people, requests};
use crate::app::Database;
use crate::config::Config;
use crate::db::embedded::Role;

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many users there are, one after the other.
    pub users: Vec<usize>,
    /// Over how many tenants they are spread, one after the other.
    pub tenants: Vec<usize>,
    /// For how long each kind of request is sent to each server.
    pub time: Duration,
    /// Where the scratch databases go; a folder of its own is made in it and removed.
    pub folder: PathBuf,
}

/// Measures; tables go to stdout as they are ready, what is being done to stderr.
///
/// # Errors
/// When a database or server does not run, or an answer is no success.
pub async fn run(options: &Options) -> Result<(), Error> {
    let folder = options
        .folder
        .join(format!("scim-bridge-bench-{}", std::process::id()));
    let begun = Instant::now();
    println!(
        "{CONNECTIONS} connections, {} s for each kind of request",
        options.time.as_secs()
    );
    let mut done = Ok(());
    for tenants in &options.tenants {
        for users in &options.users {
            let data = folder.join(format!("{users}-{tenants}"));
            done = scenario(&data, (*users, *tenants), options.time).await;
            std::fs::remove_dir_all(&data).ok();
            if done.is_err() {
                break;
            }
        }
    }
    std::fs::remove_dir_all(&folder).ok();
    done?;
    eprintln!("took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn scenario(data: &Path, (users, tenants): (usize, usize), time: Duration) -> Result<(), Error> {
    let mut config = Config::from_env()?;
    config.database_url = None;
    config.database_direct_url = None;
    config.data_dir = data.to_owned();
    config.durable = true;
    let begun = Instant::now();
    let database = Database::open(&config, Role::Command).await?;
    let loaded = people::load(&database.db, (users, tenants), config.clock()?.now()).await;
    let measured = match loaded {
        Ok(loaded) => {
            eprintln!(
                "{users} users over {tenants} tenants: loaded in {:.1} s",
                begun.elapsed().as_secs_f64()
            );
            both(data, loaded, (users, tenants), time).await
        }
        Err(error) => Err(error),
    };
    database.close().await;
    measured
}

async fn both(
    data: &Path,
    loaded: Vec<people::Tenant>,
    (users, tenants): (usize, usize),
    time: Duration,
) -> Result<(), Error> {
    let bridge = Server::start(&["serve"], data).await?;
    let limit = Server::start(&["bench", "--limit-server"], data).await?;
    let at_first = bridge.memory();
    println!(
        "\n### {users} users, {tenants} {}\n\n\
         | request | limit/s | bridge/s | ratio | limit median / p99 ms | bridge median / p99 ms | SQL |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        if tenants == 1 { "tenant" } else { "tenants" }
    );
    for kind in requests::all(loaded, limit.port, bridge.port) {
        row(&kind, &bridge, time).await?;
    }
    if let (Some((first, _)), Some((now, most))) = (at_first, bridge.memory()) {
        println!(
            "\nMemory of the server: {first} MiB after the start, {now} MiB at the end, {most} MiB at most."
        );
    }
    limit.stop()?;
    bridge.stop()
}

async fn row(kind: &Kind, bridge: &Server, time: Duration) -> Result<(), Error> {
    let statements = bridge.statements(&kind.bridge).await?;
    // A quarter of the time goes by before it counts, unless there are few to ask about.
    let warm = if kind.bridge.is_scarce() {
        Duration::ZERO
    } else {
        time / 4
    };
    load::send(&kind.limit, warm).await?;
    let limit = load::send(&kind.limit, time).await?;
    load::send(&kind.bridge, warm).await?;
    let found = load::send(&kind.bridge, time).await?;
    let Found {
        per_second,
        median_ms,
        p99_ms,
    } = found;
    println!(
        "| {} | {:.0} | {per_second:.0} | {:.2} | {:.1} / {:.1} | {median_ms:.1} / {p99_ms:.1} | {statements} |",
        kind.title,
        limit.per_second,
        per_second / limit.per_second,
        limit.median_ms,
        limit.p99_ms,
    );
    Ok(())
}
