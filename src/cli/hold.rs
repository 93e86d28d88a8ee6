//! `hold`: values that wait for a human.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List open holds
    List {
        /// All of them, decided ones too
        #[arg(long)]
        all: bool,
    },
    /// Write the new value
    Approve {
        /// Its id
        id: String,
    },
    /// Keep the old value; this new one is not asked for again
    Reject {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { all } => list(&client, all, output).await?,
        Command::Approve { id } => decide(&client, &id, "approve", output).await?,
        Command::Reject { id } => decide(&client, &id, "reject", output).await?,
    }
    Ok(Exit::Done)
}

async fn decide(client: &Client, id: &str, what: &str, output: Output) -> Result<(), Error> {
    let hold = client.post(&format!("/holds/{id}/{what}"), &json!({})).await?;
    output.show(&hold, || {
        format!(
            "hold {id} is {}",
            hold.get("state").and_then(Value::as_str).unwrap_or_default()
        )
    })
}

async fn list(client: &Client, all: bool, output: Output) -> Result<(), Error> {
    let state = if all { "all" } else { "open" };
    let items = client.all("/holds", &[("state", state)]).await?;
    let text = |item: &Value, member: &str| match item.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let head = ["id", "state", "app", "user", "field", "old", "new", "detail"];
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| head.map(|member| text(item, member)).to_vec())
        .collect();
    output.table(&json!({ "items": items }), &head, &rows)
}
