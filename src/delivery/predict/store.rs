//! What a forecast reads: accounts without locking them, and everybody who may have one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::predict::calendar::{DueAccount, DueCursor};
use crate::delivery::store::{AccountRow, Row, read_row, uuids};
use crate::statement;

statement!(
    AccountsAsKnown: (SqlUuid, SqlUuid, Array<SqlUuid>) ->
        (SqlUuid, Text, Nullable<Text>, Nullable<Jsonb>, Nullable<Text>, Nullable<Timestamptz>, SmallInt, Bool, Bool, Bool, Bool, Integer, SmallInt, Nullable<SqlUuid>, Text, Nullable<Jsonb>) =
    "SELECT x.resource_id, x.kind, x.remote_id, x.known, x.cause, x.cause_since, x.steps_done,
            x.adopted, x.grouped, x.doubtful, x.acknowledged_at IS NULL, x.attempts, x.priority, x.depends[1], x.reason,
            CASE WHEN x.no_grants OR x.waits IS NOT NULL OR x.allowed OR x.removing IS NOT NULL OR x.told_removal IS NOT NULL
                 THEN jsonb_build_object('no_grants', x.no_grants, 'waits', x.waits, 'allowed', x.allowed, 'removing', x.removing IS NOT NULL, 'told', x.told_removal) END
     FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = ANY($3) AND x.state <> 'unmatched'"
);

/// These resources' accounts in an app, where there are any.
pub(in crate::delivery) async fn accounts_of(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<HashMap<ResourceId, Row>, Error> {
    let rows: Vec<AccountRow> = AccountsAsKnown::with((tenant.uuid(), app.uuid(), uuids(ids)))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(read_row)
        .map(|row| (row.resource, row))
        .collect())
}

statement!(
    PopulationPage: (SqlUuid, SqlUuid, SqlUuid, Array<Text>, BigInt) -> (SqlUuid, Text) =
    "SELECT id, max(kind) FROM (
         (SELECT r.id, r.kind FROM resource r
          WHERE r.tenant_id = $1 AND r.id > $3 AND r.kind = ANY($4) ORDER BY r.id LIMIT $5)
         UNION ALL
         (SELECT x.resource_id, x.kind FROM account x
          WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id > $3 AND x.remote_id IS NOT NULL
            AND x.state <> 'unmatched' ORDER BY x.resource_id LIMIT $5)) both_of_them
     GROUP BY id ORDER BY id LIMIT $5"
);

/// A page of all who have or may have an account: users and groups of these types, and accounts whose user or group is
/// gone. In order of ids, with the type.
pub(super) async fn population(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    after: Uuid,
    kinds: &[&str],
    limit: i64,
) -> Result<Vec<(ResourceId, String)>, Error> {
    let rows: Vec<(Uuid, String)> =
        PopulationPage::with((tenant.uuid(), app.uuid(), after, kinds.to_vec(), limit))
            .get_results(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, kind)| (id.into(), kind)).collect())
}

statement!(
    Capabilities: (SqlUuid, SqlUuid) -> (Nullable<Jsonb>,) =
    "SELECT capabilities FROM app WHERE tenant_id = $1 AND id = $2"
);

/// What the app said of itself when it was last matched.
pub(super) async fn capabilities(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
) -> Result<Option<Value>, Error> {
    let row: Option<(Option<Value>,)> = Capabilities::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(capabilities,)| capabilities))
}

statement!(
    DueAccounts: (SqlUuid, SqlUuid, Timestamptz, SqlUuid, Timestamptz, BigInt) ->
        (SqlUuid, Timestamptz, Nullable<SqlUuid>, Nullable<Timestamptz>) =
    "SELECT x.resource_id, x.due_at, p.id, p.next_look_at
     FROM account x LEFT JOIN person p ON p.tenant_id = $1 AND p.user_id = x.resource_id
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.look AND x.kind = 'User' AND x.state <> 'unmatched'
       AND x.due_at <= $5 AND (x.due_at, x.resource_id) > ($3, $4)
     ORDER BY x.due_at, x.resource_id LIMIT $6"
);

/// Up to `limit` accounts of users that will be looked at until `to`, after a place, the earliest first; with their
/// people, and when these will be looked at.
pub(in crate::delivery) async fn due_accounts(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    after: Option<DueCursor>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DueAccount>, Error> {
    let (at, id) = after.map_or((DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()), |(at, id)| {
        (at, id.uuid())
    });
    type Due = (Uuid, DateTime<Utc>, Option<Uuid>, Option<DateTime<Utc>>);
    let rows: Vec<Due> = DueAccounts::with((tenant.uuid(), app.uuid(), at, id, to, limit))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, at, person, next)| (id.into(), at, person.map(PersonId::from), next))
        .collect())
}
