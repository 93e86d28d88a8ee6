//! Definitions in the database.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::base::TenantId;
use crate::db::{Conn, Statement};
use crate::directory::store::Failure;
use crate::scim::define::Definitions;
use crate::statement;

statement!(
    /// A tenant's definitions: schemas before the types that name them, the oldest first.
    Stored: (SqlUuid,) -> (Text, Jsonb) =
    "SELECT kind, body FROM definition WHERE tenant_id = $1 ORDER BY kind, made_at, name"
);
statement!(
    /// Keeps others from changing this tenant's definitions until the transaction ends.
    Hold: (SqlUuid,) -> (Bool,) =
    "SELECT pg_advisory_xact_lock(hashtextextended('definition ' || $1::text, 0)) IS NOT NULL"
);
statement!(
    /// Writes a definition.
    Keep: (SqlUuid, Text, Text, Jsonb, Timestamptz) -> () =
    "INSERT INTO definition (tenant_id, kind, name, body, made_at, changed_at) VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (tenant_id, kind, name) DO UPDATE SET body = EXCLUDED.body, changed_at = EXCLUDED.changed_at"
);
statement!(
    /// Takes a definition away.
    Drop: (SqlUuid, Text, Text) -> () = "DELETE FROM definition WHERE tenant_id = $1 AND kind = $2 AND name = $3"
);
statement!(
    /// Tells every process, when the transaction commits.
    Tell: () -> (Text,) = "SELECT pg_notify('bridge_schema', '')::text"
);
statement!(
    /// How many resources of a type have a value at a path, or with $4 have none; with $5 only those with that member.
    CountHolding: (SqlUuid, Text, Text, Bool, Nullable<Text>) -> (BigInt,) =
    "SELECT count(*) FROM resource WHERE tenant_id = $1 AND kind = $2 AND (body::jsonb @? $3::text::jsonpath) <> $4
        AND ($5 IS NULL OR body::jsonb ? $5)"
);
statement!(
    /// How many resources of a type there are.
    CountOf: (SqlUuid, Text) -> (BigInt,) = "SELECT count(*) FROM resource WHERE tenant_id = $1 AND kind = $2"
);

/// The tenant's own schemas and resource types.
pub(super) async fn definitions(conn: &mut Conn, tenant: TenantId) -> Result<Definitions, Failure> {
    let rows: Vec<(String, Value)> = Stored::with((tenant.uuid(),)).load(conn).await?;
    let (schemas, kinds): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(kind, _)| kind == "schema");
    let bodies = |rows: Vec<(String, Value)>| rows.into_iter().map(|(_, body)| body).collect();
    Ok(Definitions {
        schemas: bodies(schemas),
        kinds: bodies(kinds),
    })
}

/// The same, with all other changes of them held off until the transaction ends.
pub(super) async fn definitions_held(conn: &mut Conn, tenant: TenantId) -> Result<Definitions, Failure> {
    Hold::with((tenant.uuid(),)).get_result::<(bool,)>(conn).await?;
    definitions(conn, tenant).await
}

/// Writes a definition; `kind` is `schema` or `type`.
pub(super) async fn keep(
    conn: &mut Conn,
    tenant: TenantId,
    (kind, name, body): (&str, &str, &Value),
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    Keep::with((tenant.uuid(), kind, name, body, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a definition away.
pub(super) async fn drop(conn: &mut Conn, tenant: TenantId, kind: &str, name: &str) -> Result<(), Failure> {
    Drop::with((tenant.uuid(), kind, name)).execute(conn).await?;
    Ok(())
}

/// Tells every process, when the transaction commits.
pub(super) async fn tell(conn: &mut Conn) -> Result<(), Failure> {
    Tell::with(()).get_result::<(String,)>(conn).await?;
    Ok(())
}

/// How many resources of a type have a value at a path, or have `none`. Reads all of them: for administrators.
pub(super) async fn count_holding(
    conn: &mut Conn,
    (tenant, kind): (TenantId, &str),
    path: &[String],
    none: bool,
    within: Option<&str>,
) -> Result<i64, Failure> {
    let path: String = std::iter::once("$".to_owned())
        .chain(path.iter().map(|part| format!(".{}", Value::from(part.as_str()))))
        .collect();
    let (count,): (i64,) = CountHolding::with((tenant.uuid(), kind, path, none, within))
        .get_result(conn)
        .await?;
    Ok(count)
}

/// How many resources of a type there are.
pub(super) async fn count_of(conn: &mut Conn, tenant: TenantId, kind: &str) -> Result<i64, Failure> {
    let (count,): (i64,) = CountOf::with((tenant.uuid(), kind)).get_result(conn).await?;
    Ok(count)
}
