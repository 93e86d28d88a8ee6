//! `bench`: measures this machine in scratch databases.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Error, Exit};
use crate::bench;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// How many users there are, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000], value_parser = clap::value_parser!(u32).range(200..=10_000_000))]
    users: Vec<u32>,
    /// Over how many tenants they are spread, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100], value_parser = clap::value_parser!(u32).range(1..=100))]
    tenants: Vec<u32>,
    /// For how many seconds each kind of request is sent to each server
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Where the scratch databases go (a million users take 3 GB); default: SCIM_BRIDGE_DATA_DIR
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Be the server that the bridge is compared with
    #[arg(long, hide = true)]
    limit_server: bool,
}

pub(super) async fn run(bench: Bench) -> Result<Exit, Error> {
    let failed = |error| Error::Bench(Box::new(error));
    if bench.limit_server {
        bench::serve_limit().await.map_err(failed)?;
        return Ok(Exit::Done);
    }
    let numbers = |all: Vec<u32>| -> Vec<usize> {
        all.into_iter()
            .filter_map(|number| usize::try_from(number).ok())
            .collect()
    };
    let options = bench::Options {
        users: numbers(bench.users),
        tenants: numbers(bench.tenants),
        time: Duration::from_secs(bench.seconds),
        folder: match bench.folder {
            Some(folder) => folder,
            None => Config::from_env()?.data_dir,
        },
    };
    bench::run(&options).await.map_err(failed)?;
    Ok(Exit::Done)
}
