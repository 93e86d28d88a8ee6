//! Accounts that a plan lets go, or that wait.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{Waits, Why};
use crate::base::{AppId, PlanId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    LetGo: (SqlUuid, SqlUuid, Array<SqlUuid>, Timestamptz, Bool) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, state, since, priority, allowed)
     SELECT $1, $2, r.id, r.kind, 'pending', $4, CASE WHEN r.kind = 'Group' THEN 7 ELSE 5 END, $5
     FROM resource r WHERE r.tenant_id = $1 AND r.id = ANY($3)
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET allowed = account.allowed OR excluded.allowed, waits = NULL, look = true, due_at = NULL, attempts = 0"
);
statement!(
    LetGoneGo: (SqlUuid, SqlUuid, Array<SqlUuid>, Bool) -> () =
    "UPDATE account x SET allowed = x.allowed OR $4, waits = NULL, look = true, due_at = NULL, attempts = 0
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = ANY($3) AND x.state <> 'unmatched'
       AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant_id = $1 AND r.id = x.resource_id)"
);

/// Lets accounts go: they are looked at. What was `approved` by a human is not counted in the caps.
pub(in crate::delivery) async fn let_go(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
    approved: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !ids.is_empty() {
        LetGo::with((tenant.uuid(), app.uuid(), uuids(ids), now, approved))
            .execute(conn)
            .await?;
        LetGoneGo::with((tenant.uuid(), app.uuid(), uuids(ids), approved))
            .execute(conn)
            .await?;
    }
    Ok(())
}

statement!(
    HoldBack: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Jsonb>, Array<Text>, Timestamptz) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, state, reason, since, look, waits)
     SELECT $1, $2, r.id, r.kind, 'held', h.words, $6, false, h.waits
     FROM UNNEST($3::uuid[], $4::jsonb[], $5::text[]) AS h(id, waits, words)
     JOIN resource r ON r.tenant_id = $1 AND r.id = h.id
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET waits = excluded.waits, allowed = false, state = 'held', reason = excluded.reason,
         since = CASE WHEN account.state = 'held' THEN account.since ELSE excluded.since END, look = false"
);

statement!(
    HoldGoneBack: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Jsonb>, Array<Text>, Timestamptz) -> () =
    "UPDATE account x SET waits = h.waits, allowed = false, state = 'held', reason = h.words,
         since = CASE WHEN x.state = 'held' THEN x.since ELSE $6 END, look = false
     FROM UNNEST($3::uuid[], $4::jsonb[], $5::text[]) AS h(id, waits, words)
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = h.id AND x.state <> 'unmatched'
       AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant_id = $1 AND r.id = x.resource_id)"
);

/// Has accounts wait, each with what keeps it; those too whose user or group is gone.
pub(in crate::delivery) async fn hold_back(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    rows: &[(ResourceId, Waits)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| id.uuid()).collect();
    let waits: Vec<Value> = rows
        .iter()
        .map(|(_, waits)| serde_json::to_value(waits).unwrap_or_default())
        .collect();
    let words: Vec<String> = rows.iter().map(|(_, waits)| waits.words()).collect();
    let held = (tenant.uuid(), app.uuid(), ids, waits, words, now);
    HoldBack::with(held.clone()).execute(conn).await?;
    HoldGoneBack::with(held).execute(conn).await?;
    Ok(())
}

statement!(
    FreeAll: (SqlUuid, SqlUuid) -> () =
    "UPDATE account SET waits = NULL, look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND waits IS NOT NULL AND waits ->> 'why' <> 'removed'"
);

/// Whatever an app's accounts waited for is settled by a newer plan.
pub(in crate::delivery) async fn free_all(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
) -> Result<(), Error> {
    FreeAll::with((tenant.uuid(), app.uuid())).execute(conn).await?;
    Ok(())
}

statement!(
    LeaveOut: (SqlUuid, Text, Jsonb, Text) -> () =
    "UPDATE account SET waits = waits || $3, reason = $4
     WHERE tenant_id = $1 AND waits IS NOT NULL AND waits ->> 'why' = 'asked' AND waits ->> 'plan' = $2"
);

/// What waited for the approval of a plan is left out, now that somebody rejected it.
///
/// # Errors
/// When the store refuses.
pub async fn leave_out(conn: &mut Conn, tenant: TenantId, plan: PlanId, by: &str) -> Result<(), Error> {
    let waits = Waits {
        why: Why::Declined,
        plan: Some(plan),
        by: Some(by.to_owned()),
        cause: None,
    };
    let (words, id) = (waits.words(), plan.to_string());
    let waits = serde_json::to_value(&waits).unwrap_or_default();
    LeaveOut::with((tenant.uuid(), id.as_str(), waits, words.as_str()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    CountAgain: (SqlUuid, SqlUuid) -> () =
    "UPDATE account x SET allowed = false
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.allowed
       AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant_id = $1 AND r.id = x.resource_id AND r.active IS FALSE)"
);

/// Whatever was let pass for an app before is counted again; but for those who have left, whose leave was judged.
pub(in crate::delivery) async fn count_again(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
) -> Result<(), Error> {
    CountAgain::with((tenant.uuid(), app.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    Unjudged: (SqlUuid, SqlUuid, SqlUuid, BigInt) -> (SqlUuid,) =
    "SELECT resource_id FROM account
     WHERE tenant_id = $1 AND app_id = $2 AND waits IS NOT NULL AND waits ->> 'why' = 'unjudged' AND resource_id > $3
     ORDER BY resource_id LIMIT $4"
);

/// A page of the accounts that were found in the app and of which no plan was made yet.
pub(in crate::delivery) async fn unjudged(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    after: Uuid,
    limit: i64,
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = Unjudged::with((tenant.uuid(), app.uuid(), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
