//! How far apps have been told of the log, and the looks at accounts that follow. Reads `resource`, `membership` and
//! `change`, which the directory owns.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    AppsToDispatch: (SqlUuid, SqlUuid, BigInt) -> (SqlUuid, SqlUuid) =
    "SELECT a.tenant_id, a.id FROM app a LEFT JOIN change_chain c ON c.tenant_id = a.tenant_id
     WHERE a.live_revision IS NOT NULL AND a.mode <> 'paused'
       AND (a.dispatched_seq < coalesce(c.last_seq, 0) OR a.planned_revision IS DISTINCT FROM a.live_revision)
       AND (a.tenant_id, a.id) > ($1, $2)
     ORDER BY a.tenant_id, a.id LIMIT $3"
);

/// Up to `limit` apps after one that have not seen all numbered changes, or whose settings are new; of all tenants.
pub(super) async fn apps_to_dispatch(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    limit: i64,
) -> Result<Vec<(TenantId, AppId)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = AppsToDispatch::with((tenant.uuid(), app.uuid(), limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, app)| (tenant.into(), app.into()))
        .collect())
}

/// How far an app has been dispatched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dispatched {
    pub seq: i64,
    pub planned: Option<i32>,
    pub live: i32,
    pub last_seq: i64,
}

statement!(
    LockForDispatch: (SqlUuid, SqlUuid) -> (BigInt, Nullable<Integer>, Integer, BigInt) =
    "SELECT a.dispatched_seq, a.planned_revision, a.live_revision,
            coalesce((SELECT last_seq FROM change_chain c WHERE c.tenant_id = a.tenant_id), 0)
     FROM app a WHERE a.tenant_id = $1 AND a.id = $2 AND a.live_revision IS NOT NULL FOR UPDATE OF a SKIP LOCKED"
);

/// Locks an app for dispatch, unless somebody has it; until the end of the transaction.
pub(super) async fn lock_for_dispatch(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
) -> Result<Option<Dispatched>, Error> {
    let row: Option<(i64, Option<i32>, i32, i64)> = LockForDispatch::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(seq, planned, live, last_seq)| Dispatched {
        seq,
        planned,
        live,
        last_seq,
    }))
}

statement!(
    Changes: (SqlUuid, BigInt, BigInt) -> (BigInt, SqlUuid, Text, Bool) =
    "SELECT n.seq, c.resource_id, c.kind, c.origin ? 'approved' FROM numbered_change n JOIN change c ON c.id = n.id
     WHERE n.tenant_id = $1 AND n.last_seq > $2 AND n.seq > $2 ORDER BY n.last_seq, n.seq LIMIT $3"
);

/// A numbered change: its number, the resource, its type, and whether it is of a plan that a human approved.
pub(super) type Changed = (i64, ResourceId, String, bool);

/// Numbered changes after `seq`, in their order.
pub(super) async fn changes(
    conn: &mut Conn,
    tenant: TenantId,
    seq: i64,
    limit: i64,
) -> Result<Vec<Changed>, Error> {
    let rows: Vec<(i64, Uuid, String, bool)> = Changes::with((tenant.uuid(), seq, limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(seq, id, kind, approved)| (seq, id.into(), kind, approved))
        .collect())
}

statement!(
    LookAt: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Text>, Timestamptz, Array<SqlUuid>) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, state, since, priority, allowed)
     SELECT $1, $2, r.id, r.kind, 'pending', $5,
            CASE WHEN r.kind = 'Group' THEN 7 WHEN r.active IS FALSE THEN 1 ELSE 5 END, r.id = ANY($6)
     FROM resource r WHERE r.tenant_id = $1 AND r.id = ANY($3) AND r.kind = ANY($4)
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET look = true, due_at = NULL, attempts = 0, priority = excluded.priority, allowed = account.allowed OR excluded.allowed"
);
statement!(
    LookAtGone: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<SqlUuid>) -> () =
    "UPDATE account x SET look = true, due_at = NULL, priority = 1, allowed = x.allowed OR x.resource_id = ANY($4)
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = ANY($3)
       AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant_id = $1 AND r.id = x.resource_id)"
);

/// Has an app look at these resources; makes their accounts where they have none. What is done next about those of
/// `approved` is not counted in the caps: a human approved it.
pub(super) async fn look_at(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    (ids, approved): (&[ResourceId], &[ResourceId]),
    kinds: &[&str],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (ids, approved) = (uuids(ids), uuids(approved));
    LookAt::with((
        tenant.uuid(),
        app.uuid(),
        ids.clone(),
        kinds.to_vec(),
        now,
        approved.clone(),
    ))
    .execute(conn)
    .await?;
    LookAtGone::with((tenant.uuid(), app.uuid(), ids, approved))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    LookAtPage: (SqlUuid, SqlUuid, SqlUuid, Array<Text>, BigInt, Timestamptz) -> (Nullable<SqlUuid>,) =
    "WITH page AS (SELECT r.id, r.kind, r.active FROM resource r
                   WHERE r.tenant_id = $1 AND r.id > $3 AND r.kind = ANY($4) ORDER BY r.id LIMIT $5),
     put AS (INSERT INTO account (tenant_id, app_id, resource_id, kind, state, since, priority)
             SELECT $1, $2, id, kind, 'pending', $6,
                    CASE WHEN kind = 'Group' THEN 7 WHEN active IS FALSE THEN 1 ELSE 5 END FROM page
             ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
             SET look = true, due_at = NULL, attempts = 0, priority = excluded.priority)
     SELECT (SELECT id FROM page ORDER BY id DESC LIMIT 1)"
);

/// Has an app look at a page of all resources, after `after`; the last one of the page.
pub(super) async fn look_at_page(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    after: Uuid,
    kinds: &[&str],
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Error> {
    let (last,): (Option<Uuid>,) =
        LookAtPage::with((tenant.uuid(), app.uuid(), after, kinds.to_vec(), limit, now))
            .get_result(conn)
            .await?;
    Ok(last)
}

statement!(
    LookAtAll: (SqlUuid, SqlUuid) -> () =
    "UPDATE account SET look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND state <> 'unmatched' AND NOT look"
);

/// Has an app look at every account it has a row for.
pub(super) async fn look_at_all(conn: &mut Conn, (tenant, app): (TenantId, AppId)) -> Result<(), Error> {
    LookAtAll::with((tenant.uuid(), app.uuid())).execute(conn).await?;
    Ok(())
}

statement!(
    SetDispatched: (SqlUuid, SqlUuid, BigInt, Nullable<Integer>) -> () =
    "UPDATE app SET dispatched_seq = $3, planned_revision = $4 WHERE tenant_id = $1 AND id = $2"
);

/// Notes how far an app has been dispatched.
pub(super) async fn set_dispatched(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    seq: i64,
    planned: Option<i32>,
) -> Result<(), Error> {
    SetDispatched::with((tenant.uuid(), app.uuid(), seq, planned))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    LookAtDecided: () -> () =
    "WITH decided AS (
         UPDATE hold SET heeded = true
         WHERE app_id IS NOT NULL AND NOT heeded AND state IN ('approved', 'rejected')
         RETURNING tenant_id, app_id, resource_id)
     UPDATE account x SET look = true, due_at = NULL FROM decided d
     WHERE x.tenant_id = d.tenant_id AND x.app_id = d.app_id AND x.resource_id = d.resource_id"
);

/// Has apps look at accounts about which a human decided since, once for each decision. Returns whether there were any.
pub(super) async fn look_at_decided(conn: &mut Conn) -> Result<bool, Error> {
    Ok(LookAtDecided::with(()).execute(conn).await? > 0)
}
