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
    /// A step that waits for its day is not late; one that is tried again and again is, whenever the next try may be. Of a
    /// frozen app no account is looked at: there the users tell, once for each time that it is frozen.
    LateLeavers: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Text, Text) =
    "SELECT x.tenant_id, x.app_id, x.resource_id, x.cause_since AS since, x.state, x.reason
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id AND a.mode = 'live'
     WHERE x.cause = 'leaver' AND x.state IN ('pending', 'parked', 'quarantined', 'held') AND x.cause_since < $1
       AND (x.attempts > 0 OR x.due_at IS NULL OR x.due_at < $1)
       AND NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = x.tenant_id AND e.kind = 'leaver_not_disabled'
                         AND e.key = x.app_id::text || '/' || x.resource_id::text || '/'
                                     || floor(extract(epoch FROM x.cause_since))::bigint::text)
     UNION ALL
     SELECT x.tenant_id, x.app_id, x.resource_id, r.last_modified, x.state, 'the app is frozen'
     FROM frozen f
     JOIN app a ON a.tenant_id = f.tenant_id AND f.owner_id IN (a.id, a.tenant_id) AND a.mode = 'live'
     JOIN account x ON x.tenant_id = a.tenant_id AND x.app_id = a.id AND x.look AND x.cause IS NULL AND x.kind = 'User'
                       AND x.remote_id IS NOT NULL AND x.state <> 'unmatched'
     JOIN resource r ON r.tenant_id = x.tenant_id AND r.id = x.resource_id AND NOT r.active AND r.last_modified < $1
     WHERE NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = x.tenant_id AND e.kind = 'leaver_not_disabled'
                         AND e.key >= x.app_id::text || '/' || x.resource_id::text || '/'
                         AND e.key < x.app_id::text || '/' || x.resource_id::text || '0' AND e.at >= f.since)
     ORDER BY since LIMIT $2"
);

statement!(
    /// Found before the first call, or by a call.
    Doubtful: (BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Text, Text) =
    "SELECT x.tenant_id, x.app_id, x.resource_id, x.since, x.state, x.reason
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id AND a.mode = 'live'
     WHERE x.doubtful AND x.state = 'held' AND x.kind = 'User' AND x.remote_id IS NULL
       AND NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = x.tenant_id AND e.kind = 'user_name_taken'
                         AND e.key = x.app_id::text || '/' || x.resource_id::text || '/'
                                     || floor(extract(epoch FROM x.since))::bigint::text)
     ORDER BY x.since LIMIT $1"
);

/// An account of which somebody is to be told.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub tenant: TenantId,
    pub app: AppId,
    pub user: ResourceId,
    /// Since when it should be closed, or cannot be made.
    pub since: DateTime<Utc>,
    pub state: String,
    pub reason: String,
}

type AccountRow = (Uuid, Uuid, Uuid, DateTime<Utc>, String, String);

fn read((tenant, app, user, since, state, reason): AccountRow) -> Account {
    Account {
        tenant: tenant.into(),
        app: app.into(),
        user: user.into(),
        since,
        state,
        reason,
    }
}

/// Accounts of people who left before an instant, that are open, and of which nobody was told; the longest first.
pub(super) async fn late_leavers(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Account>> {
    let rows: Vec<AccountRow> = LateLeavers::with((before, limit)).get_results(conn).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Accounts that cannot be made since others are in the way, and of which nobody was told; the longest first.
pub(super) async fn doubtful(conn: &mut Conn, limit: i64) -> QueryResult<Vec<Account>> {
    let rows: Vec<AccountRow> = Doubtful::with((limit,)).get_results(conn).await?;
    Ok(rows.into_iter().map(read).collect())
}
