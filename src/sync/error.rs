//! Why a connection or a run does not do what was asked.

use serde_json::{Value, json};

use super::FileProblem;
use crate::base::{Chain, Unsealable};
use crate::connector::Error as Connector;
use crate::db::QueryError;

/// Why a connection or a run does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached.
    #[error("the database cannot be reached")]
    Database(#[from] crate::db::Error),
    /// The database refused a statement.
    #[error("the database refused a statement of a run")]
    Store(#[from] QueryError),
    /// A plan could not be kept or decided.
    #[error("the plan")]
    Guard(#[from] crate::guard::Error),
    /// What happened could not be kept to be told.
    #[error("an event could not be kept")]
    Notice(#[from] crate::notice::Error),
    /// The directory refused a whole batch.
    #[error("the directory refused a batch")]
    Directory(#[from] crate::directory::Error),
    /// What apps know of employments could not be read or kept.
    #[error("what is known of employments")]
    Employments(#[from] crate::provision::Error),
    /// People could not be resolved or kept.
    #[error("people could not be resolved")]
    Identity(#[from] crate::identity::Error),
    /// The HR system could not be read.
    #[error("the HR system could not be read")]
    Connector(#[from] crate::connector::Error),
    /// A sealed value cannot be opened.
    #[error("a secret of the connection")]
    Unsealable(#[from] Unsealable),
    /// A stored record cannot be read any more.
    #[error("a stored record cannot be read")]
    Record(#[source] serde_json::Error),
    /// There is no such thing in this tenant.
    #[error("there is no {what} {name}")]
    Unknown {
        /// `connection`, `run`, `review` or `hold`.
        what: &'static str,
        /// As it was named.
        name: String,
    },
    /// A connection file will not do.
    #[error("the connection file cannot be used")]
    File(Vec<FileProblem>),
    /// The connection is not in the state for this.
    #[error("connection {name} is {state}: {remedy}")]
    ConnectionState {
        /// Which one.
        name: String,
        /// What it is.
        state: &'static str,
        /// What to do first.
        remedy: &'static str,
    },
    /// The run is not in the state for this.
    #[error("run {run} {problem}")]
    RunState {
        /// Which one.
        run: String,
        /// Why it cannot be done.
        problem: String,
    },
    /// A decision cannot be made so.
    #[error("{0}")]
    Decision(String),
    /// A connection file names another connection than the address does.
    #[error("the file is for connection {file}, not for {path}")]
    OtherName {
        /// In the file.
        file: String,
        /// In the address.
        path: String,
    },
    /// The connection reads its HR system; clients cannot write into it.
    #[error("connection {0} is not one that SCIM clients write into: its connector must be \"scim\"")]
    NotInbound(String),
    /// The connection reads its HR system, or SCIM clients write into it.
    #[error("connection {0} takes no records: its connector must be \"push\"")]
    NotPushed(String),
    /// A session of pushed records is not in the state for this.
    #[error("{0}")]
    Push(String),
    /// A page is no page of records.
    #[error("{0}")]
    PushPage(String),
    /// The HR system of this connector sends no webhooks that we know of.
    #[error("connector {0} has no webhooks: its changes are found by the schedule")]
    NoWebhooks(String),
    /// Another process has the run now.
    #[error("another process has the run now")]
    LeaseLost,
    /// Somebody asked to stop.
    #[error("somebody asked to stop")]
    Cancelled,
    /// Nothing was read since the first request failed, or there is no file.
    #[error("{0}")]
    NothingToRead(String),
}

impl Error {
    /// The error as a run keeps it: a code, and all causes on one line. Never personal data.
    pub(super) fn as_json(&self) -> Value {
        json!({ "code": self.code(), "message": Chain(self).to_string() })
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Database(_) | Self::Store(_) => "store",
            Self::Guard(_) => "plan",
            Self::Notice(_) => "event",
            Self::Directory(_) => "directory",
            Self::Employments(_) => "employments",
            Self::Identity(_) => "identity",
            Self::Connector(Connector::Credentials { .. } | Connector::Consent { .. }) => "credentials",
            Self::Connector(_) => "connector",
            Self::Unsealable(_) => "secret",
            Self::Record(_) => "record",
            Self::Unknown { .. } => "unknown",
            Self::File(_) | Self::OtherName { .. } => "file",
            Self::ConnectionState { .. } => "connection_state",
            Self::RunState { .. } => "run_state",
            Self::Decision(_) => "decision",
            Self::NotInbound(_) => "not_inbound",
            Self::NotPushed(_) => "not_pushed",
            Self::Push(_) => "push_session",
            Self::PushPage(_) => "push_page",
            Self::NoWebhooks(_) => "no_webhooks",
            Self::LeaseLost => "lease_lost",
            Self::Cancelled => "cancelled",
            Self::NothingToRead(_) => "nothing_to_read",
        }
    }

    /// Whether the same step may succeed when it is tried again in a while by itself.
    pub(super) fn is_transient(&self) -> bool {
        if let Self::Store(error) = self {
            return crate::db::is_transient(error);
        }
        // Other modules' tables fail in the same way.
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<QueryError>() {
                return crate::db::is_transient(error);
            }
            cause = error.source();
        }
        matches!(self, Self::Database(_))
    }
}
