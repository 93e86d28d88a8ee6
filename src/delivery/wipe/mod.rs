//! What becomes of the accounts of users whom an erase takes away, whatever the app's own steps say.
//!
//! *Owns:* `account_wipe`.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Error;
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::provision::{Cause, Decision, Next, Rules, State};
use crate::scim::Object;

/// What becomes of the accounts of a user who is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Each app takes its steps for people who are no longer there.
    Stepped,
    /// They are deleted in every live app, but for those that an app protects.
    Deleted,
    /// They stay as they are, and nobody is told.
    Left,
}

impl Fate {
    /// What is next to do about the account of a user who is gone; none: its app's steps say. A protected one is written by no
    /// way.
    pub(super) fn decision(
        self,
        rules: &Rules,
        known: Option<&Object>,
        now: DateTime<Utc>,
    ) -> Option<Decision> {
        let next = match self {
            Self::Deleted if !known.is_some_and(|known| rules.protects(known)) => Next::Delete,
            Self::Left => Next::Rest(State::Skipped, "left as it is by an erase".to_owned()),
            Self::Deleted | Self::Stepped => return None,
        };
        Some(Decision {
            next,
            cause: Some((Cause::Missing, now)),
            steps_done: 0,
            grouped: false,
            held: Vec::new(),
            ruled: Vec::new(),
            unverified: Vec::new(),
            no_grants: false,
            again_at: None,
            told: None,
        })
    }
}

/// Says what becomes of the accounts of these users, those that are gone already among them, and has apps look at them.
/// Wants the caller's transaction.
///
/// # Errors
/// When the store refuses.
pub async fn set_fate(conn: &mut Conn, tenant: TenantId, users: &[Uuid], fate: Fate) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    match fate {
        Fate::Stepped => store::forget(conn, tenant, users).await?,
        Fate::Deleted | Fate::Left => store::add(conn, tenant, users, fate).await?,
    }
    if fate == Fate::Left {
        store::forget_members(conn, tenant, users).await
    } else {
        store::look(conn, tenant, users).await
    }
}

/// Forgets what was said.
///
/// # Errors
/// When the store refuses.
pub async fn forget_fate(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    store::forget(conn, tenant, users).await
}

/// What was said of these.
pub(super) async fn fates(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Fate>, Error> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    store::among(conn, tenant, users).await
}
