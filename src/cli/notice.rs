//! `notice`: what was told by mail and webhook.

use clap::Subcommand;
use serde_json::json;

use super::recipient::short;
use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what was told, newest first
    List {
        /// Only those in this state: waiting, sent, failed, unknown, unsent, withdrawn
        #[arg(long)]
        state: Option<String>,
    },
    /// Send again what failed, is unknown, or could not be sent without a mail server
    Resend {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { state } => {
            let query: Vec<(&str, &str)> = state.iter().map(|state| ("state", state.as_str())).collect();
            let items = client.all("/notices", &query).await?;
            let head = ["id", "kind", "channel", "state", "attempts", "at", "detail"];
            let rows: Vec<Vec<String>> = items
                .iter()
                .map(|item| head.map(|member| short(item.get(member))).to_vec())
                .collect();
            output.table(&json!({ "items": items }), &head, &rows)?;
        }
        Command::Resend { id } => {
            client.post(&format!("/notices/{id}/resend"), &json!({})).await?;
            output.show(&json!({ "resent": id }), || format!("message {id} is sent again"))?;
        }
    }
    Ok(Exit::Done)
}
