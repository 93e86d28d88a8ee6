//! What admins are told of, found in the accounts.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

statement!(
    CountUnmatched: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM account WHERE tenant_id = $1 AND app_id = $2 AND state = 'unmatched' AND kind = 'User'"
);

/// How many users of an app nobody of ours has.
pub(super) async fn count_unmatched(conn: &mut Conn, (tenant, app): (TenantId, AppId)) -> QueryResult<i64> {
    let (count,): (i64,) = CountUnmatched::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await?;
    Ok(count)
}

statement!(
    /// A step that waits for its day is not late; one that is tried again and again is, whenever the next try may be.
    LateLeavers: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Text, Text) =
    "SELECT x.tenant_id, x.app_id, x.resource_id, x.cause_since, x.state, x.reason
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id AND a.mode = 'live'
     WHERE x.cause = 'leaver' AND x.state IN ('pending', 'parked', 'quarantined', 'held') AND x.cause_since < $1
       AND (x.attempts > 0 OR x.due_at IS NULL OR x.due_at < $1)
       AND NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = x.tenant_id AND e.kind = 'leaver_not_disabled'
                         AND e.key = x.app_id::text || '/' || x.resource_id::text || '/'
                                     || floor(extract(epoch FROM x.cause_since))::bigint::text)
     ORDER BY x.cause_since LIMIT $2"
);

/// An account that should be closed: tenant, app, user, since when, state, reason.
pub(super) type Late = (TenantId, AppId, ResourceId, DateTime<Utc>, String, String);

/// Accounts of people who left before an instant, that are open, and of which nobody was told; the longest first.
pub(super) async fn late_leavers(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Late>> {
    type Row = (Uuid, Uuid, Uuid, DateTime<Utc>, String, String);
    let rows: Vec<Row> = LateLeavers::with((before, limit)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, app, user, since, state, reason)| {
            (tenant.into(), app.into(), user.into(), since, state, reason)
        })
        .collect())
}
