//! Reading single resources.

use std::collections::HashMap;

use super::{Directory, Error, Found, Stored, Want, store};
use crate::base::{ClientId, ResourceId, TenantId};
use crate::db::Conn;

impl Directory {
    /// One resource as `client` sees it, in one statement.
    ///
    /// # Errors
    /// When the database failed.
    #[tracing::instrument(name = "directory.resource.get", skip_all, fields(resource.id = %id))]
    pub async fn get(
        &self,
        conn: &mut Conn,
        (tenant, id, kind): (TenantId, ResourceId, &str),
        client: Option<ClientId>,
        want: Want,
    ) -> Result<Option<Found>, Error> {
        Ok(store::find(conn, (tenant, id, kind), client, want).await?)
    }

    /// Those of `ids` that exist, in one statement.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn load(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        ids: &[ResourceId],
    ) -> Result<HashMap<ResourceId, Stored>, Error> {
        let rows = store::load(conn, tenant, ids).await?;
        Ok(rows.into_iter().map(|stored| (stored.id, stored)).collect())
    }
}
