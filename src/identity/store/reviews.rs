//! The `review` table.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid as Id;

use crate::base::{ConnectionId, PersonId, ReviewId, RunId, TenantId};
use crate::db::{Conn, Statement};
use crate::identity::{Decided, Decision, Error, Review};
use crate::statement;

/// A review as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewRow {
    /// Its id.
    pub id: ReviewId,
    /// The connection whose records it is about.
    pub connection: ConnectionId,
    /// The run that first asked.
    pub run: Option<RunId>,
    /// The records.
    pub source_ids: Vec<String>,
    /// The people they may be.
    pub candidates: Vec<PersonId>,
    /// Why a human is asked.
    pub reason: String,
    /// `open`, `decided` or `gone`.
    pub state: String,
    /// What was decided.
    pub decision: Option<Value>,
    /// When it was first asked.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// By whom.
    pub decided_by: Option<String>,
}

/// How many reviews came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// New ones.
    pub opened: usize,
    /// Those that the read no longer raises.
    pub gone: usize,
}

statement!(
    OpenReviews: (Uuid, Uuid, Nullable<Uuid>, Jsonb, Timestamptz) -> () =
    "INSERT INTO review (tenant_id, id, connection_id, run_id, source_ids, candidates, reason, state, created_at) \
     SELECT $1, n.id, $2, $3, n.source_ids, n.candidates, n.reason, 'open', $5 \
     FROM jsonb_to_recordset($4) AS n (id uuid, source_ids text[], candidates uuid[], reason text) \
     ON CONFLICT (tenant_id, connection_id, source_ids) WHERE state = 'open' DO NOTHING"
);
statement!(
    CloseReviews: (Uuid, Uuid, Jsonb, Timestamptz) -> () =
    "UPDATE review SET state = 'gone', decided_at = $4 WHERE tenant_id = $1 AND connection_id = $2 AND state = 'open' \
     AND NOT to_jsonb(source_ids) IN (SELECT jsonb_array_elements($3))"
);

/// Opens a review for each of `raised` that is not open yet. After a complete read (`complete`) those that are open and
/// not raised any more are gone; a partial read closes none.
///
/// # Errors
/// When the database refuses.
pub async fn set_reviews(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    run: Option<RunId>,
    raised: &[Review],
    complete: bool,
    now: DateTime<Utc>,
) -> Result<Opened, Error> {
    let rows: Vec<Value> = raised
        .iter()
        .map(|review| {
            json!({"id": ReviewId::new(), "source_ids": review.source_ids, "candidates": review.candidates,
                "reason": review.reason})
        })
        .collect();
    let (tenant, connection) = (tenant.uuid(), connection.uuid());
    let mut gone = 0;
    if complete {
        let kept: Vec<Value> = raised.iter().map(|review| json!(review.source_ids)).collect();
        gone = CloseReviews::with((tenant, connection, Value::Array(kept), now))
            .execute(conn)
            .await?;
    }
    let mut opened = 0;
    if !rows.is_empty() {
        let values = (tenant, connection, run.map(RunId::uuid), Value::Array(rows), now);
        opened = OpenReviews::with(values).execute(conn).await?;
    }
    Ok(Opened { opened, gone })
}

type Row = (
    Id,
    Id,
    Option<Id>,
    Vec<String>,
    Vec<Id>,
    String,
    String,
    Option<Value>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<String>,
);

statement!(
    /// Newest first; state and connection narrow when given.
    Reviews: (Uuid, Nullable<Uuid>, Nullable<Text>, Nullable<Uuid>, BigInt) -> (Uuid, Uuid, Nullable<Uuid>, Array<Text>,
        Array<Uuid>, Text, Text, Nullable<Jsonb>, Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT id, connection_id, run_id, source_ids, candidates, reason, state, decision, created_at, decided_at, decided_by \
     FROM review WHERE tenant_id = $1 AND ($2 IS NULL OR connection_id = $2) AND ($3 IS NULL OR state = $3) \
       AND ($4 IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"
);
statement!(
    OpenOnes: (Uuid, Nullable<Uuid>, Array<Uuid>, BigInt) -> (Uuid, Uuid, Nullable<Uuid>, Array<Text>, Array<Uuid>, Text,
        Text, Nullable<Jsonb>, Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT id, connection_id, run_id, source_ids, candidates, reason, state, decision, created_at, decided_at, decided_by \
     FROM review WHERE tenant_id = $1 AND state = 'open' AND ($2 IS NULL OR connection_id = $2) \
       AND (cardinality($3) = 0 OR id = ANY($3)) ORDER BY id LIMIT $4"
);
statement!(
    OneReview: (Uuid, Uuid) -> (Uuid, Uuid, Nullable<Uuid>, Array<Text>, Array<Uuid>, Text, Text, Nullable<Jsonb>,
        Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT id, connection_id, run_id, source_ids, candidates, reason, state, decision, created_at, decided_at, decided_by \
     FROM review WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
);
statement!(
    /// Whose each record is now is kept, for the day on which the decision is taken back.
    Decide: (Uuid, Uuid, Jsonb, Timestamptz, Text) -> () =
    "UPDATE review SET state = 'decided', decision = $3, decided_at = $4, decided_by = $5, \
       before = (SELECT jsonb_object_agg(source_id, person_id) FROM source_record r \
                 WHERE r.tenant_id = $1 AND r.connection_id = review.connection_id AND r.source_id = ANY(review.source_ids)) \
     WHERE tenant_id = $1 AND id = $2 AND state = 'open'"
);
statement!(
    /// Not while the same question is open again.
    Reopen: (Uuid, Uuid) -> () =
    "UPDATE review SET state = 'open', decision = NULL, decided_at = NULL, decided_by = NULL, before = NULL \
     WHERE tenant_id = $1 AND id = $2 AND state = 'decided' AND NOT EXISTS (SELECT FROM review other \
       WHERE other.tenant_id = $1 AND other.connection_id = review.connection_id \
         AND other.source_ids = review.source_ids AND other.state = 'open')"
);
statement!(
    /// Who was found for a record by the decision alone loses it again; a person made for it keeps it until somebody
    /// decides otherwise.
    GiveBack: (Uuid, Uuid, Jsonb, Nullable<Uuid>) -> () =
    "UPDATE source_record r SET digest = '', person_id = CASE \
       WHEN earlier.value <> 'null' THEN (earlier.value #>> '{}')::uuid \
       WHEN r.person_id = $4 THEN NULL ELSE r.person_id END \
     FROM jsonb_each($3) AS earlier (key, value) \
     WHERE r.tenant_id = $1 AND r.connection_id = $2 AND r.source_id = earlier.key"
);
statement!(
    Before: (Uuid, Uuid) -> (Nullable<Jsonb>,) = "SELECT before FROM review WHERE tenant_id = $1 AND id = $2"
);
statement!(
    /// Those who get a record back, or lose one, are looked at again at once.
    LookAgain: (Uuid, Array<Uuid>, Timestamptz) -> () =
    "UPDATE person SET next_look_at = $3 WHERE tenant_id = $1 AND id = ANY($2)"
);
statement!(
    ReadAgain: (Uuid, Uuid, Array<Text>) -> () =
    "UPDATE source_record SET digest = '' WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);
statement!(
    DecidedReviews: (Uuid, Uuid) -> (Array<Text>, Array<Uuid>, Jsonb) =
    "SELECT source_ids, candidates, decision FROM review \
     WHERE tenant_id = $1 AND connection_id = $2 AND state = 'decided' AND decision IS NOT NULL ORDER BY decided_at, id"
);

/// Lets the next read look at records of a connection again, whatever they say.
///
/// # Errors
/// When the store refuses.
pub async fn read_again(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[&str],
) -> Result<(), Error> {
    ReadAgain::with((tenant.uuid(), connection.uuid(), source_ids))
        .execute(conn)
        .await?;
    Ok(())
}

fn row(row: Row) -> ReviewRow {
    let (
        id,
        connection,
        run,
        source_ids,
        candidates,
        reason,
        state,
        decision,
        created_at,
        decided_at,
        decided_by,
    ) = row;
    ReviewRow {
        id: id.into(),
        connection: connection.into(),
        run: run.map(RunId::from),
        source_ids,
        candidates: candidates.into_iter().map(PersonId::from).collect(),
        reason,
        state,
        decision,
        created_at,
        decided_at,
        decided_by,
    }
}

/// Up to `limit` reviews, newest first, before `before`; of one connection and in one state when given.
///
/// # Errors
/// When the database refuses.
pub async fn reviews(
    conn: &mut Conn,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    state: Option<&str>,
    before: Option<ReviewId>,
    limit: i64,
) -> Result<Vec<ReviewRow>, Error> {
    let values = (
        tenant.uuid(),
        connection.map(ConnectionId::uuid),
        state,
        before.map(ReviewId::uuid),
        limit,
    );
    let rows: Vec<Row> = Reviews::with(values).load(conn).await?;
    Ok(rows.into_iter().map(row).collect())
}

/// Decides an open review. Its records count as changed, so that the next run of the connection acts on the decision.
/// Gives the review as it was.
///
/// # Errors
/// When there is no such open review, or the decision names a person who is no candidate.
pub async fn decide(
    conn: &mut Conn,
    tenant: TenantId,
    id: ReviewId,
    decision: Decision,
    by: &str,
    now: DateTime<Utc>,
) -> Result<ReviewRow, Error> {
    let found: Option<Row> = OneReview::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    let review = found
        .map(row)
        .filter(|review| review.state == "open")
        .ok_or(Error::NoReview)?;
    if let Decision::Person(person) = decision
        && !review.candidates.contains(&person)
    {
        return Err(Error::NoCandidate);
    }
    Decide::with((tenant.uuid(), id.uuid(), json!(decision), now, by))
        .execute(conn)
        .await?;
    let records = (tenant.uuid(), review.connection.uuid(), review.source_ids.clone());
    ReadAgain::with(records).execute(conn).await?;
    Ok(review)
}

/// Takes a decision back: the review is open again and its records belong to whom they belonged before, so that the next
/// run of the connection asks again if it must. Gives the review as it was decided.
///
/// # Errors
/// When there is no such decided review, or the same question is open already.
pub async fn reopen(
    conn: &mut Conn,
    tenant: TenantId,
    id: ReviewId,
    now: DateTime<Utc>,
) -> Result<ReviewRow, Error> {
    let at = (tenant.uuid(), id.uuid());
    let found: Option<Row> = OneReview::with(at).get_result(conn).await.optional()?;
    let review = found
        .map(row)
        .filter(|review| review.state == "decided")
        .ok_or(Error::NoReview)?;
    let (before,): (Option<Value>,) = Before::with(at).get_result(conn).await?;
    if Reopen::with(at).execute(conn).await? == 0 {
        return Err(Error::NoReview);
    }
    let decision = review.decision.clone().unwrap_or_default();
    let decided: Option<Decision> = serde_json::from_value(decision).ok();
    let person = match decided {
        Some(Decision::Person(person)) => Some(person.uuid()),
        _ => None,
    };
    let earlier = before.unwrap_or_else(|| json!({}));
    let mut people: Vec<Id> = earlier
        .as_object()
        .into_iter()
        .flat_map(|records| records.values())
        .filter_map(|person| person.as_str()?.parse().ok())
        .collect();
    people.extend(person);
    GiveBack::with((at.0, review.connection.uuid(), earlier, person))
        .execute(conn)
        .await?;
    LookAgain::with((at.0, people, now)).execute(conn).await?;
    Ok(review)
}

/// Open reviews of a connection, oldest first: at most `limit`, of `ids` alone when there are any.
///
/// # Errors
/// When the database refuses.
pub async fn open_reviews(
    conn: &mut Conn,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    ids: &[ReviewId],
    limit: i64,
) -> Result<Vec<ReviewRow>, Error> {
    let ids: Vec<Id> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = OpenOnes::with((tenant.uuid(), connection.map(ConnectionId::uuid), ids, limit))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(row).collect())
}

/// What was decided for a connection, oldest first.
///
/// # Errors
/// When the database refuses, or a decision is not readable.
pub async fn decided(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Vec<Decided>, Error> {
    let rows: Vec<(Vec<String>, Vec<Id>, Value)> = DecidedReviews::with((tenant.uuid(), connection.uuid()))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(source_ids, candidates, decision)| {
            Ok(Decided {
                source_ids,
                candidates: candidates.into_iter().map(PersonId::from).collect(),
                decision: serde_json::from_value(decision).map_err(Error::Unreadable)?,
            })
        })
        .collect()
}
