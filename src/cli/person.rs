//! `person`, `retention`, `log`: what is held of people and for how long, over the API.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::user::{escaped, items, known_id, short, text};
use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write down all that is held of a person, as JSON
    Export {
        /// The person's or its user's id, or what `user find` takes
        id: String,
        /// The file to write; stdout without it
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Erase a person for good: no plaintext stays, and no run takes its records in again
    Erase {
        /// The person's or its user's id, or what `user find` takes
        id: String,
        /// What becomes of its accounts in apps
        #[arg(long, value_enum, default_value = "disable")]
        accounts: Accounts,
        /// Do not ask for the user name to be typed
        #[arg(long)]
        yes: bool,
    },
    /// List who was erased, and what those erasures wait for that are not done
    Erased,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Accounts {
    /// They stay as they are
    Leave,
    /// Each app takes its steps for people who are no longer there
    Disable,
    /// They are deleted in every live app
    Delete,
}

#[derive(Debug, Subcommand)]
pub(super) enum Retention {
    /// Show how long what is kept
    Show,
    /// Set how long things are kept: history=365d outcomes=90d left_people=forever plans=default
    Set {
        /// NAME=DAYSd, NAME=forever or NAME=default
        #[arg(required = true)]
        periods: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Check the log: every number, every content, and the chain of digests; exit 1 when it does not fit
    Verify,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::Export { id, out } => export(&client, &id, out, output).await,
        Command::Erase { id, accounts, yes } => erase(&client, &id, accounts, yes, output).await,
        Command::Erased => {
            let all = client.all("/erasures", &[]).await?;
            let rows: Vec<Vec<String>> = all
                .iter()
                .map(|row| {
                    let mut cells = ["asked_at", "state", "accounts", "asked_by", "id"]
                        .map(|name| text(row, name))
                        .to_vec();
                    cells.push(waits_for(row));
                    cells
                })
                .collect();
            output.table(
                &json!({ "items": all }),
                &["asked at", "state", "accounts", "by", "erasure", "waits for"],
                &rows,
            )?;
            Ok(Exit::Done)
        }
    }
}

/// The apps for which an erasure waits, each with why.
fn waits_for(row: &Value) -> String {
    let flag = |one: &Value, name: &str| one.get(name).and_then(Value::as_bool) == Some(true);
    items(row, "waits_for")
        .map(|one| {
            let why = match text(one, "mode").as_str() {
                "live" if flag(one, "frozen") => "frozen".to_owned(),
                "live" => text(one, "state"),
                mode => mode.to_owned(),
            };
            format!("{} ({why})", text(one, "app"))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

async fn export(client: &Client, id: &str, out: Option<PathBuf>, output: Output) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    let all = client
        .get(&format!("/people/{}/export", escaped(&id)), &[])
        .await?;
    let pretty = serde_json::to_string_pretty(&all).map_err(std::io::Error::from)?;
    match out {
        Some(path) => {
            std::fs::write(&path, pretty)?;
            eprintln!("written to {}", path.display());
        }
        None => output.show(&all, || pretty)?,
    }
    Ok(Exit::Done)
}

async fn erase(
    client: &Client,
    id: &str,
    accounts: Accounts,
    yes: bool,
    output: Output,
) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    // Of whom is gone already, or waits to be erased, there may be nothing to show.
    let person = match client.get(&format!("/users/{}", escaped(&id)), &[]).await {
        Err(Error::Refused { status: 404, .. }) => Value::Null,
        found => found?,
    };
    let name = items(&person, "attributes")
        .find(|one| one.get("path").and_then(Value::as_str) == Some("userName"))
        .map(|one| text(one, "value"));
    let typed = match (&name, yes) {
        (Some(name), true) => Some(name.clone()),
        (Some(_), false) => {
            eprint!("This cannot be undone. Type the user name of whom is to be erased: ");
            std::io::stderr().flush()?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            Some(line.trim().to_owned())
        }
        (None, true) => None,
        (None, false) => {
            return Err(Error::Usage(
                "this person has no user whose name could be typed: say --yes to erase it".to_owned(),
            ));
        }
    };
    let accounts = match accounts {
        Accounts::Leave => "leave",
        Accounts::Disable => "disable",
        Accounts::Delete => "delete",
    };
    let order = json!({ "user_name": typed, "accounts": accounts });
    let receipt = client
        .post(&format!("/people/{}/erase", escaped(&id)), &order)
        .await?;
    output.show(&receipt, || match receipt.get("accounts_waiting").and_then(Value::as_i64) {
        Some(0) => "noted; everything goes by itself within a minute: see `scim-bridge person erased`".to_owned(),
        _ => format!(
            "{} accounts are being told first; the rest goes by itself after that: see `scim-bridge person erased`",
            short(receipt.get("accounts_waiting"))
        ),
    })?;
    Ok(Exit::Done)
}

pub(super) async fn retention(command: Retention, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let body = match command {
        Retention::Show => client.get("/retention", &[]).await?,
        Retention::Set { periods } => {
            let mut wanted = Map::new();
            for period in &periods {
                let (name, value) = wanted_period(period)?;
                wanted.insert(name, value);
            }
            client.put("/retention", &Value::Object(wanted)).await?
        }
    };
    let rows: Vec<Vec<String>> = items(&body, "items")
        .map(|one| {
            let days = match one.get("days").and_then(Value::as_u64) {
                Some(days) => format!("{days} days"),
                None => "for ever".to_owned(),
            };
            let by = if one.get("is_own").and_then(Value::as_bool) == Some(true) {
                "set"
            } else {
                "default"
            };
            vec![text(one, "name"), days, by.to_owned(), text(one, "what")]
        })
        .collect();
    output.table(&body, &["name", "kept", "", "what"], &rows)?;
    Ok(Exit::Done)
}

fn wanted_period(text: &str) -> Result<(String, Value), Error> {
    let wrong = || {
        Error::Usage(format!(
            "{text:?} is no period: write NAME=365d, NAME=forever or NAME=default"
        ))
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = match value {
        "forever" => Value::Null,
        "default" => Value::from("default"),
        days => Value::from(days.trim_end_matches('d').parse::<u32>().map_err(|_| wrong())?),
    };
    Ok((name.to_owned(), value))
}

pub(super) async fn log(command: Log, output: Output) -> Result<Exit, Error> {
    let Log::Verify = command;
    let client = Client::from_env()?;
    let body = client.get("/log/verify", &[]).await?;
    let whole = body.get("whole").and_then(Value::as_bool) == Some(true);
    output.show(&body, || {
        let numbers = format!(
            "changes {} to {}, {} of them without content",
            body.get("from")
                .and_then(Value::as_i64)
                .unwrap_or_default()
                .saturating_add(1),
            short(body.get("to")),
            short(body.get("without_content"))
        );
        if whole {
            format!("the log is whole: {numbers}")
        } else {
            format!(
                "THE LOG DOES NOT FIT at change {}: {} ({numbers})",
                short(body.get("broken_at")),
                text(&body, "because")
            )
        }
    })?;
    Ok(if whole { Exit::Done } else { Exit::Failed })
}
