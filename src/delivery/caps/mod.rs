//! Rolling 24-hour caps of an app: over one of them the app freezes and asks, whatever the cause.
//!
//! *Comes in:* the intents of a batch, before they are written. *Goes out:* the same without those that are over a cap,
//! and a freeze. Counts in the guard's `cap_use`. What a human approved, or saw when lifting a freeze, is not counted
//! (`account.allowed`); a call that is made again is counted once. Calls that are under way are not taken back.

mod store;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use store::allow_waiting;

use super::Error;
use super::prepare::{Plan, Prepared};
use super::send::Task;
use super::store::Row;
use crate::audit;
use crate::base::ResourceId;
use crate::db::Conn;
use crate::guard::{self, CapAction, Limit};
use crate::notice::{self, EventKind, NewEvent};
use crate::scim::Object;

/// A share alone freezes no app in which fewer accounts than this were touched.
const SMALLEST: u64 = 10;

/// Takes out of a batch what is over a cap, counts the rest, and freezes the app when something was taken out.
pub(super) async fn enforce(
    conn: &mut Conn,
    plan: Plan<'_>,
    rows: &[Row],
    out: &mut Prepared,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let caps = plan.rules.settings().caps;
    let allowed: HashSet<ResourceId> = rows
        .iter()
        .filter(|row| row.allowed)
        .map(|row| row.resource)
        .collect();
    let counted: Vec<(ResourceId, CapAction)> = out
        .jobs
        .iter()
        .filter(|job| !allowed.contains(&job.resource))
        .filter_map(|job| Some((job.resource, action_of(&job.task)?)))
        .filter(|(_, action)| is_limit(caps.of(*action)))
        .collect();
    if counted.is_empty() {
        return Ok(());
    }
    let mut used = store::uses(conn, plan.at, now).await?;
    let batch = u64::try_from(counted.len()).unwrap_or(u64::MAX);
    let may_be_many = used
        .iter()
        .any(|(_, uses)| uses.saturating_add(batch) >= SMALLEST);
    let accounts = if may_be_many || batch >= SMALLEST {
        store::accounts(conn, plan.at).await?
    } else {
        0
    };
    let mut kept: Vec<(ResourceId, CapAction)> = Vec::with_capacity(counted.len());
    let mut over: Vec<(ResourceId, CapAction)> = Vec::new();
    for (resource, action) in counted {
        let Some((_, uses)) = used.iter_mut().find(|(one, _)| *one == action) else {
            continue;
        };
        if caps
            .of(action)
            .is_over(uses.saturating_add(1), accounts, SMALLEST)
        {
            over.push((resource, action));
        } else {
            *uses = uses.saturating_add(1);
            kept.push((resource, action));
        }
    }
    store::count(conn, plan.at, &kept, now).await?;
    if let Some((_, action)) = over.first() {
        let taken_out: HashSet<ResourceId> = over.iter().map(|(resource, _)| *resource).collect();
        out.jobs.retain(|job| !taken_out.contains(&job.resource));
        out.intents.retain(|intent| !taken_out.contains(&intent.resource));
        out.settled
            .retain(|settled| !taken_out.contains(&settled.resource));
        let uses = used
            .iter()
            .find(|(one, _)| one == action)
            .map_or(0, |(_, uses)| *uses);
        freeze(conn, plan, (*action, uses, accounts), caps.of(*action), now).await?;
    }
    Ok(())
}

const fn is_limit(limit: Limit) -> bool {
    limit.share.is_some() || limit.count.is_some()
}

fn action_of(task: &Task) -> Option<CapAction> {
    match task {
        Task::Create { .. } => Some(CapAction::Create),
        Task::Delete => Some(CapAction::Delete),
        Task::Change { before, after } => {
            let is_disable = before.get("active") != after.get("active")
                && after.get("active") == Some(&Value::Bool(false));
            if is_disable {
                Some(CapAction::Disable)
            } else {
                clears(before, after).then_some(CapAction::Clear)
            }
        }
        Task::Hook(_) | Task::Members { .. } | Task::Resolve { .. } => None,
    }
}

/// Whether a value goes and none comes in its place.
fn clears(before: &Object, after: &Object) -> bool {
    before.iter().any(|(key, old)| match (old, after.get(key)) {
        (Value::Object(old), Some(Value::Object(new))) => clears(old, new),
        (old, None) => !old.is_null(),
        (_, Some(new)) => new.is_null(),
    })
}

async fn freeze(
    conn: &mut Conn,
    plan: Plan<'_>,
    (action, uses, accounts): (CapAction, u64, u64),
    limit: Limit,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (tenant, app) = plan.at;
    let (done, key) = match action {
        CapAction::Create => ("made", "creates"),
        CapAction::Disable => ("disabled", "disables"),
        CapAction::Delete => ("deleted", "removals"),
        CapAction::Clear => ("cleared values of", "cleared"),
    };
    let reason = format!(
        "within 24 hours {done} {uses} of {accounts} accounts, and more are to follow; the cap is {} (caps.{key}): look \
         at what waits, then thaw the app",
        limit.in_words()
    );
    if guard::freeze(conn, tenant, app.uuid(), &reason, "cap", now).await? {
        let subject = format!("app:{app}");
        audit::note(
            conn,
            Some(tenant),
            now,
            "cap",
            "app.freeze",
            &subject,
            json!({ "reason": reason }),
        )
        .await?;
        let event = NewEvent {
            kind: EventKind::ClientOrAppFrozen,
            key: format!("{app}:{}", now.timestamp_micros()),
            connection: None,
            app: Some(app),
            entity: None,
            person: None,
            detail: json!({ "who": plan.name, "reason": reason }),
        };
        notice::raise(conn, tenant, &event, now).await?;
        tracing::error!(app.id = %app, reason, "an app is over its cap and was frozen");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_a_value_clears_and_what_changes_one_does_not() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let before = object(json!({"title": "T", "name": {"givenName": "A", "familyName": "B"}}));
        for (after, expected) in [
            (
                json!({"title": "S", "name": {"givenName": "A", "familyName": "C"}}),
                false,
            ),
            (json!({"title": "T", "name": {"givenName": "A"}}), true),
            (json!({"name": {"givenName": "A", "familyName": "B"}}), true),
            (
                json!({"title": "T", "name": {"givenName": "A", "familyName": "B"}, "nickName": "N"}),
                false,
            ),
        ] {
            assert_eq!(clears(&before, &object(after.clone())), expected, "{after}");
        }
    }
}
