//! What caused a write, as it is kept in the log.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Value, json};

use super::Authorities;
use crate::base::{ClientId, ConnectionId, PlanId, RunId, TokenId};

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A run of a connection.
    Hr {
        /// The connection.
        connection: ConnectionId,
        /// The run.
        run: RunId,
    },
    /// A SCIM client.
    Client {
        /// The client.
        client: ClientId,
        /// The token it showed.
        token: TokenId,
    },
    /// An administrator.
    Admin {
        /// The token shown.
        token: TokenId,
    },
    /// A date that came.
    Due,
}

/// Why something is written, when, and in whose name.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Who writes.
    pub actor: Actor,
    /// Whose externalIds are meant.
    pub client: Option<ClientId>,
    /// As it goes into `change.origin`.
    pub origin: Value,
    /// Now, in whole milliseconds: what is shown is what is stored.
    pub now: DateTime<Utc>,
    /// What a client may not change of users who come from HR.
    pub authorities: Arc<Authorities>,
    /// Whether group members that do not exist are left out; else they are refused.
    pub leaves_out_unknown: bool,
}

impl Cause {
    /// A run of a connection under a revision of its settings. HR's externalIds are kept under the connection's id.
    #[must_use]
    pub fn run(connection: ConnectionId, run: RunId, revision: i32, now: DateTime<Utc>) -> Self {
        Self {
            actor: Actor::Hr { connection, run },
            client: Some(ClientId::from(connection.uuid())),
            origin: json!({ "by": "run", "connection": connection, "run": run, "revision": revision }),
            now: now.trunc_subsecs(3),
            authorities: Arc::default(),
            leaves_out_unknown: false,
        }
    }

    /// A SCIM client with one of its tokens.
    #[must_use]
    pub fn client(client: ClientId, token: TokenId, now: DateTime<Utc>) -> Self {
        Self {
            actor: Actor::Client { client, token },
            client: Some(client),
            origin: json!({ "by": "client", "client": client, "token": token }),
            now: now.trunc_subsecs(3),
            authorities: Arc::default(),
            leaves_out_unknown: false,
        }
    }

    /// An administrator.
    #[must_use]
    pub fn admin(token: TokenId, now: DateTime<Utc>) -> Self {
        Self {
            actor: Actor::Admin { token },
            client: None,
            origin: json!({ "by": "admin", "token": token }),
            now: now.trunc_subsecs(3),
            authorities: Arc::default(),
            leaves_out_unknown: false,
        }
    }

    /// A date that came, by the named rule.
    #[must_use]
    pub fn due(rule: &str, now: DateTime<Utc>) -> Self {
        Self {
            actor: Actor::Due,
            client: None,
            origin: json!({ "by": "due", "rule": rule }),
            now: now.trunc_subsecs(3),
            authorities: Arc::default(),
            leaves_out_unknown: false,
        }
    }

    /// The same, by a plan that a human approved: what it leads to in apps is not counted in their caps once more.
    #[must_use]
    pub fn approved(mut self, plan: Option<PlanId>) -> Self {
        if let (Some(plan), Some(origin)) = (plan, self.origin.as_object_mut()) {
            origin.insert("approved".to_owned(), json!(plan));
        }
        self
    }

    /// The same, heeding whose word counts.
    #[must_use]
    pub fn heeding(mut self, authorities: Arc<Authorities>) -> Self {
        self.authorities = authorities;
        self
    }

    /// The same, with group members that do not exist left out instead of refused, if `leaves_out`.
    #[must_use]
    pub const fn leaving_out_unknown(mut self, leaves_out: bool) -> Self {
        self.leaves_out_unknown = leaves_out;
        self
    }

    /// The party as which this cause holds users disabled.
    #[must_use]
    pub fn party(&self) -> String {
        match self.actor {
            Actor::Hr { .. } | Actor::Due => "hr".to_owned(),
            Actor::Admin { .. } => "admin".to_owned(),
            Actor::Client { client, .. } => format!("client:{client}"),
        }
    }

    /// Whether it may take away members that others put into a group: a run takes away only its own.
    pub(super) const fn may_remove_any_member(&self) -> bool {
        matches!(self.actor, Actor::Client { .. } | Actor::Admin { .. })
    }
}
