//! The table `account_wipe`.

use std::collections::HashSet;

use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    AddWipes: (SqlUuid, Array<SqlUuid>) -> () =
    "INSERT INTO account_wipe (tenant_id, resource_id) SELECT $1, id FROM UNNEST($2) AS u (id) ON CONFLICT DO NOTHING"
);
statement!(
    ForgetWipes: (SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_wipe WHERE tenant_id = $1 AND resource_id = ANY($2)"
);
statement!(
    WipesAmong: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT resource_id FROM account_wipe WHERE tenant_id = $1 AND resource_id = ANY($2)"
);

pub(super) async fn add(conn: &mut Conn, tenant: TenantId, users: &[ResourceId]) -> Result<(), Error> {
    AddWipes::with((tenant.uuid(), uuids(users)))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn forget(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    ForgetWipes::with((tenant.uuid(), users)).execute(conn).await?;
    Ok(())
}

pub(super) async fn among(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashSet<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = WipesAmong::with((tenant.uuid(), uuids(users))).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
