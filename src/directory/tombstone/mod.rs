//! What stays of a user from HR whom a client or an admin deleted: enough that no run makes it again before it is
//! released. It is no resource: over SCIM there is nothing (RFC 7644 §3.6), and its userName is free.
//!
//! *Owns:* `tombstone`.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Actor, Cause, Directory, Error, Stored};
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::scim;

/// A user that stays deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Whose user it was.
    pub person: PersonId,
    /// The user that was.
    pub resource: ResourceId,
    /// Since when.
    pub at: DateTime<Utc>,
    /// Who deleted it: `client:<id>` or `admin`.
    pub party: String,
}

impl Directory {
    /// The tombstones of these people.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn tombstones(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        people: &[PersonId],
    ) -> Result<HashMap<PersonId, Tombstone>, Error> {
        if people.is_empty() {
            return Ok(HashMap::new());
        }
        let found = store::of_people(conn, tenant, people).await?;
        Ok(found.into_iter().map(|stone| (stone.person, stone)).collect())
    }

    /// The tombstone of a user that was.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn tombstone_of(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        resource: ResourceId,
    ) -> Result<Option<Tombstone>, Error> {
        Ok(store::of_resource(conn, tenant, resource).await?)
    }

    /// Takes the tombstones of these people away: the next run may make their users. Returns how many there were.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lift_tombstones(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        people: &[PersonId],
    ) -> Result<usize, Error> {
        if people.is_empty() {
            return Ok(0);
        }
        Ok(store::lift(conn, tenant, people).await?)
    }
}

/// Leaves a tombstone when it is not HR that deletes somebody from HR.
pub(super) async fn leave(
    conn: &mut Conn,
    tenant: TenantId,
    stored: &Stored,
    cause: &Cause,
) -> Result<(), Error> {
    let by_others = matches!(cause.actor, Actor::Client { .. } | Actor::Admin { .. });
    let Some(person) = stored.person.filter(|_| by_others) else {
        return Ok(());
    };
    let name = stored
        .object
        .get("userName")
        .and_then(serde_json::Value::as_str)
        .map(scim::fold);
    let stone = Tombstone {
        person,
        resource: stored.id,
        at: cause.now,
        party: cause.party(),
    };
    Ok(store::add(conn, tenant, &stone, name.as_deref()).await?)
}
