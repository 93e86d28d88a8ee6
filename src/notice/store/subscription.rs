//! The table `subscription`: addresses that are told of events by HTTP.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::route::is_of;
use super::super::webhook::new_secret;
use super::super::{Error, EventKind, Language};
use crate::base::{Sealer, Secret, TenantId, Unsealable};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

/// A subscription that hears.
#[derive(Debug, Clone)]
pub(in crate::notice) struct Listener {
    pub tenant: TenantId,
    pub id: Uuid,
    pub language: Option<Language>,
    pub events: Vec<EventKind>,
    pub entities: Vec<String>,
}

impl Listener {
    /// Whether it is told of such an event of an entity that has these words.
    pub fn hears(&self, kind: EventKind, entity: &[String]) -> bool {
        (self.events.is_empty() || self.events.contains(&kind)) && is_of(&self.entities, kind, entity)
    }
}

statement!(
    ListenersOf: (Array<SqlUuid>) -> (SqlUuid, SqlUuid, Array<Text>, Array<Text>, Nullable<Text>) =
    "SELECT tenant_id, id, events, entities, language FROM subscription
     WHERE tenant_id = ANY($1) AND state = 'active'"
);

/// The subscriptions of these tenants that hear.
pub(in crate::notice) async fn listeners(conn: &mut Conn, tenants: &[Uuid]) -> QueryResult<Vec<Listener>> {
    type Row = (Uuid, Uuid, Vec<String>, Vec<String>, Option<String>);
    let rows: Vec<Row> = ListenersOf::with((tenants.to_vec(),)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, id, events, entities, language)| Listener {
            tenant: tenant.into(),
            id,
            language: language.as_deref().and_then(Language::of),
            events: events.iter().filter_map(|word| EventKind::of(word)).collect(),
            entities,
        })
        .collect())
}

/// How a subscription is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The event as JSON, signed.
    Standard,
    /// A message for a channel of Slack.
    Slack,
    /// A message for a channel of Teams.
    Teams,
}

impl Preset {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "slack" => Self::Slack,
            "teams" => Self::Teams,
            _ => Self::Standard,
        }
    }
}

/// Where a subscription is told, and what signs.
#[derive(Debug)]
pub(in crate::notice) struct Target {
    pub url: Secret,
    pub secret: Secret,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    url: String,
    secret: String,
}

impl Target {
    fn about(subscription: Uuid) -> String {
        format!("subscription:{subscription}")
    }

    /// Opens what was sealed.
    pub fn open(sealer: &Sealer, subscription: Uuid, sealed: &[u8]) -> Result<Self, Unsealable> {
        let plain = sealer.open(&Self::about(subscription), sealed)?;
        let Sealed { url, secret } = serde_json::from_slice(&plain).map_err(|_| Unsealable)?;
        Ok(Self {
            url: Secret::new(url),
            secret: Secret::new(secret),
        })
    }

    fn seal(&self, sealer: &Sealer, subscription: Uuid) -> Result<Vec<u8>, Unsealable> {
        let plain = Sealed {
            url: self.url.expose().to_owned(),
            secret: self.secret.expose().to_owned(),
        };
        let plain = serde_json::to_vec(&plain).map_err(|_| Unsealable)?;
        sealer.seal(&Self::about(subscription), &plain)
    }
}

/// A call that this process may make.
#[derive(Debug, Clone)]
pub(in crate::notice) struct Call {
    pub tenant: TenantId,
    pub id: Uuid,
    pub event: Uuid,
    pub kind: Option<EventKind>,
    pub at: DateTime<Utc>,
    pub connection: Option<Uuid>,
    pub app: Option<Uuid>,
    pub entity: Option<String>,
    pub person: Option<Uuid>,
    pub detail: Value,
    /// The names of tenant, connection and app, and the time as text.
    pub names_of: Map<String, Value>,
    pub subscription: Uuid,
    pub subscription_name: String,
    pub preset: Preset,
    pub sealed: Vec<u8>,
    pub names: bool,
    pub language: Language,
    pub failures: i32,
    pub attempts: i32,
}

statement!(
    /// Of each subscription the first that are open: of a failing one the first alone. So neither much that waits for one
    /// nor an address that hangs keeps the others from being told.
    LeaseCalls: (SqlUuid, Timestamptz, Double, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Text, Timestamptz, Jsonb, Jsonb, Jsonb, SqlUuid, Text, Text, Binary, Bool, Text, Integer, Integer) =
    "WITH taken AS (
       UPDATE message SET state = 'leased', attempts = attempts + 1, lease_owner = $1,
              lease_until = now() + make_interval(secs => $3)
       FROM (SELECT m.tenant_id, m.id
             FROM subscription s
             CROSS JOIN LATERAL (
               SELECT o.id, row_number() OVER (ORDER BY o.created_at, o.id) AS place
               FROM message o
               WHERE o.tenant_id = s.tenant_id AND o.subscription_id = s.id AND o.state IN ('waiting', 'leased')
               ORDER BY o.created_at, o.id LIMIT CASE WHEN s.failures = 0 THEN 5 ELSE 1 END) first
             JOIN message m ON m.tenant_id = s.tenant_id AND m.id = first.id
             WHERE s.state = 'active' AND (s.resume_at IS NULL OR s.resume_at <= $2) AND m.due_at <= $2
               AND (m.state = 'waiting' OR m.state = 'leased' AND m.lease_until < now())
             ORDER BY first.place, m.created_at, m.id LIMIT $4 FOR UPDATE OF m SKIP LOCKED) next
       WHERE message.tenant_id = next.tenant_id AND message.id = next.id
       RETURNING message.*)
     SELECT m.tenant_id, m.id, m.event_id, e.kind, e.at,
            jsonb_build_object('connection', e.connection_id, 'app', e.app_id, 'entity', e.entity, 'person', e.person_id),
            e.detail,
            jsonb_build_object('tenant', t.name, 'connection', c.name, 'app', a.name, 'entity', e.entity,
                               'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')),
            s.id, s.name, s.preset, s.sealed, s.names, m.language, s.failures, m.attempts
     FROM taken m
     JOIN event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
     JOIN subscription s ON s.tenant_id = m.tenant_id AND s.id = m.subscription_id
     JOIN tenant t ON t.id = m.tenant_id
     LEFT JOIN connection c ON c.tenant_id = e.tenant_id AND c.id = e.connection_id
     LEFT JOIN app a ON a.tenant_id = e.tenant_id AND a.id = e.app_id"
);

/// Takes up to `limit` calls that are due, oldest first, for `seconds`.
pub(in crate::notice) async fn lease_calls(
    conn: &mut Conn,
    owner: Uuid,
    now: DateTime<Utc>,
    seconds: f64,
    limit: i64,
) -> QueryResult<Vec<Call>> {
    type Row = (
        Uuid,
        Uuid,
        Uuid,
        String,
        DateTime<Utc>,
        Value,
        Value,
        Value,
        Uuid,
        String,
        String,
        Vec<u8>,
        bool,
        String,
        i32,
        i32,
    );
    let rows: Vec<Row> = LeaseCalls::with((owner, now, seconds, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (
                tenant,
                id,
                event,
                kind,
                at,
                of,
                detail,
                names_of,
                subscription,
                subscription_name,
                preset,
                ..,
            ) = &row;
            let (.., sealed, names, language, failures, attempts) = &row;
            let text = |name: &str| of.get(name).and_then(Value::as_str);
            let id_of = |name: &str| text(name).and_then(|id| Uuid::try_parse(id).ok());
            Call {
                tenant: (*tenant).into(),
                id: *id,
                event: *event,
                kind: EventKind::of(kind),
                at: *at,
                connection: id_of("connection"),
                app: id_of("app"),
                entity: text("entity").map(str::to_owned),
                person: id_of("person"),
                detail: detail.clone(),
                names_of: names_of.as_object().cloned().unwrap_or_default(),
                subscription: *subscription,
                subscription_name: subscription_name.clone(),
                preset: Preset::of(preset),
                sealed: sealed.clone(),
                names: *names,
                language: Language::of(language).unwrap_or_default(),
                failures: *failures,
                attempts: *attempts,
            }
        })
        .collect())
}

statement!(
    Succeeded: (SqlUuid, SqlUuid) -> () =
    "UPDATE subscription SET failures = 0, failing_since = NULL, resume_at = NULL
     WHERE tenant_id = $1 AND id = $2 AND failures > 0"
);
statement!(
    Failed: (SqlUuid, SqlUuid, Text, Timestamptz, Timestamptz) -> (Timestamptz,) =
    "UPDATE subscription SET failures = failures + 1, failing_since = coalesce(failing_since, $4), last_failure = $3,
            resume_at = $5
     WHERE tenant_id = $1 AND id = $2 RETURNING failing_since"
);

/// An address took what it was sent.
pub(in crate::notice) async fn succeeded(conn: &mut Conn, tenant: TenantId, id: Uuid) -> QueryResult<()> {
    Succeeded::with((tenant.uuid(), id)).execute(conn).await?;
    Ok(())
}

/// An address did not; nothing more is sent before `resume_at`. Returns since when it fails;
/// nothing when it was taken away meanwhile.
pub(in crate::notice) async fn failed(
    conn: &mut Conn,
    tenant: TenantId,
    id: Uuid,
    (words, now): (&str, DateTime<Utc>),
    resume_at: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    let rows: Vec<(DateTime<Utc>,)> = Failed::with((tenant.uuid(), id, words, now, resume_at))
        .load(conn)
        .await?;
    Ok(rows.into_iter().next().map(|(since,)| since))
}

statement!(
    SetState: (SqlUuid, SqlUuid, Text) -> () =
    "UPDATE subscription SET state = $3, failures = CASE WHEN $3 = 'active' THEN 0 ELSE failures END,
            failing_since = CASE WHEN $3 = 'active' THEN NULL ELSE failing_since END,
            resume_at = CASE WHEN $3 = 'active' THEN NULL ELSE resume_at END
     WHERE tenant_id = $1 AND id = $2"
);

/// Switches a subscription on (`active`) or off (`paused`, `disabled`). Whether there is one.
///
/// # Errors
/// When the store refuses.
pub async fn set_state(conn: &mut Conn, tenant: TenantId, id: Uuid, state: &str) -> Result<bool, Error> {
    let done = SetState::with((tenant.uuid(), id, state)).execute(conn).await?;
    Ok(done > 0)
}

/// A subscription as people look at it: never its address or its secret.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// How it is told.
    pub preset: Preset,
    /// Kinds of events; empty: all.
    pub events: Vec<EventKind>,
    /// Only of these legal entities; empty: of all, and of what belongs to none.
    pub entities: Vec<String>,
    /// Whether it is sent names and addresses of people.
    pub names: bool,
    /// In this language, where it is told in words.
    pub language: Option<Language>,
    /// `active`, `paused`, or `disabled` after failing for days.
    pub state: String,
    /// Failures one after the other.
    pub failures: i32,
    /// Since when it fails.
    pub failing_since: Option<DateTime<Utc>>,
    /// What it last said.
    pub last_failure: Option<String>,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
}

statement!(
    ListSubscriptions: (SqlUuid,) -> (SqlUuid, Text, Text, Array<Text>, Array<Text>, Bool, Nullable<Text>, Text, Integer, Nullable<Timestamptz>, Nullable<Text>, Timestamptz) =
    "SELECT id, name, preset, events, entities, names, language, state, failures, failing_since, last_failure, created_at
     FROM subscription WHERE tenant_id = $1 ORDER BY name"
);

/// A tenant's subscriptions, by name.
///
/// # Errors
/// When the store refuses.
pub async fn subscriptions(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Subscription>, Error> {
    type Row = (
        Uuid,
        String,
        String,
        Vec<String>,
        Vec<String>,
        bool,
        Option<String>,
        String,
        i32,
        Option<DateTime<Utc>>,
        Option<String>,
        DateTime<Utc>,
    );
    let rows: Vec<Row> = ListSubscriptions::with((tenant.uuid(),)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (id, name, preset, events, entities, names, language, state, failures, failing_since, ..) =
                &row;
            let (.., last_failure, created_at) = &row;
            Subscription {
                id: *id,
                name: name.clone(),
                preset: Preset::of(preset),
                events: events.iter().filter_map(|word| EventKind::of(word)).collect(),
                entities: entities.clone(),
                names: *names,
                language: language.as_deref().and_then(Language::of),
                state: state.clone(),
                failures: *failures,
                failing_since: *failing_since,
                last_failure: last_failure.clone(),
                created_at: *created_at,
            }
        })
        .collect())
}

/// An address to be told.
#[derive(Debug)]
pub struct NewSubscription {
    /// Its name.
    pub name: String,
    /// Where.
    pub url: Secret,
    /// How.
    pub preset: Preset,
    /// Kinds of events; empty: all.
    pub events: Vec<EventKind>,
    /// Only of these legal entities; empty: of all.
    pub entities: Vec<String>,
    /// Whether it is sent names and addresses of people.
    pub names: bool,
    /// In this language, where it is told in words.
    pub language: Option<Language>,
}

statement!(
    AddSubscription: (SqlUuid, SqlUuid, Text, Text, Binary, Array<Text>, Array<Text>, Bool, Nullable<Text>, Timestamptz, Text) -> () =
    "INSERT INTO subscription (tenant_id, id, name, preset, sealed, events, entities, names, language, state, created_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $11) ON CONFLICT (tenant_id, name) DO NOTHING"
);

/// Adds a subscription. Returns its id and the secret that signs, this once; none when the name is taken.
///
/// # Errors
/// When the store refuses, or nothing can be sealed.
pub async fn add_subscription(
    conn: &mut Conn,
    tenant: TenantId,
    new: NewSubscription,
    sealer: &Sealer,
    (actor, now): (&str, DateTime<Utc>),
) -> Result<Option<(Uuid, Secret)>, Error> {
    let id = Uuid::now_v7();
    let target = Target {
        url: new.url,
        secret: new_secret(),
    };
    let events: Vec<&str> = new.events.iter().map(|kind| kind.as_str()).collect();
    let added = AddSubscription::with((
        tenant.uuid(),
        id,
        new.name,
        new.preset.as_str(),
        target.seal(sealer, id)?,
        events,
        new.entities,
        new.names,
        new.language.map(Language::code),
        now,
        actor,
    ))
    .execute(conn)
    .await?;
    Ok((added > 0).then_some((id, target.secret)))
}

statement!(
    DropSubscription: (SqlUuid, SqlUuid) -> () = "DELETE FROM subscription WHERE tenant_id = $1 AND id = $2"
);

/// Takes a subscription away, with what it was to be sent. Whether there was one.
///
/// # Errors
/// When the store refuses.
pub async fn drop_subscription(conn: &mut Conn, tenant: TenantId, id: Uuid) -> Result<bool, Error> {
    let gone = DropSubscription::with((tenant.uuid(), id)).execute(conn).await?;
    Ok(gone > 0)
}

/// Which events are sent again.
#[derive(Debug, Clone, Copy)]
pub enum Replay {
    /// One.
    Event(Uuid),
    /// Those of a span: from the first instant, before the second.
    Span(DateTime<Utc>, DateTime<Utc>),
}

statement!(
    /// In the order of the events, by microseconds. What nobody was told of yet is told in its time.
    ReplayEvents: (SqlUuid, SqlUuid, Timestamptz, Nullable<SqlUuid>, Timestamptz, Timestamptz, BigInt, Array<Text>) -> () =
    "INSERT INTO message (tenant_id, id, event_id, channel, subscription_id, language, state, at_most_once, due_at, created_at)
     SELECT e.tenant_id, gen_random_uuid(), e.id, 'webhook', s.id, coalesce(s.language, 'en'), 'waiting', false, $3,
            $3 + row_number() OVER (ORDER BY e.at, e.id) * interval '1 microsecond'
     FROM event e JOIN subscription s ON s.tenant_id = e.tenant_id AND s.id = $2
     WHERE e.tenant_id = $1 AND ($4 IS NOT NULL AND e.id = $4 OR $4 IS NULL AND e.at >= $5 AND e.at < $6)
       AND e.routed_at IS NOT NULL AND (s.events = '{}' OR e.kind = ANY(s.events))
       AND CASE WHEN e.kind = ANY($8)
                THEN e.entity_words @> to_jsonb(s.entities) AND to_jsonb(s.entities) @> e.entity_words
                ELSE s.entities = '{}' OR e.entity_words ?| s.entities END
     ORDER BY e.at, e.id LIMIT $7"
);

/// Sends events again to a subscription that hears them, oldest first and `limit` at most. Returns how many.
///
/// # Errors
/// When the store refuses.
pub async fn replay(
    conn: &mut Conn,
    tenant: TenantId,
    id: Uuid,
    what: Replay,
    (now, limit): (DateTime<Utc>, i64),
) -> Result<usize, Error> {
    let (event, from, to) = match what {
        Replay::Event(event) => (Some(event), now, now),
        Replay::Span(from, to) => (None, from, to),
    };
    let digests: Vec<&str> = EventKind::ALL
        .iter()
        .filter(|kind| kind.is_digest())
        .map(|kind| kind.as_str())
        .collect();
    Ok(
        ReplayEvents::with((tenant.uuid(), id, now, event, from, to, limit, digests))
            .execute(conn)
            .await?,
    )
}
