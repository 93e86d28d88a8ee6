//! Who is selected, and what one account is told by hand.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::propose::{Waits, Why};
use crate::delivery::store::{object, uuids};
use crate::provision::State;
use crate::scim::Object;
use crate::statement;

type At = (TenantId, AppId);

/// An account that an order names.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    pub resource: ResourceId,
    pub kind: String,
    pub state: String,
    pub remote_id: Option<String>,
    pub known: Option<Object>,
}

statement!(
    SelectedAccounts: (SqlUuid, SqlUuid, Nullable<Array<SqlUuid>>, Nullable<Text>, SqlUuid, BigInt) ->
        (SqlUuid, Text, Text, Nullable<Text>, Nullable<Jsonb>) =
    "SELECT resource_id, kind, state, remote_id, known FROM account
     WHERE tenant_id = $1 AND app_id = $2 AND resource_id > $5
       AND ($3 IS NULL OR resource_id = ANY($3)) AND ($4 IS NULL OR state = $4)
     ORDER BY resource_id LIMIT $6"
);

/// A page of an app's accounts: these, or those in a state.
pub(super) async fn selected(
    conn: &mut Conn,
    (tenant, app): At,
    (ids, state): (Option<&[ResourceId]>, Option<State>),
    after: Uuid,
    limit: i64,
) -> Result<Vec<Selected>, Error> {
    let ids = ids.map(uuids);
    let state = state.map(State::word);
    type Row = (Uuid, String, String, Option<String>, Option<Value>);
    let rows: Vec<Row> = SelectedAccounts::with((tenant.uuid(), app.uuid(), ids, state, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(resource, kind, state, remote_id, known)| Selected {
            resource: resource.into(),
            kind,
            state,
            remote_id,
            known: known.and_then(object),
        })
        .collect())
}

statement!(
    UsersPage: (SqlUuid, Nullable<Array<SqlUuid>>, SqlUuid, BigInt) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND kind = 'User' AND id > $3 AND ($2 IS NULL OR id = ANY($2))
     ORDER BY id LIMIT $4"
);

/// A page of users: these, or all.
pub(super) async fn users(
    conn: &mut Conn,
    tenant: TenantId,
    ids: Option<&[ResourceId]>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = UsersPage::with((tenant.uuid(), ids.map(uuids), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

statement!(
    ActiveUsers: (SqlUuid,) -> (BigInt,) =
    "SELECT count(*) FROM resource WHERE tenant_id = $1 AND kind = 'User' AND active"
);

/// Users that are active.
pub(super) async fn active_users(conn: &mut Conn, tenant: TenantId) -> Result<u64, Error> {
    let (count,): (i64,) = ActiveUsers::with((tenant.uuid(),)).get_result(conn).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

statement!(
    AccountsThere: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM account WHERE tenant_id = $1 AND app_id = $2 AND remote_id IS NOT NULL"
);

/// Accounts that are in the app, those too that nobody of ours has.
pub(super) async fn accounts_there(conn: &mut Conn, (tenant, app): At) -> Result<u64, Error> {
    let (count,): (i64,) = AccountsThere::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

statement!(
    RemoveAccounts: (SqlUuid, SqlUuid, Array<SqlUuid>, Text, Jsonb, Bool) -> (SqlUuid,) =
    "UPDATE account SET removing = $4, waits = $5, look = true, due_at = NULL, attempts = 0, priority = 1,
            allowed = allowed OR $6
     WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3) AND remote_id IS NOT NULL
     RETURNING resource_id"
);

/// Has accounts deleted in the app, by hand: each by an operation that is stored before it is sent. They are not made
/// again before somebody pushes them. Returns how many there are.
pub(super) async fn remove_all(
    conn: &mut Conn,
    (tenant, app): At,
    ids: &[ResourceId],
    by: &str,
    approved: bool,
) -> Result<usize, Error> {
    let waits = Waits {
        why: Why::Removed,
        plan: None,
        by: Some(by.to_owned()),
        cause: None,
    };
    let waits = serde_json::to_value(&waits).unwrap_or_default();
    let rows: Vec<(Uuid,)> =
        RemoveAccounts::with((tenant.uuid(), app.uuid(), uuids(ids), by, waits, approved))
            .get_results(conn)
            .await?;
    Ok(rows.len())
}

statement!(
    AppsOf: (SqlUuid, SqlUuid, Nullable<Text>) -> (SqlUuid, Text, Nullable<Text>, Nullable<Jsonb>) =
    "SELECT a.id, a.name, x.remote_id, x.known FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     WHERE x.tenant_id = $1 AND x.resource_id = $2 AND ($3 IS NULL OR a.name = $3) AND x.remote_id IS NOT NULL
     ORDER BY a.name"
);

/// Has one account deleted in its app, by hand. `id` is that of our user or group, or the account's own when nobody of
/// ours has it. Returns the app.
///
/// # Errors
/// When there is no such account, it is protected, or several apps have one and none is named.
pub async fn remove(
    conn: &mut Conn,
    tenant: TenantId,
    (id, app): (ResourceId, Option<&str>),
    by: &str,
) -> Result<AppId, Error> {
    let mut rows: Vec<(Uuid, String, Option<String>, Option<Value>)> =
        AppsOf::with((tenant.uuid(), id.uuid(), app))
            .get_results(conn)
            .await?;
    let (found, _, _, known) = rows.pop().ok_or(Error::Unknown("such account in an app"))?;
    if !rows.is_empty() {
        return Err(Error::Order(
            "several apps have an account of this user: name the app",
        ));
    }
    let found = AppId::from(found);
    let app = crate::provision::app_by_id(conn, tenant, found).await?;
    if let Some(live) = app.live_revision {
        let settings = crate::provision::revision(conn, tenant, found, live)
            .await?
            .settings;
        if known
            .and_then(object)
            .is_some_and(|known| settings.protect.names(&known))
        {
            return Err(Error::Order("the account is protected by the app's settings"));
        }
    }
    remove_all(conn, (tenant, found), &[id], by, true).await?;
    Ok(found)
}

/// What a push by hand found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The names of the apps in which the account is looked at now.
    pub apps: Vec<String>,
}

statement!(
    PushOne: (SqlUuid, SqlUuid, Nullable<Text>, Timestamptz) -> (Text,) =
    "WITH put AS (
         INSERT INTO account (tenant_id, app_id, resource_id, kind, state, since, priority, look)
         SELECT $1, a.id, r.id, r.kind, 'pending', $4, CASE WHEN r.kind = 'Group' THEN 7 ELSE 5 END, true
         FROM resource r JOIN app a ON a.tenant_id = $1 AND a.live_revision IS NOT NULL AND ($3 IS NULL OR a.name = $3)
         WHERE r.tenant_id = $1 AND r.id = $2
         ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
         SET look = true, due_at = NULL, attempts = 0, waits = NULL, doubtful = false, removing = NULL,
             state = CASE WHEN account.state IN ('parked', 'held', 'skipped', 'removed') THEN 'pending' ELSE account.state END
         RETURNING app_id)
     SELECT a.name FROM put JOIN app a ON a.tenant_id = $1 AND a.id = put.app_id ORDER BY a.name"
);

/// Has one user's or group's accounts looked at now, whatever they waited for, in one app or in all.
///
/// # Errors
/// When there is no such user or app, or the store refuses.
pub async fn push(
    conn: &mut Conn,
    tenant: TenantId,
    (id, app): (ResourceId, Option<&str>),
    now: DateTime<Utc>,
) -> Result<Push, Error> {
    let rows: Vec<(String,)> = PushOne::with((tenant.uuid(), id.uuid(), app, now))
        .get_results(conn)
        .await?;
    if rows.is_empty() {
        return Err(Error::Unknown("such user, or no published app of that name"));
    }
    Ok(Push {
        apps: rows.into_iter().map(|(name,)| name).collect(),
    })
}
