//! What each app holds of a user and what it should hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::store::{self, AppRow, HoldRow};
use crate::base::{PersonId, TenantId};
use crate::db::Conn;
use crate::directory::{Directory, Stored};
use crate::insight::{Error, explain};
use crate::provision::{Desired, Rules, Settings, Standing, UserView, employments, manager_of};
use crate::scim::{Object, ResourceType, diff};
use crate::sync::word_of;

/// A value in an app.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// The attribute's path.
    pub path: String,
    /// What the app is known to hold.
    pub known: Option<Value>,
    /// What it should hold by scope and mapping, before policies.
    pub wanted: Option<Value>,
    /// The app's own line of `[mapping]`; none: the user's attribute as it is.
    pub from: Option<String>,
    /// `overwrite`, `fill`, `hold` or `ignore`.
    pub policy: String,
}

/// The last operation on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its id.
    pub operation: Uuid,
    /// `create`, `update`, `disable`, `delete` or `members`.
    pub action: String,
    /// The HTTP method.
    pub method: String,
    /// `pending`, `unknown`, `done` or `refused`.
    pub state: String,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The app's status; none if no answer came.
    pub status: Option<i32>,
    /// The app's words, shortened.
    pub answer: Option<String>,
}

/// A value that waits for a human.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The hold.
    pub id: Uuid,
    /// The attribute.
    pub field: String,
    /// What is there.
    pub old: Option<Value>,
    /// What would be.
    pub new: Option<Value>,
    /// Why it waits.
    pub detail: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// An app with what it holds of a user, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppLine {
    /// The app; empty for what the connection itself holds for a decision.
    pub app: String,
    /// `observe`, `link`, `live` or `paused`.
    pub mode: String,
    /// The account's state.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When the app last acknowledged a change of ours.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When it was last read back.
    pub verified_at: Option<DateTime<Utc>>,
    /// The app's id.
    pub remote_id: Option<String>,
    /// It was there before and matched, not made by us.
    pub adopted: bool,
    /// `yes`, `no`, or why that cannot be said.
    pub in_scope: String,
    /// Value by value.
    pub values: Vec<Sent>,
    /// The last operation and the app's answer.
    pub last: Option<Step>,
    /// What waits for a decision.
    pub holds: Vec<Held>,
}

/// What the apps hold of a user: six statements, however many apps there are.
pub(super) async fn lines(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    user: &Stored,
    shows_sensitive: bool,
) -> Result<Vec<AppLine>, Error> {
    let rows = store::apps(conn, tenant, user.id).await?;
    let kind = directory.kind(conn, tenant, &user.kind).await?;
    let manager_id = manager_of(&user.object);
    let (mut manager, mut remotes) = (None, Vec::new());
    if let Some(id) = manager_id.filter(|_| !rows.is_empty()) {
        manager = directory.load(conn, tenant, &[id]).await?.remove(&id);
        remotes = store::remote_ids(conn, tenant, id).await?;
    }
    let mut holds = store::holds(conn, tenant, user.id).await?;
    let people: Vec<PersonId> = user.person.into_iter().collect();
    let employments = employments(conn, tenant, &people).await?;
    let found = rows
        .into_iter()
        .map(|row| {
            let remote = remotes
                .iter()
                .find(|(app, _)| *app == row.app)
                .map(|(_, id)| id.as_str());
            let view = UserView {
                id: user.id,
                object: &user.object,
                manager: manager.as_ref().map(|manager| &manager.object),
                manager_remote: remote,
                reports: None,
                standing: Standing::of(&employments, user.person, &user.disabled_by),
            };
            let own = holds.extract_if(.., |hold| hold.app == Some(row.app)).collect();
            line(row, view, &kind, own, shows_sensitive)
        })
        .collect();
    Ok(found)
}

fn line(
    row: AppRow,
    view: UserView<'_>,
    kind: &ResourceType,
    holds: Vec<HoldRow>,
    shows_sensitive: bool,
) -> AppLine {
    let settings = row
        .settings
        .and_then(|body| serde_json::from_value::<Settings>(body).ok());
    let rules = settings.and_then(|settings| Rules::compile(settings, kind).ok());
    let none = Object::new();
    let (in_scope, wanted) = match rules.as_ref().map(|rules| rules.user(view)) {
        None => ("the app has no settings in force".to_owned(), none.clone()),
        Some(Desired::OutOfScope) => ("no".to_owned(), none.clone()),
        Some(Desired::Unclear(why)) => (why, none.clone()),
        Some(Desired::Wanted(wanted)) => ("yes".to_owned(), wanted),
    };
    let known = match row.account.known {
        Some(Value::Object(known)) => known,
        _ => none,
    };
    let mask = Mask {
        kind,
        shows_sensitive,
    };
    AppLine {
        app: row.name,
        mode: row.mode,
        state: row.account.state,
        reason: row.account.reason,
        since: row.account.since,
        acknowledged_at: row.account.acknowledged_at,
        verified_at: row.account.verified_at,
        remote_id: row.account.remote_id,
        adopted: row.account.adopted,
        in_scope,
        values: values(&mask, rules.as_ref(), &known, &wanted),
        last: row.last.map(|last| Step {
            operation: last.id,
            action: last.action,
            method: last.method,
            state: last.state,
            created_at: last.created_at,
            finished_at: last.finished_at,
            status: last.status,
            answer: last.words.filter(|words| !words.is_empty()),
        }),
        holds: holds
            .into_iter()
            .map(|hold| Held {
                id: hold.id,
                old: mask.of(&hold.field, hold.old),
                new: mask.of(&hold.field, hold.new),
                field: hold.field,
                detail: hold.detail,
                since: hold.since,
            })
            .collect(),
    }
}

struct Mask<'a> {
    kind: &'a ResourceType,
    shows_sensitive: bool,
}

impl Mask<'_> {
    fn of(&self, path: &str, value: Option<Value>) -> Option<Value> {
        let hidden = !self.shows_sensitive && explain::is_sensitive(self.kind, path);
        value.map(|value| if hidden { explain::MASK.into() } else { value })
    }
}

fn values(mask: &Mask<'_>, rules: Option<&Rules>, known: &Object, wanted: &Object) -> Vec<Sent> {
    let none = Object::new();
    let mut paths: BTreeMap<String, (Option<Value>, Option<Value>)> = BTreeMap::new();
    for line in diff::diff(mask.kind, &none, known) {
        paths.entry(line.path).or_default().0 = line.after;
    }
    for line in diff::diff(mask.kind, &none, wanted) {
        paths.entry(line.path).or_default().1 = line.after;
    }
    paths
        .into_iter()
        .map(|(path, (known, wanted))| {
            let line = rules.and_then(|rules| {
                let lines = rules.settings().mapping.iter();
                lines
                    .filter(|(key, _)| path == **key || key.starts_with(&format!("{path}.")))
                    .map(|(_, line)| line)
                    .next()
            });
            Sent {
                known: mask.of(&path, known),
                wanted: mask.of(&path, wanted),
                from: line.and_then(|line| line.from.clone()),
                policy: line.map_or_else(|| "overwrite".to_owned(), |line| word_of(&line.policy)),
                path,
            }
        })
        .collect()
}
