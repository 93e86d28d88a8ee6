//! Reads accounts of several apps at once.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::TenantId;
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

statement!(
    /// An account in sync has not heard of the deactivation yet.
    AccountsOf: (SqlUuid, Array<SqlUuid>, Timestamptz) -> (SqlUuid, Text, Text, Text, Bool, Nullable<Jsonb>) =
    "SELECT x.resource_id, a.name, x.state, x.reason,
            a.mode = 'live' AND a.trouble IS NULL
            AND (x.state = 'in_sync' OR x.look AND (x.state = 'pending' OR x.due_at IS NULL OR x.due_at <= $3)),
            x.answers
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     WHERE x.tenant_id = $1 AND x.resource_id = ANY($2) AND x.state NOT IN ('out_of_scope', 'skipped')
     ORDER BY x.resource_id, a.name"
);

/// User, app, state, reason, whether something is still to come, and what hooks answered.
pub(super) type AccountRow = (Uuid, String, String, String, bool, Option<Value>);

/// The accounts of users.
pub(super) async fn accounts(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[Uuid],
    now: DateTime<Utc>,
) -> QueryResult<Vec<AccountRow>> {
    AccountsOf::with((tenant.uuid(), users.to_vec(), now))
        .get_results(conn)
        .await
}
