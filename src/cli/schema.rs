//! `schema`: the tenant's own schemas and resource types, over the API.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add or change schemas and resource types: a file in the form of RFC 7643 §6 and §7, JSON or TOML
    Apply {
        /// The file: one definition, a list, or a ListResponse
        file: PathBuf,
    },
    /// List the schemas and resource types
    List,
    /// Show a schema by its URN, or a resource type by its name
    Show {
        /// URN or name
        what: String,
    },
    /// Take a schema of the tenant away by its URN, or a resource type by its name; refused while in use
    Remove {
        /// URN or name
        what: String,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    match command {
        Command::Apply { file } => {
            let document = read(&file)?;
            let client = Client::from_env()?;
            let done = client
                .post("/schemas", &document)
                .await
                .map_err(|error| explained(Some(&file), error))?;
            tell(&done, output)?;
        }
        Command::List => list(&Client::from_env()?, output).await?,
        Command::Show { what } => {
            let body = Client::from_env()?.get(&path(&what), &[]).await?;
            let text = serde_json::to_string_pretty(&body).map_err(std::io::Error::from)?;
            output.show(&body, || text)?;
        }
        Command::Remove { what } => {
            let done = Client::from_env()?
                .delete(&path(&what))
                .await
                .map_err(|error| explained(None, error))?;
            tell(&done, output)?;
        }
    }
    Ok(Exit::Done)
}

/// Names have no colon, URNs have.
fn path(what: &str) -> String {
    if what.contains(':') {
        format!("/schemas/{what}")
    } else {
        format!("/resource-types/{what}")
    }
}

fn read(file: &Path) -> Result<Value, Error> {
    let unreadable = |error: &dyn std::fmt::Display| Error::Usage(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(&error))?;
    if file.extension().is_some_and(|extension| extension == "toml") {
        toml::from_str(&text).map_err(|error| unreadable(&error))
    } else {
        serde_json::from_str(&text).map_err(|error| unreadable(&error))
    }
}

/// A refusal with each flaw on a line of its own.
fn explained(file: Option<&Path>, error: Error) -> Error {
    let Error::Refused { body, .. } = &error else {
        return error;
    };
    let Some(flaws) = body.get("errors").and_then(Value::as_array) else {
        return error;
    };
    let lines: Vec<String> = flaws
        .iter()
        .map(|flaw| {
            let parts = [
                file.map(|file| file.display().to_string()).unwrap_or_default(),
                text(flaw, "at").to_owned(),
                text(flaw, "message").to_owned(),
            ];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join(": ")
        })
        .collect();
    Error::Usage(lines.join("\n"))
}

fn tell(done: &Value, output: Output) -> Result<(), Error> {
    output.show(done, || {
        items(done)
            .iter()
            .map(|one| {
                format!(
                    "{} {}: {}",
                    text(one, "kind"),
                    text(one, "name"),
                    text(one, "outcome")
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    })
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let schemas = client.get("/schemas", &[]).await?;
    let types = client.get("/resource-types", &[]).await?;
    let mut rows = Vec::new();
    for (what, list) in [("type", &types), ("schema", &schemas)] {
        for one in items(list) {
            let own = one.get("own").and_then(Value::as_bool).unwrap_or_default();
            let used: Vec<&str> = one
                .get("used")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            rows.push(vec![
                what.to_owned(),
                text(&one, "name").to_owned(),
                if own { "own" } else { "" }.to_owned(),
                used.join(" "),
            ]);
        }
    }
    let both = json!({ "schemas": items(&schemas), "resource_types": items(&types) });
    output.table(&both, &["what", "name", "own", "with"], &rows)
}

fn items(list: &Value) -> Vec<Value> {
    list.get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
