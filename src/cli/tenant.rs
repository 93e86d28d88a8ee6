//! `tenant`: on the database itself.

use clap::Subcommand;
use serde_json::json;

use super::{Error, Exit, Output};
use crate::access;
use crate::app::Database;
use crate::config::Config;
use crate::db;
use crate::db::Transactional as _;
use crate::db::embedded::Role;

/// The most tenants that are listed.
const LISTED: i64 = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a tenant and print its id
    Create {
        /// Its name: 1 to 100 characters
        name: String,
    },
    /// List the tenants
    List,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let config = Config::from_env()?;
    let database = Database::open(&config, Role::Command).await?;
    let done = on(&database, &config, command, output).await;
    database.close().await;
    done.map(|()| Exit::Done)
}

async fn on(database: &Database, config: &Config, command: Command, output: Output) -> Result<(), Error> {
    let mut conn = database.db.conn().await?;
    match command {
        Command::Create { name } => {
            let name: access::Name = name.parse()?;
            let now = config.clock()?.now();
            let tenant = conn
                .transaction(async |conn| access::create_tenant(conn, &name, "cli", now).await)
                .await?;
            output.show(&json!({ "id": tenant.id, "name": tenant.name }), || {
                tenant.id.to_string()
            })
        }
        Command::List => {
            let tenants = access::tenants(&mut conn, None, LISTED)
                .await
                .map_err(db::Error::from)?;
            let items: Vec<_> = tenants
                .iter()
                .map(
                    |tenant| json!({ "id": tenant.id, "name": tenant.name, "created_at": tenant.created_at }),
                )
                .collect();
            let rows: Vec<Vec<String>> = tenants
                .iter()
                .map(|tenant| {
                    vec![
                        tenant.id.to_string(),
                        tenant.created_at.format("%Y-%m-%d %H:%M").to_string(),
                        tenant.name.clone(),
                    ]
                })
                .collect();
            output.table(&json!({ "items": items }), &["id", "created", "name"], &rows)
        }
    }
}
