//! The tables `webhook`, `webhook_delivery` and `look`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::hear::Outcome;
use super::sheet::Counts;
use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;
use crate::sync::run::Run;

/// An address as stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub tenant: TenantId,
    pub id: Uuid,
    pub connection: ConnectionId,
    pub sealed: Vec<u8>,
    pub made_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub counts: Counts,
}

/// The state of its connection, for a delivery.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub tenant: TenantId,
    pub id: Uuid,
    pub connection: ConnectionId,
    pub connector: String,
    pub published: bool,
    pub sealed: Vec<u8>,
}

statement!(
    /// The address is what is known of the sender, so the tenant comes out of it.
    FindByKey: (Binary, Timestamptz) -> (SqlUuid, SqlUuid, SqlUuid, Text, Bool, Binary) =
    "SELECT webhook.tenant_id, webhook.id, webhook.connection_id, connection.connector,
       connection.state = 'published', webhook.sealed
     FROM webhook JOIN connection
       ON connection.tenant_id = webhook.tenant_id AND connection.id = webhook.connection_id
     WHERE webhook.key_digest = $1 AND (webhook.ends_at IS NULL OR webhook.ends_at > $2)"
);

/// The webhook at an address that still lives.
pub(super) async fn by_key(
    conn: &mut Conn,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Found>, QueryError> {
    let row: Option<(Uuid, Uuid, Uuid, String, bool, Vec<u8>)> =
        FindByKey::with((digest, now)).get_result(conn).await.optional()?;
    Ok(
        row.map(|(tenant, id, connection, connector, published, sealed)| Found {
            tenant: tenant.into(),
            id,
            connection: connection.into(),
            connector,
            published,
            sealed,
        }),
    )
}

type Row = (
    (Uuid, Uuid, Uuid, Vec<u8>, DateTime<Utc>, Option<DateTime<Utc>>),
    (i64, i64, i64, i64, i64),
    (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<String>),
);

type Flat = (
    Uuid,
    Uuid,
    Uuid,
    Vec<u8>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<String>,
);

fn read(flat: Flat) -> Stored {
    let (a, b, c, d, e, f, g, h, i, j, k, l, m, n) = flat;
    let row: Row = ((a, b, c, d, e, f), (g, h, i, j, k), (l, m, n));
    let ((tenant, id, connection, sealed, made_at, ends_at), numbers, last) = row;
    let (looked, ignored, repeated, unreadable, refused) = numbers;
    let (last_at, last_failed_at, last_failure) = last;
    Stored {
        tenant: tenant.into(),
        id,
        connection: connection.into(),
        sealed,
        made_at,
        ends_at,
        counts: Counts {
            looked,
            ignored,
            repeated,
            unreadable,
            refused,
            last_at,
            last_failed_at,
            last_failure,
        },
    }
}

statement!(
    OfConnection: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid, SqlUuid, SqlUuid, Binary, Timestamptz, Nullable<Timestamptz>, BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT tenant_id, id, connection_id, sealed, made_at, ends_at, looked, ignored, repeated, unreadable, refused,
       last_at, last_failed_at, last_failure
     FROM webhook WHERE tenant_id = $1 AND connection_id = $2 AND (ends_at IS NULL OR ends_at > $3)
     ORDER BY ends_at DESC NULLS FIRST, id DESC FOR UPDATE"
);

/// The living addresses of a connection, the one that stays first; locked until the transaction ends.
pub(super) async fn of_connection(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<Vec<Stored>, QueryError> {
    let rows: Vec<Flat> = OfConnection::with((tenant.uuid(), connection.uuid(), now))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    AddWebhook: (SqlUuid, SqlUuid, SqlUuid, Binary, Binary, Timestamptz) -> () =
    "INSERT INTO webhook (tenant_id, id, connection_id, key_digest, sealed, made_at) VALUES ($1, $2, $3, $4, $5, $6)"
);

/// Keeps a new address.
pub(super) async fn add(conn: &mut Conn, new: &Stored, key_digest: &[u8]) -> Result<(), QueryError> {
    AddWebhook::with((
        new.tenant.uuid(),
        new.id,
        new.connection.uuid(),
        key_digest,
        new.sealed.as_slice(),
        new.made_at,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    Reseal: (SqlUuid, SqlUuid, Binary) -> () =
    "UPDATE webhook SET sealed = $3 WHERE tenant_id = $1 AND id = $2"
);

/// Keeps another secret.
pub(super) async fn reseal(conn: &mut Conn, webhook: &Stored) -> Result<(), QueryError> {
    Reseal::with((webhook.tenant.uuid(), webhook.id, webhook.sealed.as_slice()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    EndWebhooks: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE webhook SET ends_at = least(ends_at, $3) WHERE tenant_id = $1 AND connection_id = $2"
);

/// Lets every address of a connection end, at the latest then.
pub(super) async fn end(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    at: DateTime<Utc>,
) -> Result<(), QueryError> {
    EndWebhooks::with((tenant.uuid(), connection.uuid(), at))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    NoteDelivery: (SqlUuid, SqlUuid, Binary, Timestamptz) -> () =
    "INSERT INTO webhook_delivery (tenant_id, webhook_id, digest, expires_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING"
);

/// Remembers a delivery until then. False: it came before.
pub(super) async fn note_delivery(
    conn: &mut Conn,
    found: &Found,
    digest: &[u8],
    until: DateTime<Utc>,
) -> Result<bool, QueryError> {
    let noted = NoteDelivery::with((found.tenant.uuid(), found.id, digest, until))
        .execute(conn)
        .await?;
    Ok(noted > 0)
}

statement!(
    CountDelivery: (SqlUuid, SqlUuid, Text, Timestamptz, Nullable<Text>) -> () =
    "UPDATE webhook SET
       looked = looked + ($3 = 'looked')::int, ignored = ignored + ($3 = 'ignored')::int,
       repeated = repeated + ($3 = 'repeated')::int, unreadable = unreadable + ($3 = 'unreadable')::int,
       refused = refused + ($3 = 'refused')::int,
       last_at = CASE WHEN $3 = 'refused' THEN last_at ELSE $4 END,
       last_failed_at = CASE WHEN $5 IS NULL THEN last_failed_at ELSE $4 END,
       last_failure = coalesce($5, last_failure)
     WHERE tenant_id = $1 AND id = $2"
);

/// Counts a delivery; `failure` says why it was refused or could not be read.
pub(super) async fn count(
    conn: &mut Conn,
    found: &Found,
    outcome: Outcome,
    failure: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    CountDelivery::with((found.tenant.uuid(), found.id, outcome.as_str(), now, failure))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    AskLooks: (SqlUuid, SqlUuid, Array<Text>, Timestamptz, Double, Double) -> () =
    "INSERT INTO look (tenant_id, connection_id, source_id, due_at)
     SELECT $1, $2, id, $4 + make_interval(secs => $5) FROM UNNEST($3) AS id
     ON CONFLICT (tenant_id, connection_id, source_id) DO UPDATE
     SET due_at = coalesce(look.due_at, greatest(excluded.due_at, look.looked_at + make_interval(secs => $6)))"
);

/// Asks for looks: after `quiet` seconds, and `apart` seconds after the last look at the same one. What is asked for
/// already stays due when it was.
pub(in crate::sync) async fn ask(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
    now: DateTime<Utc>,
    (quiet, apart): (f64, f64),
) -> Result<(), QueryError> {
    AskLooks::with((tenant.uuid(), connection.uuid(), source_ids, now, quiet, apart))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    DueLooks: (Timestamptz, Integer) -> (SqlUuid, SqlUuid, Bool, BigInt) =
    "SELECT tenant_id, connection_id, bool_or(source_id = ''), count(*) FILTER (WHERE source_id <> '')
     FROM look WHERE due_at <= $1 GROUP BY tenant_id, connection_id ORDER BY min(due_at) LIMIT $2"
);

/// A connection with looks that are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    /// All are wanted.
    pub all: bool,
    /// How many single ones are.
    pub single: i64,
}

/// Up to `limit` connections with looks that are due, the one that waits longest first.
pub(super) async fn due(conn: &mut Conn, now: DateTime<Utc>, limit: i32) -> Result<Vec<Due>, QueryError> {
    let rows: Vec<(Uuid, Uuid, bool, i64)> = DueLooks::with((now, limit)).get_results(conn).await?;
    let due = rows.into_iter().map(|(tenant, connection, all, single)| Due {
        tenant: tenant.into(),
        connection: connection.into(),
        all,
        single,
    });
    Ok(due.collect())
}

statement!(
    TakeLooks: (SqlUuid, SqlUuid, SqlUuid, Timestamptz, BigInt) -> (Text,) =
    "UPDATE look SET due_at = NULL, looked_at = $4, run_id = $3
     FROM (
       SELECT source_id FROM look
       WHERE tenant_id = $1 AND connection_id = $2 AND source_id <> '' AND (due_at <= $4 OR run_id = $3)
       ORDER BY due_at NULLS FIRST LIMIT $5 FOR UPDATE) next
     WHERE look.tenant_id = $1 AND look.connection_id = $2 AND look.source_id = next.source_id
     RETURNING look.source_id"
);

/// Up to `most` employees that a run looks at: first those it had taken before it was interrupted, then those that wait
/// longest.
pub(in crate::sync) async fn take(
    conn: &mut Conn,
    run: &Run,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<String>, QueryError> {
    let rows: Vec<(String,)> =
        TakeLooks::with((run.tenant.uuid(), run.connection.uuid(), run.id.uuid(), now, most))
            .get_results(conn)
            .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

statement!(
    SettleLooks: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE look SET due_at = NULL, looked_at = $3, run_id = NULL
     WHERE tenant_id = $1 AND connection_id = $2 AND due_at IS NOT NULL"
);

/// Marks everything that a connection's webhooks ask for as seen to, since all are read or nobody is.
pub(super) async fn settle(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    SettleLooks::with((tenant.uuid(), connection.uuid(), now))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SweepDeliveries: (Timestamptz) -> () = "DELETE FROM webhook_delivery WHERE expires_at < $1"
);
statement!(
    SweepWebhooks: (Timestamptz) -> () = "DELETE FROM webhook WHERE ends_at < $1"
);
statement!(
    SweepLooks: (Timestamptz) -> () = "DELETE FROM look WHERE due_at IS NULL AND looked_at < $1"
);

/// Forgets deliveries and addresses that have ended by `now`, and looks from before `looked_before`.
pub(in crate::sync) async fn sweep(
    conn: &mut Conn,
    now: DateTime<Utc>,
    looked_before: DateTime<Utc>,
) -> Result<(), QueryError> {
    SweepDeliveries::with((now,)).execute(conn).await?;
    SweepWebhooks::with((now,)).execute(conn).await?;
    SweepLooks::with((looked_before,)).execute(conn).await?;
    Ok(())
}
