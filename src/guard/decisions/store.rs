//! Writes decisions in batches.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{HoldId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Decision, Error, NewHold, open_holds};
use crate::statement;

statement!(
    RuleHolds: (SqlUuid, Timestamptz, Array<SqlUuid>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Text>) -> () =
    "UPDATE hold SET state = 'approved', decided_at = $2, decided_by = 'rule:' || r.rule, heeded = true
     FROM UNNEST($3::uuid[], $4::uuid[], $5::text[], $6::text[]) AS r(owner_id, resource_id, field, rule)
     WHERE hold.tenant_id = $1 AND hold.state = 'open' AND hold.owner_id = r.owner_id AND hold.resource_id = r.resource_id
       AND hold.field = r.field"
);

/// Keeps values that a rule approved, each with the rule's name, as decided: what was asked of a human before is
/// answered by that. The caller makes it so in the same transaction.
///
/// # Errors
/// When the store refuses.
pub async fn rule_holds(
    conn: &mut Conn,
    tenant: TenantId,
    ruled: &[(NewHold, String)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if ruled.is_empty() {
        return Ok(());
    }
    let asked: Vec<NewHold> = ruled.iter().map(|(hold, _)| hold.clone()).collect();
    open_holds(conn, tenant, &asked, now).await?;
    RuleHolds::with((
        tenant.uuid(),
        now,
        asked.iter().map(|hold| hold.owner).collect::<Vec<_>>(),
        asked
            .iter()
            .map(|hold| hold.resource.map(ResourceId::uuid))
            .collect::<Vec<_>>(),
        asked.iter().map(|hold| hold.field.as_str()).collect::<Vec<_>>(),
        ruled.iter().map(|(_, rule)| rule.as_str()).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    DecideHolds: (SqlUuid, Array<SqlUuid>, Text, Timestamptz, Text) -> (SqlUuid,) =
    "UPDATE hold SET state = $3, decided_at = $4, decided_by = $5, heeded = false
     WHERE tenant_id = $1 AND id = ANY($2) AND state = 'open' RETURNING id"
);

/// Writes one decision about many holds down; the caller makes it so in the same transaction. Returns those that still
/// waited.
///
/// # Errors
/// When the store refuses.
pub async fn decide_holds(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[HoldId],
    decision: Decision,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Vec<HoldId>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let state = match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
    };
    let rows: Vec<(Uuid,)> = DecideHolds::with((tenant.uuid(), ids, state, now, by))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
