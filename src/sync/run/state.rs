//! A run and the states it goes through.
//!
//! ```text
//! queued ─► reading ─► planning ─┬─► applying ─► done | partial
//!                                ├─► awaiting_approval ─► applying | rejected | superseded
//!                                └─► done (a dry run)
//! any open state ─► failed | cancelled
//! ```

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{ConnectionId, PlanId, RunId, TenantId};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its turn.
    Queued,
    /// Reads the HR system.
    Reading,
    /// Computes what would be done.
    Planning,
    /// Over a limit: nothing is done before somebody approves.
    AwaitingApproval,
    /// Does what was planned.
    Applying,
    /// Ended well.
    Done,
    /// Ended, but somebody may not have been seen: nobody left.
    Partial,
    /// Ended without doing all: see its error.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// Somebody rejected its plan.
    Rejected,
    /// A newer run took the place of its waiting plan.
    Superseded,
}

impl RunState {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Reading => "reading",
            Self::Planning => "planning",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Applying => "applying",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "reading" => Self::Reading,
            "planning" => Self::Planning,
            "awaiting_approval" => Self::AwaitingApproval,
            "applying" => Self::Applying,
            "done" => Self::Done,
            "partial" => Self::Partial,
            "cancelled" => Self::Cancelled,
            "rejected" => Self::Rejected,
            "superseded" => Self::Superseded,
            _ => Self::Failed,
        }
    }

    /// Whether nothing will happen any more without a human.
    #[must_use]
    pub const fn is_at_rest(self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Reading | Self::Planning | Self::Applying
        )
    }
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    /// A human or a client asked.
    Manual,
    /// The schedule.
    Schedule,
    /// The connection was published, or consent to it was given again.
    Publish,
    /// A day came on which somebody's state changes: nothing is read.
    Due,
    /// A review was decided.
    Decision,
    /// SCIM clients wrote into the connection.
    Written,
    /// Webhooks named employees: only these are read, one by one.
    Look,
    /// Webhooks told of changes without saying whose: all are read.
    Webhook,
    /// What a draft would do, by the stored records: nothing is read.
    Preview,
    /// What a draft would do, by a fresh read.
    PreviewRead,
    /// Somebody takes back what an earlier run did: nothing is read.
    Undo,
    /// The connection was cut, and the users of its people are to be disabled: nothing is read.
    CutDisable,
    /// The connection was cut, and the users of its people are to go: nothing is read.
    CutRemove,
    /// A caller committed a session of pushed records.
    Pushed,
    /// Links of people are to move here from another connection.
    Rekey,
}

impl RunCause {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Publish => "publish",
            Self::Due => "due",
            Self::Decision => "decision",
            Self::Written => "written",
            Self::Look => "look",
            Self::Webhook => "webhook",
            Self::Preview => "preview",
            Self::PreviewRead => "preview_read",
            Self::Undo => "undo",
            Self::CutDisable => "cut_disable",
            Self::CutRemove => "cut_remove",
            Self::Pushed => "pushed",
            Self::Rekey => "rekey",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "schedule" => Self::Schedule,
            "publish" => Self::Publish,
            "due" => Self::Due,
            "decision" => Self::Decision,
            "written" => Self::Written,
            "look" => Self::Look,
            "webhook" => Self::Webhook,
            "preview" => Self::Preview,
            "preview_read" => Self::PreviewRead,
            "undo" => Self::Undo,
            "cut_disable" => Self::CutDisable,
            "cut_remove" => Self::CutRemove,
            "pushed" => Self::Pushed,
            "rekey" => Self::Rekey,
            _ => Self::Manual,
        }
    }

    /// Whether the run reads the HR system.
    #[must_use]
    pub const fn reads(self) -> bool {
        !matches!(
            self,
            Self::Due | Self::Preview | Self::Undo | Self::CutDisable | Self::CutRemove
        )
    }

    /// Whether it only looks what a draft would do.
    #[must_use]
    pub const fn is_preview(self) -> bool {
        matches!(self, Self::Preview | Self::PreviewRead)
    }

    /// Whether the connection was cut: everybody of it leaves.
    #[must_use]
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::CutDisable | Self::CutRemove)
    }

    /// Whether it looks at everybody, so that a plan which waits for approval is out of date after it.
    #[must_use]
    pub const fn looks_at_all(self) -> bool {
        !matches!(self, Self::Due | Self::Look | Self::Undo | Self::Rekey)
    }
}

/// One sync of a connection.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: RunId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// How far it is.
    pub state: RunState,
    /// It stops after the plan.
    pub dry_run: bool,
    /// What started it.
    pub cause: RunCause,
    /// Who started it.
    pub actor: String,
    /// The settings revision it works by.
    pub revision: i32,
    /// Its plan, once there is one.
    pub plan: Option<PlanId>,
    /// Whether the read saw everybody.
    pub coverage: Option<Value>,
    /// Numbers by word.
    pub counts: Value,
    /// How far the step is.
    pub progress: Value,
    /// Why it failed.
    pub error: Option<Value>,
    /// When it was asked for.
    pub queued_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Somebody asked to stop it.
    pub cancel_asked: bool,
}

impl Run {
    /// Whether it looks at everybody: by its cause, and because it did not ask for changes alone.
    #[must_use]
    pub fn looks_at_all(&self) -> bool {
        let changes = self
            .coverage
            .as_ref()
            .is_some_and(|coverage| coverage.get("changes_since").is_some());
        self.cause.looks_at_all() && !changes
    }
}
