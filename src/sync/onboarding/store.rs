//! The table `connection_check`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{Bool, Integer, Jsonb, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;

use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// What a check found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub revision: i32,
    pub at: DateTime<Utc>,
    pub ok: bool,
    pub steps: Value,
}

statement!(
    WriteCheck: (SqlUuid, SqlUuid, Integer, Timestamptz, Bool, Jsonb) -> () =
    "INSERT INTO connection_check (tenant_id, connection_id, revision, at, ok, steps) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE
     SET revision = excluded.revision, at = excluded.at, ok = excluded.ok, steps = excluded.steps"
);
statement!(
    ReadCheck: (SqlUuid, SqlUuid) -> (Integer, Timestamptz, Bool, Jsonb) =
    "SELECT revision, at, ok, steps FROM connection_check WHERE tenant_id = $1 AND connection_id = $2"
);

/// Keeps what a check found in place of what the one before did.
pub(super) async fn keep(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    found: &Found,
) -> Result<(), QueryError> {
    WriteCheck::with((
        tenant.uuid(),
        connection.uuid(),
        found.revision,
        found.at,
        found.ok,
        &found.steps,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// What the last check found.
pub(super) async fn last(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<Found>, QueryError> {
    let row: Option<(i32, DateTime<Utc>, bool, Value)> = ReadCheck::with((tenant.uuid(), connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(revision, at, ok, steps)| Found {
        revision,
        at,
        ok,
        steps,
    }))
}
