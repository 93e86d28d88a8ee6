//! The unlogged staging tables, which a crash of the database empties: then the run reads again. And `read_mark`: how far
//! reads came.

pub(in crate::sync) mod base;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{
    Array, BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::Remark;
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;
use crate::sync::run::Run;

/// A record that a read found new or changed.
#[derive(Debug, Clone)]
pub(in crate::sync) struct Staged {
    /// The record's id.
    pub source_id: String,
    /// The employee without its sensitive part; none when it could not be read.
    pub employee: Option<Value>,
    /// The sensitive part.
    pub sealed: Option<Vec<u8>>,
    /// What could not be read of it.
    pub problems: Vec<Remark>,
    /// Over all of it and the rules by which it is judged.
    pub digest: Vec<u8>,
}

statement!(
    ClearRecords: (SqlUuid, SqlUuid) -> () =
    "DELETE FROM staging_record WHERE tenant_id = $1 AND run_id = $2"
);
statement!(
    ClearPages: (SqlUuid, SqlUuid) -> () =
    "DELETE FROM staging_page WHERE tenant_id = $1 AND run_id = $2"
);

/// Forgets what a run has read.
pub(in crate::sync) async fn clear(conn: &mut Conn, run: &Run) -> Result<(), QueryError> {
    ClearRecords::with((run.tenant.uuid(), run.id.uuid()))
        .execute(conn)
        .await?;
    ClearPages::with((run.tenant.uuid(), run.id.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    AddPage: (SqlUuid, SqlUuid, Integer, Array<Text>) -> () =
    "INSERT INTO staging_page (tenant_id, run_id, page, seen) VALUES ($1, $2, $3, $4)"
);
statement!(
    AddRecords: (SqlUuid, SqlUuid, Array<Text>, Array<Nullable<Jsonb>>, Array<Nullable<Binary>>, Array<Nullable<Jsonb>>, Array<Binary>) -> () =
    "INSERT INTO staging_record (tenant_id, run_id, source_id, employee, sealed, problems, digest)
     SELECT $1, $2, record.*
     FROM UNNEST($3::text[], $4::jsonb[], $5::bytea[], $6::jsonb[], $7::bytea[]) AS record"
);

/// Adds one page: who was seen, and what is new or changed.
pub(in crate::sync) async fn add_page(
    conn: &mut Conn,
    run: &Run,
    page: i32,
    seen: &[String],
    records: &[Staged],
) -> Result<(), QueryError> {
    AddPage::with((run.tenant.uuid(), run.id.uuid(), page, seen))
        .execute(conn)
        .await?;
    if records.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = records.iter().map(|record| record.source_id.as_str()).collect();
    let employees: Vec<Option<&Value>> = records.iter().map(|record| record.employee.as_ref()).collect();
    let sealed: Vec<Option<&[u8]>> = records.iter().map(|record| record.sealed.as_deref()).collect();
    let problems: Vec<Option<Value>> = records
        .iter()
        .map(|record| (!record.problems.is_empty()).then(|| serde_json::json!(record.problems)))
        .collect();
    let digests: Vec<&[u8]> = records.iter().map(|record| record.digest.as_slice()).collect();
    AddRecords::with((
        run.tenant.uuid(),
        run.id.uuid(),
        ids,
        employees,
        sealed,
        problems,
        digests,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    DropRecords: (SqlUuid, SqlUuid, Array<Text>) -> () =
    "DELETE FROM staging_record WHERE tenant_id = $1 AND run_id = $2 AND source_id = ANY($3)"
);

/// Takes records out again.
pub(in crate::sync) async fn drop_records(
    conn: &mut Conn,
    run: &Run,
    source_ids: &[String],
) -> Result<(), QueryError> {
    DropRecords::with((run.tenant.uuid(), run.id.uuid(), source_ids))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    CountPages: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM staging_page WHERE tenant_id = $1 AND run_id = $2"
);

/// How many pages are staged.
pub(in crate::sync) async fn pages(conn: &mut Conn, run: &Run) -> Result<i64, QueryError> {
    let (count,): (i64,) = CountPages::with((run.tenant.uuid(), run.id.uuid()))
        .get_result(conn)
        .await?;
    Ok(count)
}

statement!(
    TakeStock: () -> () = "ANALYZE staging_record"
);

/// Tells the planner how large staging has become. Without it, plans made while it was empty read the whole table for
/// each batch: a third of a first sync of 20,000 people.
pub(in crate::sync) async fn take_stock(conn: &mut Conn) -> Result<(), QueryError> {
    TakeStock::with(()).execute(conn).await?;
    Ok(())
}

type StagedRow = (String, Option<Value>, Option<Vec<u8>>, Option<Value>, Vec<u8>);

statement!(
    StagedAfter: (SqlUuid, SqlUuid, Text, BigInt) -> (Text, Nullable<Jsonb>, Nullable<Binary>, Nullable<Jsonb>, Binary) =
    "SELECT source_id, employee, sealed, problems, digest FROM staging_record
     WHERE tenant_id = $1 AND run_id = $2 AND source_id > $3 ORDER BY source_id LIMIT $4"
);
statement!(
    StagedOf: (SqlUuid, SqlUuid, Array<Text>) -> (Text, Nullable<Jsonb>, Nullable<Binary>, Nullable<Jsonb>, Binary) =
    "SELECT source_id, employee, sealed, problems, digest FROM staging_record
     WHERE tenant_id = $1 AND run_id = $2 AND source_id = ANY($3)"
);

fn read(row: StagedRow) -> Staged {
    let (source_id, employee, sealed, problems, digest) = row;
    Staged {
        source_id,
        employee,
        sealed,
        problems: problems
            .and_then(|problems| serde_json::from_value(problems).ok())
            .unwrap_or_default(),
        digest,
    }
}

/// Up to `limit` staged records after that id, in order.
pub(in crate::sync) async fn staged_after(
    conn: &mut Conn,
    run: &Run,
    after: &str,
    limit: i64,
) -> Result<Vec<Staged>, QueryError> {
    let rows: Vec<StagedRow> = StagedAfter::with((run.tenant.uuid(), run.id.uuid(), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Staged records by id; those that are not staged are left out.
pub(in crate::sync) async fn staged(
    conn: &mut Conn,
    run: &Run,
    source_ids: &[String],
) -> Result<Vec<Staged>, QueryError> {
    let rows: Vec<StagedRow> = StagedOf::with((run.tenant.uuid(), run.id.uuid(), source_ids))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    /// Staging rows of runs that ended, left by a process that was killed.
    SweepRecords: () -> () =
    "DELETE FROM staging_record WHERE NOT EXISTS (
       SELECT FROM run WHERE run.tenant_id = staging_record.tenant_id AND run.id = staging_record.run_id
         AND (run.state IN ('queued', 'reading', 'planning', 'awaiting_approval', 'applying')
              OR run.state IN ('cancelled', 'failed') AND run.plan_id IS NOT NULL
                AND run.finished_at > now() - interval '7 days'))"
);
statement!(
    SweepPages: () -> () =
    "DELETE FROM staging_page WHERE NOT EXISTS (
       SELECT FROM run WHERE run.tenant_id = staging_page.tenant_id AND run.id = staging_page.run_id
         AND (run.state IN ('queued', 'reading', 'planning', 'awaiting_approval', 'applying')
              OR run.state IN ('cancelled', 'failed') AND run.plan_id IS NOT NULL
                AND run.finished_at > now() - interval '7 days'))"
);

/// Deletes what runs left in staging that have ended, and will not go on: one that was stopped while it applied may be
/// resumed for a week.
pub(in crate::sync) async fn sweep(conn: &mut Conn) -> Result<(), QueryError> {
    SweepRecords::with(()).execute(conn).await?;
    SweepPages::with(()).execute(conn).await?;
    Ok(())
}

statement!(
    Blanked: (SqlUuid, SqlUuid) -> (Nullable<Integer>,) =
    "SELECT blanked_revision FROM connection WHERE tenant_id = $1 AND id = $2"
);
statement!(
    SetBlanked: (SqlUuid, SqlUuid, Integer) -> () =
    "UPDATE connection SET blanked_revision = $3 WHERE tenant_id = $1 AND id = $2"
);

/// The revision by which what is not read was last taken out of the stored records.
pub(in crate::sync) async fn blanked(conn: &mut Conn, run: &Run) -> Result<Option<i32>, QueryError> {
    let row: Option<(Option<i32>,)> = Blanked::with((run.tenant.uuid(), run.connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(revision,)| revision))
}

/// Notes that it was done by the run's revision.
pub(in crate::sync) async fn set_blanked(conn: &mut Conn, run: &Run) -> Result<(), QueryError> {
    SetBlanked::with((run.tenant.uuid(), run.connection.uuid(), run.revision))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    DropContents: (SqlUuid, SqlUuid, Array<Text>) -> () =
    "UPDATE staging_record SET employee = NULL, sealed = NULL, problems = NULL
     WHERE tenant_id = $1 AND run_id = $2 AND source_id = ANY($3)"
);

/// Lets go of what staged records say, and keeps their digests.
pub(in crate::sync) async fn drop_contents(
    conn: &mut Conn,
    run: &Run,
    source_ids: &[String],
) -> Result<(), QueryError> {
    DropContents::with((run.tenant.uuid(), run.id.uuid(), source_ids))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    MarkOf: (SqlUuid, SqlUuid, Integer) -> (Jsonb, Timestamptz) =
    "SELECT mark, complete_at FROM read_mark
     WHERE tenant_id = $1 AND connection_id = $2 AND revision = $3 AND mark IS NOT NULL AND complete_at IS NOT NULL"
);
statement!(
    ProposeMark: (SqlUuid, SqlUuid, SqlUuid, Integer, Jsonb, Nullable<Timestamptz>) -> () =
    "INSERT INTO read_mark (tenant_id, connection_id, next_run, next_revision, next_mark, next_complete_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE
     SET next_run = excluded.next_run, next_revision = excluded.next_revision, next_mark = excluded.next_mark,
         next_complete_at = excluded.next_complete_at"
);
statement!(
    CommitMark: (SqlUuid, SqlUuid, SqlUuid) -> () =
    "UPDATE read_mark
     SET mark = next_mark, complete_at = coalesce(next_complete_at, complete_at), revision = next_revision
     WHERE tenant_id = $1 AND connection_id = $2 AND next_run = $3"
);

/// What changes are asked from since the last committed read by the run's settings, and when the last complete one ended.
pub(in crate::sync) async fn mark(
    conn: &mut Conn,
    run: &Run,
) -> Result<Option<(Value, DateTime<Utc>)>, QueryError> {
    MarkOf::with((run.tenant.uuid(), run.connection.uuid(), run.revision))
        .get_result(conn)
        .await
        .optional()
}

/// Notes how far the run's read came; it counts from [`commit_mark`] on. `complete_at` is set when it saw everybody.
pub(in crate::sync) async fn propose_mark(
    conn: &mut Conn,
    run: &Run,
    mark: &Value,
    complete_at: Option<DateTime<Utc>>,
) -> Result<(), QueryError> {
    ProposeMark::with((
        run.tenant.uuid(),
        run.connection.uuid(),
        run.id.uuid(),
        run.revision,
        mark.clone(),
        complete_at,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes what [`propose_mark`] noted for this run the mark that the next read asks from.
pub(in crate::sync) async fn commit_mark(conn: &mut Conn, run: &Run) -> Result<(), QueryError> {
    CommitMark::with((run.tenant.uuid(), run.connection.uuid(), run.id.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}
