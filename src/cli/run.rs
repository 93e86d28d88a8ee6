//! `run`: what runs did, and decisions about their plans.

use clap::Subcommand;
use serde_json::{Value, json};

use super::plan::Choice;
use super::sync::{exit, story, until_it_rests};
use super::{Client, Error, Exit, Output};

/// How many runs and items are shown.
const SHOWN: &str = "50";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the latest runs
    List {
        /// Of one connection
        #[arg(long)]
        connection: Option<String>,
        /// In one state, such as awaiting_approval
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a run, what the guard said, and what its plan does
    Show {
        /// Its id
        id: String,
    },
    /// Approve the plan of a waiting run; returns when it has been applied
    Approve {
        /// Its id
        id: String,
        /// Only if this is the plan's hash
        #[arg(long)]
        plan: Option<String>,
        #[command(flatten)]
        choice: Choice,
    },
    /// Reject the plan of a waiting run: it never has an effect
    Reject {
        /// Its id
        id: String,
    },
    /// Take back what a run changed and nobody changed since; its plan waits for an approval
    Undo {
        /// Its id
        id: String,
        /// What becomes of users that the run made: disable or remove
        #[arg(long, default_value = "disable", value_parser = ["disable", "remove"])]
        made: String,
        /// Do not wait for an approval, unless a limit is passed
        #[arg(long)]
        yes: bool,
    },
    /// Stop a run; what it has applied stays
    Cancel {
        /// Its id
        id: String,
    },
    /// Let a run go on that was cancelled or failed: with the rest of its plan, or from its read
    Resume {
        /// Its id
        id: String,
    },
    /// List whom a run skipped, and why
    Errors {
        /// Its id
        id: String,
        /// As CSV: source_id, employee_number, field, message, person, advice
        #[arg(long)]
        csv: bool,
        /// What came through with something left out, instead
        #[arg(long)]
        warnings: bool,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { connection, state } => list(&client, connection, state, output).await,
        Command::Show { id } => show(&client, &id, output).await,
        Command::Approve { id, plan, choice } => {
            let started = client
                .post(&format!("/runs/{id}/approve"), &choice.body(plan)?)
                .await?;
            let run = until_it_rests(&client, &started, output).await?;
            output.show(&json!({ "run": run }), || story(&run))?;
            Ok(exit(&run))
        }
        Command::Resume { id } => {
            let resumed = client.post(&format!("/runs/{id}/resume"), &json!({})).await?;
            let run = until_it_rests(&client, &resumed, output).await?;
            output.show(&json!({ "run": run }), || story(&run))?;
            Ok(exit(&run))
        }
        Command::Undo { id, made, yes } => {
            let started = client
                .post(&format!("/runs/{id}/undo"), &json!({ "made": made, "yes": yes }))
                .await?;
            let run = until_it_rests(&client, &started, output).await?;
            output.show(&json!({ "run": run }), || story(&run))?;
            Ok(exit(&run))
        }
        Command::Reject { id } => ended(&client, &id, "reject", output).await,
        Command::Cancel { id } => ended(&client, &id, "cancel", output).await,
        Command::Errors { id, csv, warnings } => errors(&client, &id, csv, warnings, output).await,
    }
}

fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

async fn list(
    client: &Client,
    connection: Option<String>,
    state: Option<String>,
    output: Output,
) -> Result<Exit, Error> {
    let mut query = vec![("limit", SHOWN)];
    if let Some(connection) = &connection {
        query.push(("connection", connection));
    }
    if let Some(state) = &state {
        query.push(("state", state));
    }
    let page = client.get("/runs", &query).await?;
    let items = page
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|run| {
            let mut row = [
                "id",
                "connection",
                "queued_at",
                "cause",
                "actor",
                "duration_seconds",
                "state",
            ]
            .map(|member| text(run, member))
            .to_vec();
            row.push(effects(run));
            row
        })
        .collect();
    let head = [
        "id",
        "connection",
        "queued",
        "cause",
        "actor",
        "seconds",
        "result",
        "effects",
    ];
    output.table(&page, &head, &rows)?;
    Ok(Exit::Done)
}

/// What a run did or would do, in numbers.
fn effects(run: &Value) -> String {
    let counts = [
        "read", "create", "link", "update", "disable", "remove", "hold", "skipped", "conflict", "left",
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter_map(|word| Some((word, run.pointer(&format!("/counts/{word}"))?.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{word} {count}"))
        .collect();
    counts.join(", ")
}

async fn show(client: &Client, id: &str, output: Output) -> Result<Exit, Error> {
    let run = client.get(&format!("/runs/{id}"), &[]).await?;
    let page = client
        .get(&format!("/runs/{id}/items"), &[("limit", SHOWN)])
        .await?;
    let items = page.get("items").cloned().unwrap_or_default();
    output.show(&json!({ "run": run, "items": items }), || {
        let mut lines = vec![story(&run)];
        let hash = text(&run, "plan_hash");
        if !hash.is_empty() {
            lines.push(format!("  plan {hash}"));
        }
        for item in items.as_array().into_iter().flatten() {
            let paths: Vec<String> = item
                .get("changes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|change| text(change, "path"))
                .collect();
            lines.push(format!(
                "  {:8} {}  {}  {}",
                text(item, "action"),
                text(item, "person"),
                text(item, "reason"),
                paths.join(", ")
            ));
        }
        if page.get("next").is_some() {
            lines.push(format!("  … and more: /api/v1/runs/{id}/items"));
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

async fn ended(client: &Client, id: &str, what: &str, output: Output) -> Result<Exit, Error> {
    let run = client.post(&format!("/runs/{id}/{what}"), &json!({})).await?;
    output.show(&json!({ "run": run }), || story(&run))?;
    Ok(Exit::Done)
}

async fn errors(client: &Client, id: &str, csv: bool, warnings: bool, output: Output) -> Result<Exit, Error> {
    let what = if warnings { "warnings" } else { "errors" };
    if csv {
        client.pour(&format!("/runs/{id}/{what}?format=csv")).await?;
        return Ok(Exit::Done);
    }
    let list = client.get(&format!("/runs/{id}/{what}"), &[]).await?;
    let items = list.get("items").and_then(Value::as_array);
    let head = [
        "source_id",
        "employee_number",
        "field",
        "message",
        "person",
        "advice",
    ];
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .flatten()
        .map(|item| head.map(|member| text(item, member)).to_vec())
        .collect();
    output.table(&list, &head, &rows)?;
    Ok(Exit::Done)
}
