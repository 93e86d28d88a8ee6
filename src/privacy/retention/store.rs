//! The table `retention`, and rows that are too old.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::base::TenantId;
use crate::db::{self, Conn, Statement as _};
use crate::privacy::Error;
use crate::statement;

statement!(
    PeriodsOf: (SqlUuid,) -> (Jsonb,) = "SELECT periods FROM retention WHERE tenant_id = $1"
);
statement!(
    SetPeriods: (SqlUuid, Jsonb, Timestamptz, Text) -> () =
    "INSERT INTO retention (tenant_id, periods, changed_at, changed_by) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id) DO UPDATE SET periods = excluded.periods, changed_at = excluded.changed_at,
         changed_by = excluded.changed_by, pruned_at = NULL"
);
statement!(
    /// A tenant that was not looked at since; it is now.
    TakeTurn: (Timestamptz, Timestamptz) -> (SqlUuid, Jsonb) =
    "WITH due AS (
         SELECT t.id FROM tenant t LEFT JOIN retention r ON r.tenant_id = t.id
         WHERE r.pruned_at IS NULL OR r.pruned_at <= $2 OR r.pruned_at > $1
         ORDER BY r.pruned_at NULLS FIRST LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED)
     INSERT INTO retention (tenant_id, pruned_at) SELECT id, $1 FROM due
     ON CONFLICT (tenant_id) DO UPDATE SET pruned_at = excluded.pruned_at
     RETURNING tenant_id, periods"
);

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// What a tenant said.
pub(super) async fn periods(conn: &mut Conn, tenant: TenantId) -> Result<Map<String, Value>, Error> {
    let row: Option<(Value,)> = PeriodsOf::with((tenant.uuid(),))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(periods,)| object(periods)).unwrap_or_default())
}

/// Keeps what a tenant says; it is looked at anew.
pub(super) async fn set_periods(
    conn: &mut Conn,
    tenant: TenantId,
    periods: &Map<String, Value>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    SetPeriods::with((tenant.uuid(), Value::Object(periods.clone()), now, actor))
        .execute(conn)
        .await?;
    Ok(())
}

/// A tenant whose turn it is, with what it said.
pub(super) async fn take_turn(
    conn: &mut Conn,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<Option<(TenantId, Map<String, Value>)>, Error> {
    let row: Option<(Uuid, Value)> = TakeTurn::with((now, before)).get_result(conn).await.optional()?;
    Ok(row.map(|(tenant, periods)| (tenant.into(), object(periods))))
}

statement!(
    /// The oldest moments of numbers, in order, with where the chain stands before them; held until the end of the
    /// transaction.
    OldestNumbers: (SqlUuid, BigInt) -> (BigInt, Array<BigInt>, Nullable<BigInt>, Nullable<Binary>) =
    "SELECT n.last_seq, n.ids, k.last_seq, k.digest FROM change_number n
     LEFT JOIN change_checkpoint k ON k.tenant_id = n.tenant_id
     WHERE n.tenant_id = $1 AND n.last_seq < (SELECT last_seq FROM change_chain c WHERE c.tenant_id = $1)
     ORDER BY n.last_seq LIMIT $2 FOR UPDATE OF n"
);
statement!(
    DigestsOf: (Array<BigInt>,) -> (BigInt, Binary, Timestamptz) =
    "SELECT c.id, c.digest, c.at FROM UNNEST($1) WITH ORDINALITY AS i (id, place) JOIN change c ON c.id = i.id ORDER BY i.place"
);
statement!(
    /// Changes that nothing reads any more go; of the others only that they were stays.
    LetChangesGo: (SqlUuid, Array<BigInt>) -> () =
    "WITH here AS MATERIALIZED (
         SELECT c.id, c.resource_id, c.action = 'create' OR c.id = (
             SELECT max(l.id) FROM change l WHERE l.tenant_id = $1 AND l.resource_id = c.resource_id) AS anchor
         FROM change c WHERE c.id = ANY($2)),
     kept AS (
         SELECT h.id, h.resource_id FROM here h
         WHERE h.anchor AND EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.id = h.resource_id)),
     emptied AS (UPDATE change c SET delta = NULL, salt = '' FROM kept WHERE c.id = kept.id),
     older AS (
         DELETE FROM change o USING here h WHERE o.tenant_id = $1 AND o.resource_id = h.resource_id AND o.id < h.id
           AND o.delta IS NULL AND o.action <> 'create' AND o.id <> ALL($2)
           AND EXISTS (SELECT FROM change_checkpoint k WHERE k.tenant_id = $1 AND o.at <= k.at))
     DELETE FROM change c USING here WHERE c.id = here.id AND here.id NOT IN (SELECT id FROM kept)"
);
statement!(
    DropNumbers: (SqlUuid, BigInt) -> () =
    "DELETE FROM change_number WHERE tenant_id = $1 AND last_seq <= $2"
);
statement!(
    SetCheckpoint: (SqlUuid, BigInt, Binary, Timestamptz) -> () =
    "INSERT INTO change_checkpoint (tenant_id, last_seq, digest, at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id) DO UPDATE SET last_seq = excluded.last_seq, digest = excluded.digest,
         at = greatest(change_checkpoint.at, excluded.at)"
);

/// So many moments of numbers are looked at in one transaction.
const MOMENTS: i64 = 200;

/// Lets the oldest numbered changes go whose whole moment is older than `before`, up to about `limit` of them. `log` is the
/// tenant, or the connection whose realm it is. How many changes that were.
pub(super) async fn prune_log(
    conn: &mut Conn,
    log: Uuid,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<usize, Error> {
    type Oldest = (i64, Vec<i64>, Option<i64>, Option<Vec<u8>>);
    let mut oldest: Vec<Oldest> = OldestNumbers::with((log, MOMENTS)).load(conn).await?;
    let mut many = 0_usize;
    oldest.retain(|(_, ids, ..)| {
        let fits = many == 0 || many.saturating_add(ids.len()) <= limit;
        many = many.saturating_add(ids.len());
        fits
    });
    let Some((_, _, from, digest)) = oldest.as_slice().first().cloned() else {
        return Ok(0);
    };
    let ids: Vec<i64> = oldest
        .iter()
        .flat_map(|(_, ids, ..)| ids.iter().copied())
        .collect();
    let rows: Vec<(i64, Vec<u8>, DateTime<Utc>)> = DigestsOf::with((&ids,)).load(conn).await?;
    let of: HashMap<i64, (&[u8], DateTime<Utc>)> = rows
        .iter()
        .map(|(id, digest, at)| (*id, (digest.as_slice(), *at)))
        .collect();
    let mut kept = (from.unwrap_or(0), digest.unwrap_or_else(|| db::beginning(log)));
    let mut gone: Vec<i64> = Vec::new();
    let mut newest = None;
    for (last, ids, ..) in &oldest {
        let found: Vec<(&[u8], DateTime<Utc>)> = ids.iter().filter_map(|id| of.get(id).copied()).collect();
        if found.iter().any(|(_, at)| *at >= before) {
            break;
        }
        let (mut seq, mut chain) = kept.clone();
        if found.len() != ids.len()
            || last.saturating_sub(i64::try_from(ids.len()).unwrap_or(i64::MAX)) != seq
        {
            tracing::warn!(log.id = %log, seq = last, "the log has a gap: nothing behind it is let go before `log verify` says whole");
            break;
        }
        for (digest, at) in found {
            seq = seq.saturating_add(1);
            chain = db::link(&chain, seq, digest);
            newest = newest.max(Some(at));
        }
        gone.extend(ids);
        kept = (seq, chain);
    }
    let Some(newest) = newest else { return Ok(0) };
    LetChangesGo::with((log, &gone)).execute(conn).await?;
    DropNumbers::with((log, kept.0)).execute(conn).await?;
    SetCheckpoint::with((log, kept.0, kept.1, newest))
        .execute(conn)
        .await?;
    Ok(gone.len())
}

statement!(
    /// Connections that clients write into have a log of their own.
    Realms: (SqlUuid,) -> (SqlUuid,) =
    "SELECT c.id FROM connection c JOIN change_chain k ON k.tenant_id = c.id WHERE c.tenant_id = $1 ORDER BY 1"
);

/// The logs of a tenant: its own, and those of the connections that clients write into.
pub(super) async fn logs(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Uuid>, Error> {
    let rows: Vec<(Uuid,)> = Realms::with((tenant.uuid(),)).load(conn).await?;
    let realms = rows.into_iter().map(|(id,)| id);
    Ok(std::iter::once(tenant.uuid()).chain(realms).collect())
}

statement!(
    GoOn: (SqlUuid, Timestamptz) -> () = "UPDATE retention SET pruned_at = $2 WHERE tenant_id = $1"
);

/// Has a tenant that has more to let go of come again before its day, after those that wait longer.
pub(super) async fn go_on(conn: &mut Conn, tenant: TenantId, due: DateTime<Utc>) -> Result<(), Error> {
    GoOn::with((tenant.uuid(), due)).execute(conn).await?;
    Ok(())
}

statement!(
    /// States that were followed by another one before that instant.
    PruneStates: (SqlUuid, Timestamptz, BigInt) -> () =
    "DELETE FROM account_state WHERE ctid = ANY (ARRAY(
         SELECT s.ctid FROM account_state s WHERE s.tenant_id = $1 AND s.at < $2 AND EXISTS (
             SELECT FROM account_state n WHERE n.tenant_id = $1 AND n.resource_id = s.resource_id AND n.app_id = s.app_id
               AND n.at <= $2 AND (n.at, n.id) > (s.at, s.id))
         LIMIT $3))"
);

pub(super) async fn prune_states(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, Error> {
    Ok(PruneStates::with((tenant.uuid(), before, limit))
        .execute(conn)
        .await?)
}

statement!(
    PruneOutcomes: (SqlUuid, Timestamptz, BigInt) -> () =
    "DELETE FROM run_outcome WHERE ctid = ANY (ARRAY(
         SELECT o.ctid FROM run JOIN run_outcome o ON o.tenant_id = run.tenant_id AND o.run_id = run.id
         WHERE run.tenant_id = $1 AND run.finished_at < $2 LIMIT $3))"
);

pub(super) async fn prune_outcomes(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, Error> {
    Ok(PruneOutcomes::with((tenant.uuid(), before, limit))
        .execute(conn)
        .await?)
}

statement!(
    PruneOperations: (SqlUuid, Timestamptz, BigInt) -> () =
    "DELETE FROM operation WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM operation WHERE tenant_id = $1 AND state IN ('done', 'refused') AND finished_at < $2 LIMIT $3))"
);

pub(super) async fn prune_operations(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, Error> {
    Ok(PruneOperations::with((tenant.uuid(), before, limit))
        .execute(conn)
        .await?)
}

statement!(
    PrunePlans: (SqlUuid, Timestamptz, BigInt) -> () =
    "DELETE FROM plan WHERE tenant_id = $1 AND id = ANY (ARRAY(
         SELECT id FROM plan WHERE tenant_id = $1 AND created_at < $2
           AND state NOT IN ('open', 'awaiting_approval', 'approved') LIMIT $3))"
);

pub(super) async fn prune_plans(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, Error> {
    Ok(PrunePlans::with((tenant.uuid(), before, limit))
        .execute(conn)
        .await?)
}

statement!(
    PruneEvents: (SqlUuid, Timestamptz, BigInt) -> () =
    "DELETE FROM event WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM event WHERE tenant_id = $1 AND at < $2 AND routed_at IS NOT NULL LIMIT $3))"
);

pub(super) async fn prune_events(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize, Error> {
    Ok(PruneEvents::with((tenant.uuid(), before, limit))
        .execute(conn)
        .await?)
}

statement!(
    /// People who left before that day, whose user nobody has active, and whose every account has come to its end: closed, and
    /// with no step to come, or never ours to close.
    LeftPeople: (SqlUuid, Text, BigInt) -> (SqlUuid,) =
    "SELECT p.id FROM person p
     WHERE p.tenant_id = $1 AND p.lifecycle ->> 'state' IN ('left', 'rescinded')
       AND coalesce(p.lifecycle ->> 'leaves_on', p.lifecycle ->> 'last_day') < $2
       AND NOT EXISTS (SELECT FROM account x
                       WHERE x.tenant_id = $1 AND x.resource_id IN (
                           SELECT p.user_id UNION ALL SELECT t.resource_id FROM tombstone t WHERE t.tenant_id = $1 AND t.person_id = p.id)
                         AND x.remote_id IS NOT NULL AND NOT (x.adopted AND x.acknowledged_at IS NULL)
                         AND (x.look OR x.state NOT IN ('disabled', 'removed', 'skipped', 'unmatched')))
       AND NOT EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.id = p.user_id AND r.active)
       AND NOT EXISTS (SELECT FROM erasure e WHERE e.tenant_id = $1 AND e.subject_id = p.id AND e.state = 'waiting')
     LIMIT $3"
);

/// Up to `limit` people who left before that instant.
pub(super) async fn left_people(
    conn: &mut Conn,
    tenant: TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let day = before.format("%Y-%m-%d").to_string();
    let rows: Vec<(Uuid,)> = LeftPeople::with((tenant.uuid(), day, limit)).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
