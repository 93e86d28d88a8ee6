//! The table of planned removals.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{ResourceId, TenantId, TokenId};
use crate::db::{Conn, Statement as _};
use crate::statement;
use crate::sync::Error;

/// A removal that was ordered.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Whose user.
    pub tenant: TenantId,
    /// The user.
    pub user: ResourceId,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// Who ordered it, as in the audit trail.
    pub actor: String,
    /// By which token.
    pub token: TokenId,
}

statement!(
    Plan: (SqlUuid, SqlUuid, Timestamptz, Text, Text, SqlUuid, Timestamptz) -> () =
    "INSERT INTO planned_removal (tenant_id, user_id, at, reason, actor, token_id, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant_id, user_id) DO UPDATE SET at = excluded.at, reason = excluded.reason,
         actor = excluded.actor, token_id = excluded.token_id, created_at = excluded.created_at"
);
statement!(
    Forget: (SqlUuid, SqlUuid) -> (Timestamptz,) =
    "DELETE FROM planned_removal WHERE tenant_id = $1 AND user_id = $2 RETURNING at"
);
statement!(
    TakeDue: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Timestamptz, Text, Text, SqlUuid) =
    "DELETE FROM planned_removal p USING (
         SELECT tenant_id, user_id FROM planned_removal WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) due
     WHERE p.tenant_id = due.tenant_id AND p.user_id = due.user_id
     RETURNING p.tenant_id, p.user_id, p.at, p.reason, p.actor, p.token_id"
);

/// Keeps an order; a later one of the same user replaces it.
pub(super) async fn plan(conn: &mut Conn, planned: &Planned, now: DateTime<Utc>) -> Result<(), Error> {
    Plan::with((
        planned.tenant.uuid(),
        planned.user.uuid(),
        planned.at,
        planned.reason.as_str(),
        planned.actor.as_str(),
        planned.token.uuid(),
        now,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops an order. Returns when it was to be carried out; none when there was no order.
pub(super) async fn forget(
    conn: &mut Conn,
    tenant: TenantId,
    user: ResourceId,
) -> Result<Option<DateTime<Utc>>, Error> {
    let row: Option<(DateTime<Utc>,)> = Forget::with((tenant.uuid(), user.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(at,)| at))
}

/// Takes up to `limit` orders of all tenants whose time has come, the oldest first; gone with the caller's transaction.
pub(super) async fn take_due(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<Planned>, Error> {
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>, String, String, Uuid)> =
        TakeDue::with((now, limit)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, user, at, reason, actor, token)| Planned {
            tenant: tenant.into(),
            user: user.into(),
            at,
            reason,
            actor,
            token: token.into(),
        })
        .collect())
}
