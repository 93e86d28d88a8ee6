//! `serve`.

use super::{Error, Exit};
use crate::app::{self, Background};
use crate::config::Config;

/// Runs the server until it is told to stop.
pub(super) async fn run() -> Result<Exit, Error> {
    let config = Config::from_env()?;
    app::log_as(config.log, config.log_filter.as_deref());
    let app = app::serve(&config, Background::Running).await?;
    let told = app::until_told_to_stop().await;
    app.stop().await;
    told?;
    Ok(Exit::Done)
}
