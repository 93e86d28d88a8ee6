//! Reads `hold` and counts in `account`.

use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    WaitingValues: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Nullable<Jsonb>, Nullable<Jsonb>) =
    "SELECT resource_id, old, new FROM hold
     WHERE tenant_id = $1 AND app_id IS NULL AND state = 'open' AND resource_id = ANY($2) ORDER BY id"
);

/// What connections hold back of these users: user, before and after, both by attribute path.
pub(in crate::delivery) async fn waiting(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[ResourceId],
) -> Result<Vec<(ResourceId, Value, Value)>, Error> {
    let rows: Vec<(Uuid, Option<Value>, Option<Value>)> = WaitingValues::with((tenant.uuid(), uuids(ids)))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, old, new)| (id.into(), old.unwrap_or_default(), new.unwrap_or_default()))
        .collect())
}

statement!(
    LookAtUntold: () -> () =
    "WITH untold AS (
         UPDATE hold SET heeded = true WHERE app_id IS NULL AND NOT heeded RETURNING tenant_id, resource_id)
     UPDATE account x SET look = true, due_at = NULL FROM untold u
     WHERE x.tenant_id = u.tenant_id AND x.resource_id = u.resource_id AND x.state <> 'unmatched'"
);

/// Has apps look at accounts of users of whom a connection holds something back, or no longer does. Returns whether
/// there were any.
pub(in crate::delivery) async fn look_at_untold(conn: &mut Conn) -> Result<bool, Error> {
    Ok(LookAtUntold::with(()).execute(conn).await? > 0)
}

statement!(
    Reports: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, BigInt) =
    "SELECT m.id, count(*) FROM UNNEST($3::uuid[]) AS m(id)
     JOIN account x ON x.tenant_id = $1 AND x.app_id = $2 AND x.depends @> ARRAY[m.id] AND x.depends <> '{}'
     GROUP BY m.id"
);

/// How many active users report to each of these; who has none is left out. Counted by what the app's accounts were
/// last seen to depend on: a change of manager, a leaver and a return have the managers looked at again.
pub(in crate::delivery) async fn reports(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<Vec<(ResourceId, i64)>, Error> {
    let rows: Vec<(Uuid, i64)> = Reports::with((tenant.uuid(), app.uuid(), uuids(ids)))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id.into(), count)).collect())
}

statement!(
    LookAtManagers: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account SET look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3) AND state <> 'unmatched'"
);

/// Has an app look at those whose number of reports changed.
pub(in crate::delivery) async fn look_at_managers(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<(), Error> {
    if !ids.is_empty() {
        LookAtManagers::with((tenant.uuid(), app.uuid(), uuids(ids)))
            .execute(conn)
            .await?;
    }
    Ok(())
}
