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
use crate::directory::filter_sql::{Bind, Sql};
use crate::directory::store::{Failure, FoundColumns, FoundRow, columns, finding, found};
use crate::directory::{Found, Want};
use crate::statement;

finding!(
    /// The resource of a userName, folded.
    ByUserName, ByUserNameMostly, Text, "r.tenant_id = $1 AND r.user_name = $2 AND r.kind = $3"
);

finding!(
    /// The resources that the client or HR calls so; who has another name from the client is to be sorted out.
    ByExternalId,
    ByExternalIdMostly,
    Text,
    "r.tenant_id = $1 AND r.kind = $3 AND r.id IN (
        SELECT e.resource_id FROM external_id e WHERE e.tenant_id = $1 AND e.kind = $3 AND e.value = $2
        AND e.client_id IN (SELECT $4 UNION ALL SELECT c.id FROM connection c WHERE c.tenant_id = $1))
     ORDER BY r.id"
);

pub(super) async fn by_user_name(
    conn: &mut Conn,
    (tenant, kind): (TenantId, &str),
    folded: &str,
    client: Option<ClientId>,
    want: Want,
) -> Result<Vec<Found>, Failure> {
    let values = (
        tenant.uuid(),
        folded,
        kind,
        client.map(ClientId::uuid),
        want.groups,
        want.members,
    );
    let rows = if want.members {
        ByUserName::with(values).load::<FoundRow>(conn).await?
    } else {
        ByUserNameMostly::with(values).load::<FoundRow>(conn).await?
    };
    Ok(rows.into_iter().map(found).collect())
}

pub(super) async fn by_external_id(
    conn: &mut Conn,
    (tenant, kind): (TenantId, &str),
    value: &str,
    client: Option<ClientId>,
    want: Want,
) -> Result<Vec<Found>, Failure> {
    let values = (
        tenant.uuid(),
        value,
        kind,
        client.map(ClientId::uuid),
        want.groups,
        want.members,
    );
    let rows = if want.members {
        ByExternalId::with(values).load::<FoundRow>(conn).await?
    } else {
        ByExternalIdMostly::with(values).load::<FoundRow>(conn).await?
    };
    Ok(rows.into_iter().map(found).collect())
}

finding!(
    /// The first of the resources that have all these keys.
    ByKeys,
    ByKeysMostly,
    Array<BigInt>,
    "r.tenant_id = $1 AND r.kind = $3 AND r.id = ANY (ARRAY(
        SELECT k.id FROM resource_key k WHERE k.tenant_id = $1 AND k.keys @> $2 LIMIT 10001))
     ORDER BY r.id LIMIT 101"
);

/// The resources that have all these keys; `None` if they are more than 100.
pub(super) async fn by_keys(
    conn: &mut Conn,
    (tenant, kind): (TenantId, &str),
    keys: &[i64],
    client: Option<ClientId>,
    want: Want,
) -> Result<Option<Vec<Found>>, Failure> {
    let values = (
        tenant.uuid(),
        keys,
        kind,
        client.map(ClientId::uuid),
        want.groups,
        want.members,
    );
    let rows = if want.members {
        ByKeys::with(values).load::<FoundRow>(conn).await?
    } else {
        ByKeysMostly::with(values).load::<FoundRow>(conn).await?
    };
    Ok((rows.len() <= 100).then(|| rows.into_iter().map(found).collect()))
}

/// So many resources with the keys of a filter are named one by one; more are left to the planner.
const FEW: i64 = 10_000;

statement!(
    /// The resources that have all these keys, unless there are many.
    WithKeys: (SqlUuid, Array<BigInt>, BigInt) -> (SqlUuid,) =
    "SELECT id FROM resource_key WHERE tenant_id = $1 AND keys @> $2 LIMIT $3"
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

statement!(
    /// How many resources of some types there are: what the sequencer counted, and what is not numbered yet.
    Total: (SqlUuid, Array<Text>) -> (BigInt,) =
    "SELECT (coalesce((SELECT sum(total) FROM resource_total WHERE tenant_id = $1 AND kind = ANY($2)), 0)
           + (SELECT count(*) FILTER (WHERE action = 'create') - count(*) FILTER (WHERE action = 'delete')
              FROM unnumbered_change WHERE tenant_id = $1 AND kind = ANY($2)))::bigint"
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
    let values = [
        (4, Bind::Id(client.map(ClientId::uuid))),
        (5, Bind::Flag(want.groups)),
        (6, Bind::Flag(want.members)),
    ];
    let columns = if want.members {
        columns!()
    } else {
        columns!("NULL::text", "NULL::text[]")
    };
    let sql = Sql::new("SELECT ")
        .sql(&Sql::template(columns, &values))
        .push(", p.k::text FROM (")
        .sql(&stretch.ids(among, sort))
        .push(") p JOIN resource r ON r.id = p.id AND r.tenant_id = ")
        .id(tenant.uuid())
        .push(" ORDER BY ")
        .push(stretch.order());
    let statement = sql.statement::<Listed>().kept(plain && sort.is_none());
    let rows = statement.load::<ListedRow>(conn).await?;
    Ok(rows.into_iter().map(listed).collect())
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
    Nullable<Array<Text>>,
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
    Option<Vec<String>>,
    Option<Vec<String>>,
    Option<String>,
    Option<Vec<String>>,
    Option<String>,
);

fn listed(row: ListedRow) -> (Found, Option<String>) {
    let (a, b, c, d, e, f, g, h, i, j, k, l, key) = row;
    (found((a, b, c, d, e, f, g, h, i, j, k, l)), key)
}

/// A walk: whose, by which token, and the digest of its query.
pub(super) type Walk<'a> = (TenantId, TokenId, &'a [u8]);

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Step {
    pub last: Key,
    pub total: u64,
}

statement!(
    /// Where the page before ended. Whoever asks is on its way from there.
    StepOf: (SqlUuid, SqlUuid, Bytea, BigInt, Timestamptz) -> (Jsonb, BigInt) =
    "UPDATE walk SET owed = greatest(owed - 1, 0)
     WHERE tenant_id = $1 AND token_id = $2 AND query = $3 AND next_index = $4 AND expires_at > $5
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
    /// Keeps the first of some possible ends of a page whose number no other walk needs for an end elsewhere.
    Keep: (SqlUuid, SqlUuid, Bytea, Array<BigInt>, Array<Jsonb>, BigInt, Timestamptz, Timestamptz, Bool) -> (BigInt,) =
    "INSERT INTO walk (tenant_id, token_id, query, next_index, last_key, total, expires_at, owed)
     SELECT $1, $2, $3, e.next, e.key, $6, $8, 1 FROM unnest($4, $5) WITH ORDINALITY AS e(next, key, n)
       LEFT JOIN walk w ON w.tenant_id = $1 AND w.token_id = $2 AND w.query = $3 AND w.next_index = e.next
      WHERE $9 OR w.owed IS NULL OR w.owed = 0 OR w.expires_at <= $7 OR w.last_key = e.key
      ORDER BY e.n LIMIT 1
     ON CONFLICT (tenant_id, token_id, query, next_index) DO UPDATE
     SET last_key = EXCLUDED.last_key, total = EXCLUDED.total, expires_at = EXCLUDED.expires_at,
         owed = CASE WHEN walk.last_key = EXCLUDED.last_key AND walk.expires_at > $7 THEN walk.owed + 1 ELSE 1 END
     WHERE $9 OR walk.owed = 0 OR walk.expires_at <= $7 OR walk.last_key = EXCLUDED.last_key
     RETURNING next_index"
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

/// Keeps one of `ends`, the first best; gives its next number. `None`: others took them at the same moment. When
/// `forced`, the first one, whoever needs its number.
pub(super) async fn keep(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    ends: &[End],
    (total, forced): (u64, bool),
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<u64>, Failure> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
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
        number(total),
        now,
        until,
        forced,
    ))
    .get_result::<(i64,)>(conn)
    .await
    .optional()?;
    Ok(row.and_then(|(next,)| u64::try_from(next).ok()))
}

statement!(
    /// Forgets walks that nobody may go on with.
    Sweep: (Timestamptz,) -> () = "DELETE FROM walk WHERE expires_at <= $1"
);

/// Forgets the walks of all tenants that nobody may go on with; gives how many marks that were.
pub(super) async fn sweep(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, Failure> {
    Sweep::with((now,)).execute(conn).await
}
