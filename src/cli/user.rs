//! `user`: people and users as the asker knows them, over the API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output, past};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find people and users by whatever you hold: e-mail address, user name, employee number, id in HR or in a client
    Find(Find),
    /// Show where each value of a user comes from (record, field, mapping line, run), and what each app holds and why
    Explain {
        /// The user's id, its person's, the id it had before it was deleted, or what `find` takes
        id: String,
    },
    /// Show a user with its story, or as it stood at a past instant
    Show {
        /// The user's id, its person's, or what `find` takes
        id: String,
        /// An instant by RFC 3339, such as 2026-11-22T08:00:00Z
        #[arg(long)]
        at: Option<String>,
    },
    /// Show what differs between a user and its accounts at two instants
    Diff {
        /// The user's id, its person's, or what `find` takes
        id: String,
        /// The first instant by RFC 3339
        #[arg(long)]
        from: String,
        /// The second; now without it
        #[arg(long)]
        to: Option<String>,
    },
    /// Show what changed of a user or group, the newest first
    History {
        /// Its id
        id: String,
    },
    /// Disable a user in the admins' name: nobody but an admin lifts that
    Suspend {
        /// The user's id
        id: String,
        /// Why; kept in the audit trail
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lift what holds a user disabled, or let one that was deleted be made again
    Release {
        /// The user's id, its person's, or the id it had before it was deleted
        id: String,
        /// Whose hold to lift: hr, admin, client:NAME, app:NAME; all without it
        #[arg(long)]
        party: Option<String>,
    },
    /// End somebody's access by hand, on a day or at once, whatever HR and the apps' policies say
    Terminate(Terminate),
    /// Remove a user outright, at once or after a notice; one from HR stays removed until it is released
    Remove {
        /// The user's id
        id: String,
        /// The notice of which the user is told, such as 7d; at once without it
        #[arg(long)]
        after: Option<String>,
        /// Why; kept in the audit trail
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Look at a user's accounts now, whatever they waited for, and send what they lack
    Push {
        /// The user's or group's id
        id: String,
        /// Only to this app
        #[arg(long)]
        app: Option<String>,
    },
    /// Invite people whose accounts we created: again, or for the first time
    Invite(super::invite::Invite),
    /// List accounts that we created, and what became of their invitations
    Invitations(super::invite::Invitations),
    /// Show what each app holds of a user or group, and why
    Provisioning {
        /// The user's id
        id: String,
        /// As it stood at this instant, by RFC 3339
        #[arg(long)]
        at: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("when").required(true).args(["on", "now", "cancel"])))]
pub(super) struct Terminate {
    /// The user's id
    id: String,
    /// The last day with access, such as 2026-12-31, by the clock of the person's zone
    #[arg(long)]
    on: Option<chrono::NaiveDate>,
    /// At once
    #[arg(long)]
    now: bool,
    /// Call off what was ended by hand
    #[arg(long)]
    cancel: bool,
    /// Go on although an app has something against it; needs a reason
    #[arg(long, requires = "reason", conflicts_with = "cancel")]
    force: bool,
    /// Why; kept in the audit trail
    #[arg(long, default_value = "")]
    reason: String,
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
        Command::Explain { id } => past::explain(&client, &id, output).await,
        Command::Show { id, at: None } => story(&client, &id, output).await,
        Command::Show { id, at: Some(at) } => past::show(&client, &id, &at, output).await,
        Command::Diff { id, from, to } => past::diff(&client, &id, &from, to.as_deref(), output).await,
        Command::Invite(order) => super::invite::invite(&client, order, output).await,
        Command::Invitations(order) => super::invite::list(&client, order, output).await,
        Command::History { id } => history(&client, &id, output).await,
        Command::Push { id, app } => {
            let body = client
                .post(&format!("/users/{}/push", escaped(&id)), &json!({ "app": app }))
                .await?;
            let apps = body.get("apps").cloned().unwrap_or_default();
            output.show(&body, || {
                format!("the accounts of {id} are looked at now in {apps}")
            })?;
            Ok(Exit::Done)
        }
        Command::Suspend { id, reason } => {
            let body = client
                .post(
                    &format!("/users/{}/suspend", escaped(&id)),
                    &json!({ "reason": reason }),
                )
                .await?;
            output.show(&body, || format!("user {id} is suspended"))?;
            Ok(Exit::Done)
        }
        Command::Release { id, party } => {
            let body = client
                .post(
                    &format!("/users/{}/release", escaped(&id)),
                    &json!({ "party": party }),
                )
                .await?;
            output.show(&body, || match body.get("released").and_then(Value::as_str) {
                Some("deletion") => {
                    format!("user {id} is made again by the next run if HR still has the person")
                }
                Some("holds") => format!("what held user {id} is lifted"),
                _ => format!("nothing held user {id}"),
            })?;
            Ok(Exit::Done)
        }
        Command::Terminate(order) => terminate(&client, &order, output).await,
        Command::Remove { id, after, reason } => {
            let path = format!("/users/{}/remove", escaped(&id));
            let body = client
                .post(&path, &json!({ "after": after, "reason": reason }))
                .await?;
            output.show(&body, || match after {
                Some(_) => format!("user {id} is removed at {}", text(&body, "removed_at")),
                None => format!("user {id} is removed"),
            })?;
            Ok(Exit::Done)
        }
        Command::Provisioning { id, at } => provisioning(&client, &id, at.as_deref(), output).await,
    }
}

async fn terminate(client: &Client, order: &Terminate, output: Output) -> Result<Exit, Error> {
    let id = &order.id;
    let path = format!("/users/{}/terminate", escaped(id));
    if order.cancel {
        let body = client.delete(&path).await?;
        output.show(&body, || match body.get("called_off").and_then(Value::as_bool) {
            Some(true) => format!("HR decides about user {id} again"),
            _ => format!("the access of user {id} was not ended by hand"),
        })?;
        return Ok(Exit::Done);
    }
    let body = client
        .post(
            &path,
            &json!({ "on": order.on, "reason": order.reason, "force": order.force }),
        )
        .await?;
    output.show(&body, || {
        format!("the access of user {id} ends at {}", text(&body, "ends_at"))
    })?;
    Ok(Exit::Done)
}

pub(super) fn text(value: &Value, member: &str) -> String {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The id of whom somebody means: an id as it is, anything else as `find` would find it, if it is one.
pub(super) async fn known_id(client: &Client, what: &str) -> Result<String, Error> {
    if what.parse::<uuid::Uuid>().is_ok() {
        return Ok(what.to_owned());
    }
    let mut ids = Vec::new();
    for kind in KINDS {
        let page = client.get("/users", &[(kind, what)]).await?;
        for item in items(&page, "items") {
            let id = [text(item, "id"), text(item, "person")]
                .into_iter()
                .find(|id| !id.is_empty());
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
    }
    match <[String; 1]>::try_from(ids) {
        Ok([id]) => Ok(id),
        Err(ids) if ids.is_empty() => Err(Error::Usage("nobody is known by that".to_owned())),
        Err(ids) => Err(Error::Usage(format!(
            "it fits several: name one of {}",
            ids.join(", ")
        ))),
    }
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

async fn provisioning(client: &Client, id: &str, at: Option<&str>, output: Output) -> Result<Exit, Error> {
    let query: Vec<(&str, &str)> = at.map(|at| ("at", at)).into_iter().collect();
    let path = format!("/users/{}/provisioning", escaped(id));
    let body = client.get(&path, &query).await?;
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

pub(super) fn escaped(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

/// The items of a member that is a list.
pub(super) fn items<'v>(body: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    body.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// A party or doer: its name, or what it is.
pub(super) fn who(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    let kind = ["by", "party"]
        .iter()
        .find_map(|member| value.get(*member)?.as_str());
    let kind = kind.unwrap_or_default().split(':').next().unwrap_or_default();
    match value.get("name").and_then(Value::as_str) {
        Some(name) => format!("{kind} {name}"),
        None => kind.to_owned(),
    }
}

pub(super) fn short(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

async fn story(client: &Client, id: &str, output: Output) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    let body = client.get(&format!("/users/{}", escaped(&id)), &[]).await?;
    if !output.json {
        let state = match (body.get("id"), body.get("active").and_then(Value::as_bool)) {
            (None | Some(Value::Null), _) => "",
            (_, Some(false)) => "is not active",
            _ => "is active",
        };
        let named = |what: &str, member: &str| match text(&body, member) {
            id if id.is_empty() => format!("no {what}"),
            id => format!("{what} {id}"),
        };
        let line = format!("{} ({}) {state}", named("user", "id"), named("person", "person"));
        println!("{}", line.trim_end());
        for party in items(&body, "held_by") {
            println!("  held disabled by {}", who(Some(party)));
        }
        if let Some(deleted) = body.get("deleted").filter(|deleted| !deleted.is_null()) {
            println!(
                "  deleted by {} at {}: release it to have it made again",
                who(deleted.get("by")),
                text(deleted, "at")
            );
        }
        for source in items(&body, "sources") {
            println!(
                "  from connection {}, record {}: {}",
                text(source, "connection"),
                text(source, "source_id"),
                text(source, "outcome")
            );
        }
    }
    let rows: Vec<Vec<String>> = items(&body, "attributes")
        .map(|one| {
            let authority = match one.get("authority").and_then(Value::as_str) {
                Some(rule) => format!("{rule} ({})", text(one, "connection")),
                None => "client".to_owned(),
            };
            vec![
                text(one, "path"),
                short(one.get("value")),
                authority,
                who(one.get("writer").filter(|writer| !writer.is_null())),
                text(one, "written_at"),
            ]
        })
        .collect();
    output.table(
        &body,
        &["attribute", "value", "authority", "written by", "at"],
        &rows,
    )?;
    Ok(Exit::Done)
}

async fn history(client: &Client, id: &str, output: Output) -> Result<Exit, Error> {
    let changes = client
        .all(&format!("/users/{}/history", escaped(id)), &[])
        .await?;
    let rows: Vec<Vec<String>> = changes
        .iter()
        .flat_map(|change| {
            let lines: Vec<&Value> = items(change, "changes").collect();
            lines.into_iter().map(|line| {
                vec![
                    text(change, "at"),
                    who(change.get("by")),
                    text(change, "action"),
                    text(line, "path"),
                    short(line.get("before").or_else(|| line.get("removed"))),
                    short(line.get("after").or_else(|| line.get("added"))),
                ]
            })
        })
        .collect();
    let head = ["at", "by", "what", "attribute", "before", "after"];
    output.table(&json!({ "items": changes }), &head, &rows)?;
    Ok(Exit::Done)
}
