//! Statements that list resources.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::base::{ClientId, ResourceId, TenantId, TokenId};
use crate::db::{Conn, Statement};
use crate::directory::filter_sql::{Bind, Sql, View};
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

statement!(
    /// How many resources of a type there are: what the sequencer counted, and what is not numbered yet.
    Total: (SqlUuid, Text) -> (BigInt,) =
    "SELECT (coalesce((SELECT total FROM resource_total WHERE tenant_id = $1 AND kind = $2), 0)
           + (SELECT count(*) FILTER (WHERE action = 'create') - count(*) FILTER (WHERE action = 'delete')
              FROM change WHERE seq IS NULL AND tenant_id = $1 AND kind = $2))::bigint"
);

/// How many resources there are in all.
pub(super) async fn total(conn: &mut Conn, view: &View<'_>, condition: Option<&Sql>) -> Result<u64, Failure> {
    let (total,) = match condition {
        None => {
            let values = (view.tenant.uuid(), view.kind.name.as_str());
            Total::with(values).get_result::<(i64,)>(conn).await?
        }
        Some(condition) => {
            let sql = among(Sql::new("SELECT count(*) FROM resource r WHERE "), view)
                .push(" AND ")
                .sql(condition);
            sql.statement::<(BigInt,)>().get_result::<(i64,)>(conn).await?
        }
    };
    Ok(u64::try_from(total).unwrap_or(0))
}

fn among(sql: Sql, view: &View<'_>) -> Sql {
    sql.push("r.tenant_id = ")
        .bind(Bind::Id(Some(view.tenant.uuid())))
        .push(" AND r.kind = ")
        .text(&view.kind.name)
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// Behind this key.
    After(Key),
    /// After so many rows.
    Skip(u64),
}

/// Where a page ended: the id of its last resource, and what that was sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub id: ResourceId,
    pub sorted: Option<String>,
}

/// What to sort by, its SQL type, and whether the greatest comes first.
pub(super) type Sort = ((Sql, &'static str), bool);

/// Reads a page with what each row is sorted by.
pub(super) async fn page(
    conn: &mut Conn,
    view: &View<'_>,
    condition: Option<&Sql>,
    sort: Option<&Sort>,
    from: &From,
    (limit, want): (u64, Want),
) -> Result<Vec<(Found, Option<String>)>, Failure> {
    let key = sort.map_or_else(|| Sql::new("NULL::text"), |((key, _), _)| key.clone());
    let rows = Sql::new("SELECT r.*, ")
        .sql(&key)
        .push(" AS k FROM resource r WHERE ");
    let mut rows = among(rows, view);
    if let Some(condition) = condition {
        rows = rows.push(" AND ").sql(condition);
    }
    let mut inner = Sql::new("SELECT * FROM (").sql(&rows).push(") r");
    let order = match sort {
        None => " ORDER BY r.id",
        Some((_, false)) => " ORDER BY r.k IS NULL, r.k, r.id",
        Some((_, true)) => " ORDER BY r.k IS NOT NULL, r.k DESC, r.id",
    };
    let mut skip = 0;
    match from {
        From::Skip(rows) => skip = *rows,
        From::After(last) => inner = inner.push(" WHERE ").sql(&behind(last, sort)),
    }
    let inner = inner
        .push(order)
        .push(" LIMIT ")
        .bind(Bind::Number(i64::try_from(limit).unwrap_or(i64::MAX)))
        .push(" OFFSET ")
        .bind(Bind::Number(i64::try_from(skip).unwrap_or(i64::MAX)));
    let client = Bind::Id(view.client.map(ClientId::uuid));
    let values = [
        (4, client),
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
        .push(", r.k::text FROM (")
        .sql(&inner)
        .push(") r")
        .push(order);
    let rows = sql.statement::<Listed>().load::<ListedRow>(conn).await?;
    Ok(rows.into_iter().map(listed).collect())
}

/// The condition that a row comes behind the last one of the page before.
fn behind(last: &Key, sort: Option<&Sort>) -> Sql {
    let later = Sql::new("r.id > ").bind(Bind::Id(Some(last.id.uuid())));
    let Some(((_, kind), descending)) = sort else {
        return later;
    };
    let Some(sorted) = &last.sorted else {
        // Rows without a value: the last ones when ascending, the first ones when descending.
        let rest = if *descending { " OR r.k IS NOT NULL)" } else { ")" };
        return Sql::new("((r.k IS NULL AND ").sql(&later).push(")").push(rest);
    };
    let value = Sql::new("").text(sorted).push("::").push(kind);
    let sql = Sql::new(if *descending {
        "(r.k < "
    } else {
        "(r.k IS NULL OR r.k > "
    })
    .sql(&value);
    sql.push(" OR (r.k = ")
        .sql(&value)
        .push(" AND ")
        .sql(&later)
        .push("))")
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

statement!(
    /// Where the page before ended.
    StepOf: (SqlUuid, SqlUuid, Bytea, BigInt, Timestamptz) -> (Jsonb, BigInt) =
    "SELECT last_key, total FROM walk
     WHERE tenant_id = $1 AND token_id = $2 AND query = $3 AND next_index = $4 AND expires_at > $5"
);

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Step {
    pub last: Key,
    pub total: u64,
}

type Walk<'a> = (TenantId, TokenId, &'a [u8]);

pub(super) async fn step(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    index: u64,
    now: DateTime<Utc>,
) -> Result<Option<Step>, Failure> {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let row = StepOf::with((tenant.uuid(), token.uuid(), query, index, now))
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
    /// Keeps where a page ended, and forgets what is too old.
    KeepStep: (SqlUuid, SqlUuid, Bytea, BigInt, Jsonb, BigInt, Timestamptz, Timestamptz) -> () =
    "WITH old AS (DELETE FROM walk WHERE tenant_id = $1 AND token_id = $2 AND expires_at < $7)
     INSERT INTO walk (tenant_id, token_id, query, next_index, last_key, total, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $8)
     ON CONFLICT (tenant_id, token_id, query, next_index)
     DO UPDATE SET last_key = EXCLUDED.last_key, total = EXCLUDED.total, expires_at = EXCLUDED.expires_at"
);

pub(super) async fn keep_step(
    conn: &mut Conn,
    (tenant, token, query): Walk<'_>,
    next: u64,
    step: &Step,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Failure> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let key = serde_json::to_value(&step.last).unwrap_or_default();
    KeepStep::with((
        tenant.uuid(),
        token.uuid(),
        query,
        number(next),
        key,
        number(step.total),
        now,
        until,
    ))
    .execute(conn)
    .await?;
    Ok(())
}
