//! The table `kept_back`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PersonId, PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Error, Kept, KeptBack, KeptWhy};
use crate::statement;

statement!(
    KeepBack: (SqlUuid, SqlUuid, Array<Text>, Array<Text>, Array<Binary>, Array<Nullable<SqlUuid>>, SqlUuid, Text, Timestamptz, Text) -> () =
    "INSERT INTO kept_back (tenant_id, owner_id, subject, path, value, person_id, plan_id, reason, at, by)
     SELECT $1, $2, part.*, $7, $8, $9, $10
     FROM UNNEST($3::text[], $4::text[], $5::bytea[], $6::uuid[]) AS part
     ON CONFLICT (tenant_id, owner_id, subject, path) DO UPDATE
       SET value = excluded.value, person_id = excluded.person_id, plan_id = excluded.plan_id,
           reason = excluded.reason, at = excluded.at, by = excluded.by"
);

/// Keeps parts of effects back from now on, in the transaction that decided so.
///
/// # Errors
/// When the store refuses.
pub async fn keep_back(
    conn: &mut Conn,
    (tenant, owner): (TenantId, Uuid),
    parts: &[Kept],
    (plan, why): (PlanId, KeptWhy),
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // One statement cannot touch a row twice.
    let parts: BTreeMap<(&str, &str), &Kept> = parts
        .iter()
        .map(|part| ((part.subject.as_str(), part.path.as_str()), part))
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    let parts: Vec<&Kept> = parts.into_values().collect();
    let subjects: Vec<&str> = parts.iter().map(|part| part.subject.as_str()).collect();
    let paths: Vec<&str> = parts.iter().map(|part| part.path.as_str()).collect();
    let values: Vec<&[u8]> = parts.iter().map(|part| part.digest()).collect();
    let people: Vec<Option<Uuid>> = parts.iter().map(|part| part.person.map(PersonId::uuid)).collect();
    KeepBack::with((
        tenant.uuid(),
        owner,
        subjects,
        paths,
        values,
        people,
        plan.uuid(),
        why.as_str(),
        now,
        by,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

type Row = (
    String,
    String,
    Option<Uuid>,
    Vec<u8>,
    String,
    Uuid,
    DateTime<Utc>,
    String,
);

fn read(row: Row) -> KeptBack {
    let (subject, path, person, value, why, plan, at, by) = row;
    KeptBack {
        kept: Kept::stored(subject, path, person.map(PersonId::from), value),
        why: KeptWhy::read(&why),
        plan: PlanId::from(plan),
        at,
        by,
    }
}

statement!(
    KeptOf: (SqlUuid, SqlUuid, Array<Text>) -> (Text, Text, Nullable<SqlUuid>, Binary, Text, SqlUuid, Timestamptz, Text) =
    "SELECT subject, path, person_id, value, reason, plan_id, at, by FROM kept_back
     WHERE tenant_id = $1 AND owner_id = $2 AND subject = ANY($3)"
);
statement!(
    ListKept: (SqlUuid, SqlUuid, Text, Text, BigInt) -> (Text, Text, Nullable<SqlUuid>, Binary, Text, SqlUuid, Timestamptz, Text) =
    "SELECT subject, path, person_id, value, reason, plan_id, at, by FROM kept_back
     WHERE tenant_id = $1 AND owner_id = $2 AND (subject, path) > ($3, $4) ORDER BY subject, path LIMIT $5"
);
statement!(
    ReleaseKept: (SqlUuid, SqlUuid, Array<Text>, Nullable<SqlUuid>, Bool) -> (Nullable<SqlUuid>,) =
    "DELETE FROM kept_back WHERE tenant_id = $1 AND owner_id = $2 AND ($5 OR subject = ANY($3) OR plan_id = $4)
     RETURNING person_id"
);

statement!(
    EndKept: (SqlUuid, SqlUuid, Array<Text>, Array<Text>) -> () =
    "DELETE FROM kept_back kept USING UNNEST($3::text[], $4::text[]) AS part (subject, path)
     WHERE kept.tenant_id = $1 AND kept.owner_id = $2 AND kept.subject = part.subject AND kept.path = part.path"
);

/// Keeps single parts, each subject and path, back no longer.
///
/// # Errors
/// When the store refuses.
pub async fn end_kept(
    conn: &mut Conn,
    (tenant, owner): (TenantId, Uuid),
    parts: &[(&str, &str)],
) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let (subjects, paths): (Vec<&str>, Vec<&str>) = parts.iter().copied().unzip();
    EndKept::with((tenant.uuid(), owner, subjects, paths))
        .execute(conn)
        .await?;
    Ok(())
}

/// What is kept back of these subjects.
///
/// # Errors
/// When the store refuses.
pub async fn kept_of(
    conn: &mut Conn,
    tenant: TenantId,
    owner: Uuid,
    subjects: &[String],
) -> Result<Vec<KeptBack>, Error> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = KeptOf::with((tenant.uuid(), owner, subjects))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Up to `limit` parts that are kept back of an owner, by subject and path, after one of them.
///
/// # Errors
/// When the store refuses.
pub async fn kept_back(
    conn: &mut Conn,
    (tenant, owner): (TenantId, Uuid),
    (subject, path): (&str, &str),
    limit: i64,
) -> Result<Vec<KeptBack>, Error> {
    let rows: Vec<Row> = ListKept::with((tenant.uuid(), owner, subject, path, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Keeps these subjects, what one plan decided, or all of an owner back no longer. Returns how many parts, and whose.
///
/// # Errors
/// When the store refuses.
pub async fn release_kept(
    conn: &mut Conn,
    (tenant, owner): (TenantId, Uuid),
    subjects: &[String],
    plan: Option<PlanId>,
    all: bool,
) -> Result<(usize, Vec<PersonId>), Error> {
    let rows: Vec<(Option<Uuid>,)> =
        ReleaseKept::with((tenant.uuid(), owner, subjects, plan.map(PlanId::uuid), all))
            .get_results(conn)
            .await?;
    let count = rows.len();
    let mut people: Vec<PersonId> = rows
        .into_iter()
        .filter_map(|(id,)| Some(PersonId::from(id?)))
        .collect();
    people.sort_unstable();
    people.dedup();
    Ok((count, people))
}
