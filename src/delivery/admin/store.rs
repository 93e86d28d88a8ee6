//! Accounts and operations as people see them.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, OperationId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::statement;

/// An account as people see it.
#[derive(Debug, Clone)]
pub struct AccountView {
    /// The app's name.
    pub app: String,
    /// Our user or group; for an unmatched account an id of its own.
    pub resource: ResourceId,
    /// `User` or `Group`.
    pub kind: String,
    /// The app's id.
    pub remote_id: Option<String>,
    /// Its state.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
    /// When the app last acknowledged a change of ours.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When it was last read back.
    pub verified_at: Option<DateTime<Utc>>,
    /// What it is called in the app, or else with us: userName or displayName.
    pub name: Option<String>,
    /// Of a doubtful one: what it may be or collides with.
    pub candidates: Option<Value>,
    /// What hooks of deprovisioning answered, by step.
    pub answers: Option<Value>,
}

type AccountRow = (
    String,
    Uuid,
    String,
    Option<String>,
    String,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<String>,
    Option<Value>,
    Option<Value>,
);

fn read_account(row: AccountRow) -> AccountView {
    let (
        app,
        resource,
        kind,
        remote_id,
        state,
        reason,
        since,
        acknowledged_at,
        verified_at,
        name,
        candidates,
        answers,
    ) = row;
    AccountView {
        app,
        resource: resource.into(),
        kind,
        remote_id,
        state,
        reason,
        since,
        acknowledged_at,
        verified_at,
        name,
        candidates,
        answers,
    }
}

statement!(
    AccountsOfApp: (SqlUuid, SqlUuid, Nullable<Text>, SqlUuid, BigInt) ->
        (Text, SqlUuid, Text, Nullable<Text>, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Nullable<Jsonb>, Nullable<Jsonb>) =
    "SELECT a.name, x.resource_id, x.kind, x.remote_id, x.state, x.reason, x.since, x.acknowledged_at, x.verified_at,
            coalesce(x.known ->> 'userName', x.known ->> 'displayName', r.body ->> 'userName', r.body ->> 'displayName'), x.candidates, x.answers
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     LEFT JOIN resource r ON r.tenant_id = x.tenant_id AND r.id = x.resource_id
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND ($3 IS NULL OR x.state = $3) AND x.resource_id > $4
     ORDER BY x.resource_id LIMIT $5"
);

/// Accounts of an app, perhaps only those in one state, in order of ids.
///
/// # Errors
/// When the store refuses.
pub async fn accounts(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    state: Option<&str>,
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<AccountView>, Error> {
    let after = after.map_or(Uuid::nil(), ResourceId::uuid);
    let rows: Vec<AccountRow> = AccountsOfApp::with((tenant.uuid(), app.uuid(), state, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_account).collect())
}

statement!(
    AccountsOfResource: (SqlUuid, SqlUuid) ->
        (Text, SqlUuid, Text, Nullable<Text>, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Nullable<Jsonb>, Nullable<Jsonb>) =
    "SELECT a.name, x.resource_id, x.kind, x.remote_id, x.state, x.reason, x.since, x.acknowledged_at, x.verified_at,
            x.known ->> 'userName', x.candidates, x.answers
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     WHERE x.tenant_id = $1 AND x.resource_id = $2 AND x.state <> 'unmatched' ORDER BY a.name"
);

/// The accounts of one user or group in all apps.
///
/// # Errors
/// When the store refuses.
pub async fn accounts_of(
    conn: &mut Conn,
    tenant: TenantId,
    resource: ResourceId,
) -> Result<Vec<AccountView>, Error> {
    let rows: Vec<AccountRow> = AccountsOfResource::with((tenant.uuid(), resource.uuid()))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_account).collect())
}

/// The last try of an operation.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When.
    pub at: DateTime<Utc>,
    /// The app's status; none if no answer came.
    pub status: Option<i32>,
    /// The app's words, shortened.
    pub detail: String,
}

/// An operation as people see it.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// Its id.
    pub id: OperationId,
    /// The app's name.
    pub app: String,
    /// Our user or group.
    pub resource: ResourceId,
    /// `create`, `update`, `disable`, `delete` or `members`.
    pub action: String,
    /// The HTTP method.
    pub method: String,
    /// The path below the app's base URL.
    pub path: String,
    /// What was sent.
    pub body: Option<Value>,
    /// `pending`, `unknown`, `done` or `refused`.
    pub state: String,
    /// The state its account is in.
    pub account_state: String,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The last try.
    pub last: Option<Attempt>,
}

type OperationRow = (
    Uuid,
    String,
    Uuid,
    String,
    String,
    String,
    Option<Value>,
    String,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<i32>,
    Option<String>,
);

statement!(
    Operations: (SqlUuid, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>, BigInt) ->
        (SqlUuid, Text, SqlUuid, Text, Text, Text, Nullable<Jsonb>, Text, Text, Timestamptz, Nullable<Timestamptz>,
         Nullable<Timestamptz>, Nullable<Integer>, Nullable<Text>) =
    "SELECT o.id, a.name, o.resource_id, o.action, o.method, o.path, o.body, o.state, x.state, o.created_at, o.finished_at,
            t.at, t.status, t.detail
     FROM operation o
     JOIN app a ON a.tenant_id = o.tenant_id AND a.id = o.app_id
     JOIN account x ON x.tenant_id = o.tenant_id AND x.app_id = o.app_id AND x.resource_id = o.resource_id
     LEFT JOIN LATERAL (SELECT at, status, detail FROM attempt t WHERE t.tenant_id = o.tenant_id AND t.app_id = o.app_id
                        AND t.operation_id = o.id ORDER BY number DESC LIMIT 1) t ON true
     WHERE o.tenant_id = $1 AND ($2 IS NULL OR a.name = $2)
       AND ($3 IS NULL OR o.state = $3 OR ($3 = 'parked' AND o.state = 'refused' AND x.state = 'parked'))
       AND ($4 IS NULL OR o.id < $4)
     ORDER BY o.id DESC LIMIT $5"
);

/// Operations, the newest first; perhaps of one app, perhaps in one state. `parked` are those refused whose account is
/// still parked.
///
/// # Errors
/// When the store refuses.
pub async fn operations(
    conn: &mut Conn,
    tenant: TenantId,
    app: Option<&str>,
    state: Option<&str>,
    before: Option<OperationId>,
    limit: i64,
) -> Result<Vec<OperationView>, Error> {
    let before = before.map(OperationId::uuid);
    let rows: Vec<OperationRow> = Operations::with((tenant.uuid(), app, state, before, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_operation).collect())
}

fn read_operation(row: OperationRow) -> OperationView {
    let (
        id,
        app,
        resource,
        action,
        method,
        path,
        body,
        state,
        account_state,
        created_at,
        finished_at,
        at,
        status,
        detail,
    ) = row;
    OperationView {
        id: id.into(),
        app,
        resource: resource.into(),
        action,
        method,
        path,
        body,
        state,
        account_state,
        created_at,
        finished_at,
        last: at.map(|at| Attempt {
            at,
            status,
            detail: detail.unwrap_or_default(),
        }),
    }
}

statement!(
    RetryOperation: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid,) =
    "UPDATE account x SET look = true, due_at = NULL, attempts = 0, state = 'pending', reason = '', since = $3, doubtful = false, candidates = NULL
     FROM operation o JOIN app a ON a.tenant_id = o.tenant_id AND a.id = o.app_id
     WHERE a.tenant_id = $1 AND o.id = $2 AND x.tenant_id = o.tenant_id AND x.app_id = o.app_id
       AND x.resource_id = o.resource_id AND x.state <> 'unmatched'
     RETURNING x.resource_id"
);

/// Has the account of an operation looked at again at once: what is then to do is what it lacks by then.
///
/// # Errors
/// When there is no such operation, or the store refuses.
pub async fn retry(
    conn: &mut Conn,
    tenant: TenantId,
    id: OperationId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row: Option<(Uuid,)> = RetryOperation::with((tenant.uuid(), id.uuid(), now))
        .get_result(conn)
        .await
        .optional()?;
    row.map(|_| ()).ok_or(Error::Unknown("such operation"))
}

statement!(
    SkipOperation: (SqlUuid, SqlUuid, Timestamptz, Text) -> (SqlUuid,) =
    "UPDATE account x SET look = false, due_at = NULL, attempts = 0, state = 'skipped', reason = $4, since = $3
     FROM operation o JOIN app a ON a.tenant_id = o.tenant_id AND a.id = o.app_id
     WHERE a.tenant_id = $1 AND o.id = $2 AND o.state = 'refused' AND x.tenant_id = o.tenant_id AND x.app_id = o.app_id
       AND x.resource_id = o.resource_id AND x.state <> 'unmatched'
     RETURNING x.resource_id"
);

/// Leaves the account of a refused operation alone until something changes.
///
/// # Errors
/// When there is no such operation or it was not refused, or the store refuses.
pub async fn skip(
    conn: &mut Conn,
    tenant: TenantId,
    id: OperationId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let reason = format!("skipped by {actor}");
    let row: Option<(Uuid,)> = SkipOperation::with((tenant.uuid(), id.uuid(), now, reason))
        .get_result(conn)
        .await
        .optional()?;
    row.map(|_| ()).ok_or(Error::Unknown("such refused operation"))
}
