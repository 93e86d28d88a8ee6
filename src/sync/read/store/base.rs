//! `read_base`: what the latest complete reads of a connection looked like.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{BigInt, Binary, Bool, Jsonb, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;
use crate::sync::read::Profile;
use crate::sync::run::Run;

/// So many complete reads are remembered.
const KEPT: i64 = 10;

/// An earlier complete read that was applied.
#[derive(Debug, Clone)]
pub(in crate::sync) struct Earlier {
    /// The digest of the settings by which it was read.
    pub rules: Vec<u8>,
    /// What it looked like.
    pub profile: Profile,
    /// People whom its plan disabled or removed.
    pub leavers: u64,
    /// When it was read.
    pub at: DateTime<Utc>,
}

statement!(
    Propose: (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Binary, Jsonb) -> () =
    "INSERT INTO read_base (tenant_id, connection_id, run_id, at, rules, profile) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id, connection_id, run_id) DO UPDATE
     SET at = excluded.at, rules = excluded.rules, profile = excluded.profile"
);
statement!(
    Proposed: (SqlUuid, SqlUuid, SqlUuid) -> (Jsonb,) =
    "SELECT profile FROM read_base WHERE tenant_id = $1 AND connection_id = $2 AND run_id = $3"
);
statement!(
    EarlierReads: (SqlUuid, SqlUuid) -> (Binary, Jsonb, BigInt, Timestamptz) =
    "SELECT rules, profile, leavers, at FROM read_base
     WHERE tenant_id = $1 AND connection_id = $2 AND counts ORDER BY run_id DESC"
);
statement!(
    Commit: (SqlUuid, SqlUuid, SqlUuid, BigInt) -> () =
    "UPDATE read_base SET counts = true, leavers = $4 WHERE tenant_id = $1 AND connection_id = $2 AND run_id = $3"
);
statement!(
    /// Reads that never counted, those that others have followed, and, after a human's approval, all before it.
    Trim: (SqlUuid, SqlUuid, SqlUuid, Bool, BigInt) -> () =
    "DELETE FROM read_base WHERE tenant_id = $1 AND connection_id = $2 AND run_id < $3
       AND (NOT counts OR $4 OR run_id < (
         SELECT min(run_id::text)::uuid FROM (
           SELECT run_id FROM read_base WHERE tenant_id = $1 AND connection_id = $2 AND counts
           ORDER BY run_id DESC LIMIT $5) latest))"
);

/// Notes what the run's read looked like; it counts from [`commit`] on.
pub(in crate::sync) async fn propose(
    conn: &mut Conn,
    run: &Run,
    rules: &[u8],
    profile: &Profile,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    let profile = serde_json::to_value(profile).unwrap_or_default();
    Propose::with((
        run.tenant.uuid(),
        run.connection.uuid(),
        run.id.uuid(),
        now,
        rules,
        profile,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// What the run's own read looked like; none unless it was complete.
pub(in crate::sync) async fn proposed(conn: &mut Conn, run: &Run) -> Result<Option<Profile>, QueryError> {
    let row: Option<(Value,)> = Proposed::with((run.tenant.uuid(), run.connection.uuid(), run.id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(profile,)| serde_json::from_value(profile).ok()))
}

/// The reads that count, the latest first.
pub(in crate::sync) async fn earlier(conn: &mut Conn, run: &Run) -> Result<Vec<Earlier>, QueryError> {
    let rows: Vec<(Vec<u8>, Value, i64, DateTime<Utc>)> =
        EarlierReads::with((run.tenant.uuid(), run.connection.uuid()))
            .get_results(conn)
            .await?;
    let read = |(rules, profile, leavers, at): (Vec<u8>, Value, i64, DateTime<Utc>)| Earlier {
        rules,
        profile: serde_json::from_value(profile).unwrap_or_default(),
        leavers: u64::try_from(leavers).unwrap_or_default(),
        at,
    };
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    UsualRecords: (SqlUuid, SqlUuid) -> (Nullable<BigInt>,) =
    "SELECT (profile ->> 'records')::bigint FROM read_base
     WHERE tenant_id = $1 AND connection_id = $2 AND counts ORDER BY run_id DESC LIMIT 1"
);

/// How many records the latest read had that counts.
pub(in crate::sync) async fn usual_records(conn: &mut Conn, run: &Run) -> Result<Option<u64>, QueryError> {
    let row: Option<(Option<i64>,)> = UsualRecords::with((run.tenant.uuid(), run.connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(records,)| u64::try_from(records?).ok()))
}

/// Lets the run's read count, and forgets old ones. A read that a human has approved is the first of a new base.
pub(in crate::sync) async fn commit(
    conn: &mut Conn,
    run: &Run,
    leavers: u64,
    approved_by_hand: bool,
) -> Result<(), QueryError> {
    let (tenant, connection, id) = (run.tenant.uuid(), run.connection.uuid(), run.id.uuid());
    let leavers = i64::try_from(leavers).unwrap_or(i64::MAX);
    Commit::with((tenant, connection, id, leavers))
        .execute(conn)
        .await?;
    Trim::with((tenant, connection, id, approved_by_hand, KEPT))
        .execute(conn)
        .await?;
    Ok(())
}
