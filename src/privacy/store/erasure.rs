//! The table `erasure`: who was asked to be erased, and how far that is.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::statement;

/// Who was asked to be erased, and how far that is.
#[derive(Debug, Clone)]
pub(in crate::privacy) struct Erasure {
    pub tenant: TenantId,
    pub id: Uuid,
    pub subject: Uuid,
    pub users: Vec<Uuid>,
    pub asked_at: DateTime<Utc>,
    pub asked_by: String,
    pub accounts: String,
}

statement!(
    /// Changes the order of an erasure that waits.
    ReorderErasure: (SqlUuid, SqlUuid, Text) -> (SqlUuid,) =
    "UPDATE erasure SET accounts = $3, told_late_at = NULL WHERE tenant_id = $1 AND subject_id = $2 AND state = 'waiting' RETURNING id"
);
statement!(
    AddErasure: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Text, Timestamptz, Text) -> () =
    "INSERT INTO erasure (tenant_id, id, subject_id, users, accounts, state, asked_at, asked_by)
     VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)"
);

/// Notes that somebody is to be erased: by the erasure of theirs that waits already, if there is one. Its id.
pub(in crate::privacy) async fn add_erasure(conn: &mut Conn, of: &Erasure) -> Result<Uuid, Error> {
    let again: Option<(Uuid,)> = ReorderErasure::with((of.tenant.uuid(), of.subject, of.accounts.as_str()))
        .get_result(conn)
        .await
        .optional()?;
    if let Some((id,)) = again {
        return Ok(id);
    }
    AddErasure::with((
        of.tenant.uuid(),
        of.id,
        of.subject,
        &of.users,
        of.accounts.as_str(),
        of.asked_at,
        of.asked_by.as_str(),
    ))
    .execute(conn)
    .await?;
    Ok(of.id)
}

type ErasureRow = (Uuid, Uuid, Uuid, Vec<Uuid>, DateTime<Utc>, String, String);

fn erasure((tenant, id, subject, users, asked_at, asked_by, accounts): ErasureRow) -> Erasure {
    Erasure {
        tenant: tenant.into(),
        id,
        subject,
        users,
        asked_at,
        asked_by,
        accounts,
    }
}

statement!(
    /// Takes erasures for which nothing is to be waited, the first of each tenant first, then the second ones.
    TakeReady: (BigInt, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Timestamptz, Text, Text) =
    "WITH ready AS (
         SELECT e.tenant_id, e.id, e.asked_at, row_number() OVER (PARTITION BY e.tenant_id ORDER BY e.asked_at, e.id) AS turn
         FROM erasure e WHERE e.state = 'waiting' AND (e.leased_until IS NULL OR e.leased_until <= now())
           AND NOT EXISTS (SELECT FROM erasure_account v WHERE v.tenant_id = e.tenant_id AND v.id = e.id AND (v.busy OR v.untold))),
     picked AS (SELECT tenant_id, id FROM ready WHERE turn <= $1 ORDER BY turn, asked_at LIMIT $2)
     UPDATE erasure e SET leased_until = now() + interval '15 minutes' FROM picked p
     WHERE e.tenant_id = p.tenant_id AND e.id = p.id AND e.state = 'waiting' AND (e.leased_until IS NULL OR e.leased_until <= now())
     RETURNING e.tenant_id, e.id, e.subject_id, e.users, e.asked_at, e.asked_by, e.accounts"
);

/// Takes up to `each` erasures of a tenant that wait for nothing, and up to `limit` in all, for a while.
pub(in crate::privacy) async fn take_ready(
    conn: &mut Conn,
    each: i64,
    limit: i64,
) -> Result<Vec<Erasure>, Error> {
    let rows: Vec<ErasureRow> = TakeReady::with((each, limit)).load(conn).await?;
    Ok(rows.into_iter().map(erasure).collect())
}

statement!(
    /// Holds an erasure that waits, with the runs under way that may write its records and the accounts that may be called.
    HoldErasure: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT id FROM erasure WHERE tenant_id = $1 AND id = $2 AND state = 'waiting' FOR UPDATE"
);
statement!(
    HoldRuns: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT id FROM run WHERE tenant_id = $1 AND connection_id = ANY($2) AND state IN ('reading', 'planning', 'applying')
     ORDER BY id FOR NO KEY UPDATE"
);
statement!(
    HoldAccounts: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT app_id FROM account WHERE tenant_id = $1 AND resource_id = ANY($2) ORDER BY app_id, resource_id FOR UPDATE"
);

/// Holds what an erasure takes away until the end of the transaction, so that no run writes it and no call is prepared
/// meanwhile. Whether it still waits.
pub(in crate::privacy) async fn hold(
    conn: &mut Conn,
    of: &Erasure,
    (connections, users): (&[Uuid], &[Uuid]),
) -> Result<bool, Error> {
    let held: Vec<(Uuid,)> = HoldErasure::with((of.tenant.uuid(), of.id)).load(conn).await?;
    if held.is_empty() {
        return Ok(false);
    }
    HoldRuns::with((of.tenant.uuid(), connections))
        .execute(conn)
        .await?;
    HoldAccounts::with((of.tenant.uuid(), users))
        .execute(conn)
        .await?;
    Ok(true)
}

/// How the accounts of somebody who is being erased stand.
#[derive(Debug, Clone)]
pub(in crate::privacy) struct Standing {
    /// Accounts that are still to be told.
    pub untold: i64,
    /// Accounts that stand in apps.
    pub left: i64,
    /// Whether a call about one of them is under way.
    pub is_busy: bool,
    /// In which apps they stand, and in which state.
    pub left_in: Value,
}

statement!(
    StandingOf: (SqlUuid, SqlUuid) -> (BigInt, BigInt, Bool, Jsonb) =
    "SELECT count(*) FILTER (WHERE untold), count(*) FILTER (WHERE stands), coalesce(bool_or(busy), false),
            coalesce(jsonb_agg(jsonb_build_object('app', app, 'state', state) ORDER BY app) FILTER (WHERE stands), '[]')
     FROM erasure_account WHERE tenant_id = $1 AND id = $2"
);

/// How the accounts of an erasure stand.
pub(in crate::privacy) async fn standing(
    conn: &mut Conn,
    tenant: TenantId,
    id: Uuid,
) -> Result<Standing, Error> {
    let (untold, left, is_busy, left_in) = StandingOf::with((tenant.uuid(), id)).get_result(conn).await?;
    Ok(Standing {
        untold,
        left,
        is_busy,
        left_in,
    })
}

statement!(
    EndErasure: (SqlUuid, SqlUuid, Timestamptz, Jsonb, BigInt, Jsonb) -> () =
    "UPDATE erasure SET state = 'done', done_at = $3, rows = $4, accounts_left = $5::integer, left_in = $6, users = '{}',
         leased_until = NULL WHERE tenant_id = $1 AND id = $2"
);

/// Notes that everything is gone.
pub(in crate::privacy) async fn end_erasure(
    conn: &mut Conn,
    of: &Erasure,
    rows: &Value,
    standing: &Standing,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    EndErasure::with((
        of.tenant.uuid(),
        of.id,
        now,
        rows,
        standing.left,
        &standing.left_in,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    GiveBack: (SqlUuid, SqlUuid) -> () =
    "UPDATE erasure SET leased_until = NULL WHERE tenant_id = $1 AND id = $2"
);

/// Has an erasure wait again.
pub(in crate::privacy) async fn give_back(conn: &mut Conn, of: &Erasure) -> Result<(), Error> {
    GiveBack::with((of.tenant.uuid(), of.id)).execute(conn).await?;
    Ok(())
}

statement!(
    /// With what each that waits is waiting for.
    Erasures: (SqlUuid, SqlUuid, BigInt) -> (Jsonb,) =
    "SELECT to_jsonb(e) - '{tenant_id,users,leased_until,told_late_at}'::text[] || CASE e.state WHEN 'waiting' THEN
            jsonb_build_object('waits_for', (
                SELECT coalesce(jsonb_agg(jsonb_build_object('app', v.app, 'mode', v.mode, 'frozen', v.frozen, 'state', v.state,
                    'reason', v.reason, 'due_at', v.due_at, 'under_way', v.busy) ORDER BY v.app), '[]')
                FROM erasure_account v WHERE v.tenant_id = e.tenant_id AND v.id = e.id AND (v.busy OR v.untold)))
            ELSE '{}' END
     FROM erasure e WHERE e.tenant_id = $1 AND e.id < $2 ORDER BY e.id DESC LIMIT $3"
);

/// The erasures of a tenant before one of them, the newest first; those that wait with what they wait for.
///
/// # Errors
/// When the database refuses.
pub async fn erasures(
    conn: &mut Conn,
    tenant: TenantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Value>, Error> {
    let before = before.unwrap_or(Uuid::max());
    let rows: Vec<(Value,)> = Erasures::with((tenant.uuid(), before, limit)).load(conn).await?;
    Ok(rows.into_iter().map(|(row,)| row).collect())
}

/// An account for which an erasure has waited for too long.
#[derive(Debug, Clone)]
pub struct Late {
    /// Whose it is.
    pub tenant: TenantId,
    /// The erasure.
    pub erasure: Uuid,
    /// When it was asked for.
    pub since: DateTime<Utc>,
    /// The app that is still to be told.
    pub app: AppId,
    /// The user that the account was of.
    pub user: Uuid,
    /// The state of the account.
    pub state: String,
    /// Why it is in that state.
    pub reason: String,
}

statement!(
    /// Each once.
    TakeLate: (Timestamptz, Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Timestamptz, SqlUuid, SqlUuid, Text, Text) =
    "WITH late AS (
         SELECT tenant_id, id FROM erasure WHERE state = 'waiting' AND asked_at < $1 AND told_late_at IS NULL
         ORDER BY asked_at LIMIT $3 FOR UPDATE SKIP LOCKED),
     told AS (UPDATE erasure e SET told_late_at = $2 FROM late l WHERE e.tenant_id = l.tenant_id AND e.id = l.id)
     SELECT v.tenant_id, v.id, e.asked_at, v.app_id, v.resource_id, v.state, v.reason FROM late l
     JOIN erasure e ON e.tenant_id = l.tenant_id AND e.id = l.id
     JOIN erasure_account v ON v.tenant_id = l.tenant_id AND v.id = l.id AND v.untold"
);

/// What erasures that were asked for before that instant are waiting for; of each once.
pub(in crate::privacy) async fn take_late(
    conn: &mut Conn,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Late>, Error> {
    type Row = (Uuid, Uuid, DateTime<Utc>, Uuid, Uuid, String, String);
    let rows: Vec<Row> = TakeLate::with((before, now, limit)).load(conn).await?;
    let late = |(tenant, erasure, since, app, user, state, reason): Row| Late {
        tenant: tenant.into(),
        erasure,
        since,
        app: app.into(),
        user,
        state,
        reason,
    };
    Ok(rows.into_iter().map(late).collect())
}

statement!(
    StillThere: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND id = ANY($2) AND kind = 'User'"
);

/// Which of these users are there.
pub(in crate::privacy) async fn still_there(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[Uuid],
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = StillThere::with((tenant.uuid(), users)).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
