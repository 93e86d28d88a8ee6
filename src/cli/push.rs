//! `push`: uploads records into a connection of connector `push`, page by page.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::connection::path;
use super::sync::{exit, story, until_it_rests};
use super::{Client, Error, Exit, Output};
use crate::net::Method;

/// How many records go in one page.
const PAGE: usize = 500;
/// So many errors are shown; `--json` gives all.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// The connection
    name: String,
    /// The records: .csv, .json (an array) or .jsonl (one record a line)
    file: PathBuf,
    /// They are everybody: who is not among them is missing
    #[arg(long)]
    complete: bool,
    /// JSON records are SCIM users, not canonical fields
    #[arg(long)]
    scim: bool,
}

/// An open session, and what was said of its pages.
struct Session<'a> {
    client: &'a Client,
    address: String,
    content_type: &'static str,
    pages: usize,
    errors: Vec<Value>,
}

impl Session<'_> {
    async fn page(&mut self, body: Vec<u8>) -> Result<(), Error> {
        self.pages = self.pages.saturating_add(1);
        let address = format!("{}/pages/{}", self.address, self.pages);
        let taken = self
            .client
            .upload(Method::PUT, &address, self.content_type, body.into())
            .await?;
        let errors = taken.get("errors").and_then(Value::as_array);
        for error in errors.into_iter().flatten() {
            let mut error = error.clone();
            if let Some(error) = error.as_object_mut() {
                error.insert("page".to_owned(), self.pages.into());
            }
            self.errors.push(error);
        }
        Ok(())
    }

    async fn records(&mut self, records: &mut Vec<Value>) -> Result<(), Error> {
        let body = Value::Array(std::mem::take(records)).to_string();
        self.page(body.into_bytes()).await
    }
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let extension = command.file.extension().and_then(|ending| ending.to_str());
    let is_table = extension == Some("csv");
    let kind = if command.complete { "complete" } else { "changes" };
    let opened = client
        .post(&path(&command.name, "/sessions"), &json!({ "kind": kind }))
        .await?;
    let id = opened.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut session = Session {
        client: &client,
        address: path(&command.name, &format!("/sessions/{id}")),
        content_type: match (is_table, command.scim) {
            (true, _) => "text/csv",
            (false, true) => "application/scim+json",
            (false, false) => "application/json",
        },
        pages: 0,
        errors: Vec::new(),
    };
    let sent = match extension {
        Some("csv") => table(&mut session, &command.file).await,
        Some("jsonl" | "ndjson") => lines(&mut session, &command.file).await,
        _ => array(&mut session, &command.file).await,
    };
    if let Err(error) = sent {
        // What went wrong first is what is told.
        let _aborted = client
            .post(&format!("{}/abort", session.address), &json!({}))
            .await;
        return Err(error);
    }
    let order = json!({ "pages": session.pages });
    let started = client
        .post(&format!("{}/commit", session.address), &order)
        .await?;
    let run = until_it_rests(&client, &started, output).await?;
    output.show(&json!({ "run": run, "errors": session.errors }), || {
        let mut lines: Vec<String> = session.errors.iter().take(SHOWN).map(line).collect();
        if session.errors.len() > SHOWN {
            lines.push(format!(
                "and {} more: --json lists them",
                session.errors.len().saturating_sub(SHOWN)
            ));
        }
        lines.push(story(&run));
        lines.join("\n")
    })?;
    Ok(exit(&run))
}

fn line(error: &Value) -> String {
    let text = |member: &str| match error.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => "without an id".to_owned(),
        Some(other) => other.to_string(),
    };
    format!(
        "page {} record {} ({}): {} {}",
        text("page"),
        text("index"),
        text("source_id"),
        text("field"),
        text("message")
    )
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Usage(format!("{} cannot be read: {why}", file.display()))
}

async fn table(session: &mut Session<'_>, file: &Path) -> Result<(), Error> {
    let wrong = |error: csv::Error| unreadable(file, &error);
    let into = |error: csv::IntoInnerError<csv::Writer<Vec<u8>>>| unreadable(file, &error.error());
    let mut reader = csv::Reader::from_path(file).map_err(wrong)?;
    let header = reader.headers().map_err(wrong)?.clone();
    let begin = || {
        let mut page = csv::Writer::from_writer(Vec::new());
        page.write_record(&header).map(|()| page)
    };
    let (mut page, mut count) = (begin().map_err(wrong)?, 0_usize);
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(wrong)? {
        page.write_record(&row).map_err(wrong)?;
        count = count.saturating_add(1);
        if count == PAGE {
            let full = std::mem::replace(&mut page, begin().map_err(wrong)?);
            session.page(full.into_inner().map_err(into)?).await?;
            count = 0;
        }
    }
    if count > 0 || session.pages == 0 {
        session.page(page.into_inner().map_err(into)?).await?;
    }
    Ok(())
}

async fn lines(session: &mut Session<'_>, file: &Path) -> Result<(), Error> {
    let open = File::open(file).map_err(|error| unreadable(file, &error))?;
    let mut records = Vec::new();
    for (place, line) in BufReader::new(open).lines().enumerate() {
        let line = line.map_err(|error| unreadable(file, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let record = serde_json::from_str(&line)
            .map_err(|error| unreadable(file, &format!("line {}: {error}", place.saturating_add(1))))?;
        records.push(record);
        if records.len() == PAGE {
            session.records(&mut records).await?;
        }
    }
    if !records.is_empty() || session.pages == 0 {
        session.records(&mut records).await?;
    }
    Ok(())
}

async fn array(session: &mut Session<'_>, file: &Path) -> Result<(), Error> {
    let text = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    let whole: Value = serde_json::from_slice(&text).map_err(|error| unreadable(file, &error))?;
    drop(text);
    let all = match whole {
        Value::Array(all) => all,
        Value::Object(mut whole) => match (whole.remove("records"), whole.remove("Resources")) {
            (Some(Value::Array(all)), _) | (_, Some(Value::Array(all))) => all,
            _ => return Err(unreadable(file, &"it has neither records nor Resources")),
        },
        _ => return Err(unreadable(file, &"it is no array of records")),
    };
    let mut records = Vec::new();
    for record in all {
        records.push(record);
        if records.len() == PAGE {
            session.records(&mut records).await?;
        }
    }
    if !records.is_empty() || session.pages == 0 {
        session.records(&mut records).await?;
    }
    Ok(())
}
