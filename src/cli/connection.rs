//! `connection`: the connections to HR systems, over the API.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::sync::story;
use super::{Client, Error, Exit, Output, preview, rekey, setup, webhook};
use crate::base::Chain;
use crate::config;
use crate::sync::{ConnectionFile, FileProblem, position_of};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a connection file as the draft; env:NAME and file:PATH in its settings are put in on this machine
    Apply {
        /// The file, TOML
        file: PathBuf,
        /// Publish it at once
        #[arg(long, conflicts_with = "incomplete")]
        publish: bool,
        /// Keep it although settings are unanswered: a setup link asks for them
        #[arg(long)]
        incomplete: bool,
    },
    /// List the connections
    List,
    /// Show a connection with its file
    Show {
        /// Its name
        name: String,
    },
    /// Ask the HR system whether the settings work
    Check {
        /// Its name
        name: String,
    },
    /// Show what the draft would change in the settings
    Diff {
        /// Its name
        name: String,
    },
    /// Say what the draft would do to everybody, and what apps would be sent; nothing is written
    Preview {
        /// Its name
        name: String,
        /// Read the HR system even where the stored records would do
        #[arg(long)]
        read: bool,
    },
    /// List what was declined or undone, and is kept back from runs
    Kept {
        /// Its name
        name: String,
    },
    /// Keep something back no longer: the next run does again what HR says
    Release {
        /// Its name
        name: String,
        /// Ids of people, or record: and a source id, separated by commas
        #[arg(long, value_delimiter = ',')]
        subject: Vec<String>,
        /// What one plan decided
        #[arg(long)]
        plan: Option<String>,
        /// Everything
        #[arg(long)]
        all: bool,
    },
    /// List the latest revisions of the settings, newest first
    Revisions {
        /// Its name
        name: String,
    },
    /// Make the draft live, or let a paused connection work again
    Publish {
        /// Its name
        name: String,
    },
    /// Make no more calls to the HR system
    Pause {
        /// Its name
        name: String,
    },
    /// Destroy the credentials and stop: the next run is refused until new ones are applied and published
    Disconnect {
        /// Its name
        name: String,
        /// What becomes of the users that came from it: keep, disable or remove; asked when it is not said
        #[arg(long)]
        accounts: Option<String>,
    },
    /// Make an earlier revision live again
    Rollback {
        /// Its name
        name: String,
        /// Which one; the one before the live one without it
        #[arg(long)]
        to: Option<i32>,
    },
    /// Make or show the address at which the HR system tells of changes by itself, and what to do there
    Webhook(webhook::Order),
    /// Show how far it is on its way to its first run, and what to do next
    Setup {
        /// Its name
        name: String,
    },
    /// Ask the HR system which attributes its records have: what `custom` may name
    Attributes {
        /// Its name
        name: String,
    },
    /// Print the link by which somebody consents at the HR system
    Authorize {
        /// Its name
        name: String,
        /// Let the draft go live as soon as somebody has consented
        #[arg(long)]
        publish: bool,
    },
    /// Print a one-time link with which somebody without an account connects the HR system
    SetupLink {
        /// Its name
        name: String,
        /// How long it lasts, in hours; at most 720
        #[arg(long, default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=720))]
        expires: u32,
        /// Let the draft go live as soon as what was entered is proven
        #[arg(long)]
        publish: bool,
    },
    /// Move the links of people to another connection: the HR system or the unified API has changed
    Rekey(rekey::Order),
    /// Print the connection file, with "sealed" in place of secrets
    Export {
        /// Its name
        name: String,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    if let Command::Apply {
        file,
        publish,
        incomplete,
    } = command
    {
        return apply(&file, (publish, incomplete), output).await;
    }
    let client = Client::from_env()?;
    match command {
        Command::Apply { .. } => {}
        Command::List => list(&client, output).await?,
        Command::Show { name } => {
            let body = client.get(&path(&name, ""), &[]).await?;
            output.show(&body, || sheet(&body))?;
        }
        Command::Check { name } => return check(&client, &name, output).await,
        Command::Diff { name } => diff(&client, &name, output).await?,
        Command::Preview { name, read } => return preview::run(&client, &name, read, output).await,
        Command::Kept { name } => kept(&client, &name, output).await?,
        Command::Release {
            name,
            subject,
            plan,
            all,
        } => {
            let order = json!({ "subjects": subject, "plan": plan, "all": all });
            let released = client.post(&path(&name, "/kept/release"), &order).await?;
            output.show(&released, || {
                let parts = released
                    .get("released")
                    .and_then(Value::as_i64)
                    .unwrap_or_default();
                format!("{parts} parts are no longer kept back")
            })?;
        }
        Command::Revisions { name } => revisions(&client, &name, output).await?,
        Command::Publish { name } => {
            if let Some(run) = preview::foreseen(&client, &name).await?
                && !output.json
            {
                eprintln!("the preview foresaw: {}", story(&run));
            }
            changed(&client, &name, "/publish", &json!({}), output).await?;
        }
        Command::Pause { name } => changed(&client, &name, "/pause", &json!({}), output).await?,
        Command::Disconnect { name, accounts } => disconnect(&client, &name, accounts, output).await?,
        Command::Rollback { name, to } => {
            changed(&client, &name, "/rollback", &json!({ "revision": to }), output).await?;
        }
        Command::Webhook(order) => webhook::run(&client, order, output).await?,
        Command::Setup { name } => setup::setup(&client, &name, output).await?,
        Command::Attributes { name } => setup::attributes(&client, &name, output).await?,
        Command::Authorize { name, publish } => {
            link(
                &client,
                &name,
                "/authorize",
                &json!({ "publish": publish }),
                output,
            )
            .await?;
        }
        Command::SetupLink {
            name,
            expires,
            publish,
        } => {
            let order = json!({ "expires_in": expires.saturating_mul(3600), "publish": publish });
            link(&client, &name, "/setup-link", &order, output).await?;
        }
        Command::Rekey(order) => return rekey::run(&client, order, output).await,
        Command::Export { name } => export(&client, &name, output).await?,
    }
    Ok(Exit::Done)
}

/// The path of a connection below `/api/v1`.
pub(super) fn path(name: &str, more: &str) -> String {
    format!("/connections/{name}{more}")
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

async fn apply(file: &Path, (publish, incomplete): (bool, bool), output: Output) -> Result<Exit, Error> {
    let toml = std::fs::read_to_string(file)
        .map_err(|error| Error::Usage(format!("{} cannot be read: {error}", file.display())))?;
    let (parsed, mut body) =
        ConnectionFile::from_toml(&toml).map_err(|problems| wrong(file, &toml, &problems))?;
    resolve(&mut body, file)?;
    let client = Client::from_env()?;
    let applied = client
        .put(
            &path(&parsed.name, if incomplete { "?incomplete=true" } else { "" }),
            &body,
        )
        .await
        .map_err(|error| refused(file, &toml, error))?;
    let mut connection = applied.get("connection").cloned().unwrap_or_default();
    if publish {
        connection = client.post(&path(&parsed.name, "/publish"), &json!({})).await?;
    }
    let shown = json!({
        "connection": connection, "revision": applied.get("revision"), "changed": applied.get("changed"),
    });
    output.show(&shown, || {
        let revision = applied
            .get("revision")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        format!(
            "connection {}: revision {revision} is {}",
            parsed.name,
            match text(&connection, "state") {
                "published" if connection.get("draft_revision").is_none_or(Value::is_null) => "published",
                _ => "a draft; `scim-bridge connection publish` makes it live",
            }
        )
    })?;
    Ok(Exit::Done)
}

/// Puts in what `env:` and `file:` stand for, and makes a CSV file beside the connection file findable from anywhere.
fn resolve(body: &mut Value, file: &Path) -> Result<(), Error> {
    let Some(settings) = body.get_mut("settings").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    for (name, value) in settings.iter_mut() {
        if let Value::String(given) = value {
            *given = config::resolve(given)
                .map_err(|error| Error::Usage(format!("settings.{name}: {}", Chain(&error))))?;
        }
    }
    if let Some(Value::String(data)) = settings.get_mut("path") {
        let beside = file.parent().unwrap_or_else(|| Path::new(".")).join(&*data);
        if let Ok(found) = beside.canonicalize() {
            *data = found.display().to_string();
        }
    }
    Ok(())
}

/// Each problem with its place in the file.
fn wrong(file: &Path, toml: &str, problems: &[FileProblem]) -> Error {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = match (&problem.at, problem.line, problem.column) {
                (None, line, column) => line.zip(column),
                (Some(at), line, column) => {
                    position_of(toml, at).map(|(first, start)| match (line, column) {
                        // The expression begins behind the quote.
                        (Some(1), Some(column)) => (first, start.saturating_add(column)),
                        (Some(line), Some(column)) => (first.saturating_add(line).saturating_sub(1), column),
                        _ => (first, start),
                    })
                }
            };
            let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
            let at = problem
                .at
                .as_ref()
                .map_or_else(String::new, |at| format!("{at}: "));
            format!("{}{place}: {at}{}", file.display(), problem.message)
        })
        .collect();
    Error::Usage(lines.join("\n"))
}

fn refused(file: &Path, toml: &str, error: Error) -> Error {
    if let Error::Refused { body, .. } = &error
        && let Some(problems) = body.get("errors")
        && let Ok(problems) = serde_json::from_value::<Vec<FileProblem>>(problems.clone())
    {
        return wrong(file, toml, &problems);
    }
    error
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let items = client.all("/connections", &[]).await?;
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|one| {
            vec![
                text(one, "name").to_owned(),
                text(one, "connector").to_owned(),
                text(one, "state").to_owned(),
                text(one, "next_run_at").to_owned(),
                known(one),
            ]
        })
        .collect();
    output.table(
        &json!({ "items": items }),
        &["name", "connector", "state", "next run", "known until"],
        &rows,
    )
}

/// Until when HR is known, and whether that is too long ago.
fn known(connection: &Value) -> String {
    let stale = connection.get("stale").and_then(Value::as_bool) == Some(true);
    let fresh = text(connection, "fresh_at");
    match (fresh, stale) {
        ("", false) => String::new(),
        ("", true) => "never: stale".to_owned(),
        (fresh, false) => fresh.to_owned(),
        (fresh, true) => format!("{fresh}: stale"),
    }
}

fn sheet(body: &Value) -> String {
    let revision = |member: &str| {
        body.get(member)
            .and_then(Value::as_i64)
            .map_or_else(|| "none".to_owned(), |number| number.to_string())
    };
    let file = body
        .get("file")
        .and_then(|file| toml::to_string(file).ok())
        .unwrap_or_default();
    let consent = match body.pointer("/consent/state").and_then(Value::as_str) {
        Some("needed") => format!(
            "\nconsent: needed again since {}; `scim-bridge connection authorize {}` prints the link",
            body.pointer("/consent/lost_at")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            text(body, "name")
        ),
        Some(_) => format!(
            "\nconsent: given {}",
            body.pointer("/consent/given_at")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
        None => String::new(),
    };
    format!(
        "name: {}\nconnector: {}\nstate: {}{consent}\nlive revision: {}\ndraft revision: {}\nnext run: {}\nknown until: {}\n\n{file}{}",
        text(body, "name"),
        text(body, "connector"),
        text(body, "state"),
        revision("live_revision"),
        revision("draft_revision"),
        Some(text(body, "next_run_at"))
            .filter(|next| !next.is_empty())
            .unwrap_or("by hand"),
        Some(known(body))
            .filter(|known| !known.is_empty())
            .unwrap_or_else(|| "never read".to_owned()),
        super::app::policies(body),
    )
}

async fn check(client: &Client, name: &str, output: Output) -> Result<Exit, Error> {
    let body = client.post(&path(name, "/check"), &json!({})).await?;
    let ok = body.get("ok").and_then(Value::as_bool).unwrap_or_default();
    output.show(&body, || {
        let steps = body
            .get("steps")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let lines: Vec<String> = steps
            .iter()
            .map(|step| {
                let good = step.get("ok").and_then(Value::as_bool).unwrap_or_default();
                let mark = if good { "ok    " } else { "failed" };
                format!("{mark}  {}: {}", text(step, "name"), text(step, "message"))
            })
            .collect();
        lines.join("\n")
    })?;
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

async fn diff(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let body = client.get(&path(name, "/diff"), &[]).await?;
    output.show(&body, || {
        let items = body
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if items.is_empty() {
            return "nothing differs".to_owned();
        }
        let side = |item: &Value, member: &str| {
            item.get(member)
                .filter(|value| !value.is_null())
                .map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        let lines: Vec<String> = items
            .iter()
            .map(|item| {
                format!(
                    "{}: {} → {}",
                    text(item, "path"),
                    side(item, "before"),
                    side(item, "after")
                )
            })
            .collect();
        lines.join("\n")
    })
}

async fn kept(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let items = client.all(&path(name, "/kept"), &[]).await?;
    let head = ["subject", "path", "why", "at", "by", "plan"];
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| head.map(|member| text(item, member).to_owned()).to_vec())
        .collect();
    output.table(&json!({ "items": items }), &head, &rows)
}

async fn revisions(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let connection = client.get(&path(name, ""), &[]).await?;
    let body = client.get(&path(name, "/revisions"), &[]).await?;
    let rows: Vec<Vec<String>> = body
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|one| {
            let number = one.get("revision");
            let stands = |member| number.is_some() && number == connection.get(member);
            let state = match (stands("live_revision"), stands("draft_revision")) {
                (true, _) => "live",
                (_, true) => "draft",
                _ => "",
            };
            vec![
                number.map(Value::to_string).unwrap_or_default(),
                state.to_owned(),
                text(one, "created_at").to_owned(),
                text(one, "created_by").to_owned(),
            ]
        })
        .collect();
    output.table(&body, &["revision", "", "created", "by"], &rows)
}

async fn changed(client: &Client, name: &str, what: &str, body: &Value, output: Output) -> Result<(), Error> {
    let connection = client.post(&path(name, what), body).await?;
    output.show(&connection, || {
        format!(
            "connection {name} is {}, revision {}",
            text(&connection, "state"),
            connection
                .get("live_revision")
                .and_then(Value::as_i64)
                .unwrap_or_default()
        ) + &without_effect(&connection)
    })
}

/// What passes without effect while a connection is paused or cut.
fn without_effect(connection: &Value) -> String {
    let Some(days) = connection.get("without_effect") else {
        return String::new();
    };
    let people = days.get("people").and_then(Value::as_u64).unwrap_or_default();
    format!(
        "\n{people} people are due to be looked at, the first at {}: for a first day, a last day or the end of a leave, or to be \
         asked about again. Nothing of it happens while the connection does not work, and who leaves keeps the access \
         (`scim-bridge user terminate` ends one by hand)",
        text(days, "first_at")
    )
}

async fn disconnect(
    client: &Client,
    name: &str,
    accounts: Option<String>,
    output: Output,
) -> Result<(), Error> {
    let accounts = match accounts {
        Some(accounts) => accounts,
        None if std::io::stdin().is_terminal() => {
            eprint!("What becomes of the users that came from {name}: keep, disable or remove? ");
            std::io::stderr().flush()?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => {
            return Err(Error::Usage(
                "say what becomes of its users: --accounts keep, disable or remove".to_owned(),
            ));
        }
    };
    let order = json!({ "accounts": accounts });
    let cut = client.post(&path(name, "/disconnect"), &order).await?;
    output.show(&cut, || match text(&cut, "run") {
        "" => format!("connection {name} is cut: its credentials are destroyed") + &without_effect(&cut),
        run => format!(
            "connection {name} is cut: its credentials are destroyed; run {run} plans what becomes of its users: see `scim-bridge run show {run}`"
        ),
    })
}

async fn link(client: &Client, name: &str, what: &str, order: &Value, output: Output) -> Result<(), Error> {
    let made = client.post(&path(name, what), order).await?;
    output.show(&made, || text(&made, "link").to_owned())
}

async fn export(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let body = client.get(&path(name, ""), &[]).await?;
    let file = body.get("file").cloned().unwrap_or_default();
    let text = toml::to_string(&file)
        .map_err(|error| Error::Usage(format!("the connection cannot be written as a file: {error}")))?;
    output.show(&file, || text.trim_end().to_owned())
}
