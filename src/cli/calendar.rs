//! `calendar`: what the days to come bring, over the API.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Args)]
pub(super) struct Command {
    /// How many days to look ahead
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=366))]
    days: i64,
    /// From this instant on, such as 2026-12-01T00:00:00Z; now without it
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Only what this app will be sent
    #[arg(long)]
    app: Option<String>,
    /// Only people of this connection
    #[arg(long)]
    connection: Option<String>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let mut query: Vec<(&str, String)> = Vec::new();
    if let Some(from) = command.from {
        query.push(("from", from.to_rfc3339()));
        query.push(("to", (from + TimeDelta::days(command.days)).to_rfc3339()));
    } else {
        query.push(("days", command.days.to_string()));
    }
    query.extend(command.app.map(|app| ("app", app)));
    query.extend(command.connection.map(|connection| ("connection", connection)));
    let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let entries = client.all("/calendar", &query).await?;
    let text = |entry: &Value, member: &str| -> String {
        entry
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let place = match text(entry, "app") {
                app if app.is_empty() => format!("connection {}", text(entry, "connection")),
                app => format!("app {app}"),
            };
            let who = match text(entry, "user_name") {
                name if name.is_empty() => text(entry, "person"),
                name => name,
            };
            vec![
                text(entry, "at"),
                text(entry, "action"),
                who,
                place,
                text(entry, "rule"),
            ]
        })
        .collect();
    output.table(
        &json!({ "items": entries }),
        &["at", "what", "who", "where", "by which rule"],
        &rows,
    )?;
    Ok(Exit::Done)
}
