//! Ties and cuts in `account`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::object;
use crate::scim::Object;
use crate::statement;

/// A user's account.
#[derive(Debug)]
pub(super) struct Linked {
    pub remote_id: String,
    pub known: Option<Value>,
    pub is_busy: bool,
}

statement!(
    LinkedAccount: (SqlUuid, SqlUuid, SqlUuid) -> (Text, Nullable<Jsonb>, Bool) =
    "SELECT x.remote_id, x.known,
            EXISTS (SELECT 1 FROM operation o WHERE o.tenant_id = $1 AND o.app_id = $2 AND o.resource_id = $3
                    AND o.state IN ('pending', 'unknown'))
     FROM account x WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = $3 AND x.kind = 'User'
       AND x.remote_id IS NOT NULL AND x.state <> 'unmatched' FOR UPDATE OF x"
);

/// The account of a user, locked.
pub(super) async fn linked(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    user: ResourceId,
) -> Result<Option<Linked>, Error> {
    let row: Option<(String, Option<Value>, bool)> =
        LinkedAccount::with((tenant.uuid(), app.uuid(), user.uuid()))
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(|(remote_id, known, is_busy)| Linked {
        remote_id,
        known,
        is_busy,
    }))
}

statement!(
    CutLink: (SqlUuid, SqlUuid, SqlUuid, Text, Timestamptz) -> () =
    "UPDATE account SET remote_id = NULL, known = NULL, adopted = false, doubtful = true, severed = true,
            state = 'held', reason = $4, since = $5, look = false, due_at = NULL, cause = NULL, cause_since = NULL,
            steps_done = 0, acknowledged_at = NULL, verified_at = NULL, candidates = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND resource_id = $3"
);
statement!(
    PutFree: (SqlUuid, SqlUuid, SqlUuid, Text, Nullable<Jsonb>, Timestamptz) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, remote_id, state, reason, since, verified_at, known, look)
     VALUES ($1, $2, $3, 'User', $4, 'unmatched', 'the app has it and nobody of ours does', $6, $6, $5, false)"
);

/// Takes the account from the user and keeps it as nobody's.
pub(super) async fn cut(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    user: ResourceId,
    linked: &Linked,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    CutLink::with((tenant.uuid(), app.uuid(), user.uuid(), reason, now))
        .execute(conn)
        .await?;
    let id = ResourceId::new().uuid();
    let known = linked.known.as_ref();
    PutFree::with((
        tenant.uuid(),
        app.uuid(),
        id,
        linked.remote_id.as_str(),
        known,
        now,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    FreeAccount: (SqlUuid, SqlUuid, Text) -> (Nullable<Jsonb>,) =
    "SELECT known FROM account WHERE tenant_id = $1 AND app_id = $2 AND kind = 'User' AND remote_id = $3
       AND state = 'unmatched' FOR UPDATE"
);

/// What an account that nobody of ours has holds, locked.
pub(super) async fn free(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    remote_id: &str,
) -> Result<Option<Object>, Error> {
    let row: Option<(Option<Value>,)> = FreeAccount::with((tenant.uuid(), app.uuid(), remote_id))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(known,)| known.and_then(object).unwrap_or_default()))
}

statement!(
    DropFree: (SqlUuid, SqlUuid, Text) -> () =
    "DELETE FROM account WHERE tenant_id = $1 AND app_id = $2 AND kind = 'User' AND remote_id = $3 AND state = 'unmatched'"
);
statement!(
    TieLink: (SqlUuid, SqlUuid, SqlUuid, Text, Jsonb, Timestamptz) -> (SqlUuid,) =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, remote_id, state, reason, since, verified_at, known, adopted, look)
     SELECT $1, $2, r.id, 'User', $4, 'pending', '', $6, $6, $5, true, true
     FROM resource r WHERE r.tenant_id = $1 AND r.id = $3 AND r.kind = 'User'
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET remote_id = excluded.remote_id, known = excluded.known, adopted = true, verified_at = $6, since = $6,
         state = 'pending', reason = '', look = true, due_at = NULL, doubtful = false, severed = false, candidates = NULL,
         attempts = 0, cause = NULL, cause_since = NULL, steps_done = 0
     WHERE account.remote_id IS NULL
     RETURNING resource_id"
);

/// Gives an account that nobody has to a user. Returns whether that was possible.
pub(super) async fn tie(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    user: ResourceId,
    (remote_id, known): (&str, &Object),
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let (tenant, app) = (tenant.uuid(), app.uuid());
    DropFree::with((tenant, app, remote_id)).execute(conn).await?;
    let known = Value::Object(known.clone());
    let row: Option<(Uuid,)> = TieLink::with((tenant, app, user.uuid(), remote_id, known, now))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.is_some())
}
