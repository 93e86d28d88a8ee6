//! Which accounts are open.

use std::collections::HashSet;

use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    OpenAccounts: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid) =
    "SELECT app_id, resource_id FROM account
     WHERE tenant_id = $1 AND resource_id = ANY($2) AND remote_id IS NOT NULL AND cause IS NULL"
);

/// The accounts of users that are there and not on their way out.
pub(super) async fn open(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> QueryResult<HashSet<(AppId, ResourceId)>> {
    let rows: Vec<(Uuid, Uuid)> = OpenAccounts::with((tenant.uuid(), uuids(users)))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(app, user)| (app.into(), user.into()))
        .collect())
}
