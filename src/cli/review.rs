//! `review`: records of which nobody but a human can say whose they are.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List open reviews
    List {
        /// All of them, decided ones too
        #[arg(long)]
        all: bool,
    },
    /// Say whose the records of a review are; a run acts on it
    Decide {
        /// Its id
        id: String,
        /// They are this candidate
        #[arg(long, conflicts_with = "as_what", required_unless_present = "as_what")]
        person: Option<String>,
        /// They are one human whom nobody knew, or each a human of its own
        #[arg(long = "as", value_name = "WHAT")]
        as_what: Option<What>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum What {
    /// One human whom nobody knew
    OnePerson,
    /// Each a human of its own
    Separate,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { all } => list(&client, all, output).await?,
        Command::Decide { id, person, as_what } => {
            let order = match (person, as_what) {
                (Some(person), _) => json!({ "decision": "person", "person": person }),
                (None, Some(What::OnePerson)) => json!({ "decision": "one_person" }),
                (None, _) => json!({ "decision": "separate" }),
            };
            let decided = client.post(&format!("/reviews/{id}/decide"), &order).await?;
            output.show(&decided, || format!("review {id} is decided; a run acts on it"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, all: bool, output: Output) -> Result<(), Error> {
    let state = if all { "all" } else { "open" };
    let items = client.all("/reviews", &[("state", state)]).await?;
    let joined = |item: &Value, member: &str| {
        let parts: Vec<&str> = item
            .get(member)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        parts.join(" ")
    };
    let text = |item: &Value, member: &str| {
        item.get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            vec![
                text(item, "id"),
                text(item, "state"),
                joined(item, "source_ids"),
                joined(item, "candidates"),
                text(item, "reason"),
            ]
        })
        .collect();
    output.table(
        &json!({ "items": items }),
        &["id", "state", "records", "candidates", "reason"],
        &rows,
    )
}
