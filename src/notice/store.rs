//! The table `event`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::{Error, NewEvent};
use crate::base::{AppId, ConnectionId, PersonId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

statement!(
    RaiseEvents: (SqlUuid, Timestamptz, Timestamptz, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Nullable<SqlUuid>>,
                  Array<Nullable<SqlUuid>>, Array<Nullable<Text>>, Array<Nullable<SqlUuid>>, Array<Jsonb>) -> () =
    "INSERT INTO event (tenant_id, at, ready_at, id, kind, key, connection_id, app_id, entity, person_id, detail)
     SELECT $1, $2, $3, e.*
     FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::jsonb[]) AS e
     ON CONFLICT (tenant_id, kind, key) DO NOTHING"
);

/// Says in the caller's transaction that something happened. Raised again with the same kind and key, nothing is done.
///
/// # Errors
/// When the store refuses.
pub async fn raise(
    conn: &mut Conn,
    tenant: TenantId,
    event: &NewEvent,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    raise_at(conn, tenant, std::slice::from_ref(event), now, now).await
}

/// The same for many, by one statement.
///
/// # Errors
/// When the store refuses.
pub async fn raise_all(
    conn: &mut Conn,
    tenant: TenantId,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    raise_at(conn, tenant, events, now, now).await
}

/// The same; nobody is told before `ready`.
///
/// # Errors
/// When the store refuses.
pub async fn raise_at(
    conn: &mut Conn,
    tenant: TenantId,
    events: &[NewEvent],
    ready: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    RaiseEvents::with((
        tenant.uuid(),
        now,
        ready,
        events.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
        events.iter().map(|event| event.key.as_str()).collect::<Vec<_>>(),
        events
            .iter()
            .map(|event| event.connection.map(ConnectionId::uuid))
            .collect::<Vec<_>>(),
        events
            .iter()
            .map(|event| event.app.map(AppId::uuid))
            .collect::<Vec<_>>(),
        events
            .iter()
            .map(|event| event.entity.as_deref())
            .collect::<Vec<_>>(),
        events
            .iter()
            .map(|event| event.person.map(PersonId::uuid))
            .collect::<Vec<_>>(),
        events.iter().map(|event| &event.detail).collect::<Vec<&Value>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}
