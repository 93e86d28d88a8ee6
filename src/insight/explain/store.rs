//! Reads for the story of one user.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Source;
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::insight::Error;
use crate::statement;

statement!(
    Names: (SqlUuid,) -> (SqlUuid, Text) =
    "SELECT id, name FROM client c WHERE tenant_id = $1
       AND NOT EXISTS (SELECT FROM connection o WHERE o.tenant_id = c.tenant_id AND o.id = c.id)
     UNION ALL SELECT id, name FROM connection WHERE tenant_id = $1
     UNION ALL SELECT id, name FROM app WHERE tenant_id = $1"
);
statement!(
    UserOfPerson: (SqlUuid, SqlUuid) -> (Nullable<SqlUuid>,) =
    "SELECT user_id FROM person WHERE tenant_id = $1 AND id = $2"
);
statement!(
    Sources: (SqlUuid, SqlUuid) -> (Text, Text, Text) =
    "SELECT c.name, s.source_id, s.outcome FROM source_record s
     JOIN connection c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id
     WHERE s.tenant_id = $1 AND s.person_id = $2 ORDER BY c.name, s.source_id LIMIT 100"
);
statement!(
    RulesOf: (SqlUuid, SqlUuid) -> (Text, Jsonb) =
    "SELECT c.name, c.authority FROM external_id e
     JOIN connection c ON c.tenant_id = e.tenant_id AND c.id = e.client_id
     WHERE e.tenant_id = $1 AND e.resource_id = $2 AND e.hr ORDER BY c.name"
);
statement!(
    /// The last change of each path.
    LastWriters: (SqlUuid, SqlUuid) -> (Text, Jsonb, Timestamptz) =
    "SELECT DISTINCT ON (line->>'path') line->>'path', c.origin, c.at
     FROM change c CROSS JOIN LATERAL jsonb_array_elements(c.delta) line
     WHERE c.tenant_id = $1 AND c.resource_id = $2 AND c.action IN ('create', 'update') AND line ? 'path'
     ORDER BY line->>'path', c.id DESC"
);
statement!(
    ChangesOf: (SqlUuid, SqlUuid, BigInt, BigInt) -> (BigInt, Timestamptz, Text, Text, BigInt, Nullable<Jsonb>, Jsonb) =
    "SELECT id, at, kind, action, version, delta, origin FROM change
     WHERE tenant_id = $1 AND resource_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
);

/// Clients, connections and apps by id.
pub(super) async fn names(conn: &mut Conn, tenant: TenantId) -> Result<Vec<(Uuid, String)>, Error> {
    Ok(Names::with((tenant.uuid(),)).load(conn).await?)
}

/// The user that a person has or had; the outer `None`: there is no such person.
pub(super) async fn user_of_person(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
) -> Result<Option<Option<ResourceId>>, Error> {
    let row: Option<(Option<Uuid>,)> = UserOfPerson::with((tenant.uuid(), person.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(user,)| user.map(ResourceId::from)))
}

/// The records of a person.
pub(super) async fn sources(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
) -> Result<Vec<Source>, Error> {
    let rows: Vec<(String, String, String)> =
        Sources::with((tenant.uuid(), person.uuid())).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(connection, source_id, outcome)| Source {
            connection,
            source_id,
            outcome,
        })
        .collect())
}

/// The rules of the connections that a user comes from, by path.
pub(super) async fn rules_of(
    conn: &mut Conn,
    tenant: TenantId,
    user: ResourceId,
) -> Result<Vec<(String, Map<String, Value>)>, Error> {
    let rows: Vec<(String, Value)> = RulesOf::with((tenant.uuid(), user.uuid())).load(conn).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(name, rules)| match rules {
            Value::Object(rules) => Some((name, rules)),
            _ => None,
        })
        .collect())
}

/// The origin and time of the last change of each path.
pub(super) async fn last_writers(
    conn: &mut Conn,
    tenant: TenantId,
    user: ResourceId,
) -> Result<Vec<(String, Value, DateTime<Utc>)>, Error> {
    Ok(LastWriters::with((tenant.uuid(), user.uuid())).load(conn).await?)
}

/// A row of the log.
pub(super) struct ChangeRow {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub action: String,
    pub version: i64,
    pub delta: Option<Value>,
    pub origin: Value,
}

/// Changes of a resource before one of them, the newest first.
pub(super) async fn changes_of(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    before: i64,
    limit: i64,
) -> Result<Vec<ChangeRow>, Error> {
    type Row = (i64, DateTime<Utc>, String, String, i64, Option<Value>, Value);
    let rows: Vec<Row> = ChangesOf::with((tenant.uuid(), id.uuid(), before, limit))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, at, kind, action, version, delta, origin)| ChangeRow {
            id,
            at,
            kind,
            action,
            version,
            delta,
            origin,
        })
        .collect())
}
