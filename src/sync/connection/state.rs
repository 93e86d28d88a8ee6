//! A connection and its revisions, as stored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{ConnectionId, TenantId};

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Never published: it makes no call to the HR system.
    Draft,
    /// It works.
    Published,
    /// It was published and makes no call now.
    Paused,
}

impl ConnectionState {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Paused => "paused",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "published" => Self::Published,
            "paused" => Self::Paused,
            _ => Self::Draft,
        }
    }
}

/// One tenant's one HR system.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id; also that of the client which owns the externalIds it gives.
    pub id: ConnectionId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// Key of the connector.
    pub connector: String,
    /// Whether it works.
    pub state: ConnectionState,
    /// The revision runs work by.
    pub live: Option<i32>,
    /// A newer revision that is not published.
    pub draft: Option<i32>,
    /// When the schedule starts the next run.
    pub next_run_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// One version of a connection's settings.
#[derive(Debug, Clone)]
pub struct Revision {
    /// From 1.
    pub number: i32,
    /// The connection file as JSON, without its secrets.
    pub body: Value,
    /// The secrets, sealed.
    pub sealed: Option<Vec<u8>>,
    /// Over file and secrets: the same settings make no new revision.
    pub digest: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
}
