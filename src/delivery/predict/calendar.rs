//! What an app will be sent in the days to come: steps that are due, and users as they will stand. The same decisions
//! as for real calls, one after the other; each call is taken as answered well.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{AppInForce, MOST_CALLS};
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::store::{accounts_of, due_accounts};
use crate::delivery::prepare::{Plan, Prepared, Read};
use crate::delivery::send::Task;
use crate::delivery::store::Row;
use crate::directory::{Directory, Stored};
use crate::guard::Action;

/// The most instants that are looked at of one account.
const MOST_DAYS: usize = 64;

/// A user in the days to come.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Our id, or what stands for one.
    pub user: ResourceId,
    /// As it is now; none while it is not there.
    pub now: Option<Stored>,
    /// As it will be from each instant on, in order.
    pub changes: Vec<(DateTime<Utc>, Option<Stored>)>,
}

/// A call to come.
#[derive(Debug, Clone)]
pub struct CallToCome {
    /// When.
    pub at: DateTime<Utc>,
    /// Of which user.
    pub user: ResourceId,
    /// What.
    pub action: Action,
    /// Why.
    pub rule: String,
}

/// An account that will be looked at: the user, when, and when its person will be.
pub type DueAccount = (ResourceId, DateTime<Utc>, Option<PersonId>, Option<DateTime<Utc>>);

/// Where a walk through an app's due accounts goes on.
pub type DueCursor = (DateTime<Utc>, ResourceId);

/// Up to `limit` accounts of an app that will be looked at until `to`, the earliest first.
///
/// # Errors
/// When the store refuses.
pub async fn accounts_to_come(
    conn: &mut Conn,
    tenant: TenantId,
    app: &AppInForce,
    after: Option<DueCursor>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DueAccount>, Error> {
    due_accounts(conn, (tenant, app.id()), after, to, limit).await
}

/// What an app will be sent between two instants, if nothing else happens. A constant number of statements.
///
/// # Errors
/// When the store refuses.
pub async fn calls_to_come(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    app: &AppInForce,
    timelines: Vec<Timeline>,
    (now, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<CallToCome>, Error> {
    let ids: Vec<ResourceId> = timelines.iter().map(|timeline| timeline.user).collect();
    let mut rows = accounts_of(conn, (tenant, app.id()), &ids).await?;
    let rows: Vec<Row> = ids
        .iter()
        .map(|id| rows.remove(id).unwrap_or_else(|| Row::new(*id, "User")))
        .collect();
    // People and managers of all that will be are read with those who are.
    let stored = timelines
        .iter()
        .filter_map(|timeline| {
            let later = || timeline.changes.iter().find_map(|(_, user)| user.clone());
            Some((timeline.user, timeline.now.clone().or_else(later)?))
        })
        .collect();
    let plan = app.plan(tenant, directory);
    let mut read = plan.read_about(conn, &rows, stored).await?;
    let mut found = Vec::new();
    for (timeline, row) in timelines.into_iter().zip(rows) {
        walk(plan, &mut read, timeline, row, (now, to), &mut found);
    }
    Ok(found)
}

fn stand(read: &mut Read, id: ResourceId, user: Option<Stored>) {
    match user {
        Some(user) => read.stored.insert(id, user),
        None => read.stored.remove(&id),
    };
}

fn walk(
    plan: Plan<'_>,
    read: &mut Read,
    timeline: Timeline,
    mut row: Row,
    (now, to): (DateTime<Utc>, DateTime<Utc>),
    found: &mut Vec<CallToCome>,
) {
    let has_begun = timeline.now.is_some() || row.remote_id.is_some();
    stand(read, timeline.user, timeline.now);
    let mut changes = timeline.changes.into_iter().peekable();
    let mut at = match changes.peek() {
        Some((first, _)) if !has_begun => *first,
        _ => now,
    };
    for _ in 0..MOST_DAYS {
        while let Some((_, user)) = changes.next_if(|(from, _)| *from <= at) {
            stand(read, timeline.user, user);
        }
        let due = settle(plan, read, &mut row, at, found);
        let change = changes.peek().map(|(from, _)| *from);
        match due.into_iter().chain(change).filter(|next| *next > at).min() {
            Some(next) if next <= to => at = next,
            _ => break,
        }
    }
}

/// Makes the calls of one instant. When the account is to be looked at again.
fn settle(
    plan: Plan<'_>,
    read: &Read,
    row: &mut Row,
    at: DateTime<Utc>,
    found: &mut Vec<CallToCome>,
) -> Option<DateTime<Utc>> {
    for _ in 0..MOST_CALLS {
        let mut out = Prepared::default();
        plan.look(row, read, at, &mut out);
        let settled = out.settled.pop()?;
        row.cause = settled.cause;
        row.steps_done = settled.steps_done;
        row.grouped = settled.grouped;
        row.no_grants = settled.no_grants;
        row.told = settled.told;
        let Some(job) = out.jobs.pop() else {
            return settled.due_at.filter(|_| settled.look);
        };
        let (action, object) = match job.task {
            Task::Create { object, .. } => (Action::Create, Some(object)),
            Task::Change { before, after } => {
                let is_disable = before.get("active") != after.get("active")
                    && after.get("active") == Some(&Value::Bool(false));
                let action = if is_disable {
                    Action::Disable
                } else {
                    Action::Update
                };
                (action, Some(after))
            }
            Task::Delete => (Action::Remove, None),
            Task::Hook(_) => {
                row.steps_done = row.steps_done.saturating_add(1);
                continue;
            }
            Task::Members { .. } | Task::Resolve { .. } => return None,
        };
        let rule = match settled.cause {
            Some((cause, since)) => format!("{}, since {}", cause.said(), since.format("%Y-%m-%d %H:%M UTC")),
            None if settled.reason.is_empty() => match action {
                Action::Create => "belongs into the app".to_owned(),
                _ => "the app holds other values".to_owned(),
            },
            None => settled.reason,
        };
        row.remote_id = object
            .as_ref()
            .map(|_| row.remote_id.take().unwrap_or_else(|| "{id}".to_owned()));
        row.known = object;
        row.is_read = false;
        found.push(CallToCome {
            at,
            user: row.resource,
            action,
            rule,
        });
    }
    None
}
