//! Writes intents before calls and results after them, in batches.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{AttemptRow, Intent, Outcome, Settled};
use crate::base::{AppId, OperationId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::Leased;
use crate::statement;

statement!(
    WriteSettled: (SqlUuid, SqlUuid, Timestamptz, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Bool>, Array<SmallInt>,
                   Array<Nullable<Timestamptz>>, Array<Nullable<SqlUuid>>, Array<Nullable<Text>>,
                   Array<Nullable<Timestamptz>>, Array<SmallInt>, Array<Bool>, Array<Bool>,
                   Array<Nullable<Timestamptz>>, Array<Bool>) -> () =
    "UPDATE account x SET
         state = s.state, reason = s.reason,
         since = CASE WHEN x.state = s.state THEN x.since ELSE $3 END,
         look = s.look, priority = s.priority, due_at = s.due_at,
         allowed = x.allowed AND (s.state IN ('pending', 'held') OR (s.look AND s.leaving AND s.steps_done = 0)),
         depends = CASE WHEN s.manager IS NULL THEN '{}'::uuid[] ELSE ARRAY[s.manager] END,
         cause = s.cause, cause_since = s.cause_since, steps_done = s.steps_done, grouped = s.grouped,
         no_grants = s.no_grants, told_removal = s.told
     FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::bool[], $8::smallint[], $9::timestamptz[], $10::uuid[],
                 $11::text[], $12::timestamptz[], $13::smallint[], $14::bool[], $15::bool[], $16::timestamptz[],
                 $17::bool[])
          AS s(id, state, reason, look, priority, due_at, manager, cause, cause_since, steps_done, grouped, no_grants, told, leaving)
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = s.id"
);

/// Writes what was decided about accounts. What was let pass ends with the need for it: a leaver's steps that are due at
/// once are one effect, and one that waits after another is a new one.
pub(in crate::delivery) async fn settle(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    rows: &[Settled],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    WriteSettled::with((
        tenant.uuid(),
        app.uuid(),
        now,
        rows.iter().map(|row| row.resource.uuid()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.state.word()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.look).collect::<Vec<_>>(),
        rows.iter().map(|row| row.priority).collect::<Vec<_>>(),
        rows.iter().map(|row| row.due_at).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.manager.map(ResourceId::uuid))
            .collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.cause.map(|(cause, _)| cause.word()))
            .collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.cause.map(|(_, since)| since))
            .collect::<Vec<_>>(),
        rows.iter().map(|row| row.steps_done).collect::<Vec<_>>(),
        rows.iter().map(|row| row.grouped).collect::<Vec<_>>(),
        rows.iter().map(|row| row.no_grants).collect::<Vec<_>>(),
        rows.iter().map(|row| row.told).collect::<Vec<_>>(),
        rows.iter().map(|row| row.leaving).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    InsertIntents: (SqlUuid, SqlUuid, BigInt, Timestamptz, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Text>,
                    Array<Nullable<Jsonb>>, Array<Nullable<Jsonb>>) -> () =
    "INSERT INTO operation (tenant_id, app_id, epoch, created_at, state, id, resource_id, action, method, path, body, after)
     SELECT $1, $2, $3, $4, 'pending', i.*
     FROM UNNEST($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::jsonb[]) AS i"
);

/// Writes the intents of calls that will be made under this lease.
pub(in crate::delivery) async fn intend(
    conn: &mut Conn,
    (tenant, app, epoch): (TenantId, AppId, i64),
    rows: &[Intent],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    InsertIntents::with((
        tenant.uuid(),
        app.uuid(),
        epoch,
        now,
        rows.iter().map(|row| row.id.uuid()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.resource.uuid()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.action).collect::<Vec<_>>(),
        rows.iter().map(|row| row.method).collect::<Vec<_>>(),
        rows.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.body.as_ref())
            .collect::<Vec<Option<&Value>>>(),
        rows.iter()
            .map(|row| row.after.as_ref())
            .collect::<Vec<Option<&Value>>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    EndOperations: (SqlUuid, SqlUuid, Timestamptz, Array<SqlUuid>, Array<Text>) -> () =
    "UPDATE operation o SET state = e.state, finished_at = CASE WHEN e.state = 'unknown' THEN NULL ELSE $3 END
     FROM UNNEST($4::uuid[], $5::text[]) AS e(id, state)
     WHERE o.tenant_id = $1 AND o.app_id = $2 AND o.id = e.id"
);
statement!(
    ForgetOperations: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM operation WHERE tenant_id = $1 AND app_id = $2 AND id = ANY($3)"
);
statement!(
    InsertAttempts: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Timestamptz>, Array<Integer>, Array<Nullable<Integer>>, Array<Text>) -> () =
    "INSERT INTO attempt (tenant_id, app_id, operation_id, number, at, duration_ms, status, detail)
     SELECT $1, $2, a.id,
            1 + (SELECT count(*) FROM attempt b WHERE b.tenant_id = $1 AND b.app_id = $2 AND b.operation_id = a.id)::integer,
            a.at, a.duration_ms, a.status, a.detail
     FROM UNNEST($3::uuid[], $4::timestamptz[], $5::int[], $6::int[], $7::text[]) AS a(id, at, duration_ms, status, detail)"
);

/// Ends operations, and notes the tries.
pub(in crate::delivery) async fn end(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ended: &[(Uuid, &'static str)],
    never_sent: &[Uuid],
    attempts: &[AttemptRow],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (tenant, app) = (tenant.uuid(), app.uuid());
    if !never_sent.is_empty() {
        ForgetOperations::with((tenant, app, never_sent.to_vec()))
            .execute(conn)
            .await?;
    }
    if ended.is_empty() {
        return Ok(());
    }
    InsertAttempts::with((
        tenant,
        app,
        attempts
            .iter()
            .map(|row| row.operation.uuid())
            .collect::<Vec<_>>(),
        attempts.iter().map(|row| row.at).collect::<Vec<_>>(),
        attempts.iter().map(|row| row.duration_ms).collect::<Vec<_>>(),
        attempts.iter().map(|row| row.status).collect::<Vec<_>>(),
        attempts.iter().map(|row| row.detail.as_str()).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    EndOperations::with((
        tenant,
        app,
        now,
        ended.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        ended.iter().map(|(_, state)| *state).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    WriteOutcomes: (SqlUuid, SqlUuid, Timestamptz, Array<SqlUuid>, Array<Bool>, Array<Nullable<Text>>, Array<Nullable<Jsonb>>,
                    Array<Text>, Array<Text>, Array<Bool>, Array<Nullable<Timestamptz>>, Array<Integer>, Array<Nullable<Bool>>,
                    Array<Bool>, Array<Bool>, Array<Nullable<Jsonb>>, Array<Nullable<Jsonb>>) -> () =
    "UPDATE account x SET
         remote_id = CASE WHEN s.learnt THEN s.remote_id ELSE x.remote_id END,
         known = CASE WHEN s.learnt THEN s.known ELSE x.known END,
         state = s.state, reason = s.reason,
         since = CASE WHEN x.state = s.state THEN x.since ELSE $3 END,
         due_at = CASE WHEN x.look THEN x.due_at ELSE s.due_at END,
         look = x.look OR s.look,
         attempts = s.attempts,
         adopted = coalesce(s.adopted, x.adopted),
         acknowledged_at = CASE WHEN s.acknowledged THEN $3 ELSE x.acknowledged_at END,
         allowed = x.allowed AND s.state <> 'parked' AND (NOT s.acknowledged OR x.cause IS NOT NULL),
         removing = CASE WHEN s.acknowledged AND s.learnt AND s.remote_id IS NULL THEN NULL ELSE x.removing END,
         doubtful = s.doubtful, candidates = s.candidates,
         steps_done = x.steps_done + (s.answers IS NOT NULL)::integer,
         answers = CASE WHEN s.answers IS NULL THEN x.answers ELSE coalesce(x.answers, '{}') || s.answers END
     FROM UNNEST($4::uuid[], $5::bool[], $6::text[], $7::jsonb[], $8::text[], $9::text[], $10::bool[], $11::timestamptz[],
                 $12::int[], $13::bool[], $14::bool[], $15::bool[], $16::jsonb[], $17::jsonb[])
          AS s(id, learnt, remote_id, known, state, reason, look, due_at, attempts, adopted, acknowledged, doubtful, candidates, answers)
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = s.id"
);

/// Writes what calls taught about accounts. A look that was asked for meanwhile stays.
pub(in crate::delivery) async fn learn(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    rows: &[Outcome],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let known: Vec<Option<Value>> = rows
        .iter()
        .map(|row| {
            row.learnt
                .as_ref()
                .and_then(|learnt| learnt.known.clone().map(Value::Object))
        })
        .collect();
    WriteOutcomes::with((
        tenant.uuid(),
        app.uuid(),
        now,
        rows.iter().map(|row| row.resource.uuid()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.learnt.is_some()).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.learnt.as_ref().and_then(|learnt| learnt.remote_id.as_deref()))
            .collect::<Vec<_>>(),
        known,
        rows.iter().map(|row| row.state.word()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.look).collect::<Vec<_>>(),
        rows.iter().map(|row| row.due_at).collect::<Vec<_>>(),
        rows.iter().map(|row| row.attempts).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| row.learnt.as_ref().and_then(|learnt| learnt.adopted))
            .collect::<Vec<_>>(),
        rows.iter().map(|row| row.acknowledged).collect::<Vec<_>>(),
        rows.iter().map(|row| row.doubtful).collect::<Vec<_>>(),
        rows.iter().map(|row| row.candidates.as_ref()).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| {
                row.step
                    .as_ref()
                    .map(|(key, answer)| serde_json::json!({ key: answer }))
            })
            .collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    HoldersOf: (SqlUuid, SqlUuid, Array<Text>, Array<Text>) -> (Text, Text, SqlUuid, Text) =
    "SELECT x.kind, x.remote_id, x.resource_id, x.state FROM account x
     JOIN UNNEST($3::text[], $4::text[]) AS r(kind, remote_id) ON x.kind = r.kind AND x.remote_id = r.remote_id
     WHERE x.tenant_id = $1 AND x.app_id = $2"
);

/// Which of our accounts bear these ids of the app: type, the app's id, resource, state.
pub(in crate::delivery) async fn holders(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    remotes: &[(String, String)],
) -> Result<Vec<(String, String, ResourceId, String)>, Error> {
    let kinds: Vec<&str> = remotes.iter().map(|(kind, _)| kind.as_str()).collect();
    let ids: Vec<&str> = remotes.iter().map(|(_, id)| id.as_str()).collect();
    let rows: Vec<(String, String, Uuid, String)> = HoldersOf::with((tenant.uuid(), app.uuid(), kinds, ids))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, remote, resource, state)| (kind, remote, resource.into(), state))
        .collect())
}

statement!(
    ForgetUnmatched: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3) AND state = 'unmatched'"
);

/// Drops rows of accounts that nobody of ours had, since somebody has them now.
pub(in crate::delivery) async fn forget_unmatched(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<(), Error> {
    if !ids.is_empty() {
        ForgetUnmatched::with((tenant.uuid(), app.uuid(), super::super::store::uuids(ids)))
            .execute(conn)
            .await?;
    }
    Ok(())
}

statement!(
    ResolveUnder: (SqlUuid, SqlUuid, BigInt, Array<SqlUuid>) -> () =
    "UPDATE operation SET state = 'pending', epoch = $3 WHERE tenant_id = $1 AND app_id = $2 AND id = ANY($4)"
);

/// Takes operations with an unknown outcome under this lease, to find out.
pub(in crate::delivery) async fn resolve_under(
    conn: &mut Conn,
    leased: &Leased,
    ids: &[OperationId],
) -> Result<(), Error> {
    if !ids.is_empty() {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        ResolveUnder::with((leased.tenant.uuid(), leased.app.uuid(), leased.epoch, ids))
            .execute(conn)
            .await?;
    }
    Ok(())
}
