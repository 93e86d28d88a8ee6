//! Realms: resources apart from those of the tenant, under the id of what they belong to in the tenant's place.
//!
//! What SCIM clients write into a connection is no user of the tenant yet, and is answered, found, paged and patched
//! all the same. So it lies in the same tables, with the connection's id as `tenant_id`: no path leads from there into the
//! tenant or back, by any id, filter or cursor.

mod store;

use super::{Directory, Error};
use crate::base::{ConnectionId, ResourceId, TenantId};
use crate::db::Conn;
use crate::scim::Object;

/// The realm of a connection, in the tenant's place.
#[must_use]
pub fn realm_of(connection: ConnectionId) -> TenantId {
    TenantId::from(connection.uuid())
}

/// A user of a realm, as a record of it is made.
#[derive(Debug, Clone)]
pub struct RealmUser {
    /// The user.
    pub id: ResourceId,
    /// Its attributes.
    pub object: Object,
    /// Whether it is active.
    pub active: bool,
    /// What a client calls it.
    pub external_id: Option<String>,
    /// Names of the groups it is in, sorted.
    pub groups: Vec<String>,
}

impl Directory {
    /// Up to `limit` users of a realm in the order of their ids, after `after`. Whoever is there throughout a walk is
    /// in it once.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn realm_users(
        &self,
        conn: &mut Conn,
        realm: TenantId,
        after: Option<ResourceId>,
        limit: i64,
    ) -> Result<Vec<RealmUser>, Error> {
        Ok(store::users(conn, realm, after, limit).await?)
    }

    /// Those of `ids` that are there.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn existing(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        ids: &[ResourceId],
    ) -> Result<Vec<ResourceId>, Error> {
        Ok(store::existing(conn, tenant, ids).await?)
    }
}
