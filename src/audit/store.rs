//! Entries of the audit trail.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use crate::base::TenantId;
use crate::db::{Conn, QueryResult, Statement as _};

crate::statement!(
    /// Adds an entry.
    Add: (diesel::sql_types::Uuid, Nullable<diesel::sql_types::Uuid>, Timestamptz, Text, Text, Text, Jsonb) -> () =
    "INSERT INTO audit_entry (id, tenant_id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)"
);

/// Notes that `actor` (`operator:<token id>`, `token:<id>`, `cli`) did `action` (`token.create`) to `subject`
/// (`token:<id>`), in the transaction of the deed. `tenant` is none for what belongs to the operator.
///
/// # Errors
/// When the row cannot be written.
pub async fn note(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    at: DateTime<Utc>,
    actor: &str,
    action: &str,
    subject: &str,
    detail: Value,
) -> QueryResult<()> {
    let tenant = tenant.map(TenantId::uuid);
    Add::with((Uuid::now_v7(), tenant, at, actor, action, subject, detail))
        .execute(conn)
        .await?;
    Ok(())
}
