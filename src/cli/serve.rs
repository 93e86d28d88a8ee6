//! `serve`.

use super::{Error, Exit};
use crate::app::{self, Background, Stop};
use crate::config::Config;

/// Runs the server until it is told to stop.
pub(super) async fn run() -> Result<Exit, Error> {
    let config = Config::from_env()?;
    app::log_as(config.log, config.log_filter.as_deref());
    let mut stop = Stop::hear()?;
    // A wish that comes during the start is granted right after it.
    let app = app::serve(&config, Background::Running).await?;
    stop.told().await;
    app.stop().await;
    Ok(Exit::Done)
}
