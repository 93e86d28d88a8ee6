//! The table `event`.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::{Error, EventKind, NewEvent};
use crate::base::{AppId, ConnectionId, PersonId, TenantId};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

statement!(
    RaiseEvents: (SqlUuid, Timestamptz, Array<SqlUuid>, Array<Text>, Array<Text>, Array<Nullable<SqlUuid>>,
                  Array<Nullable<SqlUuid>>, Array<Nullable<Text>>, Array<Nullable<SqlUuid>>, Array<Jsonb>) -> () =
    "INSERT INTO event (tenant_id, at, ready_at, id, kind, key, connection_id, app_id, entity, person_id, detail)
     SELECT $1, $2, $2, e.*
     FROM UNNEST($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::uuid[], $10::jsonb[]) AS e
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
    pub entity: Option<String>,
    pub detail: Value,
}

statement!(
    /// Of people who were deactivated it waits until their accounts are known, and until the run has ended, so that
    /// one can say how many they are.
    EventsToRoute: (Timestamptz, Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Text, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<Text>, Jsonb) =
    "SELECT tenant_id, id, kind, key, connection_id, app_id, entity, detail FROM event e
     WHERE routed_at IS NULL AND ready_at <= $1 AND (kind <> 'welcome' OR detail -> 'waits' IS NULL)
       AND (kind <> 'person_deactivated' OR detail -> 'accounts' IS NOT NULL
            AND (detail -> 'run' IS NULL OR at < $2 OR EXISTS (
                   SELECT FROM event r WHERE r.tenant_id = e.tenant_id AND r.kind IN ('run_done', 'run_failed')
                     AND r.key = e.detail ->> 'run')))
     ORDER BY ready_at LIMIT $3 FOR UPDATE SKIP LOCKED"
);

type EventRow = (
    Uuid,
    Uuid,
    String,
    String,
    Option<Uuid>,
    Option<Uuid>,
    Option<String>,
    Value,
);

/// Up to `limit` events of which nobody has been told, oldest first. They are ours until the transaction ends.
pub(in crate::notice) async fn to_route(
    conn: &mut Conn,
    now: DateTime<Utc>,
    patience: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<Event>> {
    let rows: Vec<EventRow> = EventsToRoute::with((now, now - patience, limit))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(tenant, id, kind, key, connection, app, entity, detail)| {
            Some(Event {
                tenant: tenant.into(),
                id,
                kind: EventKind::of(&kind)?,
                key,
                connection: connection.map(Into::into),
                app: app.map(Into::into),
                entity,
                detail,
            })
        })
        .collect())
}

statement!(
    MarkRouted: (Array<SqlUuid>, Array<SqlUuid>, Timestamptz) -> () =
    "UPDATE event SET routed_at = $3 FROM UNNEST($1::uuid[], $2::uuid[]) AS done(tenant_id, id)
     WHERE event.tenant_id = done.tenant_id AND event.id = done.id"
);

/// Says that it was decided who is told of these.
pub(in crate::notice) async fn mark_routed(
    conn: &mut Conn,
    events: &[Event],
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

statement!(
    CountOfGroup: (SqlUuid, Text, Text, Text, Timestamptz) -> (BigInt,) =
    "SELECT count(*) FROM event WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND at >= $5"
);
statement!(
    SomeOfGroup: (SqlUuid, Text, Text, Text, Timestamptz, BigInt) -> (Jsonb,) =
    "SELECT detail FROM event
     WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND at >= $5 ORDER BY key LIMIT $6"
);

/// Events of one kind that may be told together: their keys begin with `name` and a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::notice) struct Group {
    pub tenant: TenantId,
    pub kind: EventKind,
    pub name: String,
    /// Older ones do not count.
    pub since: DateTime<Utc>,
}

impl Group {
    /// How many they are, and the details of the first `limit`.
    pub async fn members(&self, conn: &mut Conn, limit: i64) -> QueryResult<(i64, Vec<Value>)> {
        let (tenant, kind) = (self.tenant.uuid(), self.kind.as_str());
        let (from, to) = (format!("{}/", self.name), format!("{}0", self.name));
        let (count,): (i64,) = CountOfGroup::with((tenant, kind, from.as_str(), to.as_str(), self.since))
            .get_result(conn)
            .await?;
        let rows: Vec<(Value,)> =
            SomeOfGroup::with((tenant, kind, from.as_str(), to.as_str(), self.since, limit))
                .load(conn)
                .await?;
        Ok((count, rows.into_iter().map(|(detail,)| detail).collect()))
    }
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
    ListUnsettled: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Text, Timestamptz) =
    "SELECT tenant_id, id, coalesce(detail ->> 'user', ''), at FROM event
     WHERE routed_at IS NULL AND ready_at <= $1 AND kind = 'person_deactivated' AND detail -> 'accounts' IS NULL
     ORDER BY ready_at LIMIT $2"
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
