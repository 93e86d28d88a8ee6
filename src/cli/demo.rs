//! `demo`: everything at once, on free ports.

use clap::Args;

use super::{Error, Exit};
use crate::app;
use crate::config::Config;
use crate::demo;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many people the sandbox HR system has, leavers and future starters included
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    employees: u32,
    /// End when every account is in sync, instead of staying up
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(demo: Demo) -> Result<Exit, Error> {
    let mut config = Config::from_env()?.for_demo();
    if config.log_filter.is_none() {
        config.log_filter = Some("warn".to_owned());
    }
    app::log_as(config.log, config.log_filter.as_deref());
    let employees = usize::try_from(demo.employees).unwrap_or(usize::MAX);
    let in_sync = demo::run(config, employees, demo.once)
        .await
        .map_err(|error| Error::Demo(Box::new(error)))?;
    Ok(if in_sync { Exit::Done } else { Exit::Failed })
}
