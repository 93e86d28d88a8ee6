//! `connector client`: the operator's OAuth clients at vendors, on the database itself.

use clap::Args;
use serde_json::json;

use super::{Error, Exit, Output};
use crate::app::Database;
use crate::base::{Chain, Secret};
use crate::config::{self, Config};
use crate::connector::Catalogue;
use crate::db::embedded::Role;
use crate::sync::{OAuthClient, keep_oauth_client, oauth_client, remove_oauth_client};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The connector's key, such as nmbrs
    key: String,
    /// The client id that the vendor gave you
    #[arg(long, requires = "secret")]
    id: Option<String>,
    /// Its secret: env:NAME or file:PATH; "none" for a public client
    #[arg(long, requires = "id")]
    secret: Option<String>,
    /// Only for connections with this base_url, such as a sandbox; without it, only for those without one
    #[arg(long, requires = "id")]
    base_url: Option<String>,
    /// Remove it
    #[arg(long, conflicts_with = "id")]
    remove: bool,
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<Exit, Error> {
    let config = Config::from_env()?;
    let known = Catalogue::load(config.connectors_dir.as_deref())?;
    if known.get(&arguments.key).is_none() {
        return Err(Error::Usage(format!(
            "there is no connector {}: see `scim-bridge connector list`",
            arguments.key
        )));
    }
    let database = Database::open(&config, Role::Command).await?;
    let done = on(&database, &config, arguments, output).await;
    database.close().await;
    done.map(|()| Exit::Done)
}

async fn on(database: &Database, config: &Config, given: Arguments, output: Output) -> Result<(), Error> {
    let (sealer, now) = (config.sealer()?, config.clock()?.now());
    let mut conn = database.db.conn().await?;
    if given.remove {
        remove_oauth_client(&mut conn, &given.key).await?;
    }
    if let (Some(id), Some(secret)) = (given.id, given.secret) {
        let client = OAuthClient {
            id,
            secret: read(&secret)?,
            base_url: given.base_url,
        };
        keep_oauth_client(&mut conn, &sealer, &given.key, &client, now).await?;
    }
    let client = oauth_client(&mut conn, &sealer, &given.key).await?;
    let shown = json!({
        "connector": given.key,
        "client_id": client.as_ref().map(|client| &client.id),
        "has_secret": client.as_ref().is_some_and(|client| client.secret.is_some()),
        "base_url": client.as_ref().and_then(|client| client.base_url.as_ref()),
    });
    output.show(&shown, || match &client {
        Some(client) => format!("the client at the vendor of {} is {}", given.key, client.id),
        None => format!("there is no client at the vendor of {}", given.key),
    })
}

fn read(given: &str) -> Result<Option<Secret>, Error> {
    if given == "none" {
        return Ok(None);
    }
    if !given.starts_with("env:") && !given.starts_with("file:") {
        return Err(Error::Usage(
            "--secret takes env:NAME or file:PATH: a secret in the command itself can be seen by others"
                .into(),
        ));
    }
    config::resolve(given)
        .map(|secret| Some(Secret::new(secret)))
        .map_err(|error| Error::Usage(format!("--secret: {}", Chain(&error))))
}
