//! The tables of connections: `connection`, `setting_revision` (of connections), `upload`.

mod fresh;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

pub use self::fresh::Freshness;
pub(in crate::sync) use self::fresh::{ages, count_stale, freshness, grow_stale, note_connected, note_fresh};
use super::{Connection, ConnectionState, Revision};
use crate::base::{ConnectionId, TenantId, UploadId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

type Row = (
    Uuid,
    Uuid,
    String,
    String,
    String,
    Option<i32>,
    Option<i32>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
);

fn read(row: Row) -> Connection {
    let (tenant, id, name, connector, state, live, draft, next_run_at, created_at) = row;
    Connection {
        tenant: TenantId::from(tenant),
        id: ConnectionId::from(id),
        name,
        connector,
        state: ConnectionState::read(&state),
        live,
        draft,
        next_run_at,
        created_at,
    }
}

statement!(
    ByName: (SqlUuid, Text) -> (SqlUuid, SqlUuid, Text, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Timestamptz) =
    "SELECT tenant_id, id, name, connector, state, live_revision, draft_revision, next_run_at, created_at
     FROM connection WHERE tenant_id = $1 AND name = $2"
);
statement!(
    ByNameLocked: (SqlUuid, Text) -> (SqlUuid, SqlUuid, Text, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Timestamptz) =
    "SELECT tenant_id, id, name, connector, state, live_revision, draft_revision, next_run_at, created_at
     FROM connection WHERE tenant_id = $1 AND name = $2 FOR UPDATE"
);
statement!(
    ById: (SqlUuid, SqlUuid) -> (SqlUuid, SqlUuid, Text, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Timestamptz) =
    "SELECT tenant_id, id, name, connector, state, live_revision, draft_revision, next_run_at, created_at
     FROM connection WHERE tenant_id = $1 AND id = $2"
);
statement!(
    ListConnections: (SqlUuid, Text, BigInt) -> (SqlUuid, SqlUuid, Text, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Timestamptz) =
    "SELECT tenant_id, id, name, connector, state, live_revision, draft_revision, next_run_at, created_at
     FROM connection WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3"
);

/// The connection of that name.
pub(in crate::sync) async fn by_name(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Connection>, QueryError> {
    let row: Option<Row> = ByName::with((tenant.uuid(), name))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read))
}

/// The connection of that name; its row is locked until the transaction ends.
pub(in crate::sync) async fn by_name_locked(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Connection>, QueryError> {
    let row: Option<Row> = ByNameLocked::with((tenant.uuid(), name))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read))
}

/// The connection of that id.
pub(in crate::sync) async fn by_id(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<Option<Connection>, QueryError> {
    let row: Option<Row> = ById::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read))
}

/// Up to `limit` connections after that name, by name.
pub(in crate::sync) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<Connection>, QueryError> {
    let rows: Vec<Row> = ListConnections::with((tenant.uuid(), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    CreateConnection: (SqlUuid, SqlUuid, Text, Text, Timestamptz) -> () =
    "INSERT INTO connection (tenant_id, id, name, connector, state, created_at) VALUES ($1, $2, $3, $4, 'draft', $5)
     ON CONFLICT (tenant_id, name) DO NOTHING"
);
statement!(
    CreateClient: (SqlUuid, SqlUuid, Text, Timestamptz) -> () =
    "INSERT INTO client (tenant_id, id, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
);
statement!(
    SetConnection: (SqlUuid, SqlUuid, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>) -> () =
    "UPDATE connection SET connector = $3, state = $4, live_revision = $5, draft_revision = $6, next_run_at = $7
     WHERE tenant_id = $1 AND id = $2"
);

/// Makes a connection in state draft, with the client that owns the externalIds it gives.
pub(in crate::sync) async fn create(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
    connector: &str,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    let id = ConnectionId::new();
    CreateConnection::with((tenant.uuid(), id.uuid(), name, connector, now))
        .execute(conn)
        .await?;
    CreateClient::with((tenant.uuid(), id.uuid(), format!("connection:{name}"), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes a connection's state, revisions and next start.
pub(in crate::sync) async fn set(conn: &mut Conn, connection: &Connection) -> Result<(), QueryError> {
    SetConnection::with((
        connection.tenant.uuid(),
        connection.id.uuid(),
        connection.connector.as_str(),
        connection.state.as_str(),
        connection.live,
        connection.draft,
        connection.next_run_at,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    SetAuthority: (SqlUuid, SqlUuid, Jsonb) -> (Text,) =
    "UPDATE connection SET authority = $3 WHERE tenant_id = $1 AND id = $2
     RETURNING pg_notify('bridge_access', id::text)::text"
);
statement!(
    Authorities: (SqlUuid,) -> (SqlUuid, Text, Jsonb) =
    "SELECT id, name, authority FROM connection WHERE tenant_id = $1 AND live_revision IS NOT NULL AND authority <> '{}'"
);

/// Writes whose word counts, for the door of SCIM clients in every process.
pub(in crate::sync) async fn set_authority(
    conn: &mut Conn,
    connection: &Connection,
    authority: &Value,
) -> Result<(), QueryError> {
    let _told: Vec<(String,)> =
        SetAuthority::with((connection.tenant.uuid(), connection.id.uuid(), authority))
            .load(conn)
            .await?;
    Ok(())
}

/// Whose word counts, by connection of a tenant: id, name, rules.
pub(in crate::sync) async fn authorities(
    conn: &mut Conn,
    tenant: TenantId,
) -> Result<Vec<(ConnectionId, String, Value)>, QueryError> {
    let rows: Vec<(Uuid, String, Value)> = Authorities::with((tenant.uuid(),)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(id, name, rules)| (ConnectionId::from(id), name, rules))
        .collect())
}

statement!(
    WrittenConnections: (BigInt,) -> (SqlUuid, SqlUuid, Integer, BigInt, Timestamptz, Timestamptz) =
    "SELECT c.tenant_id, c.id, c.live_revision, chain.last_seq, first.at, last.at
     FROM connection c JOIN change_chain chain ON chain.tenant_id = c.id
     JOIN LATERAL (SELECT ids[(c.realm_seq + 1 - last_seq + cardinality(ids))::int] AS id FROM change_number
                    WHERE tenant_id = c.id AND last_seq > c.realm_seq ORDER BY last_seq LIMIT 1) began ON true
     JOIN change first ON first.id = began.id
     JOIN change_number ended ON ended.tenant_id = c.id AND ended.last_seq = chain.last_seq
     JOIN change last ON last.id = ended.ids[cardinality(ended.ids)]
     WHERE c.connector = 'scim' AND c.state = 'published' AND c.live_revision IS NOT NULL
       AND chain.last_seq > c.realm_seq
     ORDER BY last.at LIMIT $1"
);
statement!(
    SetRealmSeq: (SqlUuid, SqlUuid, BigInt) -> () =
    "UPDATE connection SET realm_seq = greatest(realm_seq, $3) WHERE tenant_id = $1 AND id = $2"
);

/// A connection in whose realm clients wrote since a run was last queued for it.
#[derive(Debug)]
pub(in crate::sync) struct Written {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub revision: i32,
    /// The last change in the realm.
    pub seq: i64,
    /// When the first change came that no run was queued for.
    pub first_at: DateTime<Utc>,
    /// When the last one came.
    pub last_at: DateTime<Utc>,
}

/// Up to `limit` published connections of any tenant with changes that no run was queued for.
pub(in crate::sync) async fn written(conn: &mut Conn, limit: i64) -> Result<Vec<Written>, QueryError> {
    type Row = (Uuid, Uuid, i32, i64, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = WrittenConnections::with((limit,)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, connection, revision, seq, first_at, last_at)| Written {
            tenant: tenant.into(),
            connection: connection.into(),
            revision,
            seq,
            first_at,
            last_at,
        })
        .collect())
}

/// Notes up to which change a run was queued.
pub(in crate::sync) async fn set_realm_seq(conn: &mut Conn, written: &Written) -> Result<(), QueryError> {
    SetRealmSeq::with((written.tenant.uuid(), written.connection.uuid(), written.seq))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    DueConnections: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Text, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Timestamptz) =
    "SELECT tenant_id, id, name, connector, state, live_revision, draft_revision, next_run_at, created_at
     FROM connection WHERE next_run_at <= $1 AND state = 'published'
     ORDER BY next_run_at LIMIT $2 FOR UPDATE SKIP LOCKED"
);

/// Up to `limit` connections of any tenant whose next start has come, oldest first. Locks them until the
/// transaction ends and passes over those that another process has locked.
pub(in crate::sync) async fn due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Connection>, QueryError> {
    let rows: Vec<Row> = DueConnections::with((now, limit)).get_results(conn).await?;
    Ok(rows.into_iter().map(read).collect())
}

type RevisionRow = (i32, Value, Option<Vec<u8>>, Vec<u8>, DateTime<Utc>, String);

statement!(
    ReadRevision: (SqlUuid, SqlUuid, Integer) -> (Integer, Jsonb, Nullable<Binary>, Binary, Timestamptz, Text) =
    "SELECT revision, body, sealed, digest, created_at, created_by FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 AND revision = $3"
);
statement!(
    ListRevisions: (SqlUuid, SqlUuid) -> (Integer, Jsonb, Nullable<Binary>, Binary, Timestamptz, Text) =
    "SELECT revision, body, NULL::bytea, digest, created_at, created_by FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 ORDER BY revision DESC LIMIT 100"
);
statement!(
    AddRevision: (SqlUuid, SqlUuid, Jsonb, Nullable<Binary>, Binary, Timestamptz, Text) -> (Integer,) =
    "INSERT INTO setting_revision (tenant_id, owner_id, revision, owner_kind, body, sealed, digest, created_at, created_by)
     SELECT $1, $2, coalesce(max(revision), 0) + 1, 'connection', $3, $4, $5, $6, $7
     FROM setting_revision WHERE tenant_id = $1 AND owner_id = $2
     RETURNING revision"
);

fn read_revision(row: RevisionRow) -> Revision {
    let (number, body, sealed, digest, created_at, created_by) = row;
    Revision {
        number,
        body,
        sealed,
        digest,
        created_at,
        created_by,
    }
}

/// One revision of a connection's settings.
pub(in crate::sync) async fn revision(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
    number: i32,
) -> Result<Option<Revision>, QueryError> {
    let row: Option<RevisionRow> = ReadRevision::with((tenant.uuid(), id.uuid(), number))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read_revision))
}

statement!(
    DestroySecrets: (SqlUuid, SqlUuid) -> () =
    "UPDATE setting_revision SET sealed = NULL WHERE tenant_id = $1 AND owner_id = $2"
);
statement!(
    DestroyTokens: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "WITH t AS (DELETE FROM vendor_token WHERE tenant_id = $1 AND connection_id = $2),
          c AS (DELETE FROM consent WHERE tenant_id = $1 AND connection_id = $2),
          q AS (DELETE FROM consent_request WHERE tenant_id = $1 AND connection_id = $2),
          u AS (DELETE FROM upload WHERE tenant_id = $1 AND connection_id = $2),
          w AS (DELETE FROM webhook WHERE tenant_id = $1 AND connection_id = $2),
          l AS (DELETE FROM look WHERE tenant_id = $1 AND connection_id = $2)
     UPDATE setup_link SET ended_at = $3 WHERE tenant_id = $1 AND connection_id = $2 AND ended_at IS NULL"
);
statement!(
    LookAtAllAgain: (SqlUuid, SqlUuid) -> () =
    "UPDATE source_record SET digest = '' WHERE tenant_id = $1 AND connection_id = $2"
);

/// Destroys every secret of a connection, in all its revisions, and what its HR system gave it.
pub(in crate::sync) async fn destroy_credentials(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    DestroySecrets::with((tenant.uuid(), id.uuid()))
        .execute(conn)
        .await?;
    DestroyTokens::with((tenant.uuid(), id.uuid(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Has the next read take every record for changed.
pub(in crate::sync) async fn look_at_all_again(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<(), QueryError> {
    LookAtAllAgain::with((tenant.uuid(), id.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    RevisionsOf: (SqlUuid, Array<SqlUuid>, Array<Integer>) -> (SqlUuid, Text, Integer, Jsonb) =
    "SELECT c.id, c.name, r.revision, r.body FROM UNNEST($2, $3) AS wanted (id, revision)
     JOIN setting_revision r ON r.tenant_id = $1 AND r.owner_id = wanted.id AND r.revision = wanted.revision
     JOIN connection c ON c.tenant_id = $1 AND c.id = wanted.id"
);

/// The bodies of revisions of several connections, without their secrets: connection, its name, revision, body.
pub(in crate::sync) async fn revisions_of(
    conn: &mut Conn,
    tenant: TenantId,
    wanted: &[(ConnectionId, i32)],
) -> Result<Vec<(Uuid, String, i32, Value)>, QueryError> {
    let (ids, numbers): (Vec<Uuid>, Vec<i32>) =
        wanted.iter().map(|(id, number)| (id.uuid(), *number)).unzip();
    RevisionsOf::with((tenant.uuid(), ids, numbers)).load(conn).await
}

/// The latest 100 revisions, newest first, without their secrets.
pub(in crate::sync) async fn revisions(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<Vec<Revision>, QueryError> {
    let rows: Vec<RevisionRow> = ListRevisions::with((tenant.uuid(), id.uuid()))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_revision).collect())
}

/// Adds a revision after the last one. The caller holds the connection's row. Returns its number.
pub(in crate::sync) async fn add_revision(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
    revision: &Revision,
) -> Result<i32, QueryError> {
    let (number,): (i32,) = AddRevision::with((
        tenant.uuid(),
        id.uuid(),
        &revision.body,
        revision.sealed.as_deref(),
        revision.digest.as_slice(),
        revision.created_at,
        revision.created_by.as_str(),
    ))
    .get_result(conn)
    .await?;
    Ok(number)
}

statement!(
    WriteUpload: (SqlUuid, SqlUuid, SqlUuid, Binary, Timestamptz) -> () =
    "INSERT INTO upload (tenant_id, connection_id, id, sealed, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, connection_id)
     DO UPDATE SET id = excluded.id, sealed = excluded.sealed, created_at = excluded.created_at"
);
statement!(
    ReadUpload: (SqlUuid, SqlUuid) -> (SqlUuid, Binary) =
    "SELECT id, sealed FROM upload WHERE tenant_id = $1 AND connection_id = $2"
);
statement!(
    HasUpload: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM upload WHERE tenant_id = $1 AND connection_id = $2"
);

/// Keeps a sealed file in place of the one before.
pub(in crate::sync) async fn keep_upload(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
    upload: UploadId,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    WriteUpload::with((tenant.uuid(), id.uuid(), upload.uuid(), sealed, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// The sealed file that was handed in last.
pub(in crate::sync) async fn upload(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<Option<Vec<u8>>, QueryError> {
    let row: Option<(Uuid, Vec<u8>)> = ReadUpload::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(_, sealed)| sealed))
}

statement!(
    HasRecords: (SqlUuid, SqlUuid) -> (Bool,) =
    "SELECT EXISTS (SELECT FROM source_record WHERE tenant_id = $1 AND connection_id = $2)"
);

/// Whether a record of the connection is stored.
pub(in crate::sync) async fn has_records(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<bool, QueryError> {
    let (has,): (bool,) = HasRecords::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await?;
    Ok(has)
}

/// Whether a file was handed in.
pub(in crate::sync) async fn has_upload(
    conn: &mut Conn,
    tenant: TenantId,
    id: ConnectionId,
) -> Result<bool, QueryError> {
    let (count,): (i64,) = HasUpload::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await?;
    Ok(count > 0)
}
