//! The table `message`: what is to be sent, what is under way, what came of it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::{Error, EventKind, Language};
use crate::base::TenantId;
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

/// A mail or a call to be made.
#[derive(Debug, Clone)]
pub(in crate::notice) struct NewMessage {
    pub tenant: TenantId,
    pub event: Uuid,
    /// A mail's recipient; none for a call.
    pub address: Option<String>,
    /// Where the call goes; none for a mail.
    pub subscription: Option<Uuid>,
    pub language: Language,
    pub escalated: bool,
    pub state: &'static str,
    pub at_most_once: bool,
    pub due_at: DateTime<Utc>,
}

statement!(
    /// One that is due later is tried from then on.
    AddMessages: (Timestamptz, Array<SqlUuid>, Array<SqlUuid>, Array<SqlUuid>, Array<Nullable<Text>>,
                  Array<Nullable<SqlUuid>>, Array<Text>, Array<Bool>, Array<Text>, Array<Bool>, Array<Timestamptz>) -> () =
    "INSERT INTO message (created_at, channel, tenant_id, id, event_id, address, subscription_id, language, escalated,
                          state, at_most_once, due_at, finished_at)
     SELECT m.due_at, CASE WHEN m.subscription_id IS NULL THEN 'mail' ELSE 'webhook' END, m.*,
            CASE WHEN m.state = 'unsent' THEN $1 END
     FROM UNNEST($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::bool[], $9::text[], $10::bool[],
                 $11::timestamptz[])
          AS m(tenant_id, id, event_id, address, subscription_id, language, escalated, state, at_most_once, due_at)"
);

/// Puts messages into the outbox.
pub(in crate::notice) async fn add(
    conn: &mut Conn,
    messages: &[NewMessage],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if messages.is_empty() {
        return Ok(());
    }
    AddMessages::with((
        now,
        messages.iter().map(|one| one.tenant.uuid()).collect::<Vec<_>>(),
        messages.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        messages.iter().map(|one| one.event).collect::<Vec<_>>(),
        messages
            .iter()
            .map(|one| one.address.as_deref())
            .collect::<Vec<_>>(),
        messages.iter().map(|one| one.subscription).collect::<Vec<_>>(),
        messages.iter().map(|one| one.language.code()).collect::<Vec<_>>(),
        messages.iter().map(|one| one.escalated).collect::<Vec<_>>(),
        messages.iter().map(|one| one.state).collect::<Vec<_>>(),
        messages.iter().map(|one| one.at_most_once).collect::<Vec<_>>(),
        messages.iter().map(|one| one.due_at).collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// A message that this process may send until its lease ends, with its event and the names that its words need.
#[derive(Debug, Clone)]
pub(in crate::notice) struct Leased {
    pub tenant: TenantId,
    pub id: Uuid,
    pub kind: Option<EventKind>,
    pub address: String,
    pub language: Language,
    pub escalated: bool,
    pub at_most_once: bool,
    pub attempts: i32,
    pub created_at: DateTime<Utc>,
    /// What the words may name.
    pub values: Value,
}

statement!(
    GiveUpHanding: (Timestamptz) -> () =
    "UPDATE message SET state = CASE WHEN at_most_once THEN 'unknown' ELSE 'waiting' END,
            finished_at = CASE WHEN at_most_once THEN $1 END,
            detail = 'the program ended while the mail was handed over', lease_owner = NULL, lease_until = NULL
     WHERE channel = 'mail' AND state = 'handing' AND lease_until < now()"
);
statement!(
    /// Of each tenant the first, then of each the second: nobody waits for all that others are told. Alarms go first.
    LeaseMails: (SqlUuid, Timestamptz, Double, BigInt) -> (SqlUuid, SqlUuid, Text, Text, Text, Bool, Bool, Integer, Timestamptz, Jsonb) =
    "WITH taken AS (
       UPDATE message SET state = 'leased', attempts = attempts + 1, lease_owner = $1,
              lease_until = now() + make_interval(secs => $3)
       FROM (SELECT m.tenant_id, m.id
             FROM tenant
             CROSS JOIN LATERAL (
               SELECT o.id, row_number() OVER (ORDER BY o.at_most_once, o.due_at) AS place
               FROM message o
               WHERE o.tenant_id = tenant.id AND o.channel = 'mail' AND o.due_at <= $2
                 AND o.state IN ('waiting', 'leased') AND (o.state = 'waiting' OR o.lease_until < now())
               ORDER BY o.at_most_once, o.due_at LIMIT $4) first
             JOIN message m ON m.tenant_id = tenant.id AND m.id = first.id
             WHERE m.state = 'waiting' OR m.state = 'leased' AND m.lease_until < now()
             ORDER BY first.place, m.at_most_once, m.due_at LIMIT $4 FOR UPDATE OF m SKIP LOCKED) next
       WHERE message.tenant_id = next.tenant_id AND message.id = next.id
       RETURNING message.*)
     SELECT m.tenant_id, m.id, e.kind, coalesce(m.address, ''), m.language, m.escalated, m.at_most_once,
            m.attempts, m.created_at,
            e.detail || jsonb_build_object('tenant', t.name, 'connection', c.name, 'app', a.name, 'entity', e.entity,
                                           'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"'))
     FROM taken m
     JOIN event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
     JOIN tenant t ON t.id = m.tenant_id
     LEFT JOIN connection c ON c.tenant_id = e.tenant_id AND c.id = e.connection_id
     LEFT JOIN app a ON a.tenant_id = e.tenant_id AND a.id = e.app_id
     ORDER BY m.at_most_once, m.due_at"
);

type LeasedRow = (
    Uuid,
    Uuid,
    String,
    String,
    String,
    bool,
    bool,
    i32,
    DateTime<Utc>,
    Value,
);

/// Takes up to `limit` mails that are due, alarms and then the oldest first, for `seconds`; what a killed process left at handing over is
/// settled first.
pub(in crate::notice) async fn lease_mails(
    conn: &mut Conn,
    owner: Uuid,
    now: DateTime<Utc>,
    seconds: f64,
    limit: i64,
) -> QueryResult<Vec<Leased>> {
    GiveUpHanding::with((now,)).execute(conn).await?;
    let rows: Vec<LeasedRow> = LeaseMails::with((owner, now, seconds, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (tenant, id, kind, address, language, escalated, at_most_once, attempts, created_at, values) =
                row;
            Leased {
                tenant: tenant.into(),
                id,
                kind: EventKind::of(&kind),
                address,
                language: Language::of(&language).unwrap_or_default(),
                escalated,
                at_most_once,
                attempts,
                created_at,
                values,
            }
        })
        .collect())
}

statement!(
    StillWaits: (SqlUuid, SqlUuid) -> (Bool,) =
    "SELECT EXISTS (SELECT FROM plan WHERE tenant_id = $1 AND id = $2 AND state = 'awaiting_approval')"
);

/// Whether a plan still waits for approval: else nobody need be reminded of it.
pub(in crate::notice) async fn still_waits(
    conn: &mut Conn,
    tenant: TenantId,
    plan: Uuid,
) -> QueryResult<bool> {
    let (waits,): (bool,) = StillWaits::with((tenant.uuid(), plan)).get_result(conn).await?;
    Ok(waits)
}

statement!(
    BeginHanding: (SqlUuid, SqlUuid, SqlUuid, Double) -> () =
    "UPDATE message SET state = 'handing', lease_until = now() + make_interval(secs => $4)
     WHERE tenant_id = $1 AND id = $2 AND state = 'leased' AND lease_owner = $3 AND lease_until > now()"
);

/// Says that the text is about to be handed over. False: somebody else has the mail now.
pub(in crate::notice) async fn begin_handing(
    conn: &mut Conn,
    mail: &Leased,
    owner: Uuid,
    seconds: f64,
) -> QueryResult<bool> {
    let begun = BeginHanding::with((mail.tenant.uuid(), mail.id, owner, seconds))
        .execute(conn)
        .await?;
    Ok(begun > 0)
}

statement!(
    EndMessage: (SqlUuid, SqlUuid, SqlUuid, Text, Text, Timestamptz, Timestamptz) -> () =
    "UPDATE message SET state = $4, detail = $5, due_at = $6, lease_owner = NULL, lease_until = NULL,
            finished_at = CASE WHEN $4 = 'waiting' THEN NULL ELSE $7 END
     WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3"
);

/// What came of a message. One that waits again is due at `due_at`.
pub(in crate::notice) async fn end(
    conn: &mut Conn,
    (tenant, id, owner): (TenantId, Uuid, Uuid),
    (state, detail): (&str, &str),
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    EndMessage::with((tenant.uuid(), id, owner, state, detail, due_at, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// A message as people look at it.
#[derive(Debug, Clone)]
pub struct MessageView {
    /// Its id.
    pub id: Uuid,
    /// Of which event.
    pub event: Uuid,
    /// The event's kind.
    pub kind: String,
    /// `mail` or `webhook`.
    pub channel: String,
    /// What became of it.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// What the other side said.
    pub detail: String,
    /// From when on it is sent.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

statement!(
    ListMessages: (SqlUuid, Nullable<Text>, Nullable<SqlUuid>, BigInt) -> (SqlUuid, SqlUuid, Text, Text, Text, Integer, Text, Timestamptz, Nullable<Timestamptz>) =
    "SELECT m.id, m.event_id, e.kind, m.channel, m.state, m.attempts, m.detail, m.created_at, m.finished_at
     FROM message m JOIN event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
     WHERE m.tenant_id = $1 AND ($2 IS NULL OR m.state = $2) AND ($3 IS NULL OR m.id < $3)
     ORDER BY m.id DESC LIMIT $4"
);

/// Up to `limit` messages, newest first.
///
/// # Errors
/// When the store refuses.
pub async fn messages(
    conn: &mut Conn,
    tenant: TenantId,
    state: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MessageView>, Error> {
    type Row = (
        Uuid,
        Uuid,
        String,
        String,
        String,
        i32,
        String,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
    );
    let rows: Vec<Row> = ListMessages::with((tenant.uuid(), state, before, limit))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(
            |(id, event, kind, channel, state, attempts, detail, created_at, finished_at)| MessageView {
                id,
                event,
                kind,
                channel,
                state,
                attempts,
                detail,
                created_at,
                finished_at,
            },
        )
        .collect())
}

statement!(
    Resend: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE message SET state = 'waiting', due_at = $3, created_at = $3, attempts = 0, finished_at = NULL
     WHERE tenant_id = $1 AND id = $2 AND state IN ('failed', 'unknown', 'unsent')"
);

/// Sends a message again that was not surely sent. Whether there was such a one.
///
/// # Errors
/// When the store refuses.
pub async fn resend(conn: &mut Conn, tenant: TenantId, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    let again = Resend::with((tenant.uuid(), id, now)).execute(conn).await?;
    Ok(again > 0)
}
