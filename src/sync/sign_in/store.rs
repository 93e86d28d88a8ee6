//! The tables of tokens: `vendor_token`, `sign_in_turn`; and when one shows that consent is lost, `consent`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Binary, Bool, Double, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// How long a turn lasts unless its holder asks for more: longer than one request for a token and the wait after it.
const TURN_SECONDS: f64 = 120.0;

statement!(
    ReadToken: (SqlUuid, SqlUuid) ->
        (Binary, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Binary>, Nullable<Binary>) =
    "SELECT sealed, expires_at, made_at, refresh_sealed, scope FROM vendor_token
     WHERE tenant_id = $1 AND connection_id = $2"
);
statement!(
    WriteToken: (SqlUuid, SqlUuid, Binary, Nullable<Timestamptz>, Timestamptz, Nullable<Binary>, Binary, SqlUuid) -> () =
    "WITH ended AS (
         DELETE FROM sign_in_turn WHERE tenant_id = $1 AND connection_id = $2 AND holder = $8
     )
     INSERT INTO vendor_token (tenant_id, connection_id, sealed, expires_at, made_at, refresh_sealed, scope)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE
     SET sealed = excluded.sealed, expires_at = excluded.expires_at, made_at = excluded.made_at,
         refresh_sealed = excluded.refresh_sealed, scope = excluded.scope"
);
statement!(
    TakeTurn: (SqlUuid, SqlUuid, SqlUuid, Double) -> (Bool,) =
    "INSERT INTO sign_in_turn (tenant_id, connection_id, holder, until)
     VALUES ($1, $2, $3, now() + make_interval(secs => $4))
     ON CONFLICT (tenant_id, connection_id) DO UPDATE
     SET until = excluded.until, holder = excluded.holder,
         interrupted = sign_in_turn.interrupted OR sign_in_turn.holder <> excluded.holder
     WHERE sign_in_turn.holder = excluded.holder OR sign_in_turn.until < now()
     RETURNING interrupted"
);
statement!(
    EndTurn: (SqlUuid, SqlUuid, SqlUuid) -> () =
    "DELETE FROM sign_in_turn WHERE tenant_id = $1 AND connection_id = $2 AND holder = $3"
);
statement!(
    LoseConsent: (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Bool) -> (Bool,) =
    "WITH ended AS (
         DELETE FROM sign_in_turn WHERE tenant_id = $1 AND connection_id = $2 AND holder = $3
     ), dropped AS (
         DELETE FROM vendor_token WHERE tenant_id = $1 AND connection_id = $2
     )
     UPDATE consent SET lost_at = $4, interrupted = $5
     WHERE tenant_id = $1 AND connection_id = $2 AND lost_at IS NULL
     RETURNING interrupted"
);

/// A token as it is kept.
#[derive(Debug)]
pub(super) struct SealedToken {
    pub token: Vec<u8>,
    pub expires_at: Option<DateTime<Utc>>,
    pub made_at: Option<DateTime<Utc>>,
    pub refresh: Option<Vec<u8>>,
    pub scope: Option<Vec<u8>>,
}

/// A connection's turn, and who asks for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub holder: Uuid,
}

/// The token that the HR system gave.
pub(super) async fn token(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<SealedToken>, QueryError> {
    type Row = (
        Vec<u8>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
    );
    let row: Option<Row> = ReadToken::with((tenant.uuid(), connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(
        row.map(|(token, expires_at, made_at, refresh, scope)| SealedToken {
            token,
            expires_at,
            made_at,
            refresh,
            scope,
        }),
    )
}

/// Keeps a token in place of the one before, and ends the turn if it is the seat's: both or neither.
pub(super) async fn keep_token(
    conn: &mut Conn,
    seat: Seat,
    token: &SealedToken,
    made_at: DateTime<Utc>,
) -> Result<(), QueryError> {
    WriteToken::with((
        seat.tenant.uuid(),
        seat.connection.uuid(),
        token.token.as_slice(),
        token.expires_at,
        made_at,
        token.refresh.as_deref(),
        token.scope.as_deref().unwrap_or_default(),
        seat.holder,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the connection's turn, or makes it last. `None`: somebody else has it. Else whether an earlier holder broke off.
pub(super) async fn take_turn(conn: &mut Conn, seat: Seat) -> Result<Option<bool>, QueryError> {
    let row: Option<(bool,)> = TakeTurn::with((
        seat.tenant.uuid(),
        seat.connection.uuid(),
        seat.holder,
        TURN_SECONDS,
    ))
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|(interrupted,)| interrupted))
}

/// Ends the turn if it is the seat's.
pub(super) async fn end_turn(conn: &mut Conn, seat: Seat) -> Result<(), QueryError> {
    EndTurn::with((seat.tenant.uuid(), seat.connection.uuid(), seat.holder))
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops the token, ends the turn and notes that consent is lost. Returns whether that is news.
pub(super) async fn lose_consent(
    conn: &mut Conn,
    seat: Seat,
    now: DateTime<Utc>,
    interrupted: bool,
) -> Result<bool, QueryError> {
    let row: Option<(bool,)> = LoseConsent::with((
        seat.tenant.uuid(),
        seat.connection.uuid(),
        seat.holder,
        now,
        interrupted,
    ))
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.is_some())
}
