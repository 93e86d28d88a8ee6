//! `connection rekey`: moves the links of people to another connection.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::connection::path;
use super::sync::{exit, story, until_it_rests};
use super::{Client, Error, Exit, Output};

#[derive(Debug, Args)]
pub(super) struct Order {
    /// The old connection; it is paused when the plan is approved
    name: String,
    /// The connection that takes over; a draft will do
    #[arg(long)]
    to: String,
    /// By what records are recognised, in order; remote-id, then employee-number without it
    #[arg(long, value_name = "KEY")]
    by: Vec<By>,
    /// Pairs of ids that go before all else: a CSV file with the header old,new
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Approve the plan at once
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// One names the other's id as its remote id, or both name the same
    RemoteId,
    /// Both have the same id
    SourceId,
    /// Both have the same personnel number, exactly
    EmployeeNumber,
}

pub(super) async fn run(client: &Client, order: Order, output: Output) -> Result<Exit, Error> {
    let by: Vec<&str> = order
        .by
        .iter()
        .map(|by| match by {
            By::RemoteId => "remote_id",
            By::SourceId => "source_id",
            By::EmployeeNumber => "employee_number",
        })
        .collect();
    let pairs = order.map.as_deref().map(pairs).transpose()?.unwrap_or_default();
    let body = json!({ "to": order.to, "by": by, "pairs": pairs });
    let started = client.post(&path(&order.name, "/rekey"), &body).await?;
    let mut run = until_it_rests(client, &started, output).await?;
    let text = |member: &str| {
        run.get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if order.yes && text("state") == "awaiting_approval" {
        let hash = run.get("plan_hash").cloned().unwrap_or_default();
        let approved = client
            .post(&format!("/runs/{}/approve", text("id")), &json!({ "plan": hash }))
            .await?;
        run = until_it_rests(client, &approved, output).await?;
    }
    output.show(&json!({ "run": run }), || story(&run))?;
    Ok(exit(&run))
}

fn pairs(file: &Path) -> Result<Vec<(String, String)>, Error> {
    let wrong = |error: csv::Error| {
        Error::Usage(format!(
            "{} cannot be read: {error}; it needs the header old,new",
            file.display()
        ))
    };
    let mut reader = csv::Reader::from_path(file).map_err(wrong)?;
    let header = reader.headers().map_err(wrong)?;
    if header.iter().ne(["old", "new"]) {
        return Err(Error::Usage(format!(
            "{} needs the header old,new",
            file.display()
        )));
    }
    reader
        .deserialize()
        .collect::<Result<Vec<(String, String)>, _>>()
        .map_err(wrong)
}
