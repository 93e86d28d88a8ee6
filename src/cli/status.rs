//! `status`: accounts by state, per app, over the API.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::{Client, Error, Exit, Output};
use crate::provision::duration;

/// How often the server is asked while waiting.
const ASK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Command {
    /// Wait until every change made before this command has reached every app; accounts that are held, parked,
    /// quarantined or wait for a delayed step do not count
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, such as 30s, 5m, 1h; then exit 1
    #[arg(long, default_value = "5m", value_parser = time)]
    timeout: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a number with s, m, h, d or w, such as 5m".to_owned())
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let started = Instant::now();
    let mut body = client.get("/status", &[]).await?;
    let is_settled = |body: &Value| body.get("settled") == Some(&Value::Bool(true));
    while command.wait && !is_settled(&body) {
        if started.elapsed() >= command.timeout {
            show(&body, output)?;
            eprintln!("accounts are still pending after {} s", command.timeout.as_secs());
            return Ok(Exit::Failed);
        }
        tokio::time::sleep(ASK_EVERY).await;
        body = client.get("/status", &[]).await?;
    }
    show(&body, output)?;
    Ok(Exit::Done)
}

fn show(body: &Value, output: Output) -> Result<(), Error> {
    let rows: Vec<Vec<String>> = body
        .get("apps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|app| {
            let text = |member: &str| {
                app.get(member)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let counts: Vec<String> = app
                .get("counts")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(state, count)| format!("{count} {state}"))
                .collect();
            vec![text("name"), text("mode"), counts.join(", "), text("trouble")]
        })
        .collect();
    for frozen in body.get("frozen").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| frozen.get(member).and_then(Value::as_str).unwrap_or_default();
        eprintln!(
            "frozen: {} {} since {}: {}",
            text("what"),
            text("name"),
            text("since"),
            text("reason")
        );
    }
    output.table(body, &["app", "mode", "accounts", "trouble"], &rows)
}
