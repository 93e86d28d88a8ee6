//! `operation`: what was sent to apps, over the API.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List operations, the newest first
    List {
        /// Only those of this app
        #[arg(long)]
        app: Option<String>,
        /// pending, unknown, done, refused; or parked: refused for good and waiting for somebody
        #[arg(long)]
        state: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Try the operation's account again now
    Retry {
        /// The operation's id
        id: String,
    },
    /// Leave the account of a refused operation alone until something changes
    Skip {
        /// The operation's id
        id: String,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { app, state, limit } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(app.as_deref().map(|app| ("app", app)));
            query.extend(state.as_deref().map(|state| ("state", state)));
            let body = client.get("/operations", &query).await?;
            let rows: Vec<Vec<String>> = body
                .get("items")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|operation| {
                    ["id", "app", "state", "action", "method", "path", "detail"]
                        .map(|member| {
                            operation
                                .get(member)
                                .and_then(Value::as_str)
                                .unwrap_or_default()
                                .to_owned()
                        })
                        .to_vec()
                })
                .collect();
            output.table(
                &body,
                &["id", "app", "state", "action", "method", "path", "the app said"],
                &rows,
            )?;
        }
        Command::Retry { id } => {
            client
                .post(&format!("/operations/{}/retry", segment(&id)), &json!({}))
                .await?;
            output.show(&json!({ "id": id, "retried": true }), || {
                format!("operation {id} is tried again")
            })?;
        }
        Command::Skip { id } => {
            client
                .post(&format!("/operations/{}/skip", segment(&id)), &json!({}))
                .await?;
            output.show(&json!({ "id": id, "skipped": true }), || {
                format!("operation {id} is left alone")
            })?;
        }
    }
    Ok(Exit::Done)
}

fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
