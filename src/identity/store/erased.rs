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

/// How many notes are given their mark in one statement.
const AT_ONCE: i64 = 1_000;

statement!(
    AddErased: (Uuid, Array<Uuid>, Array<Uuid>, Array<Binary>, Array<Binary>, Text, Timestamptz) -> () =
    "INSERT INTO erased_record (tenant_id, connection_id, id, sealed, mark, reason, at) \
     SELECT $1, r.connection_id, r.id, r.sealed, r.mark, $6, $7 FROM UNNEST($2, $3, $4, $5) AS r (connection_id, id, sealed, mark) \
     WHERE EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = r.connection_id)"
);
statement!(
    ErasedAmong: (Uuid, Uuid, Array<Binary>) -> (Binary, Uuid, Text) =
    "SELECT mark, id, reason FROM erased_record WHERE tenant_id = $1 AND connection_id = $2 AND mark = ANY($3)"
);
statement!(
    /// Notes whose mark is still to be made.
    Unmarked: (Uuid, Uuid, BigInt) -> (Uuid, Binary) =
    "SELECT id, sealed FROM erased_record WHERE tenant_id = $1 AND connection_id = $2 AND mark IS NULL LIMIT $3"
);
statement!(
    SetMarks: (Uuid, Uuid, Array<Uuid>, Array<Binary>) -> () =
    "UPDATE erased_record e SET mark = n.mark FROM UNNEST($3, $4) AS n (id, mark) \
     WHERE e.tenant_id = $1 AND e.connection_id = $2 AND e.id = n.id"
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
    let (mut connections, mut ids, mut sealed, mut marks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (connection, source_id) in records {
        let about = erased_purpose(tenant, *connection);
        connections.push(*connection);
        ids.push(Id::now_v7());
        sealed.push(sealer.seal(&about, source_id.as_bytes())?);
        marks.push(mark(sealer, &about, source_id.as_bytes()));
    }
    AddErased::with((tenant.uuid(), connections, ids, sealed, marks, why.word(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// The mark that is stored: that of the key that seals.
fn mark(sealer: &Sealer, about: &str, source_id: &[u8]) -> Vec<u8> {
    sealer
        .marks(about, source_id)
        .into_iter()
        .next()
        .unwrap_or_default()
}

/// Which of these records of a connection were erased, each with the row that says so. Two statements, however many notes
/// there are: they are found by their marks.
///
/// # Errors
/// When the database refuses, or a sealed id cannot be opened.
pub async fn erased_among(
    conn: &mut Conn,
    (tenant, connection): (TenantId, ConnectionId),
    source_ids: &[&str],
    sealer: &Sealer,
) -> Result<HashMap<String, (Id, Erased)>, Error> {
    if source_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let about = erased_purpose(tenant, connection.uuid());
    give_marks(conn, (tenant, connection), &about, sealer).await?;
    let mut of: HashMap<Vec<u8>, &str> = HashMap::with_capacity(source_ids.len());
    for source_id in source_ids {
        of.extend(
            sealer
                .marks(&about, source_id.as_bytes())
                .into_iter()
                .map(|mark| (mark, *source_id)),
        );
    }
    let marks: Vec<&[u8]> = of.keys().map(Vec::as_slice).collect();
    let rows: Vec<(Vec<u8>, Id, String)> = ErasedAmong::with((tenant.uuid(), connection.uuid(), marks))
        .load(conn)
        .await?;
    let mut found = HashMap::new();
    for (mark, id, reason) in rows {
        let why = match reason.as_str() {
            "left" => Erased::Left,
            _ => Erased::Asked,
        };
        let Some(source_id) = of.get(&mark) else { continue };
        // Of two notes about one record the stricter counts.
        if why == Erased::Asked || !found.contains_key(*source_id) {
            found.insert((*source_id).to_owned(), (id, why));
        }
    }
    Ok(found)
}

/// Makes the marks of notes that have none: those that an earlier version wrote, and all after the key was changed.
async fn give_marks(
    conn: &mut Conn,
    (tenant, connection): (TenantId, ConnectionId),
    about: &str,
    sealer: &Sealer,
) -> Result<(), Error> {
    loop {
        let rows: Vec<(Id, Vec<u8>)> = Unmarked::with((tenant.uuid(), connection.uuid(), AT_ONCE))
            .load(conn)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let (mut ids, mut marks) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (id, sealed) in rows {
            ids.push(id);
            marks.push(mark(sealer, about, &sealer.open(about, &sealed)?));
        }
        SetMarks::with((tenant.uuid(), connection.uuid(), ids, marks))
            .execute(conn)
            .await?;
    }
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
