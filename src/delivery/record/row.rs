//! Rows as they are written.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::base::{OperationId, ResourceId};
use crate::delivery::store::Row;
use crate::provision::{Cause, State};
use crate::scim::Object;

/// What was decided about an account.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Settled {
    pub resource: ResourceId,
    pub state: State,
    pub reason: String,
    pub look: bool,
    pub priority: i16,
    pub due_at: Option<DateTime<Utc>>,
    pub manager: Option<ResourceId>,
    pub cause: Option<(Cause, DateTime<Utc>)>,
    pub steps_done: i16,
    pub grouped: bool,
    pub no_grants: bool,
    /// Access ends, now or later: what a human approved of that holds until it has.
    pub leaving: bool,
    /// The person is told that the account is removed then, or was.
    pub told: Option<DateTime<Utc>>,
}

impl Settled {
    /// The account as it stands, with nothing to look at.
    pub fn pending(row: &Row, manager: Option<ResourceId>) -> Self {
        Self {
            resource: row.resource,
            state: State::Pending,
            reason: String::new(),
            look: false,
            priority: row.priority,
            due_at: None,
            manager,
            cause: row.cause,
            steps_done: row.steps_done,
            grouped: row.grouped,
            no_grants: row.no_grants,
            leaving: false,
            told: row.told,
        }
    }
}

/// A call that will be made.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Intent {
    pub id: OperationId,
    pub resource: ResourceId,
    pub action: &'static str,
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub after: Option<Value>,
}

/// One try.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct AttemptRow {
    pub operation: OperationId,
    pub at: DateTime<Utc>,
    pub duration_ms: i32,
    pub status: Option<i32>,
    pub detail: String,
}

/// What the app holds, as far as a call taught it.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Learnt {
    pub remote_id: Option<String>,
    pub known: Option<Object>,
    pub adopted: Option<bool>,
}

/// What a call means for its account.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Outcome {
    pub resource: ResourceId,
    pub learnt: Option<Learnt>,
    pub state: State,
    pub reason: String,
    pub look: bool,
    pub due_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub acknowledged: bool,
    pub doubtful: bool,
    /// What it may be or collides with.
    pub candidates: Option<Value>,
    /// A step of deprovisioning that is done by this: where its answer is kept, and the answer.
    pub step: Option<(String, Value)>,
}

impl Outcome {
    /// Still to be done; looked at again at once.
    pub fn again(resource: ResourceId) -> Self {
        Self {
            resource,
            learnt: None,
            state: State::Pending,
            reason: String::new(),
            look: true,
            due_at: None,
            attempts: 0,
            acknowledged: false,
            doubtful: false,
            candidates: None,
            step: None,
        }
    }
}
