//! The tables of consent: `consent_request`, `consent`, `oauth_client`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Consent;
use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// Consent that is awaited.
#[derive(Debug)]
pub(super) struct Asked {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub revision: i32,
    pub redirect: String,
    pub sealed: Option<Vec<u8>>,
    pub setup_link: Option<Vec<u8>>,
    pub publishes: bool,
    pub asked_by: String,
}

/// The operator's client at a vendor, as it is kept.
#[derive(Debug)]
pub(super) struct SealedClient {
    pub id: String,
    pub sealed: Option<Vec<u8>>,
    pub base_url: Option<String>,
}

statement!(
    WriteAsked: (SqlUuid, SqlUuid, Binary, Integer, Text, Nullable<Binary>, Nullable<Binary>, Text, Timestamptz,
        Timestamptz, Bool) -> () =
    "INSERT INTO consent_request (tenant_id, connection_id, state_digest, revision, redirect, sealed, setup_link,
         asked_by, asked_at, expires_at, publishes)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);
statement!(
    TakeAsked: (Binary, Timestamptz) ->
        (SqlUuid, SqlUuid, Integer, Text, Nullable<Binary>, Nullable<Binary>, Text, Bool) =
    "UPDATE consent_request SET used_at = $2
     WHERE state_digest = $1 AND used_at IS NULL AND expires_at > $2
     RETURNING tenant_id, connection_id, revision, redirect, sealed, setup_link, asked_by, publishes"
);
statement!(
    WasUsed: (Binary,) -> (Bool,) =
    "SELECT used_at IS NOT NULL FROM consent_request WHERE state_digest = $1"
);
statement!(
    ForgetAsked: (Timestamptz,) -> () = "DELETE FROM consent_request WHERE expires_at < $1"
);
statement!(
    GiveConsent: (SqlUuid, SqlUuid, Timestamptz, Text) -> () =
    "INSERT INTO consent (tenant_id, connection_id, given_at, given_by) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE
     SET given_at = excluded.given_at, given_by = excluded.given_by, lost_at = NULL, interrupted = false"
);
statement!(
    ReadConsent: (SqlUuid, SqlUuid) -> (Timestamptz, Text, Nullable<Timestamptz>, Bool) =
    "SELECT given_at, given_by, lost_at, interrupted FROM consent WHERE tenant_id = $1 AND connection_id = $2"
);
statement!(
    LostConsents: (SqlUuid,) -> (SqlUuid,) =
    "SELECT connection_id FROM consent WHERE tenant_id = $1 AND lost_at IS NOT NULL"
);
statement!(
    CountLost: () -> (BigInt,) = "SELECT count(*) FROM consent WHERE lost_at IS NOT NULL"
);
statement!(
    WriteClient: (Text, Text, Nullable<Binary>, Nullable<Text>, Timestamptz) -> () =
    "INSERT INTO oauth_client (connector, client_id, sealed, base_url, set_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (connector) DO UPDATE
     SET client_id = excluded.client_id, sealed = excluded.sealed, base_url = excluded.base_url,
         set_at = excluded.set_at"
);
statement!(
    ReadClient: (Text,) -> (Text, Nullable<Binary>, Nullable<Text>) =
    "SELECT client_id, sealed, base_url FROM oauth_client WHERE connector = $1"
);
statement!(
    RemoveClient: (Text,) -> () = "DELETE FROM oauth_client WHERE connector = $1"
);
statement!(
    DueForRenewal: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid) =
    "SELECT token.tenant_id, token.connection_id FROM vendor_token token
     WHERE token.refresh_sealed IS NOT NULL AND token.made_at < $1 ORDER BY token.made_at LIMIT $2"
);

/// Notes that consent is asked for. `state_digest` names it.
pub(super) async fn ask(
    conn: &mut Conn,
    state_digest: &[u8],
    asked: &Asked,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), QueryError> {
    WriteAsked::with((
        asked.tenant.uuid(),
        asked.connection.uuid(),
        state_digest,
        asked.revision,
        asked.redirect.as_str(),
        asked.sealed.as_deref(),
        asked.setup_link.as_deref(),
        asked.asked_by.as_str(),
        now,
        expires_at,
        asked.publishes,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes what an answer is for: once, and before it ends.
pub(super) async fn take(
    conn: &mut Conn,
    state_digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Asked>, QueryError> {
    type Row = (
        Uuid,
        Uuid,
        i32,
        String,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
        String,
        bool,
    );
    let row: Option<Row> = TakeAsked::with((state_digest, now))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(
        |(tenant, connection, revision, redirect, sealed, setup_link, asked_by, publishes)| Asked {
            tenant: tenant.into(),
            connection: connection.into(),
            revision,
            redirect,
            sealed,
            setup_link,
            publishes,
            asked_by,
        },
    ))
}

/// Whether an answer came before; `None`: nobody asked, or it was long ago.
pub(super) async fn was_used(conn: &mut Conn, state_digest: &[u8]) -> Result<Option<bool>, QueryError> {
    let row: Option<(bool,)> = WasUsed::with((state_digest,)).get_result(conn).await.optional()?;
    Ok(row.map(|(used,)| used))
}

/// Forgets what ended before `before`.
pub(super) async fn forget_asked(conn: &mut Conn, before: DateTime<Utc>) -> Result<(), QueryError> {
    ForgetAsked::with((before,)).execute(conn).await?;
    Ok(())
}

/// Notes that consent was given.
pub(super) async fn give(conn: &mut Conn, asked: &Asked, now: DateTime<Utc>) -> Result<(), QueryError> {
    GiveConsent::with((
        asked.tenant.uuid(),
        asked.connection.uuid(),
        now,
        asked.asked_by.as_str(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// How consent to a connection stands; `None`: it was never given.
pub(super) async fn consent(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<Consent>, QueryError> {
    type Row = (DateTime<Utc>, String, Option<DateTime<Utc>>, bool);
    let row: Option<Row> = ReadConsent::with((tenant.uuid(), connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(given_at, given_by, lost_at, interrupted)| Consent {
        given_at,
        given_by,
        lost_at,
        interrupted,
    }))
}

/// Connections of a tenant whose consent is lost.
pub(super) async fn lost(conn: &mut Conn, tenant: TenantId) -> Result<Vec<ConnectionId>, QueryError> {
    let rows: Vec<(Uuid,)> = LostConsents::with((tenant.uuid(),)).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

/// How many connections of all tenants have lost consent.
pub(super) async fn count_lost(conn: &mut Conn) -> Result<i64, QueryError> {
    let (count,): (i64,) = CountLost::with(()).get_result(conn).await?;
    Ok(count)
}

/// Keeps the operator's client at a vendor.
pub(super) async fn keep_client(
    conn: &mut Conn,
    connector: &str,
    client: &SealedClient,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    WriteClient::with((
        connector,
        client.id.as_str(),
        client.sealed.as_deref(),
        client.base_url.as_deref(),
        now,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// The operator's client at a vendor.
pub(super) async fn client(conn: &mut Conn, connector: &str) -> Result<Option<SealedClient>, QueryError> {
    type Row = (String, Option<Vec<u8>>, Option<String>);
    let row: Option<Row> = ReadClient::with((connector,)).get_result(conn).await.optional()?;
    Ok(row.map(|(id, sealed, base_url)| SealedClient { id, sealed, base_url }))
}

/// Removes the operator's client at a vendor.
pub(super) async fn remove_client(conn: &mut Conn, connector: &str) -> Result<(), QueryError> {
    RemoveClient::with((connector,)).execute(conn).await?;
    Ok(())
}

/// Connections whose token was renewed longest ago, before `before`.
pub(super) async fn due_for_renewal(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(TenantId, ConnectionId)>, QueryError> {
    let rows: Vec<(Uuid, Uuid)> = DueForRenewal::with((before, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, connection)| (tenant.into(), connection.into()))
        .collect())
}
