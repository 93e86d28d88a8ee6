//! Definitions in the database.

use diesel::sql_types::{Jsonb, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::base::TenantId;
use crate::db::{Conn, Statement};
use crate::directory::store::Failure;
use crate::statement;

statement!(
    /// A tenant's definitions: schemas before the types that name them, the oldest first.
    Definitions: (SqlUuid,) -> (Text, Jsonb) =
    "SELECT kind, body FROM definition WHERE tenant_id = $1 ORDER BY kind, made_at, name"
);

/// The tenant's own schemas and resource types.
pub(super) async fn definitions(
    conn: &mut Conn,
    tenant: TenantId,
) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let rows: Vec<(String, Value)> = Definitions::with((tenant.uuid(),)).load(conn).await?;
    let (schemas, types): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(kind, _)| kind == "schema");
    let bodies = |rows: Vec<(String, Value)>| rows.into_iter().map(|(_, body)| body).collect();
    Ok((bodies(schemas), bodies(types)))
}
