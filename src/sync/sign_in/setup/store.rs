//! The table of setup links.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// A link as it is kept.
#[derive(Debug)]
pub(super) struct Link {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub made_by: String,
    pub expires_at: DateTime<Utc>,
    pub tries: i32,
    pub ended_at: Option<DateTime<Utc>>,
    pub publishes: bool,
}

statement!(
    /// A newer link takes the place of those before.
    MakeLink: (SqlUuid, SqlUuid, Binary, Text, Timestamptz, Timestamptz, Bool) -> () =
    "WITH ended AS (
         UPDATE setup_link SET ended_at = $5 WHERE tenant_id = $1 AND connection_id = $2 AND ended_at IS NULL
     )
     INSERT INTO setup_link (tenant_id, connection_id, digest, made_by, made_at, expires_at, publishes)
     VALUES ($1, $2, $3, $4, $5, $6, $7)"
);
statement!(
    FindLink: (Binary,) -> (SqlUuid, SqlUuid, Text, Timestamptz, Integer, Nullable<Timestamptz>, Bool) =
    "SELECT tenant_id, connection_id, made_by, expires_at, tries, ended_at, publishes FROM setup_link WHERE digest = $1"
);
statement!(
    CountTry: (Binary,) -> () = "UPDATE setup_link SET tries = tries + 1 WHERE digest = $1"
);
statement!(
    EndLink: (Binary, Timestamptz) -> () =
    "UPDATE setup_link SET ended_at = $2 WHERE digest = $1 AND ended_at IS NULL"
);
statement!(
    ForgetLinks: (Timestamptz,) -> () = "DELETE FROM setup_link WHERE expires_at < $1"
);

/// Keeps a new link to a connection and ends those before.
pub(super) async fn make(
    conn: &mut Conn,
    digest: &[u8],
    link: &Link,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    MakeLink::with((
        link.tenant.uuid(),
        link.connection.uuid(),
        digest,
        link.made_by.as_str(),
        now,
        link.expires_at,
        link.publishes,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// The link of a digest.
pub(super) async fn find(conn: &mut Conn, digest: &[u8]) -> Result<Option<Link>, QueryError> {
    type Row = (
        Uuid,
        Uuid,
        String,
        DateTime<Utc>,
        i32,
        Option<DateTime<Utc>>,
        bool,
    );
    let row: Option<Row> = FindLink::with((digest,)).get_result(conn).await.optional()?;
    Ok(row.map(
        |(tenant, connection, made_by, expires_at, tries, ended_at, publishes)| Link {
            tenant: tenant.into(),
            connection: connection.into(),
            made_by,
            expires_at,
            tries,
            ended_at,
            publishes,
        },
    ))
}

/// Counts that something was sent by a link.
pub(super) async fn count_try(conn: &mut Conn, digest: &[u8]) -> Result<(), QueryError> {
    CountTry::with((digest,)).execute(conn).await?;
    Ok(())
}

/// Ends a link: it has done its work.
pub(in crate::sync::sign_in) async fn end(
    conn: &mut Conn,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    EndLink::with((digest, now)).execute(conn).await?;
    Ok(())
}

/// Forgets links that ended before `before`.
pub(in crate::sync::sign_in) async fn forget(
    conn: &mut Conn,
    before: DateTime<Utc>,
) -> Result<(), QueryError> {
    ForgetLinks::with((before,)).execute(conn).await?;
    Ok(())
}
