//! `user`: people and users as the asker knows them, over the API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find people and users by whatever you hold: e-mail address, user name, employee number, id in HR or in a client
    Find(Find),
    /// Show what each app holds of a user or group, and why
    Provisioning {
        /// The user's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Find {
    /// What you hold
    what: String,
    /// What kind of thing it is; all are tried without it
    #[arg(long, value_parser = KINDS)]
    by: Option<String>,
}

const KINDS: [&str; 5] = [
    "email",
    "user_name",
    "employee_number",
    "source_id",
    "external_id",
];

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::Find(find) => seek(&client, &find, output).await,
        Command::Provisioning { id } => provisioning(&client, &id, output).await,
    }
}

fn text(value: &Value, member: &str) -> String {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

async fn seek(client: &Client, find: &Find, output: Output) -> Result<Exit, Error> {
    let kinds: Vec<&str> = match find.by.as_deref() {
        Some(kind) => vec![kind],
        None => KINDS.to_vec(),
    };
    let mut found: Vec<Value> = Vec::new();
    for kind in kinds {
        let page = client.get("/users", &[(kind, find.what.as_str())]).await?;
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            if !found.contains(item) {
                found.push(item.clone());
            }
        }
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|item| {
            let active = match item.get("active").and_then(Value::as_bool) {
                Some(true) => "active",
                Some(false) => "not active",
                None => "no user",
            };
            vec![
                text(item, "id"),
                active.to_owned(),
                text(item, "user_name"),
                text(item, "display_name"),
                text(item, "person"),
            ]
        })
        .collect();
    output.table(
        &json!({ "items": found }),
        &["user", "", "user name", "name", "person"],
        &rows,
    )?;
    Ok(if found.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

async fn provisioning(client: &Client, id: &str, output: Output) -> Result<Exit, Error> {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let body = client.get(&format!("/users/{id}/provisioning"), &[]).await?;
    let rows: Vec<Vec<String>> = body
        .get("accounts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|account| {
            ["app", "state", "remote_id", "since", "reason"]
                .map(|member| text(account, member))
                .to_vec()
        })
        .collect();
    output.table(
        &body,
        &["app", "state", "id in the app", "since", "reason"],
        &rows,
    )?;
    Ok(Exit::Done)
}
