//! `sync`: one run of a connection, now, with a progress bar on a terminal.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::connection::path;
use super::{Client, Error, Exit, Output};
use crate::net::Method;

/// How often the server is asked how far it is.
const PAUSE: Duration = Duration::from_millis(150);

#[derive(Debug, Args)]
pub(super) struct Command {
    /// The connection
    name: String,
    /// Stop after the plan: say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    hand_in(&client, &command.name, false).await?;
    let order = json!({ "dry_run": command.dry_run });
    let started = client.post(&path(&command.name, "/runs"), &order).await?;
    let run = until_it_rests(&client, &started, output).await?;
    output.show(&json!({ "run": run }), || story(&run))?;
    Ok(exit(&run))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Hands in the file that a CSV connection names; of one that is not published only if `drafts_too`.
pub(super) async fn hand_in(client: &Client, name: &str, drafts_too: bool) -> Result<(), Error> {
    let connection = client.get(&path(name, ""), &[]).await?;
    if text(&connection, "state") != "published" && !drafts_too {
        return Ok(());
    }
    let setting = |name: &str| {
        connection
            .pointer(&format!("/file/settings/{name}"))
            .and_then(Value::as_str)
    };
    let (Some(file), None, None) = (setting("path"), setting("url"), setting("server_path")) else {
        return Ok(());
    };
    if connection.pointer("/file/fields").is_none() {
        return Ok(());
    }
    let bytes = std::fs::read(Path::new(file)).map_err(|error| {
        Error::Usage(format!(
            "{file} cannot be read: {error} (settings.path of {name})"
        ))
    })?;
    client
        .upload(Method::PUT, &path(name, "/upload"), "text/csv", bytes.into())
        .await?;
    Ok(())
}

/// Asks until nothing happens any more without a human.
pub(super) async fn until_it_rests(client: &Client, run: &Value, output: Output) -> Result<Value, Error> {
    let bar = if output.json {
        ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
    } else {
        ProgressBar::new(0)
    };
    let id = text(run, "id").to_owned();
    loop {
        let run = client.get(&format!("/runs/{id}"), &[]).await?;
        let state = text(&run, "state");
        if !matches!(state, "queued" | "reading" | "planning" | "applying") {
            bar.finish_and_clear();
            return Ok(run);
        }
        draw(&bar, state, &run);
        tokio::time::sleep(PAUSE).await;
    }
}

fn draw(bar: &ProgressBar, state: &str, run: &Value) {
    let number = |member: &str| {
        run.pointer(&format!("/progress/{member}"))
            .and_then(Value::as_u64)
    };
    if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {pos} % {prefix}") {
        bar.set_style(style);
    }
    bar.set_length(100);
    bar.set_message(state.to_owned());
    let done = match (number("done"), number("of")) {
        (Some(done), Some(of)) => format!("{done} of {of}"),
        (Some(done), None) => done.to_string(),
        _ => String::new(),
    };
    let left = number("seconds_left").map_or_else(String::new, |left| format!(", {left} s left"));
    bar.set_prefix(format!("{done}{left}"));
    bar.set_position(bar.position().max(number("percent").unwrap_or_default()));
    bar.tick();
}

/// How the command ends for a run that rests.
pub(super) fn exit(run: &Value) -> Exit {
    match text(run, "state") {
        "done" => Exit::Done,
        "partial" => Exit::PartialRead,
        "awaiting_approval" => Exit::AwaitingApproval,
        _ => Exit::Failed,
    }
}

/// A run in a few lines.
pub(super) fn story(run: &Value) -> String {
    let mut lines = vec![format!(
        "run {} of {}: {}{}",
        text(run, "id"),
        text(run, "connection"),
        text(run, "state"),
        if run.get("dry_run") == Some(&Value::Bool(true)) {
            " (dry run)"
        } else {
            ""
        }
    )];
    let counts: Vec<String> = run
        .get("counts")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, count)| count.as_u64() != Some(0))
        .map(|(word, count)| format!("{word} {count}"))
        .collect();
    if !counts.is_empty() {
        lines.push(format!("  {}", counts.join(", ")));
    }
    if let Some(since) = run.pointer("/coverage/changes_since").and_then(Value::as_str) {
        lines.push(format!("  only what changed since {since} was read"));
    }
    if let Some(why) = run.pointer("/coverage/reason").and_then(Value::as_str) {
        lines.push(format!("  the read was partial: {why}"));
    }
    let reasons = run.pointer("/guard/reasons").and_then(Value::as_array);
    for reason in reasons.into_iter().flatten() {
        lines.push(format!("  over a limit: {}", text(reason, "message")));
        let advice = text(reason, "advice");
        if !advice.is_empty() {
            lines.push(format!("    {advice}"));
        }
    }
    if text(run, "state") == "awaiting_approval" {
        lines.push(format!(
            "  nothing was done; look at `scim-bridge run show {id}`, then `scim-bridge run approve {id}` or `reject`",
            id = text(run, "id")
        ));
    }
    let left = run
        .pointer("/counts/left")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if matches!(text(run, "state"), "cancelled" | "failed") && left > 0 {
        lines.push(format!(
            "  {left} items are not applied; `scim-bridge run resume {}` goes on with them",
            text(run, "id")
        ));
    }
    if let Some(error) = run.pointer("/error/message").and_then(Value::as_str) {
        lines.push(format!("  {error}"));
    }
    lines.join("\n")
}
