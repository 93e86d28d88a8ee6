//! Statements that list resources.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use super::order::{Key, Sort, Stretch};
use crate::base::{ClientId, TenantId, TokenId};
use crate::db::{Conn, Statement};
use crate::directory::filter_sql::Sql;
use crate::directory::store::{Failure, FoundColumns, FoundRow, columns, finding, found};
use crate::directory::{Found, Want};
use crate::statement;

finding!(
    /// The resource of a userName, folded.
    by_user_name, Text; &str, "r.tenant_id = $1 AND r.user_name = $2 AND r.kind = $3"
);
finding!(
    /// The resources that the client or HR calls so; who has another name from the client is to be sorted out.
    by_external_id, Text, asks: Option<Uuid> as Nullable<SqlUuid>; &str,
    "r.tenant_id = $1 AND r.kind = $3 AND r.id IN (
        SELECT e.resource_id FROM external_id e WHERE e.tenant_id = $1 AND e.kind = $3 AND e.value = $2
        AND e.client_id IN (SELECT $4 UNION ALL SELECT c.id FROM connection c WHERE c.tenant_id = $1))
     ORDER BY r.id"
);
/// More resources with the keys of a look-up are a list.
pub(super) const AT_ONCE: usize = 100;

finding!(
    /// The first of the resources that have all these keys: one more than [`AT_ONCE`], to see whether there are more.
    /// (A key is a digest with the tenant in it. The index of the keys is to be used and not that of the tenant, which
    /// the planner preferred in tenants of 10,000 users: a look-up took 2 ms.)
    by_keys, Array<BigInt>; &[i64],
    "r.tenant_id = $1 AND r.kind = $3 AND r.id = ANY (ARRAY(
        SELECT k.id FROM (SELECT * FROM resource_key WHERE keys @> $2 OFFSET 0) k WHERE k.tenant_id = $1 LIMIT 10001))
     ORDER BY r.id LIMIT 101"
);

/// So many resources with the keys of a filter are named one by one; more are left to the planner.
const FEW: i64 = 10_000;

statement!(
    /// The resources that have all these keys, unless there are many.
    WithKeys: (SqlUuid, Array<BigInt>, BigInt) -> (SqlUuid,) =
    "SELECT k.id FROM (SELECT * FROM resource_key WHERE keys @> $2 OFFSET 0) k WHERE k.tenant_id = $1 LIMIT $3"
);

/// The resources that have all these keys; `None` if they are too many to be named.
pub(super) async fn with_keys(
    conn: &mut Conn,
    tenant: TenantId,
    keys: &[i64],
) -> Result<Option<Vec<Uuid>>, Failure> {
    let rows = WithKeys::with((tenant.uuid(), keys, FEW + 1))
        .load::<(Uuid,)>(conn)
        .await?;
    let few = i64::try_from(rows.len()).is_ok_and(|found| found <= FEW);
    Ok(few.then(|| rows.into_iter().map(|(id,)| id).collect()))
}

/// How many resources of types $kinds there are: what the sequencer counted, and what is not numbered yet.
macro_rules! total {
    ($kinds:literal) => {
        concat!(
            "(coalesce((SELECT sum(total) FROM resource_total WHERE tenant_id = $1 AND kind = ANY(", $kinds, ")), 0)
            + (SELECT count(*) FILTER (WHERE action = 'create') - count(*) FILTER (WHERE action = 'delete')
               FROM unnumbered_change WHERE tenant_id = $1 AND kind = ANY(", $kinds, ")))::bigint"
        )
    };
}

statement!(
    /// How many resources of some types there are.
    Total: (SqlUuid, Array<Text>) -> (BigInt,) = concat!("SELECT ", total!("$2"))
);

/// How many resources of some types there are.
pub(super) async fn total(conn: &mut Conn, tenant: TenantId, kinds: &[&str]) -> Result<u64, Failure> {
    let (total,) = Total::with((tenant.uuid(), kinds))
        .get_result::<(i64,)>(conn)
        .await?;
    Ok(u64::try_from(total).unwrap_or(0))
}

/// How many resources meet a condition.
pub(super) async fn count(conn: &mut Conn, among: &Sql) -> Result<u64, Failure> {
    let sql = Sql::new("SELECT count(*) FROM resource r WHERE ").sql(among);
    let (total,) = sql.statement::<(BigInt,)>().get_result::<(i64,)>(conn).await?;
    Ok(u64::try_from(total).unwrap_or(0))
}

statement!(
    /// Limits the time of each statement that follows in this transaction.
    LimitTime: (Text,) -> (Text,) = "SELECT set_config('statement_timeout', $1, true)"
);

pub(super) async fn limit_time(conn: &mut Conn, milliseconds: u32) -> Result<(), Failure> {
    LimitTime::with((milliseconds.to_string(),))
        .get_result::<(String,)>(conn)
        .await?;
    Ok(())
}

/// Resources, each with what it is sorted by.
pub(super) type Rows = Vec<(Found, Option<String>)>;

/// Reads a stretch of a list; `plain`: nothing is filtered, so that there are few texts of the statement.
pub(super) async fn stretch(
    conn: &mut Conn,
    (tenant, client): (TenantId, Option<ClientId>),
    (among, sort, plain): (&Sql, Option<&Sort>, bool),
    stretch: &Stretch,
    want: Want,
) -> Result<Rows, Failure> {
    // Groups are read for the whole page at once.
    let columns = Sql::new("SELECT ").push(if want.members {
        columns!(members)
    } else {
        columns!(bare)
    });
    let in_order = plain && sort.is_none();
    let sql = if in_order && stretch.skip == 0 {
        columns
            .push(", NULL::text FROM resource r WHERE ")
            .sql(&stretch.unsorted(among))
    } else {
        columns
            .push(", p.k::text FROM (")
            .sql(&stretch.ids(among, sort))
            .push(") p JOIN resource r ON r.id = p.id AND r.tenant_id = ")
            .id(tenant.uuid())
            .push(" ORDER BY ")
            .push(stretch.order())
    };
    let statement = sql.statement::<Listed>().kept(in_order);
    let rows = statement.load::<ListedRow>(conn).await?;
    Ok(rows.into_iter().map(|row| listed(row, client)).collect())
}

type Listed = (
    SqlUuid,
    Text,
    Text,
    BigInt,
    Timestamptz,
    Timestamptz,
    Nullable<SqlUuid>,
    Array<Text>,
    Array<Text>,
    Nullable<Array<Text>>,
    Nullable<Text>,
    Nullable<Array<Text>>,
    Nullable<Text>,
);

type ListedRow = (
    Uuid,
    String,
    String,
    i64,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<Uuid>,
    Vec<String>,
    Vec<String>,
    Option<Vec<String>>,
    Option<String>,
    Option<Vec<String>>,
    Option<String>,
);

fn listed(row: ListedRow, client: Option<ClientId>) -> (Found, Option<String>) {
    let (a, b, c, d, e, f, g, h, i, j, k, l, key) = row;
    (found((a, b, c, d, e, f, g, h, i, j, k, l), client), key)
}

/// A walk: whose, by which token, and the digest of its query.
pub(super) type Walk<'a> = (TenantId, TokenId, &'a [u8]);

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Step {
    pub last: Key,
    pub total: u64,
}

// Marks are written without waiting for the disk (`synchronous_commit`), for they are written with every page. When the
// database dies, those of the last second may be gone; then the next page is found by counting.

statement!(
    /// Where the page before ended. Whoever asks is on its way from there.
    StepOf: (SqlUuid, SqlUuid, Bytea, BigInt, Timestamptz) -> (Jsonb, BigInt) =
    "UPDATE walk SET owed = greatest(owed - 1, 0)
     WHERE tenant_id = $1 AND token_id = $2 AND query = $3 AND next_index = $4 AND expires_at > $5
       AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
     RETURNING last_key, total"
);

/// Where the page before `start` ended, if one did.
pub(super) async fn step(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    start: u64,
    now: DateTime<Utc>,
) -> Result<Option<Step>, Failure> {
    let start = i64::try_from(start).unwrap_or(i64::MAX);
    let row = StepOf::with((tenant.uuid(), token.uuid(), query, start, now))
        .get_result::<(Value, i64)>(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(last, total)| {
        Some(Step {
            last: Key::deserialize(last).ok()?,
            total: u64::try_from(total).ok()?,
        })
    }))
}

statement!(
    /// Keeps the end of a page, unless another walk needs its number for an end elsewhere, with the total, which is
    /// counted if it is not given.
    KeepOne: (
        SqlUuid, SqlUuid, Bytea, BigInt, Jsonb, Nullable<BigInt>, Timestamptz, Timestamptz, Array<Text>,
    ) -> (BigInt,) =
    concat!("INSERT INTO walk AS w (tenant_id, token_id, query, next_index, last_key, total, expires_at, owed)
     SELECT $1, $2, $3, $4, $5, coalesce($6, ", total!("$9"), "), $8, 1
       FROM (SELECT set_config('synchronous_commit', 'off', true) OFFSET 0) s
     ON CONFLICT (tenant_id, token_id, query, next_index) DO UPDATE
     SET last_key = EXCLUDED.last_key, total = EXCLUDED.total, expires_at = EXCLUDED.expires_at,
         owed = CASE WHEN w.last_key = EXCLUDED.last_key AND w.expires_at > $7 THEN w.owed + 1 ELSE 1 END
     WHERE w.owed = 0 OR w.expires_at <= $7 OR w.last_key = EXCLUDED.last_key
     RETURNING total")
);

/// Keeps the end of a page; gives the total, of all resources of these types if it is not known. `None`: another walk
/// needs its number.
pub(super) async fn keep_one(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    end: &End,
    (total, kinds): (Option<u64>, &[&str]),
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<u64>, Failure> {
    let row = KeepOne::with((
        tenant.uuid(),
        token.uuid(),
        query,
        number(end.next),
        serde_json::to_value(&end.key).unwrap_or_default(),
        total.map(number),
        now,
        until,
        kinds,
    ))
    .get_result::<(i64,)>(conn)
    .await
    .optional()?;
    Ok(row.and_then(|(total,)| u64::try_from(total).ok()))
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

statement!(
    /// Keeps the first of some possible ends of a page whose number no other walk needs for an end elsewhere, with the
    /// total, which is counted if it is not given.
    Keep: (
        SqlUuid, SqlUuid, Bytea, Array<BigInt>, Array<Jsonb>, Nullable<BigInt>, Timestamptz, Timestamptz, Bool, Array<Text>,
    ) -> (BigInt, BigInt) =
    concat!("INSERT INTO walk (tenant_id, token_id, query, next_index, last_key, total, expires_at, owed)
     SELECT $1, $2, $3, e.next, e.key, coalesce($6, ", total!("$10"), "), $8, 1
       FROM (SELECT set_config('synchronous_commit', 'off', true) OFFSET 0) s,
            unnest($4, $5) WITH ORDINALITY AS e(next, key, n)
       LEFT JOIN walk w ON w.tenant_id = $1 AND w.token_id = $2 AND w.query = $3 AND w.next_index = e.next
      WHERE $9 OR w.owed IS NULL OR w.owed = 0 OR w.expires_at <= $7 OR w.last_key = e.key
      ORDER BY e.n LIMIT 1
     ON CONFLICT (tenant_id, token_id, query, next_index) DO UPDATE
     SET last_key = EXCLUDED.last_key, total = EXCLUDED.total, expires_at = EXCLUDED.expires_at,
         owed = CASE WHEN walk.last_key = EXCLUDED.last_key AND walk.expires_at > $7 THEN walk.owed + 1 ELSE 1 END
     WHERE $9 OR walk.owed = 0 OR walk.expires_at <= $7 OR walk.last_key = EXCLUDED.last_key
     RETURNING next_index, total")
);

/// A possible end of a page.
#[derive(Debug)]
pub(super) struct End {
    /// So many resources are shown.
    pub shown: usize,
    /// The number of the next page.
    pub next: u64,
    /// Where it ends.
    pub key: Key,
}

/// Keeps one of `ends`, the first best; gives its next number and the total, of all resources of these types if it
/// is not known. `None`: others took them at the same moment. When `forced`, the first one, whoever needs its number.
pub(super) async fn keep(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    ends: &[End],
    (total, kinds): (Option<u64>, &[&str]),
    forced: bool,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<(u64, u64)>, Failure> {
    let next: Vec<i64> = ends.iter().map(|end| number(end.next)).collect();
    let keys: Vec<Value> = ends
        .iter()
        .map(|end| serde_json::to_value(&end.key).unwrap_or_default())
        .collect();
    let row = Keep::with((
        tenant.uuid(),
        token.uuid(),
        query,
        next,
        keys,
        total.map(number),
        now,
        until,
        forced,
        kinds,
    ))
    .get_result::<(i64, i64)>(conn)
    .await
    .optional()?;
    Ok(row.and_then(|(next, total)| Some((u64::try_from(next).ok()?, u64::try_from(total).ok()?))))
}

statement!(
    /// Forgets walks that nobody may go on with.
    Sweep: (Timestamptz,) -> () = "DELETE FROM walk WHERE expires_at <= $1"
);

/// Forgets the walks of all tenants that nobody may go on with; gives how many marks that were.
pub(super) async fn sweep(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, Failure> {
    Sweep::with((now,)).execute(conn).await
}
