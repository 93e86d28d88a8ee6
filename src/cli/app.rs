//! `app`: the apps that are provisioned, over the API.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output, app_look, counterparts};
use crate::base::Chain;
use crate::config;
use crate::provision::{self, Problem, Settings};
use crate::sync::position_of;

/// What an app does for us.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Mode {
    /// Reads and matches accounts, and says what would be done; changes nothing in the app
    Observe,
    /// The same, and what matches is linked for good; still changes nothing in the app
    Link,
    /// Pushes
    Live,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Link => "link",
            Self::Live => "live",
        }
    }
}

/// Whose accounts are at another address.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(super) struct Whose {
    /// The new base_url leads to the same accounts: links are kept
    #[arg(long)]
    same_accounts: bool,
    /// It is another server, or another tenant of it: links are dropped and accounts matched anew
    #[arg(long)]
    new_target: bool,
}

impl Whose {
    const fn word(&self) -> Option<&'static str> {
        match (self.same_accounts, self.new_target) {
            (true, _) => Some("same"),
            (_, true) => Some("new"),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write an app file as the draft; env:NAME and file:PATH in `token` are put in on this machine
    Apply {
        /// The file, TOML
        file: PathBuf,
        /// Publish it at once
        #[arg(long)]
        publish: bool,
        /// The mode to publish it in; the file's own without it
        #[arg(long, requires = "publish")]
        mode: Option<Mode>,
        #[command(flatten)]
        whose: Whose,
    },
    /// List the apps
    List,
    /// Show an app with its newest settings, without the token
    Show {
        /// Its name
        name: String,
    },
    /// Ask the app what it is and whom it has; changes nothing
    Check {
        /// Its name
        name: String,
    },
    /// Compare the values of an attribute, such as department, with those in the app; exits 1 when some are not there
    Counterparts {
        /// Its name
        name: String,
        /// The attribute
        #[arg(long, default_value = "department")]
        attribute: String,
    },
    /// Show what publishing the draft would change in the settings
    Diff {
        /// Its name
        name: String,
    },
    /// Put the draft in force, or let a paused app work again; exits 3 when its plan is over a limit and waits
    Publish {
        /// Its name
        name: String,
        /// The mode; the file's own without it
        #[arg(long)]
        mode: Option<Mode>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Make no more calls to the app
    Pause {
        /// Its name
        name: String,
    },
    /// Put earlier settings in force again
    Rollback {
        /// Its name
        name: String,
        /// Which revision; the one before those in force without it
        #[arg(long)]
        to: Option<i32>,
    },
    /// List the revisions of its settings, the newest first
    Revisions {
        /// Its name
        name: String,
    },
    /// Print the app file, without the token
    Export {
        /// Its name
        name: String,
        /// Which revision; the newest without it
        #[arg(long)]
        revision: Option<i32>,
    },
    /// Show what the draft would do to whom, beside the settings in force; writes nothing. Exits 3 when it would wait
    Preview {
        /// Its name
        name: String,
        /// As CSV
        #[arg(long)]
        csv: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Read all the app holds and show what differs from what is known; repaired if its settings say so
    Reconcile {
        /// Its name
        name: String,
        /// Do not wait for the end
        #[arg(long)]
        no_wait: bool,
    },
    /// Show what a compare found; the newest without --compare
    Drift {
        /// Its name
        name: String,
        /// The id of the compare
        #[arg(long)]
        compare: Option<String>,
    },
    /// List what the app is known to hold; --state unmatched: what it has and HR has not
    Accounts {
        /// Its name
        name: String,
        /// Only those in this state
        #[arg(long)]
        state: Option<String>,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    if let Command::Apply {
        file,
        publish,
        mode,
        whose,
    } = command
    {
        if whose.word().is_some() && !publish {
            let said = "--same-accounts and --new-target go with --publish";
            return Err(Error::Usage(said.to_owned()));
        }
        return apply(&file, publish.then_some((mode, whose)), output).await;
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
        Command::Counterparts { name, attribute } => {
            return counterparts::run(&client, &name, &attribute, output).await;
        }
        Command::Diff { name } => diff(&client, &name, output).await?,
        Command::Publish { name, mode, whose } => {
            return published(&client, &name, (mode, whose), output).await;
        }
        Command::Pause { name } => {
            let body = client.post(&path(&name, "/pause"), &json!({})).await?;
            output.show(&body, || format!("app {name} is paused"))?;
        }
        Command::Revisions { name } => {
            app_look::revisions(&client, &path(&name, "/revisions"), output).await?
        }
        Command::Export { name, revision } => {
            let number = revision.map(|number| number.to_string());
            app_look::export(&client, &path(&name, "/export"), number.as_deref(), output).await?;
        }
        Command::Rollback { name, to } => {
            client
                .post(&path(&name, "/rollback"), &json!({ "revision": to }))
                .await?;
            return published(&client, &name, (None, Whose::default()), output).await;
        }
        Command::Preview { name, csv, whose } => {
            let (path, whose) = (path(&name, "/preview"), whose.word());
            return app_look::preview(&client, (&path, whose), csv, output).await;
        }
        Command::Reconcile { name, no_wait } => {
            let paths = (path(&name, "/reconcile"), path(&name, "/drift"));
            return app_look::reconcile(&client, (&paths.0, &paths.1), no_wait, output).await;
        }
        Command::Drift { name, compare } => {
            return app_look::show(&client, &path(&name, "/drift"), compare.as_deref(), output).await;
        }
        Command::Accounts { name, state } => accounts(&client, &name, state.as_deref(), output).await?,
    }
    Ok(Exit::Done)
}

fn path(name: &str, rest: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/apps/{name}{rest}")
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

async fn apply(file: &Path, publish: Option<(Option<Mode>, Whose)>, output: Output) -> Result<Exit, Error> {
    let toml = std::fs::read_to_string(file)
        .map_err(|error| Error::Usage(format!("{} cannot be read: {error}", file.display())))?;
    let mut settings = Settings::from_toml(&toml).map_err(|error| match error {
        provision::Error::Settings(problems) => wrong(file, &toml, &problems),
        other => Error::Usage(other.to_string()),
    })?;
    if let Some(token) = &mut settings.token {
        *token = config::resolve(token).map_err(|error| Error::Usage(format!("token: {}", Chain(&error))))?;
    }
    if let Some(secret) = &mut settings.hook_secret {
        *secret = config::resolve(secret)
            .map_err(|error| Error::Usage(format!("hook_secret: {}", Chain(&error))))?;
    }
    let client = Client::from_env()?;
    let body = serde_json::to_value(&settings).map_err(std::io::Error::from)?;
    let app = client
        .put(&path(&settings.name, ""), &body)
        .await
        .map_err(|error| refused(file, &toml, error))?;
    if let Some(order) = publish {
        return published(&client, &settings.name, order, output).await;
    }
    output.show(&app, || {
        format!(
            "app {}: revision {} is a draft; `scim-bridge app publish {}` puts it in force",
            settings.name,
            app.get("draft_revision")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            settings.name
        )
    })?;
    Ok(Exit::Done)
}

/// What the server refuses, with the places in the file: only it knows the tenant's own attributes.
pub(super) fn refused(file: &Path, toml: &str, error: Error) -> Error {
    if let Error::Refused { body, .. } = &error
        && let Some(problems) = body.get("problems")
        && let Ok(problems) = serde_json::from_value::<Vec<Problem>>(problems.clone())
    {
        return wrong(file, toml, &problems);
    }
    error
}

/// Each problem with its place in the file.
fn wrong(file: &Path, toml: &str, problems: &[Problem]) -> Error {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = match (problem.at.as_str(), problem.line, problem.column) {
                ("", 0, _) => None,
                ("", line, column) => Some((line, column)),
                (at, line, column) => position_of(toml, at).map(|(first, start)| match line {
                    0 => (first, start),
                    // An expression begins behind its quote.
                    1 => (first, start.saturating_add(column)),
                    line => (first.saturating_add(line).saturating_sub(1), column),
                }),
            };
            let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
            let at = if problem.at.is_empty() {
                String::new()
            } else {
                format!("{}: ", problem.at)
            };
            format!("{}{place}: {at}{}", file.display(), problem.message)
        })
        .collect();
    Error::Usage(lines.join("\n"))
}

async fn published(
    client: &Client,
    name: &str,
    (mode, whose): (Option<Mode>, Whose),
    output: Output,
) -> Result<Exit, Error> {
    let order = json!({ "mode": mode.map(Mode::word), "accounts": whose.word() });
    let body = client.post(&path(name, "/publish"), &order).await?;
    let waits = text(&body, "state") == "awaiting_approval";
    output.show(&body, || {
        if waits {
            let reasons: Vec<&str> = items(&body, "reasons").filter_map(Value::as_str).collect();
            format!(
                "app {name} is not published yet: {}\nplan {} awaits approval; `scim-bridge plan approve {} --plan {}`",
                reasons.join("; "),
                text(&body, "plan"),
                text(&body, "plan"),
                text(&body, "plan_hash")
            )
        } else {
            let mode = body.get("app").map(|app| text(app, "mode")).unwrap_or_default();
            format!("app {name} is published in mode {mode}")
        }
    })?;
    Ok(if waits { Exit::AwaitingApproval } else { Exit::Done })
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let apps = client.all("/apps", &[]).await?;
    let rows: Vec<Vec<String>> = apps
        .iter()
        .map(|app| {
            vec![
                text(app, "name").to_owned(),
                text(app, "mode").to_owned(),
                text(app, "trouble").to_owned(),
            ]
        })
        .collect();
    output.table(&json!({ "items": apps }), &["name", "mode", "trouble"], &rows)
}

fn sheet(app: &Value) -> String {
    let number = |member: &str| {
        app.get(member)
            .and_then(Value::as_i64)
            .map_or_else(|| "none".to_owned(), |number| number.to_string())
    };
    let policies = policies(app);
    let settings = app.get("settings").cloned().unwrap_or_default();
    let settings = serde_json::to_string_pretty(&settings).unwrap_or_default();
    let trouble = text(app, "trouble");
    let trouble = if trouble.is_empty() {
        String::new()
    } else {
        format!("\ntrouble: {trouble}")
    };
    format!(
        "{} ({})\nrevision in force: {}, draft: {}{trouble}\n{settings}{policies}",
        text(app, "name"),
        text(app, "mode"),
        number("live_revision"),
        number("draft_revision"),
    )
}

/// How each field is treated, a line each.
pub(super) fn policies(body: &Value) -> String {
    let lines: Vec<String> = items(body, "policies")
        .map(|line| {
            let from = match text(line, "from") {
                "" => String::new(),
                from => format!(" from {from}"),
            };
            let unverify = match text(line, "unverify") {
                "" => String::new(),
                flag => format!("; a new value makes {flag} false"),
            };
            format!(
                "  {}: {}{from}; when empty: {}{unverify}",
                text(line, "field"),
                text(line, "policy"),
                text(line, "when_empty")
            )
        })
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!("\nfields:\n{}", lines.join("\n"))
    }
}

async fn check(client: &Client, name: &str, output: Output) -> Result<Exit, Error> {
    let body = client.post(&path(name, "/check"), &json!({})).await?;
    let is_fine = body.get("ok") == Some(&Value::Bool(true));
    output.show(&body, || {
        let lines: Vec<String> = items(&body, "steps")
            .map(|step| {
                let mark = if step.get("ok") == Some(&Value::Bool(true)) {
                    "ok    "
                } else {
                    "failed"
                };
                format!("{mark}  {}: {}", text(step, "name"), text(step, "message"))
            })
            .collect();
        lines.join("\n")
    })?;
    Ok(if is_fine { Exit::Done } else { Exit::Failed })
}

async fn diff(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let body = client.get(&path(name, "/diff"), &[]).await?;
    output.show(&body, || {
        let lines: Vec<String> = items(&body, "changes")
            .map(|change| {
                let of = |member: &str| change.get(member).cloned().unwrap_or_default();
                format!("{}: {} -> {}", text(change, "at"), of("live"), of("draft"))
            })
            .collect();
        if lines.is_empty() {
            "nothing differs".to_owned()
        } else {
            lines.join("\n")
        }
    })
}

async fn accounts(client: &Client, name: &str, state: Option<&str>, output: Output) -> Result<(), Error> {
    let query: Vec<(&str, &str)> = state.map(|state| ("state", state)).into_iter().collect();
    let accounts = client.all(&path(name, "/accounts"), &query).await?;
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            ["state", "kind", "name", "remote_id", "since", "reason"]
                .map(|member| text(account, member).to_owned())
                .to_vec()
        })
        .collect();
    let head = ["state", "kind", "name", "id in the app", "since", "reason"];
    output.table(&json!({ "items": accounts }), &head, &rows)
}
