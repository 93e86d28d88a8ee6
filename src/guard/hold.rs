//! Decisions that wait for a human.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, HoldId, PersonId, ResourceId};

/// A decision to ask for.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// The connection or app whose policy asks.
    pub owner: Uuid,
    /// The app, when only one app is meant.
    pub app: Option<AppId>,
    /// The person.
    pub person: Option<PersonId>,
    /// The user or group.
    pub resource: Option<ResourceId>,
    /// The attribute; attributes that move together are one decision, joined by `+`.
    pub field: String,
    /// What is there.
    pub old: Option<Value>,
    /// What would be there.
    pub new: Option<Value>,
    /// Why it waits.
    pub detail: String,
}

/// A decision that was asked for.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What was asked.
    pub asked: NewHold,
    /// `open`, `approved`, `rejected` or `gone`.
    pub state: String,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    pub decided_by: Option<String>,
}

/// What a human says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
}
