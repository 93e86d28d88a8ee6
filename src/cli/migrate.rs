//! `migrate`.

use serde_json::json;

use super::{Error, Exit, Output};
use crate::app::Database;
use crate::config::Config;
use crate::db::embedded::Role;

/// Runs the migrations that are missing.
pub(super) async fn run(output: Output) -> Result<Exit, Error> {
    let database = Database::open(&Config::from_env()?, Role::Command).await?;
    database.close().await;
    output.show(&json!({ "migrated": true }), || {
        "The database is migrated.".to_owned()
    })?;
    Ok(Exit::Done)
}
