//! `freeze` and `thaw`, over the API.

use clap::Args;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Args)]
pub(super) struct Command {
    /// An app: nothing is pushed to it
    #[arg(long, conflicts_with_all = ["connection", "client"])]
    app: Option<String>,
    /// A connection: its plans wait for approval
    #[arg(long, conflicts_with = "client")]
    connection: Option<String>,
    /// A SCIM client, by name or id: it may read but not write
    #[arg(long)]
    client: Option<String>,
    /// Why; whoever meets the freeze is told
    #[arg(long)]
    reason: Option<String>,
}

/// Freezes or thaws (`what`) what the arguments name, or the whole tenant; shows what is frozen then.
pub(super) async fn run(what: &str, command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let mut order = serde_json::Map::new();
    let named = [
        ("app", command.app),
        ("connection", command.connection),
        ("client", command.client),
        ("reason", command.reason),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            order.insert(name.to_owned(), json!(value));
        }
    }
    let body = client.post(&format!("/{what}"), &Value::Object(order)).await?;
    let rows: Vec<Vec<String>> = body
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|item| {
            ["what", "name", "since", "by", "reason"]
                .map(|member| {
                    item.get(member)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                })
                .to_vec()
        })
        .collect();
    output.table(&body, &["frozen", "name", "since", "by", "reason"], &rows)?;
    Ok(Exit::Done)
}
