//! How old the latest knowledge of each connection is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

statement!(
    NoteFresh: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE connection SET fresh_at = greatest(fresh_at, $3), stale_at = NULL WHERE tenant_id = $1 AND id = $2"
);
statement!(
    NoteConnected: (SqlUuid, SqlUuid, Timestamptz, Nullable<Integer>) -> () =
    "UPDATE connection SET connected_at = $3, stale_at = NULL, stale_after = $4 WHERE tenant_id = $1 AND id = $2"
);
statement!(
    GrowStale: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Text, Timestamptz) =
    "UPDATE connection SET stale_at = $1
     FROM (
       SELECT tenant_id, id FROM connection old
       WHERE state = 'published' AND next_run_at IS NOT NULL AND stale_at IS NULL AND stale_after IS NOT NULL
         AND greatest(fresh_at, connected_at) < $1 - make_interval(secs => stale_after)
         AND NOT EXISTS (
           SELECT FROM run WHERE run.tenant_id = old.tenant_id AND run.connection_id = old.id
             AND run.state IN ('reading', 'planning', 'applying'))
       ORDER BY tenant_id, id LIMIT $2 FOR UPDATE SKIP LOCKED) stale
     WHERE connection.tenant_id = stale.tenant_id AND connection.id = stale.id
     RETURNING connection.tenant_id, connection.id, connection.name, greatest(connection.fresh_at, connection.connected_at)"
);
statement!(
    FreshnessOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Nullable<Timestamptz>, Nullable<Timestamptz>) =
    "SELECT id, fresh_at, stale_at FROM connection WHERE tenant_id = $1 AND id = ANY($2)"
);
statement!(
    Ages: (BigInt) -> (SqlUuid, Timestamptz) =
    "SELECT id, coalesce(fresh_at, connected_at) FROM connection
     WHERE state = 'published' AND coalesce(fresh_at, connected_at) IS NOT NULL
     ORDER BY coalesce(fresh_at, connected_at) LIMIT $1"
);
statement!(
    CountStale: () -> (BigInt,) =
    "SELECT count(*) FROM connection WHERE state = 'published' AND stale_at IS NOT NULL"
);

/// Notes that what HR said at `began` is known.
pub(in crate::sync) async fn note_fresh(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    began: DateTime<Utc>,
) -> Result<(), QueryError> {
    NoteFresh::with((tenant.uuid(), connection.uuid(), began))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that a connection works from `now` on, and after how many seconds without a read it counts as stale.
pub(in crate::sync) async fn note_connected(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    stale_after: Option<i32>,
) -> Result<(), QueryError> {
    NoteConnected::with((tenant.uuid(), connection.uuid(), now, stale_after))
        .execute(conn)
        .await?;
    Ok(())
}

/// A connection that has become stale.
#[derive(Debug, Clone)]
pub(in crate::sync) struct Stale {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which one.
    pub connection: ConnectionId,
    /// Its name.
    pub name: String,
    /// Since when nothing new is known.
    pub since: DateTime<Utc>,
}

/// Marks up to `limit` scheduled connections as stale that have become so by `now`, of any tenant, each once.
pub(in crate::sync) async fn grow_stale(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Stale>, QueryError> {
    let rows: Vec<(Uuid, Uuid, String, DateTime<Utc>)> =
        GrowStale::with((now, limit)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, connection, name, since)| Stale {
            tenant: tenant.into(),
            connection: connection.into(),
            name,
            since,
        })
        .collect())
}

/// How fresh what a connection knows is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When the latest read began that was applied.
    pub fresh_at: Option<DateTime<Utc>>,
    /// When it was found stale; none while it is fresh.
    pub stale_at: Option<DateTime<Utc>>,
}

type FreshnessRow = (Uuid, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// How fresh these connections are.
pub(in crate::sync) async fn freshness(
    conn: &mut Conn,
    tenant: TenantId,
    connections: &[ConnectionId],
) -> Result<HashMap<ConnectionId, Freshness>, QueryError> {
    let ids: Vec<Uuid> = connections.iter().map(|id| id.uuid()).collect();
    let rows: Vec<FreshnessRow> = FreshnessOf::with((tenant.uuid(), ids)).get_results(conn).await?;
    let read = |(id, fresh_at, stale_at): FreshnessRow| (id.into(), Freshness { fresh_at, stale_at });
    Ok(rows.into_iter().map(read).collect())
}

/// Of the working connections of every tenant, the `limit` that know nothing new for the longest, and since when.
pub(in crate::sync) async fn ages(
    conn: &mut Conn,
    limit: i64,
) -> Result<Vec<(ConnectionId, DateTime<Utc>)>, QueryError> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = Ages::with((limit,)).get_results(conn).await?;
    Ok(rows.into_iter().map(|(id, since)| (id.into(), since)).collect())
}

/// How many working connections of all tenants are stale.
pub(in crate::sync) async fn count_stale(conn: &mut Conn) -> Result<i64, QueryError> {
    let (count,): (i64,) = CountStale::with(()).get_result(conn).await?;
    Ok(count)
}
