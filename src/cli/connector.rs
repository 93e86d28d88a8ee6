//! `connector`: the catalogue of the server, or without a token that of this program.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::connector_page::{items, page, text};
use super::{Client, Error, Exit, Output, connector_client as client, setup};
use crate::config::{Config, ServerAddress};
use crate::connector::{self, Catalogue, Manifest};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the HR systems that can be read
    List {
        /// Only those whose key, name or other names have these words
        words: Vec<String>,
    },
    /// Show what a connector asks, what it can read, and where to click in the HR system
    Show {
        /// Its key, such as personio
        key: String,
    },
    /// Print a connection file to begin with: every question, the fields to choose from, a schedule
    Init {
        /// Its key, such as personio
        key: String,
    },
    /// Set, show or remove your own OAuth client at a vendor, for all tenants; works on the database itself
    Client(client::Arguments),
    /// Check a manifest on this machine, or without a file all that this machine has
    Check {
        /// The manifest, a TOML file
        file: Option<PathBuf>,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    match command {
        Command::List { words } => list(&words.join(" "), output).await,
        Command::Show { key } => show(&key, output).await,
        Command::Init { key } => {
            let connector = connector(&key).await?;
            output.show(&connector, || setup::begin(&connector).trim_end().to_owned())?;
            Ok(Exit::Done)
        }
        Command::Client(arguments) => client::run(arguments, output).await,
        Command::Check { file } => check(file.as_deref(), output),
    }
}

/// The server's client, when there is a token to call it with.
fn server() -> Result<Option<Client>, Error> {
    if ServerAddress::from_env()?.token.is_none() {
        return Ok(None);
    }
    Client::from_env().map(Some)
}

fn local() -> Result<Catalogue, Error> {
    let config = Config::from_env()?;
    Ok(Catalogue::load(config.connectors_dir.as_deref())?)
}

async fn list(words: &str, output: Output) -> Result<Exit, Error> {
    let connectors = match server()? {
        Some(client) => client.all("/connectors", &[("q", words)]).await?,
        None => local()?
            .iter()
            .filter(|manifest| manifest.is_meant_by(words))
            .map(|manifest| json!(manifest.view()))
            .collect(),
    };
    let rows: Vec<Vec<String>> = connectors
        .iter()
        .map(|connector| {
            let aliases: Vec<&str> = items(connector, "aliases").filter_map(Value::as_str).collect();
            vec![
                text(connector, "key").to_owned(),
                text(connector, "name").to_owned(),
                aliases.join(", "),
            ]
        })
        .collect();
    output.table(&json!({ "items": connectors }), &["key", "name", "also"], &rows)?;
    Ok(Exit::Done)
}

async fn show(key: &str, output: Output) -> Result<Exit, Error> {
    let connector = connector(key).await?;
    output.show(&connector, || page(&connector))?;
    Ok(Exit::Done)
}

async fn connector(key: &str) -> Result<Value, Error> {
    let unknown = || {
        Error::Usage(format!(
            "there is no connector {key}: see `scim-bridge connector list`"
        ))
    };
    match server()? {
        Some(client) if is_key(key) => client.get(&format!("/connectors/{key}"), &[]).await,
        Some(_) => Err(unknown()),
        None => Ok(json!(local()?.get(key).map(Manifest::view).ok_or_else(unknown)?)),
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn check(file: Option<&Path>, output: Output) -> Result<Exit, Error> {
    let found = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Error::Usage(format!("{} cannot be read: {error}", file.display())))?;
            Manifest::parse(&file.display().to_string(), &text)
                .map(|manifest| vec![manifest.key().to_owned()])
        }
        None => {
            let config = Config::from_env()?;
            Catalogue::load(config.connectors_dir.as_deref()).map(|catalogue| {
                catalogue
                    .iter()
                    .map(|manifest| manifest.key().to_owned())
                    .collect()
            })
        }
    };
    match found {
        Ok(keys) => {
            output.show(&json!({"ok": true, "connectors": keys}), || {
                format!("Good: {}.", keys.join(", "))
            })?;
            Ok(Exit::Done)
        }
        Err(connector::Error::Manifest { file, problems }) => {
            output.show(&json!({"ok": false, "file": file, "problems": problems}), || {
                let lines: Vec<String> = problems
                    .0
                    .iter()
                    .map(|problem| format!("{file}:{}:{}: {}", problem.line, problem.column, problem.message))
                    .collect();
                lines.join("\n")
            })?;
            Ok(Exit::Failed)
        }
        Err(error) => Err(error.into()),
    }
}
