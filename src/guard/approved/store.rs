//! The table `plan`, as those read it who apply plans of apps.

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Cause, Error, Plan, plan};
use crate::statement;

statement!(
    Approved: (Array<Text>, BigInt) -> (SqlUuid, SqlUuid) =
    "SELECT tenant_id, id FROM plan WHERE cause = ANY($1) AND state = 'approved' ORDER BY created_at LIMIT $2"
);

/// Up to `limit` approved plans of these causes, of all tenants, the oldest first.
///
/// # Errors
/// When the store refuses.
pub async fn approved(
    conn: &mut Conn,
    causes: &[Cause],
    limit: i64,
) -> Result<Vec<(TenantId, PlanId)>, Error> {
    let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
    let rows: Vec<(Uuid, Uuid)> = Approved::with((causes, limit)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, id)| (tenant.into(), id.into()))
        .collect())
}

statement!(
    LockApproved: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT id FROM plan WHERE tenant_id = $1 AND id = $2 AND state = 'approved' FOR UPDATE SKIP LOCKED"
);

/// Locks a plan that is still approved until the end of the transaction; `None` when it is not, or somebody has it.
///
/// # Errors
/// When the store refuses.
pub async fn lock_approved(conn: &mut Conn, tenant: TenantId, id: PlanId) -> Result<Option<Plan>, Error> {
    let row: Option<(Uuid,)> = LockApproved::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    match row {
        None => Ok(None),
        Some(_) => plan(conn, tenant, id).await,
    }
}
