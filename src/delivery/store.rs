//! The tables of accounts and operations; apps' leases. Reads `resource`, `membership` and `change`, which the
//! directory owns: what is compared here is compared set against set, inside the database.

mod health;

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

pub(super) use health::{leave_alone, note_trouble, set_health};

use super::Error;
use super::propose::{Apart, Waits};
use crate::base::{AppId, OperationId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::Decision;
use crate::provision::{Cause, Mode};
use crate::scim::Object;
use crate::statement;

pub(super) fn uuids(ids: &[ResourceId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

// ---------------------------------------------------------------- leases

/// An app that is ours to work on for a while.
#[derive(Debug, Clone)]
pub(super) struct Leased {
    pub tenant: TenantId,
    pub app: AppId,
    pub name: String,
    pub epoch: i64,
    pub revision: i32,
    pub mode: Mode,
    pub is_matched: bool,
    /// A full compare is due.
    pub is_to_compare: bool,
    /// What is wrong with it as a whole.
    pub trouble: Option<String>,
    pub failures: i32,
    pub capabilities: Option<Value>,
}

type LeaseRow = (
    Uuid,
    Uuid,
    String,
    i64,
    i32,
    String,
    bool,
    Option<String>,
    i32,
    Option<Value>,
    bool,
);

statement!(
    LeaseApp: (SqlUuid, Timestamptz, Integer) -> (SqlUuid, SqlUuid, Text, BigInt, Integer, Text, Bool, Nullable<Text>, Integer, Nullable<Jsonb>, Bool) =
    "WITH candidate AS (
         SELECT a.tenant_id, a.id FROM app a
         WHERE a.mode <> 'paused' AND a.live_revision IS NOT NULL
           AND a.planned_revision = a.live_revision
           AND (a.lease_until IS NULL OR a.lease_until <= now())
           AND (a.resume_at IS NULL OR a.resume_at <= $2)
           AND NOT EXISTS (SELECT 1 FROM frozen f WHERE f.tenant_id = a.tenant_id AND f.owner_id IN (a.id, a.tenant_id))
           AND (a.matched_at IS NULL
                OR a.compare_at <= $2
                OR EXISTS (SELECT 1 FROM account x WHERE x.tenant_id = a.tenant_id AND x.app_id = a.id AND x.look
                           AND (x.state <> 'unmatched' OR x.removing IS NOT NULL) AND (x.due_at IS NULL OR x.due_at <= $2))
                OR EXISTS (SELECT 1 FROM operation o WHERE o.tenant_id = a.tenant_id AND o.app_id = a.id AND o.state = 'pending'))
         ORDER BY a.lease_until NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
     UPDATE app a SET lease_owner = $1, lease_epoch = a.lease_epoch + 1, lease_until = now() + make_interval(secs => $3)
     FROM candidate c WHERE a.tenant_id = c.tenant_id AND a.id = c.id
     RETURNING a.tenant_id, a.id, a.name, a.lease_epoch, a.live_revision, a.mode, a.matched_at IS NOT NULL,
               a.trouble, a.failures, a.capabilities, coalesce(a.compare_at <= $2, false)"
);

/// Takes the app that waited longest and has something to do, for `time` by the database's clock.
pub(super) async fn lease_app(
    conn: &mut Conn,
    owner: Uuid,
    now: DateTime<Utc>,
    time: Duration,
) -> Result<Option<Leased>, Error> {
    let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    let row: Option<LeaseRow> = LeaseApp::with((owner, now, seconds))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(
        |(
            tenant,
            app,
            name,
            epoch,
            revision,
            mode,
            is_matched,
            trouble,
            failures,
            capabilities,
            is_to_compare,
        )| Leased {
            tenant: tenant.into(),
            app: app.into(),
            name,
            epoch,
            revision,
            mode: Mode::of(&mode).unwrap_or(Mode::Paused),
            is_matched,
            is_to_compare,
            trouble,
            failures,
            capabilities,
        },
    ))
}

statement!(
    RenewLease: (SqlUuid, SqlUuid, BigInt, Integer) -> (BigInt,) =
    "UPDATE app SET lease_until = now() + make_interval(secs => $4)
     WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3 RETURNING lease_epoch"
);

/// Lengthens the lease and holds the app's row until the end of the transaction, so that nobody takes over between
/// this check and the commit.
///
/// # Errors
/// [`Error::LeaseLost`] when somebody else took over.
pub(super) async fn renew(conn: &mut Conn, leased: &Leased, time: Duration) -> Result<(), Error> {
    let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    let row: Option<(i64,)> =
        RenewLease::with((leased.tenant.uuid(), leased.app.uuid(), leased.epoch, seconds))
            .get_result(conn)
            .await
            .optional()?;
    row.map(|_| ()).ok_or(Error::LeaseLost)
}

statement!(
    ReleaseApp: (SqlUuid, SqlUuid, BigInt) -> () =
    "UPDATE app SET lease_until = now() WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3"
);

/// Gives the app back.
pub(super) async fn release(conn: &mut Conn, leased: &Leased) -> Result<(), Error> {
    ReleaseApp::with((leased.tenant.uuid(), leased.app.uuid(), leased.epoch))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    OrphanMembers: (SqlUuid, SqlUuid, BigInt) -> () =
    "INSERT INTO account_member (tenant_id, app_id, group_id, member_id, remote_id, sure)
     SELECT $1, $2, o.resource_id, (m.value ->> 0)::uuid, m.value ->> 1, false
     FROM operation o CROSS JOIN LATERAL jsonb_array_elements(o.after -> 'add') AS m(value)
     WHERE o.tenant_id = $1 AND o.app_id = $2 AND o.state = 'pending' AND o.epoch < $3 AND o.action = 'members'
     ON CONFLICT (tenant_id, app_id, group_id, member_id) DO UPDATE SET sure = false"
);
statement!(
    OrphanOperations: (SqlUuid, SqlUuid, BigInt, Timestamptz) -> () =
    "WITH orphan AS (
         UPDATE operation SET state = CASE WHEN action IN ('members', 'hook') THEN 'refused' ELSE 'unknown' END,
                              finished_at = CASE WHEN action IN ('members', 'hook') THEN $4 END
         WHERE tenant_id = $1 AND app_id = $2 AND state = 'pending' AND epoch < $3 RETURNING resource_id)
     UPDATE account x SET look = true, due_at = NULL FROM orphan
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = orphan.resource_id"
);

/// Finds what an earlier lease began and never ended: the outcome of these calls is unknown.
pub(super) async fn adopt_orphans(conn: &mut Conn, leased: &Leased, now: DateTime<Utc>) -> Result<(), Error> {
    let (tenant, app, epoch) = (leased.tenant.uuid(), leased.app.uuid(), leased.epoch);
    OrphanMembers::with((tenant, app, epoch)).execute(conn).await?;
    OrphanOperations::with((tenant, app, epoch, now))
        .execute(conn)
        .await?;
    Ok(())
}

// ---------------------------------------------------------------- accounts to look at

statement!(
    LookAtDependents: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account SET look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND depends && $3 AND depends <> '{}' AND state <> 'unmatched'"
);

/// Has an app look at the accounts whose desired state read one of these resources.
pub(super) async fn look_at_dependents(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<(), Error> {
    LookAtDependents::with((tenant.uuid(), app.uuid(), uuids(ids)))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    LookAtGroupsOf: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account SET look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND kind = 'Group' AND state <> 'unmatched' AND NOT look
       AND resource_id IN (SELECT m.group_id FROM membership m WHERE m.tenant_id = $1 AND m.member_id = ANY($3)
                           UNION SELECT k.group_id FROM account_member k WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.member_id = ANY($3))"
);

/// Has an app look at the groups in which these resources are, or are known to be.
pub(super) async fn look_at_groups_of(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<(), Error> {
    LookAtGroupsOf::with((tenant.uuid(), app.uuid(), uuids(ids)))
        .execute(conn)
        .await?;
    Ok(())
}

/// An account to look at.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub resource: ResourceId,
    pub kind: String,
    pub remote_id: Option<String>,
    pub known: Option<Object>,
    pub cause: Option<(Cause, DateTime<Utc>)>,
    pub steps_done: i16,
    pub adopted: bool,
    pub grouped: bool,
    pub no_grants: bool,
    pub doubtful: bool,
    /// `known` was read from the app; the app never acknowledged a write of ours.
    pub is_read: bool,
    /// The manager that the last desired state read.
    pub manager: Option<ResourceId>,
    /// Why it is in the state it is in.
    pub reason: String,
    pub attempts: i32,
    pub priority: i16,
    /// What keeps anything from being done about it.
    pub waits: Option<Waits>,
    /// What is done next is not counted in the caps.
    pub allowed: bool,
    /// Somebody asked that it be deleted.
    pub removing: bool,
    /// The person was told that it is removed then.
    pub told: Option<DateTime<Utc>>,
    /// An operation with an unknown outcome: id, action, body, what would be there after it.
    pub unknown: Option<(OperationId, String, Option<Value>, Option<Value>)>,
}

statement!(
    TakeAccounts: (SqlUuid, SqlUuid, Timestamptz, BigInt, SmallInt) ->
        (SqlUuid, Text, Nullable<Text>, Nullable<Jsonb>, Nullable<Text>, Nullable<Timestamptz>, SmallInt, Bool, Bool, Bool, Bool, Integer, SmallInt, Nullable<SqlUuid>, Text, Nullable<Jsonb>) =
    "SELECT x.resource_id, x.kind, x.remote_id, x.known, x.cause, x.cause_since, x.steps_done,
            x.adopted, x.grouped, x.doubtful, x.acknowledged_at IS NULL, x.attempts, x.priority, x.depends[1], x.reason,
            CASE WHEN x.no_grants OR x.waits IS NOT NULL OR x.allowed OR x.removing IS NOT NULL OR x.told_removal IS NOT NULL
                 THEN jsonb_build_object('no_grants', x.no_grants, 'waits', x.waits, 'allowed', x.allowed, 'removing', x.removing IS NOT NULL, 'told', x.told_removal) END
     FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.look AND (x.state <> 'unmatched' OR x.removing IS NOT NULL)
       AND (x.due_at IS NULL OR x.due_at <= $3) AND x.priority <= $5
       AND NOT EXISTS (SELECT 1 FROM operation p WHERE p.tenant_id = $1 AND p.app_id = $2
                       AND p.resource_id = x.resource_id AND p.state = 'pending')
     ORDER BY x.priority, x.due_at LIMIT $4 FOR UPDATE OF x"
);
type UnknownRow = (Uuid, Uuid, String, Option<Value>, Option<Value>);
statement!(
    UnknownOperations: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid, Text, Nullable<Jsonb>, Nullable<Jsonb>) =
    "SELECT resource_id, id, action, body, after FROM operation
     WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3) AND state = 'unknown'"
);
pub(super) type AccountRow = (
    Uuid,
    String,
    Option<String>,
    Option<Value>,
    Option<String>,
    Option<DateTime<Utc>>,
    i16,
    bool,
    bool,
    bool,
    bool,
    i32,
    i16,
    Option<Uuid>,
    String,
    Option<Value>,
);

/// Locks up to `limit` accounts that are to be looked at and due, the most urgent first, and none with a call under way.
pub(super) async fn take(
    conn: &mut Conn,
    leased: &Leased,
    now: DateTime<Utc>,
    limit: i64,
    least_urgent: i16,
) -> Result<Vec<Row>, Error> {
    let (tenant, app) = (leased.tenant.uuid(), leased.app.uuid());
    let rows: Vec<AccountRow> = TakeAccounts::with((tenant, app, now, limit, least_urgent))
        .get_results(conn)
        .await?;
    let mut rows: Vec<Row> = rows.into_iter().map(read_row).collect();
    if rows.is_empty() {
        return Ok(rows);
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.resource.uuid()).collect();
    let unknown: Vec<UnknownRow> = UnknownOperations::with((tenant, app, ids))
        .get_results(conn)
        .await?;
    for (resource, id, action, body, after) in unknown {
        if let Some(row) = rows.iter_mut().find(|row| row.resource.uuid() == resource) {
            row.unknown = Some((id.into(), action, body, after));
        }
    }
    Ok(rows)
}

pub(super) fn read_row(row: AccountRow) -> Row {
    let (
        resource,
        kind,
        remote_id,
        known,
        cause,
        since,
        steps_done,
        adopted,
        grouped,
        doubtful,
        is_read,
        attempts,
        priority,
        manager,
        reason,
        apart,
    ) = row;
    let Apart {
        no_grants,
        waits,
        allowed,
        removing,
        told,
    } = Apart::read(apart);
    Row {
        resource: resource.into(),
        kind,
        remote_id,
        known: known.and_then(object),
        cause: cause.as_deref().and_then(Cause::of).zip(since),
        steps_done,
        adopted,
        grouped,
        no_grants,
        doubtful,
        is_read,
        attempts,
        priority,
        manager: manager.map(ResourceId::from),
        reason,
        waits,
        allowed,
        removing,
        told,
        unknown: None,
    }
}

pub(super) fn object(value: Value) -> Option<Object> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Another account that a desired state refers to.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub remote_id: Option<String>,
    pub is_coming: bool,
    pub depends: Vec<ResourceId>,
}

statement!(
    References: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, Nullable<Text>, Bool, Array<SqlUuid>) =
    "SELECT x.resource_id, x.remote_id,
            x.remote_id IS NULL AND x.state IN ('pending', 'in_sync') AND NOT x.doubtful
              AND (x.look OR EXISTS (SELECT 1 FROM operation p WHERE p.tenant_id = $1 AND p.app_id = $2
                                     AND p.resource_id = x.resource_id AND p.state = 'pending')),
            x.depends
     FROM account x WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = ANY($3) AND x.state <> 'unmatched'"
);

/// The accounts of these resources, as references need them: the app's id, or whether it will be there soon.
pub(super) async fn references(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<Vec<(ResourceId, Reference)>, Error> {
    let rows: Vec<(Uuid, Option<String>, bool, Vec<Uuid>)> =
        References::with((tenant.uuid(), app.uuid(), uuids(ids)))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, remote_id, is_coming, depends)| {
            let depends = depends.into_iter().map(ResourceId::from).collect();
            (
                id.into(),
                Reference {
                    remote_id,
                    is_coming,
                    depends,
                },
            )
        })
        .collect())
}

/// What a human said last about a value: resource, field, value, and whether it may be written.
pub(super) type DecidedValue = (ResourceId, String, Option<Value>, Decision);

statement!(
    DecidedHolds: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, Text, Nullable<Jsonb>, Bool) =
    "SELECT DISTINCT ON (resource_id, field) resource_id, field, new, state = 'approved' FROM hold
     WHERE tenant_id = $1 AND owner_id = $2 AND state IN ('approved', 'rejected') AND resource_id = ANY($3)
     ORDER BY resource_id, field, id DESC"
);

/// The last decision about each field of these resources.
pub(super) async fn decided(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<Vec<DecidedValue>, Error> {
    let rows: Vec<(Uuid, String, Option<Value>, bool)> =
        DecidedHolds::with((tenant.uuid(), app.uuid(), uuids(ids)))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, field, new, is_approved)| {
            let decision = if is_approved {
                Decision::Approve
            } else {
                Decision::Reject
            };
            (id.into(), field, new, decision)
        })
        .collect())
}

statement!(
    ReleaseWaiting: (SqlUuid, SqlUuid) -> () =
    "UPDATE account SET due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND look AND priority = 6 AND due_at IS NOT NULL AND attempts = 0
       AND remote_id IS NULL AND state = 'pending'"
);

/// Lets those go on who wait for a manager's account. Returns whether there were any.
pub(super) async fn release_waiting(conn: &mut Conn, leased: &Leased) -> Result<bool, Error> {
    let released = ReleaseWaiting::with((leased.tenant.uuid(), leased.app.uuid()))
        .execute(conn)
        .await?;
    Ok(released > 0)
}
