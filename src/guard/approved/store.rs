//! The table `plan`, as those read it who apply plans of apps.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Cause, Error, Plan, plan};
use crate::statement;

statement!(
    NextApproved: (Array<Text>,) -> (SqlUuid, SqlUuid) =
    "SELECT tenant_id, id FROM plan WHERE cause = ANY($1) AND state = 'approved'
     ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED"
);

/// Locks the oldest approved plan of these causes, of any tenant, until the end of the transaction.
///
/// # Errors
/// When the store refuses.
pub async fn next_approved(conn: &mut Conn, causes: &[Cause]) -> Result<Option<(TenantId, Plan)>, Error> {
    let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
    let row: Option<(Uuid, Uuid)> = NextApproved::with((causes,)).get_result(conn).await.optional()?;
    let Some((tenant, id)) = row else { return Ok(None) };
    let tenant = TenantId::from(tenant);
    Ok(plan(conn, tenant, PlanId::from(id))
        .await?
        .map(|plan| (tenant, plan)))
}

statement!(
    SetApplied: (SqlUuid, SqlUuid) -> () =
    "WITH applied AS (
         UPDATE plan_item SET state = 'applied' WHERE tenant_id = $1 AND plan_id = $2 AND state = 'planned')
     UPDATE plan SET state = 'applied' WHERE tenant_id = $1 AND id = $2"
);

/// Ends a plan; those of its items of which nothing else was said are applied.
///
/// # Errors
/// When the store refuses.
pub async fn set_applied(conn: &mut Conn, tenant: TenantId, plan: PlanId) -> Result<(), Error> {
    SetApplied::with((tenant.uuid(), plan.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SupersedeOfCause: (SqlUuid, SqlUuid, Text, SqlUuid, Timestamptz) -> () =
    "UPDATE plan SET state = 'superseded', decided_at = $5, decided_by = 'plan:' || $4::text
     WHERE tenant_id = $1 AND owner_id = $2 AND cause = $3 AND id <> $4 AND state = 'awaiting_approval'"
);

/// Ends the waiting plans that the same cause made of the same owner before `newer`.
///
/// # Errors
/// When the store refuses.
pub async fn supersede_of_cause(
    conn: &mut Conn,
    tenant: TenantId,
    (owner, cause): (Uuid, Cause),
    newer: PlanId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    SupersedeOfCause::with((tenant.uuid(), owner, cause.as_str(), newer.uuid(), now))
        .execute(conn)
        .await?;
    Ok(())
}
