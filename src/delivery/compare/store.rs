//! The tables `compare` and `drift`, and accounts as a compare reads them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::CompareId;
use super::members::take_members;
use super::repair::{AllRead, ReadByCompare};
use crate::base::{AppId, PlanId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::propose::Waits;
use crate::delivery::store::{AccountRow, Row, object, read_row, uuids};
use crate::statement;

type At = (TenantId, AppId);

/// A compare that is under way.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    pub id: CompareId,
    pub began_at: DateTime<Utc>,
    pub progress: Value,
}

statement!(
    Begin: (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Text) -> () =
    "INSERT INTO compare (tenant_id, app_id, id, state, began_at, asked_by) VALUES ($1, $2, $3, 'reading', $4, $5)
     ON CONFLICT (tenant_id, app_id) WHERE state = 'reading' DO NOTHING"
);
statement!(
    ReadUnderWay: (SqlUuid, SqlUuid) -> (SqlUuid, Timestamptz, Jsonb) =
    "SELECT id, began_at, progress FROM compare WHERE tenant_id = $1 AND app_id = $2 AND state = 'reading'"
);
statement!(
    ForgetOld: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "DELETE FROM compare WHERE tenant_id = $1 AND app_id = $2 AND state <> 'reading' AND began_at < $3 - interval '90 days'"
);

/// The compare that is under way, or a new one.
pub(super) async fn begin(
    conn: &mut Conn,
    (tenant, app): At,
    asked_by: &str,
    now: DateTime<Utc>,
) -> Result<UnderWay, Error> {
    let (tenant, app) = (tenant.uuid(), app.uuid());
    ForgetOld::with((tenant, app, now)).execute(conn).await?;
    Begin::with((tenant, app, Uuid::now_v7(), now, asked_by))
        .execute(conn)
        .await?;
    let (id, began_at, progress): (Uuid, DateTime<Utc>, Value) =
        ReadUnderWay::with((tenant, app)).get_result(conn).await?;
    Ok(UnderWay {
        id,
        began_at,
        progress,
    })
}

statement!(
    SetProgress: (SqlUuid, SqlUuid, SqlUuid, Jsonb) -> () =
    "UPDATE compare SET progress = $4 WHERE tenant_id = $1 AND app_id = $2 AND id = $3"
);

/// Notes where a compare goes on after a kill.
pub(super) async fn set_progress(
    conn: &mut Conn,
    (tenant, app): At,
    id: CompareId,
    progress: &Value,
) -> Result<(), Error> {
    SetProgress::with((tenant.uuid(), app.uuid(), id, progress))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SetDue: (SqlUuid, SqlUuid, Nullable<Timestamptz>) -> () =
    "UPDATE app SET compare_at = $3 WHERE tenant_id = $1 AND id = $2"
);

/// When the next compare is due.
pub(super) async fn set_due(
    conn: &mut Conn,
    (tenant, app): At,
    due: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    SetDue::with((tenant.uuid(), app.uuid(), due))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    LinkedByRemote: (SqlUuid, SqlUuid, Text, Array<Text>) ->
        (SqlUuid, Text, Nullable<Text>, Nullable<Jsonb>, Nullable<Text>, Nullable<Timestamptz>, SmallInt, Bool, Bool, Bool, Bool, Integer, SmallInt, Nullable<SqlUuid>, Text, Nullable<Jsonb>) =
    "SELECT x.resource_id, x.kind, x.remote_id, x.known, x.cause, x.cause_since, x.steps_done,
            x.adopted, x.grouped, x.doubtful, x.acknowledged_at IS NULL, x.attempts, x.priority, x.depends[1], x.reason,
            CASE WHEN x.no_grants OR x.waits IS NOT NULL OR x.allowed OR x.removing IS NOT NULL OR x.told_removal IS NOT NULL
                 THEN jsonb_build_object('no_grants', x.no_grants, 'waits', x.waits, 'allowed', x.allowed, 'removing', x.removing IS NOT NULL, 'told', x.told_removal) END
     FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.kind = $3 AND x.remote_id = ANY($4) AND x.state <> 'unmatched'
       AND NOT EXISTS (SELECT 1 FROM operation p WHERE p.tenant_id = $1 AND p.app_id = $2
                       AND p.resource_id = x.resource_id AND p.state IN ('pending', 'unknown'))"
);

/// Our accounts with these ids of the app, but for those with a call under way; by the app's id.
pub(super) async fn linked(
    conn: &mut Conn,
    (tenant, app): At,
    kind: &str,
    remotes: &[&str],
) -> Result<HashMap<String, Row>, Error> {
    let rows: Vec<AccountRow> = LinkedByRemote::with((tenant.uuid(), app.uuid(), kind, remotes.to_vec()))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(read_row)
        .filter_map(|row| Some((row.remote_id.clone()?, row)))
        .collect())
}

statement!(
    Unseen: (SqlUuid, SqlUuid, Timestamptz, SqlUuid, BigInt) -> (SqlUuid, Text, Text) =
    "SELECT x.resource_id, x.kind, x.remote_id FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id > $4 AND x.remote_id IS NOT NULL AND x.state <> 'unmatched'
       AND (x.verified_at IS NULL OR x.verified_at < $3) AND (x.acknowledged_at IS NULL OR x.acknowledged_at < $3)
       AND NOT EXISTS (SELECT 1 FROM operation p WHERE p.tenant_id = $1 AND p.app_id = $2
                       AND p.resource_id = x.resource_id AND p.state IN ('pending', 'unknown'))
     ORDER BY x.resource_id LIMIT $5"
);

/// Accounts that a compare should have seen since it began and did not: resource, type, the app's id.
pub(super) async fn unseen(
    conn: &mut Conn,
    (tenant, app): At,
    began: DateTime<Utc>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<(ResourceId, String, String)>, Error> {
    let rows: Vec<(Uuid, String, String)> = Unseen::with((tenant.uuid(), app.uuid(), began, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, kind, remote)| (id.into(), kind, remote))
        .collect())
}

/// How an account differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Changed,
    Vanished,
}

/// An account that differs.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub resource: ResourceId,
    pub kind: Kind,
    pub remote: String,
    pub differences: Value,
    pub read: Option<Value>,
    pub is_never_repaired: bool,
    pub at: DateTime<Utc>,
}

statement!(
    PutDrift: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Jsonb>, Array<Nullable<Jsonb>>, Array<Text>, Array<Timestamptz>) -> () =
    "INSERT INTO drift (tenant_id, app_id, compare_id, resource_id, kind, remote_id, differences, read, repair, found_at)
     SELECT $1, $2, $3, d.* FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[], $9::text[], $10::timestamptz[]) AS d
     ON CONFLICT (tenant_id, app_id, compare_id, resource_id) DO UPDATE
     SET kind = excluded.kind, differences = excluded.differences, read = excluded.read, repair = excluded.repair"
);

/// Keeps what differs.
pub(super) async fn put(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    found: &[Found],
) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    PutDrift::with((
        tenant.uuid(),
        app.uuid(),
        compare,
        found.iter().map(|one| one.resource.uuid()).collect::<Vec<_>>(),
        found
            .iter()
            .map(|one| match one.kind {
                Kind::Changed => "changed",
                Kind::Vanished => "vanished",
            })
            .collect::<Vec<_>>(),
        found.iter().map(|one| one.remote.as_str()).collect::<Vec<_>>(),
        found.iter().map(|one| &one.differences).collect::<Vec<_>>(),
        found.iter().map(|one| one.read.as_ref()).collect::<Vec<_>>(),
        found
            .iter()
            .map(|one| if one.is_never_repaired { "never" } else { "no" })
            .collect::<Vec<_>>(),
        found.iter().map(|one| one.at).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    PutUnknown: (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Timestamptz) -> () =
    "INSERT INTO drift (tenant_id, app_id, compare_id, resource_id, kind, remote_id, differences, repair, found_at)
     SELECT $1, $2, $3, x.resource_id, 'unknown', x.remote_id, '[]', 'no', $5 FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.state = 'unmatched' AND x.since >= $4
     ON CONFLICT (tenant_id, app_id, compare_id, resource_id) DO NOTHING"
);

/// Notes the accounts that are new in the app and that nobody of ours has.
pub(super) async fn put_unknown(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    PutUnknown::with((tenant.uuid(), app.uuid(), compare, began, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// What a compare came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Counts {
    /// Accounts of ours in the app.
    pub accounts: u64,
    /// Those that somebody else changed.
    pub changed: u64,
    /// Those that are no longer there.
    pub vanished: u64,
    /// Accounts that nobody of ours has and that were not there at the compare before.
    pub unknown: u64,
}

statement!(
    CountDrift: (SqlUuid, SqlUuid, SqlUuid) -> (BigInt, BigInt, BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM account x WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.remote_id IS NOT NULL
               AND x.state <> 'unmatched'),
            count(*) FILTER (WHERE kind = 'changed'), count(*) FILTER (WHERE kind = 'vanished'),
            count(*) FILTER (WHERE kind = 'unknown')
     FROM drift WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3"
);

/// What a compare came to.
pub(super) async fn counts(conn: &mut Conn, (tenant, app): At, compare: CompareId) -> Result<Counts, Error> {
    let (accounts, changed, vanished, unknown): (i64, i64, i64, i64) =
        CountDrift::with((tenant.uuid(), app.uuid(), compare))
            .get_result(conn)
            .await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Counts {
        accounts: unsigned(accounts),
        changed: unsigned(changed),
        vanished: unsigned(vanished),
        unknown: unsigned(unknown),
    })
}

statement!(
    Repairable: (SqlUuid, SqlUuid, SqlUuid, SqlUuid, BigInt) -> (SqlUuid,) =
    "SELECT resource_id FROM drift
     WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3 AND resource_id > $4 AND kind <> 'unknown' AND repair = 'no'
     ORDER BY resource_id LIMIT $5"
);

/// A page of the accounts of a compare that can be repaired.
pub(super) async fn repairable(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = Repairable::with((tenant.uuid(), app.uuid(), compare, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

statement!(
    ReadBy: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, Nullable<Jsonb>) =
    "SELECT resource_id, read FROM drift
     WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3 AND resource_id = ANY($4) AND kind <> 'unknown'"
);

/// What a compare read of these accounts.
pub(in crate::delivery) async fn read_by(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    ids: &[ResourceId],
) -> Result<AllRead, Error> {
    let rows: Vec<(Uuid, Option<Value>)> = ReadBy::with((tenant.uuid(), app.uuid(), compare, uuids(ids)))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, read)| (id.into(), ReadByCompare(read.and_then(object))))
        .collect())
}

statement!(
    SetRepair: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Text) -> () =
    "UPDATE drift SET repair = $5 WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3 AND resource_id = ANY($4)"
);

/// Says what became of the repair.
pub(super) async fn set_repair(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    ids: &[ResourceId],
    repair: &str,
) -> Result<(), Error> {
    SetRepair::with((tenant.uuid(), app.uuid(), compare, uuids(ids), repair))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    TakeOver: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account x
     SET known = d.read, remote_id = CASE WHEN d.kind = 'vanished' THEN NULL ELSE x.remote_id END,
         adopted = x.adopted AND d.kind <> 'vanished'
     FROM drift d
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = ANY($4) AND x.remote_id = d.remote_id
       AND d.tenant_id = $1 AND d.app_id = $2 AND d.compare_id = $3 AND d.resource_id = x.resource_id"
);
statement!(
    ForgetMembers: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_member k USING drift d
     WHERE d.tenant_id = $1 AND d.app_id = $2 AND d.compare_id = $3 AND d.resource_id = ANY($4) AND d.kind = 'vanished'
       AND k.tenant_id = $1 AND k.app_id = $2 AND (k.group_id = d.resource_id OR k.member_id = d.resource_id)"
);

/// Makes what a compare read what is known, for those that are repaired; the rest stays as it is.
pub(in crate::delivery) async fn take_over(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    go: &[ResourceId],
    wait: &[(ResourceId, Waits)],
) -> Result<(), Error> {
    let waiting: Vec<ResourceId> = wait.iter().map(|(id, _)| *id).collect();
    set_repair(conn, (tenant, app), compare, &waiting, "declined").await?;
    set_repair(conn, (tenant, app), compare, go, "released").await?;
    take_known(conn, (tenant, app), compare, go).await
}

/// Makes what a compare read what is known of these accounts.
pub(super) async fn take_known(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    ids: &[ResourceId],
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    TakeOver::with((tenant.uuid(), app.uuid(), compare, uuids(ids)))
        .execute(conn)
        .await?;
    ForgetMembers::with((tenant.uuid(), app.uuid(), compare, uuids(ids)))
        .execute(conn)
        .await?;
    take_members(conn, (tenant, app), compare, ids).await
}

statement!(
    End: (SqlUuid, SqlUuid, SqlUuid, Text, Jsonb, Nullable<SqlUuid>, Text, Timestamptz) -> () =
    "UPDATE compare SET state = $4, counts = $5, plan_id = $6, words = $7, ended_at = $8
     WHERE tenant_id = $1 AND app_id = $2 AND id = $3"
);

/// Ends a compare.
#[expect(clippy::too_many_arguments, reason = "each is one column of one row")]
pub(super) async fn end(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    state: &str,
    counts: &Value,
    plan: Option<PlanId>,
    words: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let plan = plan.map(PlanId::uuid);
    End::with((
        tenant.uuid(),
        app.uuid(),
        compare,
        state,
        counts,
        plan,
        words,
        now,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// A compare as people see it.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its id.
    pub id: CompareId,
    /// `reading`, `done` or `failed`.
    pub state: String,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who asked for it, or `schedule`.
    pub asked_by: String,
    /// accounts, changed, vanished, unknown.
    pub counts: Value,
    /// The plan that repairs what was found.
    pub plan: Option<PlanId>,
    /// The state of that plan.
    pub plan_state: Option<String>,
    /// The app's words when it failed.
    pub words: String,
}

type ComparisonRow = (
    Uuid,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    String,
    Value,
    Option<Uuid>,
    Option<String>,
    String,
);

statement!(
    ReadComparison: (SqlUuid, SqlUuid, Nullable<SqlUuid>) ->
        (SqlUuid, Text, Timestamptz, Nullable<Timestamptz>, Text, Jsonb, Nullable<SqlUuid>, Nullable<Text>, Text) =
    "SELECT c.id, c.state, c.began_at, c.ended_at, c.asked_by, c.counts, c.plan_id, p.state, c.words
     FROM compare c LEFT JOIN plan p ON p.tenant_id = c.tenant_id AND p.id = c.plan_id
     WHERE c.tenant_id = $1 AND c.app_id = $2 AND ($3 IS NULL OR c.id = $3) ORDER BY c.id DESC LIMIT 1"
);

async fn one(conn: &mut Conn, (tenant, app): At, id: Option<CompareId>) -> Result<Option<Comparison>, Error> {
    let row: Option<ComparisonRow> = ReadComparison::with((tenant.uuid(), app.uuid(), id))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(
        |(id, state, began_at, ended_at, asked_by, counts, plan, plan_state, words)| Comparison {
            id,
            state,
            began_at,
            ended_at,
            asked_by,
            counts,
            plan: plan.map(PlanId::from),
            plan_state,
            words,
        },
    ))
}

/// One compare of an app.
///
/// # Errors
/// When the store refuses.
pub async fn comparison(
    conn: &mut Conn,
    at: (TenantId, AppId),
    id: CompareId,
) -> Result<Option<Comparison>, Error> {
    one(conn, at, Some(id)).await
}

/// The newest compare of an app.
///
/// # Errors
/// When the store refuses.
pub async fn last_comparison(conn: &mut Conn, at: (TenantId, AppId)) -> Result<Option<Comparison>, Error> {
    one(conn, at, None).await
}

/// An account that differs, as people see it.
#[derive(Debug, Clone)]
pub struct Drift {
    /// Our user or group; an id of its own for an unknown account.
    pub resource: ResourceId,
    /// `changed`, `vanished` or `unknown`.
    pub kind: String,
    /// The app's id.
    pub remote_id: String,
    /// `[{path, expected, found}]`.
    pub differences: Value,
    /// `no`, `never`, `planned`, `released` or `declined`.
    pub repair: String,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// The account's state now.
    pub state: Option<String>,
    /// userName or displayName as known.
    pub name: Option<String>,
}

type DriftRow = (
    Uuid,
    String,
    String,
    Value,
    String,
    DateTime<Utc>,
    Option<String>,
    Option<String>,
);

statement!(
    ReadDrift: (SqlUuid, SqlUuid, SqlUuid, SqlUuid, BigInt) ->
        (SqlUuid, Text, Text, Jsonb, Text, Timestamptz, Nullable<Text>, Nullable<Text>) =
    "SELECT d.resource_id, d.kind, d.remote_id, d.differences, d.repair, d.found_at, x.state,
            coalesce(x.known ->> 'userName', x.known ->> 'displayName')
     FROM drift d LEFT JOIN account x
       ON x.tenant_id = d.tenant_id AND x.app_id = d.app_id AND x.resource_id = d.resource_id
     WHERE d.tenant_id = $1 AND d.app_id = $2 AND d.compare_id = $3 AND d.resource_id > $4
     ORDER BY d.resource_id LIMIT $5"
);

/// What a compare found, in order of ids.
///
/// # Errors
/// When the store refuses.
pub async fn drift(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    compare: CompareId,
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<Drift>, Error> {
    let after = after.map_or(Uuid::nil(), ResourceId::uuid);
    let rows: Vec<DriftRow> = ReadDrift::with((tenant.uuid(), app.uuid(), compare, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(
            |(id, kind, remote_id, differences, repair, found_at, state, name)| Drift {
                resource: id.into(),
                kind,
                remote_id,
                differences,
                repair,
                found_at,
                state,
                name,
            },
        )
        .collect())
}
