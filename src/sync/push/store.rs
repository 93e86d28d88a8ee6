//! The tables `push_session` and `push_page`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::session::{PushSession, SessionKind, SessionState};
use crate::base::{ConnectionId, PushSessionId, RunId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;
use crate::sync::run::Run;

statement!(
    OpenSession: (SqlUuid, SqlUuid, SqlUuid, Text, Timestamptz, Text, Timestamptz) -> () =
    "INSERT INTO push_session (tenant_id, id, connection_id, kind, state, created_at, created_by, expires_at)
     VALUES ($1, $2, $3, $4, 'open', $5, $6, $7)"
);
statement!(
    CountOpen: (SqlUuid, SqlUuid, Timestamptz) -> (BigInt,) =
    "SELECT count(*) FROM push_session WHERE tenant_id = $1 AND connection_id = $2 AND state = 'open' AND expires_at > $3"
);

/// Opens a session.
pub(super) async fn open(conn: &mut Conn, session: &PushSession) -> Result<(), QueryError> {
    OpenSession::with((
        session.tenant.uuid(),
        session.id.uuid(),
        session.connection.uuid(),
        session.kind.as_str(),
        session.created_at,
        session.created_by.as_str(),
        session.expires_at,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// How many sessions of a connection are open. The caller holds the connection's row.
pub(super) async fn count_open(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<i64, QueryError> {
    let (count,): (i64,) = CountOpen::with((tenant.uuid(), connection.uuid(), now))
        .get_result(conn)
        .await?;
    Ok(count)
}

type Row = (
    Uuid,
    Uuid,
    Uuid,
    String,
    String,
    DateTime<Utc>,
    String,
    DateTime<Utc>,
    Option<Uuid>,
    i64,
    i64,
    i64,
    i64,
);

fn read(row: Row) -> PushSession {
    let (
        tenant,
        id,
        connection,
        kind,
        state,
        created_at,
        created_by,
        expires_at,
        run,
        pages,
        last,
        records,
        bytes,
    ) = row;
    PushSession {
        tenant: tenant.into(),
        id: id.into(),
        connection: connection.into(),
        kind: SessionKind::read(&kind),
        state: SessionState::read(&state),
        created_at,
        created_by,
        expires_at,
        run: run.map(RunId::from),
        pages,
        last_page: last,
        records,
        bytes,
    }
}

statement!(
    ReadSession: (SqlUuid, SqlUuid) -> (SqlUuid, SqlUuid, SqlUuid, Text, Text, Timestamptz, Text, Timestamptz,
        Nullable<SqlUuid>, BigInt, BigInt, BigInt, BigInt) =
    "SELECT s.tenant_id, s.id, s.connection_id, s.kind, s.state, s.created_at, s.created_by, s.expires_at, s.run_id,
       p.pages, p.last, p.records, p.bytes
     FROM push_session s CROSS JOIN LATERAL (
       SELECT count(*) AS pages, coalesce(max(number), 0)::bigint AS last, coalesce(sum(records), 0)::bigint AS records,
         coalesce(sum(octet_length(sealed)), 0)::bigint AS bytes
       FROM push_page WHERE tenant_id = s.tenant_id AND session_id = s.id) p
     WHERE s.tenant_id = $1 AND s.id = $2"
);
statement!(
    ListSessions: (SqlUuid, SqlUuid, Nullable<SqlUuid>, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Text, Text, Timestamptz,
        Text, Timestamptz, Nullable<SqlUuid>, BigInt, BigInt, BigInt, BigInt) =
    "SELECT s.tenant_id, s.id, s.connection_id, s.kind, s.state, s.created_at, s.created_by, s.expires_at, s.run_id,
       p.pages, p.last, p.records, p.bytes
     FROM (SELECT * FROM push_session WHERE tenant_id = $1 AND connection_id = $2 AND ($3 IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4) s CROSS JOIN LATERAL (
       SELECT count(*) AS pages, coalesce(max(number), 0)::bigint AS last, coalesce(sum(records), 0)::bigint AS records,
         coalesce(sum(octet_length(sealed)), 0)::bigint AS bytes
       FROM push_page WHERE tenant_id = s.tenant_id AND session_id = s.id) p
     ORDER BY s.id DESC"
);
statement!(
    LockSession: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT id FROM push_session WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
);

/// A session, with what it holds.
pub(super) async fn session(
    conn: &mut Conn,
    tenant: TenantId,
    id: PushSessionId,
) -> Result<Option<PushSession>, QueryError> {
    let row: Option<Row> = ReadSession::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read))
}

/// The same; its row is locked until the transaction ends.
pub(super) async fn session_locked(
    conn: &mut Conn,
    tenant: TenantId,
    id: PushSessionId,
) -> Result<Option<PushSession>, QueryError> {
    let _locked: Option<(Uuid,)> = LockSession::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    session(conn, tenant, id).await
}

/// Up to `limit` sessions of a connection, newest first, before `before`.
pub(super) async fn sessions(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    before: Option<PushSessionId>,
    limit: i64,
) -> Result<Vec<PushSession>, QueryError> {
    let before = before.map(PushSessionId::uuid);
    let rows: Vec<Row> = ListSessions::with((tenant.uuid(), connection.uuid(), before, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    PutPage: (SqlUuid, SqlUuid, Integer, Binary, Integer, Integer) -> () =
    "INSERT INTO push_page (tenant_id, session_id, number, sealed, records, problems) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id, session_id, number)
     DO UPDATE SET sealed = excluded.sealed, records = excluded.records, problems = excluded.problems"
);
statement!(
    Touch: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE push_session SET expires_at = $3 WHERE tenant_id = $1 AND id = $2 AND state = 'open'"
);

/// Keeps a page, in place of one of the same number, and lets the session live on. The caller holds the session's row.
pub(super) async fn put_page(
    conn: &mut Conn,
    session: &PushSession,
    number: i32,
    sealed: &[u8],
    (records, problems): (i32, i32),
) -> Result<(), QueryError> {
    let (tenant, id) = (session.tenant.uuid(), session.id.uuid());
    PutPage::with((tenant, id, number, sealed, records, problems))
        .execute(conn)
        .await?;
    Touch::with((tenant, id, session.expires_at))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SetState: (SqlUuid, SqlUuid, Text, Nullable<SqlUuid>) -> () =
    "UPDATE push_session SET state = $3, run_id = $4 WHERE tenant_id = $1 AND id = $2"
);
statement!(
    DropPages: (SqlUuid, SqlUuid) -> () = "DELETE FROM push_page WHERE tenant_id = $1 AND session_id = $2"
);

/// Ends a session. Only a committed one keeps its pages.
pub(super) async fn end(
    conn: &mut Conn,
    session: &PushSession,
    state: SessionState,
    run: Option<RunId>,
) -> Result<(), QueryError> {
    let (tenant, id) = (session.tenant.uuid(), session.id.uuid());
    SetState::with((tenant, id, state.as_str(), run.map(RunId::uuid)))
        .execute(conn)
        .await?;
    if state != SessionState::Committed {
        DropPages::with((tenant, id)).execute(conn).await?;
    }
    Ok(())
}

statement!(
    SessionOfRun: (SqlUuid, SqlUuid) -> (SqlUuid, Text) =
    "SELECT id, kind FROM push_session WHERE tenant_id = $1 AND run_id = $2"
);

/// The session that a run reads, when there is one.
pub(in crate::sync) async fn of_run(
    conn: &mut Conn,
    run: &Run,
) -> Result<Option<(PushSessionId, SessionKind)>, QueryError> {
    let row: Option<(Uuid, String)> = SessionOfRun::with((run.tenant.uuid(), run.id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(id, kind)| (id.into(), SessionKind::read(&kind))))
}

statement!(
    NextPage: (SqlUuid, SqlUuid, Integer) -> (Integer, Binary) =
    "SELECT number, sealed FROM push_page WHERE tenant_id = $1 AND session_id = $2 AND number > $3 ORDER BY number LIMIT 1"
);

/// The page after a number.
pub(super) async fn next_page(
    conn: &mut Conn,
    tenant: TenantId,
    session: PushSessionId,
    after: i32,
) -> Result<Option<(i32, Vec<u8>)>, QueryError> {
    NextPage::with((tenant.uuid(), session.uuid(), after))
        .get_result(conn)
        .await
        .optional()
}

statement!(
    CountPages: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM push_page WHERE tenant_id = $1 AND session_id = $2"
);

/// How many pages of a session are kept.
pub(in crate::sync) async fn pages(
    conn: &mut Conn,
    tenant: TenantId,
    session: PushSessionId,
) -> Result<i64, QueryError> {
    let (count,): (i64,) = CountPages::with((tenant.uuid(), session.uuid()))
        .get_result(conn)
        .await?;
    Ok(count)
}

statement!(
    Expire: (Timestamptz,) -> () =
    "UPDATE push_session SET state = 'expired' WHERE state = 'open' AND expires_at <= $1"
);
statement!(
    SweepPages: () -> () =
    "DELETE FROM push_page p USING push_session s
     WHERE s.tenant_id = p.tenant_id AND s.id = p.session_id AND (s.state IN ('expired', 'aborted')
       OR s.state = 'committed' AND NOT EXISTS (SELECT FROM run WHERE run.tenant_id = s.tenant_id AND run.id = s.run_id
         AND run.state IN ('queued', 'reading', 'planning', 'awaiting_approval', 'applying')))"
);
/// Ends sessions of all tenants that nobody touched until now, and deletes pages that no run needs any more.
pub(in crate::sync) async fn sweep(conn: &mut Conn, now: DateTime<Utc>) -> Result<(), QueryError> {
    Expire::with((now,)).execute(conn).await?;
    SweepPages::with(()).execute(conn).await?;
    Ok(())
}
