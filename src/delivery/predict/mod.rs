//! What an app would be sent if users stood so: the code that prepares real calls, without their effects.
//!
//! *Comes in:* an app with the settings in force or those of its draft, users as they would be. *Goes out:* the calls
//! that would follow at once, and what stops them. Reads `account`, `hold` and the directory; writes nothing.
//!
//! There is no second way to a call: [`Plan::look`] decides here as it decides under a lease. Two things are only known
//! later and are foretold as far as possible: the app's id of a new account stands as `{id}`, that of a manager whose
//! account is still to come as `{id of <user id>}`; and an account of the app that was not read yet, which a creation
//! would meet, is not known.

mod app;
mod calendar;
mod store;
mod survey;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

pub use app::AppInForce;
pub(in crate::delivery) use app::mode_of;
pub use calendar::{CallToCome, DueAccount, DueCursor, Timeline, accounts_to_come, calls_to_come};
pub(in crate::delivery) use store::accounts_of;
pub(in crate::delivery) use survey::{Waiting, survey};

use super::Error;
use super::prepare::{Plan, Prepared, Read, WAITED};
use super::send::Task;
use super::store::{Reference, Row};
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{Directory, Stored};
use crate::guard::Action;
use crate::provision::{Cause, Desired, Standing, State, UserView};
use crate::scim::Object;
use crate::scim::diff::{Delta, diff};

/// The most calls that are foretold of one account: steps of deprovisioning that are due at once.
const MOST_CALLS: usize = 8;

/// A user as it would be.
#[derive(Debug, Clone)]
pub struct UserAfter {
    /// Our id; a new one for a user who is not there yet.
    pub id: ResourceId,
    /// What it would hold; `None`: it would be gone.
    pub object: Option<Object>,
}

/// A call that would be made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// The HTTP method.
    pub method: &'static str,
    /// The path below the app's base URL.
    pub path: String,
    /// What would be sent; where the app takes no PATCH, ours alone, without what the app keeps beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// What would follow for one account.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Our user or group.
    pub resource: ResourceId,
    /// `User` or `Group`.
    pub kind: String,
    /// Whose user it is.
    pub person: Option<PersonId>,
    /// The version of the user or group this stands on; `None` when it is not stored.
    pub version: Option<i64>,
    /// What the calls do; `None` without any.
    pub action: Option<Action>,
    /// The next call.
    pub call: Option<Call>,
    /// Calls that follow it at once.
    pub then: Vec<Call>,
    /// What would change in the account, attribute by attribute; empty for a creation, whose body says it all.
    pub changes: Vec<Delta>,
    /// The state the account would come to.
    pub state: State,
    /// Why.
    pub reason: String,
    /// Why it would be deprovisioned.
    pub cause: Option<Cause>,
    /// A human has looked at it already, or it is counted in the caps.
    pub allowed: bool,
}

impl Predicted {
    /// All calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.call.iter().chain(&self.then)
    }

    /// The attributes that had a value and would have none.
    pub fn cleared(&self) -> impl Iterator<Item = &str> {
        let is_update = self.action == Some(Action::Update);
        self.changes
            .iter()
            .filter(move |change| {
                is_update && change.after.as_ref().is_none_or(is_empty) && change.before.is_some()
            })
            .map(|change| change.path.as_str())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// What an app would be sent if these users stood so, in their order. Sends nothing, writes nothing; a constant number
/// of statements, however many users.
///
/// # Errors
/// When the store refuses.
pub async fn predict(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    app: &AppInForce,
    users: &[UserAfter],
    now: DateTime<Utc>,
) -> Result<Vec<Predicted>, Error> {
    let ids: Vec<ResourceId> = users.iter().map(|user| user.id).collect();
    let mut rows = accounts_of(conn, (tenant, app.id()), &ids).await?;
    let mut stored = directory.load(conn, tenant, &ids).await?;
    for user in users {
        match (&user.object, stored.get_mut(&user.id)) {
            (Some(object), Some(stored)) => stored.object = object.clone(),
            (Some(object), None) => {
                stored.insert(user.id, to_come(user.id, object.clone(), now));
            }
            (None, _) => {
                stored.remove(&user.id);
            }
        }
    }
    let rows: Vec<Row> = ids
        .iter()
        .map(|id| rows.remove(id).unwrap_or_else(|| Row::new(*id, "User")))
        .collect();
    foresee(conn, app.plan(tenant, directory), &rows, stored, now).await
}

/// A user that is not stored yet.
fn to_come(id: ResourceId, object: Object, now: DateTime<Utc>) -> Stored {
    Stored {
        id,
        kind: "User".to_owned(),
        object,
        version: 0,
        active: None,
        person: None,
        disabled_by: Vec::new(),
        writers: std::collections::BTreeMap::new(),
        created: now,
        last_modified: now,
    }
}

/// What would follow for these accounts, were users and groups as given; in the order of the rows.
pub(in crate::delivery) async fn foresee(
    conn: &mut Conn,
    plan: Plan<'_>,
    rows: &[Row],
    stored: HashMap<ResourceId, Stored>,
    now: DateTime<Utc>,
) -> Result<Vec<Predicted>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut read = plan.read_about(conn, rows, stored).await?;
    plan.name_managers_to_come(conn, &mut read).await?;
    Ok(rows.iter().map(|row| plan.foresee_one(row, &read, now)).collect())
}

impl Plan<'_> {
    /// Managers whose accounts are still to be made get a name that stands for their id.
    async fn name_managers_to_come(self, conn: &mut Conn, read: &mut Read) -> Result<(), Error> {
        let missing: Vec<ResourceId> = read
            .stored
            .values()
            .filter_map(|stored| crate::provision::manager_of(&stored.object))
            .filter(|id| {
                read.references
                    .get(id)
                    .is_none_or(|known| known.remote_id.is_none())
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let loaded = self.directory.load(conn, self.at.0, &missing).await?;
        for id in missing {
            let manager = read.stored.get(&id).or_else(|| loaded.get(&id));
            let is_to_come = manager.is_some_and(|manager| self.wants(manager));
            if is_to_come {
                read.references.insert(
                    id,
                    Reference {
                        remote_id: Some(format!("{{id of {id}}}")),
                        is_coming: true,
                        depends: Vec::new(),
                    },
                );
            }
        }
        Ok(())
    }

    fn wants(self, user: &Stored) -> bool {
        let view = UserView {
            id: user.id,
            object: &user.object,
            manager: None,
            manager_remote: None,
            reports: self.rules.reads_reports().then_some(0),
            standing: Standing::default(),
        };
        user.object.get("active") != Some(&Value::Bool(false))
            && matches!(self.rules.user(view), Desired::Wanted(_))
    }

    fn foresee_one(self, row: &Row, read: &Read, now: DateTime<Utc>) -> Predicted {
        let stored = read.stored.get(&row.resource);
        let mut row = Row {
            priority: row.priority.max(WAITED),
            unknown: None,
            ..row.clone()
        };
        let mut found = Predicted {
            resource: row.resource,
            kind: row.kind.clone(),
            person: stored.and_then(|stored| stored.person),
            version: stored.map(|stored| stored.version),
            action: None,
            call: None,
            then: Vec::new(),
            changes: Vec::new(),
            state: State::Pending,
            reason: String::new(),
            cause: None,
            allowed: row.allowed,
        };
        for _ in 0..MOST_CALLS {
            let mut out = Prepared::default();
            self.look(&row, read, now, &mut out);
            if let Some(settled) = out.settled.pop() {
                found.state = settled.state;
                found.reason = settled.reason;
                found.cause = settled.cause.map(|(cause, _)| cause);
                row.cause = settled.cause;
                row.steps_done = settled.steps_done;
                row.grouped = settled.grouped;
                row.no_grants = settled.no_grants;
                row.told = settled.told;
            }
            let (Some(job), Some(intent)) = (out.jobs.pop(), out.intents.pop()) else {
                break;
            };
            let call = Call {
                method: intent.method,
                path: intent.path,
                body: intent.body,
            };
            match found.call {
                None => found.call = Some(call),
                Some(_) => found.then.push(call),
            }
            if !self.follow(&mut row, &mut found, job.task) {
                break;
            }
        }
        if found.reason.is_empty()
            && let Some(cause) = found.cause
        {
            cause.said().clone_into(&mut found.reason);
        }
        found
    }

    /// The account as it would be after the call. Whether another call may follow.
    fn follow(self, row: &mut Row, found: &mut Predicted, task: Task) -> bool {
        match task {
            Task::Create { .. } => {
                found.action = Some(Action::Create);
                found.state = State::InSync;
                false
            }
            Task::Change { before, after } => {
                let is_disable = before.get("active") != after.get("active")
                    && after.get("active") == Some(&Value::Bool(false));
                found.action = Some(if is_disable {
                    Action::Disable
                } else {
                    Action::Update
                });
                if let Some(kind) = self.registry.kind(&row.kind) {
                    found.changes.extend(diff(kind, &before, &after));
                }
                row.known = Some(after);
                row.is_read = false;
                true
            }
            Task::Delete => {
                found.action = Some(Action::Remove);
                found.state = State::Removed;
                false
            }
            Task::Members { .. } => {
                found.action = found.action.or(Some(Action::Update));
                found.state = State::InSync;
                false
            }
            Task::Hook(_) => {
                row.steps_done = row.steps_done.saturating_add(1);
                true
            }
            Task::Resolve { .. } => false,
        }
    }
}

impl Row {
    /// An account of which nothing is known.
    pub(in crate::delivery) fn new(resource: ResourceId, kind: &str) -> Self {
        Self {
            resource,
            kind: kind.to_owned(),
            remote_id: None,
            known: None,
            cause: None,
            steps_done: 0,
            adopted: false,
            grouped: true,
            no_grants: false,
            doubtful: false,
            is_read: true,
            attempts: 0,
            priority: WAITED,
            manager: None,
            reason: String::new(),
            waits: None,
            allowed: false,
            removing: false,
            told: None,
            unknown: None,
        }
    }
}
