//! What stood at a past instant: users, groups with their members, accounts; and what differs between two instants.
//!
//! A resource is made from what stands now, by undoing its changes backwards: so it costs what happened since, and not its
//! whole life. An instant before the oldest change that is kept is [`Error::Forgotten`], never a guess. What clients
//! call a resource (`externalId`) is not among what is made anew.

mod store;
mod undo;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Error, explain};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::Directory;
use crate::scim::{Object, ResourceType, diff, set_schemas};

pub use store::{MembersMoved, PastAccount, PastMember};

/// Changes that are undone at once.
const PAGE: i64 = 200;
/// The most members that a difference names on each side.
const NAMED: i64 = 1_000;

/// A resource as it stood at an instant.
#[derive(Debug, Clone)]
pub struct Past {
    /// The resource.
    pub id: ResourceId,
    /// `User`, `Group` or another resource type.
    pub kind: String,
    /// Its attributes, without id, meta, externalId, groups and members.
    pub object: Object,
    /// The version it had.
    pub version: i64,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// When it was last changed before that instant; none when that is no longer known.
    pub last_modified: Option<DateTime<Utc>>,
    /// Who held the user disabled.
    pub disabled_by: Vec<String>,
    /// The change that had made it so.
    change: i64,
}

/// The resource that an id, or the id of a person, stands for, as it stood at `at`. `None`: it was not there.
///
/// # Errors
/// [`Error::Forgotten`] when the log no longer reaches back to that instant, or when the store refuses.
#[tracing::instrument(name = "insight.past.resource", skip_all)]
pub async fn resource_at(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, id): (TenantId, ResourceId),
    at: DateTime<Utc>,
) -> Result<Option<Past>, Error> {
    let id = store::resource_of(conn, tenant, id).await?;
    let cut = match store::cut(conn, tenant, id, at).await? {
        Some(cut) => Some(cut),
        None => store::beginning(conn, tenant, id, at).await?,
    };
    let Some(cut) = cut else { return Ok(None) };
    if cut.action == "delete" {
        return Ok(None);
    }
    if cut.is_forgotten {
        return Err(Error::Forgotten);
    }
    let registry = directory.registry(conn, tenant).await?;
    let now = directory.load(conn, tenant, &[id]).await?.remove(&id);
    let (mut object, mut disabled_by) = now
        .map(|stored| (stored.object, stored.disabled_by))
        .unwrap_or_default();
    let mut before = i64::MAX;
    loop {
        let page = store::undoable(conn, (tenant, id), (cut.id, before), PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        before = *last;
        for (_, delta) in &page {
            let lines = delta.as_ref().and_then(Value::as_array).ok_or(Error::Forgotten)?;
            for line in lines {
                undo::line(&mut object, &mut disabled_by, line);
            }
        }
    }
    if let Some(kind) = registry.kind(&cut.kind) {
        set_schemas(kind, &mut object);
    }
    Ok(Some(Past {
        id,
        kind: cut.kind,
        object,
        version: cut.version,
        created: cut.created,
        last_modified: cut.at,
        disabled_by,
        change: cut.id,
    }))
}

/// Up to `limit` members that a group had then, in the order of their ids, after one of them.
///
/// # Errors
/// When the store refuses.
pub async fn members_at(
    conn: &mut Conn,
    tenant: TenantId,
    group: &Past,
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<PastMember>, Error> {
    let after = after.map_or(Uuid::nil(), ResourceId::uuid);
    store::members(conn, (tenant, group.id), group.change, after, limit).await
}

/// The accounts of a user or group in all apps as they stood at an instant.
///
/// # Errors
/// When the store refuses.
pub async fn accounts_at(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    at: DateTime<Utc>,
) -> Result<Vec<PastAccount>, Error> {
    let id = store::resource_of(conn, tenant, id).await?;
    store::accounts(conn, tenant, id, at).await
}

/// An account whose state is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountMoved {
    /// The app.
    pub app: String,
    /// Its state at the first instant; none when there was no account.
    pub before: Option<String>,
    /// Its state at the second.
    pub after: Option<String>,
    /// The reason at the second.
    pub reason: String,
}

/// What differs between two instants.
#[derive(Debug, Clone)]
pub struct Moved {
    /// Whether it was there at the first instant.
    pub there_before: bool,
    /// Whether it was there at the second.
    pub there_after: bool,
    /// Path, before and after of each attribute; sensitive values are masked unless they may be shown.
    pub changes: Vec<Value>,
    /// Of a group: who came and who went.
    pub members: Option<MembersMoved>,
    /// Accounts in another state.
    pub accounts: Vec<AccountMoved>,
}

/// What differs between a resource and its accounts at two instants. `None`: it was there at neither.
///
/// # Errors
/// [`Error::Forgotten`] when the log no longer reaches back, or when the store refuses.
#[tracing::instrument(name = "insight.past.difference", skip_all)]
pub async fn moved(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, id): (TenantId, ResourceId),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    shows_sensitive: bool,
) -> Result<Option<Moved>, Error> {
    let first = resource_at(conn, directory, (tenant, id), from).await?;
    let second = resource_at(conn, directory, (tenant, id), to).await?;
    let Some(any) = second.as_ref().or(first.as_ref()) else {
        return Ok(None);
    };
    let (id, kind_name) = (any.id, any.kind.clone());
    let registry = directory.registry(conn, tenant).await?;
    let none = Object::new();
    let object = |past: &Option<Past>| {
        past.as_ref()
            .map_or_else(|| none.clone(), |past| past.object.clone())
    };
    let (before, after) = (object(&first), object(&second));
    let mut changes = Vec::new();
    if let Some(kind) = registry.kind(&kind_name) {
        changes = diff::diff(kind, &before, &after)
            .into_iter()
            .filter_map(|line| serde_json::to_value(line).ok())
            .map(|line| shown(kind, line, shows_sensitive))
            .collect();
    }
    let has_members = registry
        .kind(&kind_name)
        .is_some_and(|kind| kind.membership().is_some());
    let members = match (has_members, &first, &second) {
        (false, ..) => None,
        (true, first, second) => {
            let cuts = (
                first.as_ref().map_or(0, |past| past.change),
                second.as_ref().map_or(i64::MAX, |past| past.change),
            );
            Some(store::members_moved(conn, (tenant, id), cuts, NAMED).await?)
        }
    };
    let accounts = accounts_moved(
        store::accounts(conn, tenant, id, from).await?,
        store::accounts(conn, tenant, id, to).await?,
    );
    Ok(Some(Moved {
        there_before: first.is_some(),
        there_after: second.is_some(),
        changes,
        members,
        accounts,
    }))
}

fn shown(kind: &ResourceType, line: Value, shows_sensitive: bool) -> Value {
    if shows_sensitive {
        line
    } else {
        explain::shown(Some(kind), line)
    }
}

fn accounts_moved(before: Vec<PastAccount>, after: Vec<PastAccount>) -> Vec<AccountMoved> {
    let state = |list: &[PastAccount], app: &str| {
        let found = list.iter().find(|account| account.app == app);
        found.map(|account| (account.state.clone(), account.reason.clone()))
    };
    let mut apps: Vec<&str> = before.iter().chain(&after).map(|one| one.app.as_str()).collect();
    apps.sort_unstable();
    apps.dedup();
    apps.into_iter()
        .filter_map(|app| {
            let (old, new) = (state(&before, app), state(&after, app));
            let moved = AccountMoved {
                app: app.to_owned(),
                before: old.map(|(state, _)| state),
                after: new.as_ref().map(|(state, _)| state.clone()),
                reason: new.map(|(_, reason)| reason).unwrap_or_default(),
            };
            (moved.before != moved.after).then_some(moved)
        })
        .collect()
}

/// A resource with its sensitive values masked.
#[must_use]
pub fn masked(kind: &ResourceType, object: &Object) -> Object {
    let mut object = object.clone();
    for line in diff::diff(kind, &Object::new(), &object.clone()) {
        if explain::is_sensitive(kind, &line.path) {
            undo::set(&mut object, &line.path, Some(explain::MASK.into()));
        }
    }
    object
}
