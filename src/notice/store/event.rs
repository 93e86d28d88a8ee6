//! The table `event`.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Entity, Error, EventKind, NewEvent};
use crate::base::{AppId, ConnectionId, PersonId, TenantId};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

statement!(
    RaiseEvents: (SqlUuid, Timestamptz, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Nullable<SqlUuid>>,
                  Array<Nullable<SqlUuid>>, Array<Jsonb>, Array<Nullable<SqlUuid>>, Array<Jsonb>) -> () =
    "INSERT INTO event (tenant_id, at, ready_at, id, kind, key, connection_id, app_id, entity_words, person_id, detail, entity)
     SELECT $1, $2, $2, e.*, e.entity_words ->> 0
     FROM UNNEST($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::jsonb[], $9::uuid[], $10::jsonb[])
          AS e(id, kind, key, connection_id, app_id, entity_words, person_id, detail)
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
    raise_all(conn, tenant, std::slice::from_ref(event), now).await
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
    if events.is_empty() {
        return Ok(());
    }
    RaiseEvents::with((
        tenant.uuid(),
        now,
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
            .map(|event| json!(event.entity.as_ref().map_or(&[][..], Entity::words)))
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

statement!(
    ForgetUntold: (SqlUuid, Text, Array<Text>) -> () =
    "DELETE FROM event WHERE tenant_id = $1 AND kind = $2 AND key = ANY($3) AND routed_at IS NULL"
);
statement!(
    WithdrawMessages: (SqlUuid, Text, Array<Text>, Timestamptz) -> () =
    "UPDATE message m SET state = 'withdrawn', detail = 'it is no longer to come', finished_at = $4
     FROM event e
     WHERE e.tenant_id = $1 AND e.kind = $2 AND e.key = ANY($3)
       AND m.tenant_id = $1 AND m.event_id = e.id AND m.state IN ('waiting', 'unsent')"
);

/// Takes back, in the caller's transaction, what was raised and is no longer to come: nobody is told who was not told yet.
///
/// # Errors
/// When the store refuses.
pub async fn withdraw(
    conn: &mut Conn,
    tenant: TenantId,
    kind: EventKind,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    // In this order: whoever is routing one of them meanwhile is waited for, and its messages are seen then.
    ForgetUntold::with((tenant.uuid(), kind.as_str(), keys.to_vec()))
        .execute(conn)
        .await?;
    WithdrawMessages::with((tenant.uuid(), kind.as_str(), keys.to_vec(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// An event as it is told.
#[derive(Debug, Clone)]
pub(in crate::notice) struct Event {
    pub tenant: TenantId,
    pub id: Uuid,
    pub kind: EventKind,
    pub key: String,
    pub connection: Option<ConnectionId>,
    pub app: Option<AppId>,
    /// The words for its legal entity; of a digest, the entities of those whose digest it is.
    pub entity: Vec<String>,
    pub detail: Value,
    pub at: DateTime<Utc>,
    /// It waited to be told with others.
    pub was_put_off: bool,
    /// It is told with others, by no mail of its own.
    pub is_digested: bool,
}

statement!(
    /// Of people who were deactivated it waits until their accounts are known, and until the run has ended, so that
    /// one can say how many they are. Kinds that this version of the program does not know wait for one that does.
    EventsToRoute: (Timestamptz, Timestamptz, BigInt, Array<Text>) -> (SqlUuid, SqlUuid, Text, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Jsonb, Jsonb, Timestamptz, Bool, Bool) =
    "SELECT tenant_id, id, kind, key, connection_id, app_id, entity_words, detail, at, ready_at > at, digest IS NOT NULL
     FROM event e
     WHERE routed_at IS NULL AND ready_at <= $1 AND kind = ANY($4) AND (kind <> 'welcome' OR detail -> 'waits' IS NULL)
       AND (kind <> 'person_deactivated' OR detail -> 'accounts' IS NOT NULL
            AND (detail -> 'run' IS NULL OR at < $2 OR EXISTS (
                   SELECT FROM run r WHERE r.tenant_id = e.tenant_id AND r.finished_at IS NOT NULL
                     AND r.id = CASE WHEN e.detail ->> 'run' ~ '^[0-9a-f-]{36}$' THEN (e.detail ->> 'run')::uuid END)))
     ORDER BY ready_at LIMIT $3 FOR UPDATE SKIP LOCKED"
);

type EventRow = (
    Uuid,
    Uuid,
    String,
    String,
    Option<Uuid>,
    Option<Uuid>,
    Value,
    Value,
    DateTime<Utc>,
    bool,
    bool,
);

/// Up to `limit` events of which nobody has been told, oldest first. They are ours until the transaction ends.
pub(in crate::notice) async fn to_route(
    conn: &mut Conn,
    now: DateTime<Utc>,
    patience: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<Event>> {
    let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let rows: Vec<EventRow> = EventsToRoute::with((now, now - patience, limit, known))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let (tenant, id, kind, key, connection, app, entity, detail, at, was_put_off, is_digested) = row;
            Some(Event {
                tenant: tenant.into(),
                id,
                kind: EventKind::of(&kind)?,
                key,
                connection: connection.map(Into::into),
                app: app.map(Into::into),
                entity: serde_json::from_value(entity).unwrap_or_default(),
                detail,
                at,
                was_put_off,
                is_digested,
            })
        })
        .collect())
}

statement!(
    PutOff: (Array<SqlUuid>, Array<SqlUuid>, Array<Timestamptz>) -> () =
    "UPDATE event SET ready_at = p.until FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[]) AS p(tenant_id, id, until)
     WHERE event.tenant_id = p.tenant_id AND event.id = p.id"
);

/// Lets events wait until then.
pub(in crate::notice) async fn put_off(
    conn: &mut Conn,
    events: &[(&Event, DateTime<Utc>)],
) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    PutOff::with((
        events
            .iter()
            .map(|(event, _)| event.tenant.uuid())
            .collect::<Vec<_>>(),
        events.iter().map(|(event, _)| event.id).collect::<Vec<_>>(),
        events.iter().map(|(_, until)| *until).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    MarkRouted: (Array<SqlUuid>, Array<SqlUuid>, Timestamptz) -> () =
    "UPDATE event SET routed_at = $3 FROM UNNEST($1::uuid[], $2::uuid[]) AS done(tenant_id, id)
     WHERE event.tenant_id = done.tenant_id AND event.id = done.id"
);

/// Says that it was decided who is told of these.
pub(in crate::notice) async fn mark_routed(
    conn: &mut Conn,
    events: &[&Event],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    MarkRouted::with((
        events.iter().map(|event| event.tenant.uuid()).collect::<Vec<_>>(),
        events.iter().map(|event| event.id).collect::<Vec<_>>(),
        now,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody who was deactivated, whose accounts are not known yet.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// Whose.
    pub tenant: TenantId,
    /// The event.
    pub event: Uuid,
    /// The user.
    pub user: Uuid,
    /// Since when.
    pub at: DateTime<Utc>,
}

statement!(
    /// Of each tenant the first, then of each the second: an app that is away keeps those of other tenants from nothing.
    ListUnsettled: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Text, Timestamptz) =
    "SELECT tenant_id, id, coalesce(detail ->> 'user', ''), at FROM event
     WHERE routed_at IS NULL AND ready_at <= $1 AND kind = 'person_deactivated' AND detail -> 'accounts' IS NULL
     ORDER BY row_number() OVER (PARTITION BY tenant_id ORDER BY ready_at), ready_at LIMIT $2"
);

/// Up to `limit` people who were deactivated, of whom nobody is told before the apps have answered: see [`settle`].
///
/// # Errors
/// When the store refuses.
pub async fn unsettled(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<Unsettled>, Error> {
    let rows: Vec<(Uuid, Uuid, String, DateTime<Utc>)> = ListUnsettled::with((now, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, event, user, at)| Unsettled {
            tenant: tenant.into(),
            event,
            user: Uuid::try_parse(&user).unwrap_or_default(),
            at,
        })
        .collect())
}

statement!(
    Settle: (Array<SqlUuid>, Array<SqlUuid>, Array<Jsonb>) -> () =
    "UPDATE event SET detail = event.detail || jsonb_build_object('accounts', s.accounts)
     FROM UNNEST($1::uuid[], $2::uuid[], $3::jsonb[]) AS s(tenant_id, id, accounts)
     WHERE event.tenant_id = s.tenant_id AND event.id = s.id AND event.routed_at IS NULL"
);

/// Says which accounts people held who were deactivated: a list of `app`, `state`, `reason` and `fields` (`name`,
/// `value`). Now somebody is told.
///
/// # Errors
/// When the store refuses.
pub async fn settle(conn: &mut Conn, settled: &[(Unsettled, Value)]) -> Result<(), Error> {
    if settled.is_empty() {
        return Ok(());
    }
    Settle::with((
        settled
            .iter()
            .map(|(one, _)| one.tenant.uuid())
            .collect::<Vec<_>>(),
        settled.iter().map(|(one, _)| one.event).collect::<Vec<_>>(),
        settled.iter().map(|(_, accounts)| accounts).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    ForgetOld: (Timestamptz, BigInt) -> () =
    "DELETE FROM event WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM event WHERE at < $1 AND routed_at IS NOT NULL ORDER BY at LIMIT $2)"
);

/// Forgets up to `limit` events before `before`, with what was sent of them. Returns how many.
pub(in crate::notice) async fn forget(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<usize> {
    ForgetOld::with((before, limit)).execute(conn).await
}
