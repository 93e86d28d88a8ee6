//! The `erased_record` table: records that no run takes in again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Text, Timestamptz, Uuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid as Id;

use crate::base::{ConnectionId, Sealer, TenantId};
use crate::db::{Conn, Statement};
use crate::identity::Error;
use crate::statement;

/// Why a record is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Somebody asked for it.
    Asked,
    /// The person had left for long enough; who is employed again is taken in.
    Left,
}

impl Erased {
    const fn word(self) -> &'static str {
        match self {
            Self::Asked => "erased",
            Self::Left => "left",
        }
    }
}

/// The most records of a connection that are looked at.
const MOST: i64 = 100_000;

statement!(
    AddErased: (Uuid, Array<Uuid>, Array<Uuid>, Array<Binary>, Text, Timestamptz) -> () =
    "INSERT INTO erased_record (tenant_id, connection_id, id, sealed, reason, at) \
     SELECT $1, r.connection_id, r.id, r.sealed, $5, $6 FROM UNNEST($2, $3, $4) AS r (connection_id, id, sealed) \
     WHERE EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = r.connection_id)"
);
statement!(
    ErasedOf: (Uuid, Uuid, BigInt) -> (Uuid, Binary, Text) =
    "SELECT id, sealed, reason FROM erased_record WHERE tenant_id = $1 AND connection_id = $2 ORDER BY id DESC LIMIT $3"
);
statement!(
    ForgetErased: (Uuid, Uuid, Array<Uuid>) -> () =
    "DELETE FROM erased_record WHERE tenant_id = $1 AND connection_id = $2 AND id = ANY($3)"
);

/// What sealed ids of erased records are bound to.
#[must_use]
pub fn erased_purpose(tenant: TenantId, connection: Id) -> String {
    format!("{tenant}/{connection}/erased_record")
}

/// Notes records as erased, by their sealed ids alone.
///
/// # Errors
/// When the database refuses.
pub async fn add_erased(
    conn: &mut Conn,
    tenant: TenantId,
    records: &[(Id, String)],
    (why, now): (Erased, DateTime<Utc>),
    sealer: &Sealer,
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let (mut connections, mut ids, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
    for (connection, source_id) in records {
        connections.push(*connection);
        ids.push(Id::now_v7());
        sealed.push(sealer.seal(&erased_purpose(tenant, *connection), source_id.as_bytes())?);
    }
    AddErased::with((tenant.uuid(), connections, ids, sealed, why.word(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// The erased records of a connection, by their ids in the HR system, each with the row that says so.
///
/// # Errors
/// When the database refuses, or a sealed id cannot be opened.
pub async fn erased(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    sealer: &Sealer,
) -> Result<HashMap<String, (Id, Erased)>, Error> {
    let rows: Vec<(Id, Vec<u8>, String)> = ErasedOf::with((tenant.uuid(), connection.uuid(), MOST))
        .load(conn)
        .await?;
    let about = erased_purpose(tenant, connection.uuid());
    let mut found = HashMap::new();
    for (id, sealed, reason) in rows {
        let source_id = String::from_utf8_lossy(&sealer.open(&about, &sealed)?).into_owned();
        let why = if reason == "left" {
            Erased::Left
        } else {
            Erased::Asked
        };
        found.insert(source_id, (id, why));
    }
    Ok(found)
}

/// Takes notes of erased records away: the next run takes them in.
///
/// # Errors
/// When the database refuses.
pub async fn forget_erased(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    ids: &[Id],
) -> Result<(), Error> {
    if !ids.is_empty() {
        ForgetErased::with((tenant.uuid(), connection.uuid(), ids.to_vec()))
            .execute(conn)
            .await?;
    }
    Ok(())
}
