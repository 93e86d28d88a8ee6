//! `subscription`: addresses that are told of events by HTTP.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::recipient::short;
use super::{Client, Error, Exit, Output};
use crate::base::Chain;
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List subscriptions
    List,
    /// Add an address; prints the secret that signs, once
    Add(Add),
    /// Switch one on again
    Resume {
        /// Its id
        id: String,
    },
    /// Switch one off for a while
    Pause {
        /// Its id
        id: String,
    },
    /// End one
    Remove {
        /// Its id
        id: String,
    },
    /// Send events again: one, or those of a span
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name
    name: String,
    /// The address: itself, env:NAME or file:PATH
    #[arg(long)]
    url: String,
    /// standard, slack or teams
    #[arg(long, default_value = "standard", value_parser = ["standard", "slack", "teams"])]
    preset: String,
    /// Only these kinds of events, such as run_failed; all without it
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<String>,
    /// Only events of these legal entities, each by its id, code or name in HR
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<String>,
    /// Send names and addresses of people too, not only ids
    #[arg(long)]
    names: bool,
    /// de, en, fr or nl, for slack and teams
    #[arg(long)]
    language: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The subscription's id
    id: String,
    /// One event, by its id
    #[arg(long, conflicts_with_all = ["from", "to"], required_unless_present = "from")]
    event: Option<String>,
    /// From this instant on, such as 2026-11-20T00:00:00Z
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// Before this instant
    #[arg(long, requires = "from")]
    to: Option<String>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List => {
            let items = client.all("/subscriptions", &[]).await?;
            let head = [
                "id",
                "name",
                "preset",
                "state",
                "events",
                "entities",
                "names",
                "last_failure",
            ];
            let rows: Vec<Vec<String>> = items
                .iter()
                .map(|item| head.map(|member| short(item.get(member))).to_vec())
                .collect();
            output.table(&json!({ "items": items }), &head, &rows)?;
        }
        Command::Add(add) => {
            let url = config::resolve(&add.url)
                .map_err(|error| Error::Usage(format!("--url: {}", Chain(&error))))?;
            let body = json!({
                "name": add.name, "url": url, "preset": add.preset, "events": add.events, "entities": add.entities,
                "names": add.names, "language": add.language,
            });
            let added = client.post("/subscriptions", &body).await?;
            output.show(&added, || {
                format!(
                    "id      {}\nsecret  {}\n        (shown this once)",
                    short(added.get("id")),
                    short(added.get("secret"))
                )
            })?;
        }
        Command::Resume { id } => switch(&client, &id, "active", output).await?,
        Command::Pause { id } => switch(&client, &id, "paused", output).await?,
        Command::Remove { id } => {
            client.delete(&format!("/subscriptions/{id}")).await?;
            output.show(&json!({ "removed": id }), || {
                format!("subscription {id} has ended")
            })?;
        }
        Command::Replay(replay) => {
            let body = json!({ "event": replay.event, "from": replay.from, "to": replay.to });
            let done: Value = client
                .post(&format!("/subscriptions/{}/replay", replay.id), &body)
                .await?;
            output.show(&done, || {
                format!("{} events are sent again", short(done.get("replayed")))
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn switch(client: &Client, id: &str, state: &str, output: Output) -> Result<(), Error> {
    client
        .patch(&format!("/subscriptions/{id}"), &json!({ "state": state }))
        .await?;
    output.show(&json!({ "id": id, "state": state }), || {
        format!("subscription {id} is {state}")
    })
}
