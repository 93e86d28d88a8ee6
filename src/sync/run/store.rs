//! The tables `run` and `run_outcome`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::result::DatabaseErrorKind;
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{Outcome, Run, RunCause, RunState, Severity};
use crate::base::{ConnectionId, PersonId, PlanId, RunId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::guard;
use crate::statement;

/// For how long a run is one process's alone, in seconds, unless it renews.
const LEASE_SECONDS: f64 = 60.0;

type Row = (
    (Uuid, Uuid, Uuid, String, bool, String, String, i32),
    (
        Option<Uuid>,
        Option<Value>,
        Value,
        Value,
        Option<Value>,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        bool,
    ),
);

type Flat = (
    Uuid,
    Uuid,
    Uuid,
    String,
    bool,
    String,
    String,
    i32,
    Option<Uuid>,
    Option<Value>,
    Value,
    Value,
    Option<Value>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

fn flat(row: Flat, cancel_asked: bool) -> Run {
    let (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) = row;
    read(((a, b, c, d, e, f, g, h), (i, j, k, l, m, n, o, p, cancel_asked)))
}

fn read(row: Row) -> Run {
    let ((tenant, id, connection, state, dry_run, cause, actor, revision), rest) = row;
    let (plan, coverage, counts, progress, error, queued_at, started_at, finished_at, cancel_asked) = rest;
    Run {
        tenant: TenantId::from(tenant),
        id: RunId::from(id),
        connection: ConnectionId::from(connection),
        state: RunState::read(&state),
        dry_run,
        cause: RunCause::read(&cause),
        actor,
        revision,
        plan: plan.map(PlanId::from),
        coverage,
        counts,
        progress,
        error,
        queued_at,
        started_at,
        finished_at,
        cancel_asked,
    }
}

/// A run to be queued.
#[derive(Debug, Clone)]
pub(in crate::sync) struct NewRun<'a> {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub dry_run: bool,
    pub cause: RunCause,
    pub actor: &'a str,
    pub revision: i32,
}

statement!(
    QueueRun: (SqlUuid, SqlUuid, SqlUuid, Bool, Text, Text, Integer, Timestamptz) -> () =
    "INSERT INTO run (tenant_id, id, connection_id, state, dry_run, cause, actor, revision, queued_at)
     VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8)"
);
statement!(
    QueueRunOnce: (SqlUuid, SqlUuid, SqlUuid, Bool, Text, Text, Integer, Timestamptz) -> () =
    "INSERT INTO run (tenant_id, id, connection_id, state, dry_run, cause, actor, revision, queued_at)
     SELECT $1, $2, $3, 'queued', $4, $5, $6, $7, $8
     WHERE NOT EXISTS (
       SELECT FROM run WHERE tenant_id = $1 AND connection_id = $3
         AND (state = 'queued' OR cause = $5 AND state IN ('reading', 'planning', 'applying')
              OR cause = $5 AND $5 = 'due' AND state = 'awaiting_approval'
              OR cause = $5 AND $5 = 'due' AND state = 'failed' AND finished_at > $8 - interval '10 minutes'))"
);

/// Puts a run into the queue.
pub(in crate::sync) async fn queue(
    conn: &mut Conn,
    new: &NewRun<'_>,
    now: DateTime<Utc>,
) -> Result<RunId, QueryError> {
    let id = RunId::new();
    QueueRun::with((
        new.tenant.uuid(),
        id.uuid(),
        new.connection.uuid(),
        new.dry_run,
        new.cause.as_str(),
        new.actor,
        new.revision,
        now,
    ))
    .execute(conn)
    .await?;
    Ok(id)
}

/// Puts a run into the queue unless one waits there already, one of this cause is under way, or (for due dates) one
/// waits for approval or failed a moment ago. Returns whether it did.
pub(in crate::sync) async fn queue_once(
    conn: &mut Conn,
    new: &NewRun<'_>,
    now: DateTime<Utc>,
) -> Result<bool, QueryError> {
    let queued = QueueRunOnce::with((
        new.tenant.uuid(),
        RunId::new().uuid(),
        new.connection.uuid(),
        new.dry_run,
        new.cause.as_str(),
        new.actor,
        new.revision,
        now,
    ))
    .execute(conn)
    .await?;
    Ok(queued > 0)
}

statement!(
    TakeRun: (SqlUuid, Double, Timestamptz) -> (SqlUuid, SqlUuid, SqlUuid, Text, Bool, Text, Text, Integer, Nullable<SqlUuid>, Nullable<Jsonb>, Jsonb, Jsonb, Nullable<Jsonb>, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>) =
    "UPDATE run SET lease_owner = $1, lease_until = now() + make_interval(secs => $2),
       started_at = coalesce(run.started_at, $3),
       state = CASE WHEN run.state <> 'queued' THEN run.state
                    WHEN run.cause IN ('due', 'preview', 'undo', 'cut_disable', 'cut_remove') THEN 'planning' ELSE 'reading' END
     FROM (
       SELECT tenant_id, id FROM run waiting
       WHERE state IN ('queued', 'reading', 'planning', 'applying')
         AND (lease_until IS NULL OR lease_until < now())
         AND (state <> 'queued' OR NOT EXISTS (
           SELECT FROM run other
           WHERE other.tenant_id = waiting.tenant_id AND other.connection_id = waiting.connection_id
             AND other.state IN ('reading', 'planning', 'applying')))
       ORDER BY queued_at LIMIT 1 FOR UPDATE SKIP LOCKED) next
     WHERE run.tenant_id = next.tenant_id AND run.id = next.id
     RETURNING run.tenant_id, run.id, run.connection_id, run.state, run.dry_run, run.cause, run.actor, run.revision,
       run.plan_id, run.coverage, run.counts, run.progress, run.error, run.queued_at, run.started_at, run.finished_at"
);

/// Takes the run that has waited longest and may go on: one that is queued while no other of its connection is
/// under way, or one whose lease has lapsed. It belongs to `owner` for a minute; see [`renew`].
pub(in crate::sync) async fn take(
    conn: &mut Conn,
    owner: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Run>, QueryError> {
    let taken: Result<Option<Flat>, QueryError> = TakeRun::with((owner, LEASE_SECONDS, now))
        .get_result(conn)
        .await
        .optional();
    match taken {
        Ok(row) => Ok(row.map(|row| flat(row, false))),
        // Another process took another run of the same connection in the same moment.
        Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(None),
        Err(error) => Err(error),
    }
}

statement!(
    HoldLease: (SqlUuid, SqlUuid, SqlUuid) -> (Bool,) =
    "SELECT cancel_asked FROM run
     WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND lease_until > now() FOR SHARE"
);

statement!(
    NoteCoverage: (SqlUuid, SqlUuid, Jsonb) -> () =
    "UPDATE run SET coverage = $3 WHERE tenant_id = $1 AND id = $2"
);

/// Writes down what a run that reads nothing is about.
pub(in crate::sync) async fn note_coverage(
    conn: &mut Conn,
    tenant: TenantId,
    run: RunId,
    coverage: &Value,
) -> Result<(), QueryError> {
    NoteCoverage::with((tenant.uuid(), run.uuid(), coverage))
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes sure, until the transaction ends, that the run is still `owner`'s. `None`: it is not. Else whether
/// somebody asked to stop it.
pub(in crate::sync) async fn hold_lease(
    conn: &mut Conn,
    run: &Run,
    owner: Uuid,
) -> Result<Option<bool>, QueryError> {
    let row: Option<(bool,)> = HoldLease::with((run.tenant.uuid(), run.id.uuid(), owner))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(cancel,)| cancel))
}

statement!(
    RenewLease: (SqlUuid, SqlUuid, SqlUuid, Double, Jsonb) -> (Bool,) =
    "UPDATE run SET lease_until = now() + make_interval(secs => $4), progress = $5
     WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND lease_until > now()
     RETURNING cancel_asked"
);

/// Makes the lease last a minute from now and notes how far the step is. `None`: the run is not `owner`'s any more.
/// Else whether somebody asked to stop it.
pub(in crate::sync) async fn renew(
    conn: &mut Conn,
    run: &Run,
    owner: Uuid,
    progress: &Value,
) -> Result<Option<bool>, QueryError> {
    let row: Option<(bool,)> =
        RenewLease::with((run.tenant.uuid(), run.id.uuid(), owner, LEASE_SECONDS, progress))
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(|(cancel,)| cancel))
}

statement!(
    SaveRun: (SqlUuid, SqlUuid, SqlUuid, Text, Nullable<SqlUuid>, Nullable<Jsonb>, Jsonb, Jsonb, Nullable<Jsonb>, Nullable<Timestamptz>, Bool) -> () =
    "UPDATE run SET state = $4, plan_id = $5, coverage = $6, counts = $7, progress = $8, error = $9, finished_at = $10,
       lease_owner = CASE WHEN $11 THEN NULL ELSE lease_owner END,
       lease_until = CASE WHEN $11 THEN NULL ELSE lease_until END
     WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND lease_until > now()"
);

/// Writes the run as it stands. At rest it gives the lease back. False: it is not `owner`'s any more.
pub(in crate::sync) async fn save(conn: &mut Conn, run: &Run, owner: Uuid) -> Result<bool, QueryError> {
    let saved = SaveRun::with((
        run.tenant.uuid(),
        run.id.uuid(),
        owner,
        run.state.as_str(),
        run.plan.map(PlanId::uuid),
        run.coverage.as_ref(),
        &run.counts,
        &run.progress,
        run.error.as_ref(),
        run.finished_at,
        run.state.is_at_rest(),
    ))
    .execute(conn)
    .await?;
    Ok(saved > 0)
}

statement!(
    ReadRun: (SqlUuid, SqlUuid) -> (SqlUuid, SqlUuid, SqlUuid, Text, Bool, Text, Text, Integer, Nullable<SqlUuid>, Nullable<Jsonb>, Jsonb, Jsonb, Nullable<Jsonb>, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>) =
    "SELECT tenant_id, id, connection_id, state, dry_run, cause, actor, revision, plan_id, coverage, counts, progress,
       error, queued_at, started_at, finished_at
     FROM run WHERE tenant_id = $1 AND id = $2"
);
statement!(
    ListRuns: (SqlUuid, Nullable<SqlUuid>, Nullable<Text>, Nullable<SqlUuid>, BigInt) -> (SqlUuid, SqlUuid, SqlUuid, Text, Bool, Text, Text, Integer, Nullable<SqlUuid>, Nullable<Jsonb>, Jsonb, Jsonb, Nullable<Jsonb>, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>) =
    "SELECT tenant_id, id, connection_id, state, dry_run, cause, actor, revision, plan_id, coverage, counts, progress,
       error, queued_at, started_at, finished_at
     FROM run WHERE tenant_id = $1 AND ($2 IS NULL OR connection_id = $2) AND ($3 IS NULL OR state = $3)
       AND ($4 IS NULL OR id < $4)
     ORDER BY id DESC LIMIT $5"
);

/// One run.
pub(in crate::sync) async fn run(
    conn: &mut Conn,
    tenant: TenantId,
    id: RunId,
) -> Result<Option<Run>, QueryError> {
    let row: Option<Flat> = ReadRun::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| flat(row, false)))
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of one connection.
    pub connection: Option<ConnectionId>,
    /// In one state.
    pub state: Option<RunState>,
    /// Older than this one.
    pub before: Option<RunId>,
}

/// Up to `limit` runs, newest first.
pub(in crate::sync) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &RunFilter,
    limit: i64,
) -> Result<Vec<Run>, QueryError> {
    let rows: Vec<Flat> = ListRuns::with((
        tenant.uuid(),
        filter.connection.map(ConnectionId::uuid),
        filter.state.map(RunState::as_str),
        filter.before.map(RunId::uuid),
        limit,
    ))
    .get_results(conn)
    .await?;
    Ok(rows.into_iter().map(|row| flat(row, false)).collect())
}

statement!(
    AskToCancel: (SqlUuid, SqlUuid, Timestamptz) -> (Text,) =
    "UPDATE run SET cancel_asked = true,
       state = CASE WHEN state IN ('queued', 'awaiting_approval') THEN 'cancelled' ELSE state END,
       finished_at = CASE WHEN state IN ('queued', 'awaiting_approval') THEN $3 ELSE finished_at END
     WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'reading', 'planning', 'awaiting_approval', 'applying')
     RETURNING state"
);
statement!(
    CancelAll: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid, Text) =
    "UPDATE run SET cancel_asked = true,
       state = CASE WHEN state IN ('queued', 'awaiting_approval') THEN 'cancelled' ELSE state END,
       finished_at = CASE WHEN state IN ('queued', 'awaiting_approval') THEN $3 ELSE finished_at END
     WHERE tenant_id = $1 AND connection_id = $2 AND state IN ('queued', 'reading', 'planning', 'awaiting_approval')
     RETURNING id, state"
);

/// Asks a run to stop. One that is not under way stops at once. Returns its state; `None` when it had ended.
pub(in crate::sync) async fn cancel(
    conn: &mut Conn,
    tenant: TenantId,
    id: RunId,
    now: DateTime<Utc>,
) -> Result<Option<RunState>, guard::Error> {
    let row: Option<(String,)> = AskToCancel::with((tenant.uuid(), id.uuid(), now))
        .get_result(conn)
        .await
        .optional()?;
    let state = row.map(|(state,)| RunState::read(&state));
    if state == Some(RunState::Cancelled) {
        guard::withdraw(conn, tenant, &[id.uuid()], now).await?;
    }
    Ok(state)
}

/// Asks every run of a connection to stop that has not begun to apply. Those that wait end at once, with their plans.
pub(in crate::sync) async fn cancel_all(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), guard::Error> {
    let rows: Vec<(Uuid, String)> = CancelAll::with((tenant.uuid(), connection.uuid(), now))
        .get_results(conn)
        .await?;
    let ended = rows
        .into_iter()
        .filter(|(_, state)| RunState::read(state) == RunState::Cancelled);
    let ended: Vec<Uuid> = ended.map(|(id, _)| id).collect();
    guard::withdraw(conn, tenant, &ended, now).await
}

statement!(
    ResumeRun: (SqlUuid, SqlUuid, SqlUuid, Text) -> () =
    "UPDATE run SET state = $4, cancel_asked = false, finished_at = NULL, error = NULL, lease_owner = NULL,
       lease_until = NULL,
       plan_id = CASE WHEN $4 = 'queued' THEN NULL ELSE plan_id END,
       coverage = CASE WHEN $4 = 'queued' AND cause <> 'undo' THEN NULL ELSE coverage END,
       started_at = CASE WHEN $4 = 'queued' THEN NULL ELSE started_at END
     WHERE tenant_id = $1 AND id = $3 AND state IN ('cancelled', 'failed')
       AND NOT EXISTS (
         SELECT FROM run newer
         WHERE newer.tenant_id = $1 AND newer.connection_id = $2 AND newer.id > $3 AND NOT newer.dry_run
           AND (newer.state IN ('reading', 'planning', 'awaiting_approval', 'applying', 'done', 'partial')
                OR (newer.counts ->> 'applied')::bigint > 0))"
);

/// Lets a run go on that was cancelled or failed. False: it was not, a newer run has done something or waits for
/// approval, or another one is under way.
pub(in crate::sync) async fn resume(conn: &mut Conn, run: &Run, state: RunState) -> Result<bool, QueryError> {
    let resumed = ResumeRun::with((
        run.tenant.uuid(),
        run.connection.uuid(),
        run.id.uuid(),
        state.as_str(),
    ))
    .execute(conn)
    .await;
    match resumed {
        Ok(count) => Ok(count > 0),
        Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error),
    }
}

statement!(
    LeaveApproval: (SqlUuid, SqlUuid, Text, Nullable<Timestamptz>) -> () =
    "UPDATE run SET state = $3, finished_at = $4, lease_owner = NULL, lease_until = NULL
     WHERE tenant_id = $1 AND id = $2 AND state = 'awaiting_approval'"
);

/// Lets a waiting run go on (`applying`) or ends it. False: it does not wait, or another run of its connection is
/// under way.
pub(in crate::sync) async fn leave_approval(
    conn: &mut Conn,
    tenant: TenantId,
    id: RunId,
    state: RunState,
    finished_at: Option<DateTime<Utc>>,
) -> Result<bool, QueryError> {
    let left = LeaveApproval::with((tenant.uuid(), id.uuid(), state.as_str(), finished_at))
        .execute(conn)
        .await;
    match left {
        Ok(count) => Ok(count > 0),
        Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error),
    }
}

statement!(
    SupersedeRuns: (SqlUuid, SqlUuid, SqlUuid, Bool, Timestamptz) -> (SqlUuid,) =
    "UPDATE run SET state = 'superseded', finished_at = $5
     WHERE tenant_id = $1 AND connection_id = $2 AND id <> $3 AND state = 'awaiting_approval'
       AND ($4 OR cause = 'due') AND cause <> 'undo'
     RETURNING id"
);

/// Ends the runs of a connection that wait for approval, since `newer` has looked again. A run that did not look at
/// everybody takes the place only of others that read nothing. Returns which.
pub(in crate::sync) async fn supersede(
    conn: &mut Conn,
    newer: &Run,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, QueryError> {
    let rows: Vec<(Uuid,)> = SupersedeRuns::with((
        newer.tenant.uuid(),
        newer.connection.uuid(),
        newer.id.uuid(),
        newer.looks_at_all(),
        now,
    ))
    .get_results(conn)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

statement!(
    LastOrdinal: (SqlUuid, SqlUuid) -> (Integer,) =
    "SELECT coalesce(max(ordinal), 0) FROM run_outcome WHERE tenant_id = $1 AND run_id = $2"
);
statement!(
    AddOutcomes: (SqlUuid, SqlUuid, Array<Integer>, Array<Text>, Array<Nullable<Text>>, Array<Nullable<Text>>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Nullable<Text>>, Array<Text>) -> () =
    "INSERT INTO run_outcome (tenant_id, run_id, ordinal, severity, source_id, employee_number, person_id, outcome, field, message)
     SELECT $1, $2, said.*
     FROM UNNEST($3::int[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[], $10::text[]) AS said"
);
statement!(
    ForgetOutcomes: (SqlUuid, SqlUuid) -> () =
    "DELETE FROM run_outcome WHERE tenant_id = $1 AND run_id = $2"
);

/// Adds what a run has to say.
pub(in crate::sync) async fn add_outcomes(
    conn: &mut Conn,
    run: &Run,
    said: &[Outcome],
) -> Result<(), QueryError> {
    if said.is_empty() {
        return Ok(());
    }
    let (last,): (i32,) = LastOrdinal::with((run.tenant.uuid(), run.id.uuid()))
        .get_result(conn)
        .await?;
    let ordinals: Vec<i32> = (last.saturating_add(1)..).take(said.len()).collect();
    let severities: Vec<&str> = said.iter().map(|one| one.severity.as_str()).collect();
    let sources: Vec<Option<&str>> = said.iter().map(|one| one.source_id.as_deref()).collect();
    let numbers: Vec<Option<&str>> = said.iter().map(|one| one.employee_number.as_deref()).collect();
    let people: Vec<Option<Uuid>> = said.iter().map(|one| one.person.map(PersonId::uuid)).collect();
    let words: Vec<&str> = said.iter().map(|one| one.outcome.as_str()).collect();
    let fields: Vec<Option<&str>> = said.iter().map(|one| one.field.as_deref()).collect();
    let messages: Vec<&str> = said.iter().map(|one| one.message.as_str()).collect();
    AddOutcomes::with((
        run.tenant.uuid(),
        run.id.uuid(),
        ordinals,
        severities,
        sources,
        numbers,
        people,
        words,
        fields,
        messages,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what a run had said, since its step begins again.
pub(in crate::sync) async fn forget_outcomes(conn: &mut Conn, run: &Run) -> Result<(), QueryError> {
    ForgetOutcomes::with((run.tenant.uuid(), run.id.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

type OutcomeRow = (
    String,
    Option<String>,
    Option<String>,
    Option<Uuid>,
    String,
    Option<String>,
    String,
);

statement!(
    ReadOutcomes: (SqlUuid, SqlUuid, SqlUuid, Array<Text>, Text, BigInt) -> (Text, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>, Text, Nullable<Text>, Text) =
    "WITH latest AS (
       SELECT DISTINCT ON (said.source_id) said.source_id, said.run_id
       FROM run_outcome said JOIN run ON run.tenant_id = said.tenant_id AND run.id = said.run_id
       WHERE said.tenant_id = $1 AND run.connection_id = $2 AND said.source_id > $5
         AND (run.id = $3 OR run.id < $3 AND NOT run.dry_run AND run.state IN ('done', 'partial'))
       ORDER BY said.source_id, said.run_id DESC),
     chosen AS (
       SELECT latest.* FROM latest
       WHERE EXISTS (SELECT FROM run_outcome one
         WHERE one.tenant_id = $1 AND one.run_id = latest.run_id AND one.source_id = latest.source_id
           AND one.severity = ANY($4) AND one.outcome <> 'fine')
       ORDER BY source_id LIMIT $6)
     SELECT one.severity, one.source_id, one.employee_number, one.person_id, one.outcome, one.field, one.message
     FROM chosen JOIN run_outcome one
       ON one.tenant_id = $1 AND one.run_id = chosen.run_id AND one.source_id = chosen.source_id
     WHERE one.severity = ANY($4) AND one.outcome <> 'fine'
     ORDER BY one.source_id, one.ordinal"
);
statement!(
    ReadNamelessOutcomes: (SqlUuid, SqlUuid, Array<Text>) -> (Text, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>, Text, Nullable<Text>, Text) =
    "SELECT severity, source_id, employee_number, person_id, outcome, field, message FROM run_outcome
     WHERE tenant_id = $1 AND run_id = $2 AND severity = ANY($3) AND source_id IS NULL ORDER BY ordinal LIMIT 10000"
);

fn read_outcome(row: OutcomeRow) -> Outcome {
    let (severity, source_id, employee_number, person, outcome, field, message) = row;
    Outcome {
        severity: Severity::read(&severity),
        source_id,
        employee_number,
        person: person.map(PersonId::from),
        outcome,
        field,
        message,
    }
}

/// What stands of single records as of a run: what it said itself, and what earlier ones said of records that have
/// not changed since. Records after `after`, at most `records` of them, by source id; what names no record comes
/// with the first batch.
///
/// # Errors
/// When the store refuses.
pub(in crate::sync) async fn outcomes(
    conn: &mut Conn,
    run: &Run,
    severities: &[Severity],
    after: Option<&str>,
    records: i64,
) -> Result<Vec<Outcome>, QueryError> {
    let severities: Vec<&str> = severities.iter().map(|severity| severity.as_str()).collect();
    let mut said = Vec::new();
    if after.is_none() {
        let rows: Vec<OutcomeRow> =
            ReadNamelessOutcomes::with((run.tenant.uuid(), run.id.uuid(), severities.as_slice()))
                .get_results(conn)
                .await?;
        said.extend(rows.into_iter().map(read_outcome));
    }
    let rows: Vec<OutcomeRow> = ReadOutcomes::with((
        run.tenant.uuid(),
        run.connection.uuid(),
        run.id.uuid(),
        severities.as_slice(),
        after.unwrap_or_default(),
        records,
    ))
    .get_results(conn)
    .await?;
    said.extend(rows.into_iter().map(read_outcome));
    Ok(said)
}

statement!(
    LastRead: (SqlUuid, SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT id FROM run WHERE tenant_id = $1 AND connection_id = $2 AND id < $3
       AND state IN ('awaiting_approval', 'done', 'partial', 'rejected', 'superseded')
     ORDER BY id DESC LIMIT 1"
);

/// The last run of the connection before this one that read the HR system.
pub(in crate::sync) async fn last_read(conn: &mut Conn, run: &Run) -> Result<Option<RunId>, QueryError> {
    let row: Option<(Uuid,)> = LastRead::with((run.tenant.uuid(), run.connection.uuid(), run.id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(id,)| id.into()))
}
