//! What a support bundle reads.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{RunId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// Severity, outcome, field, message, how often.
pub(super) type OutcomeRow = (String, String, Option<String>, String, i64);
/// App, action, method, state, made when, the last status.
pub(super) type OperationRow = (String, String, String, String, DateTime<Utc>, Option<i32>);
/// When, who, what, to what.
pub(super) type DeedRow = (DateTime<Utc>, String, String, String);

statement!(
    Outcomes: (SqlUuid, Array<SqlUuid>) -> (Text, Text, Nullable<Text>, Text, BigInt) =
    "SELECT severity, outcome, field, message, count(*) FROM run_outcome
     WHERE tenant_id = $1 AND run_id = ANY($2)
     GROUP BY severity, outcome, field, message ORDER BY count(*) DESC, message LIMIT 100"
);
statement!(
    Refused: (SqlUuid,) -> (Text, Text, Text, Text, Timestamptz, Nullable<Integer>) =
    "SELECT a.name, o.action, o.method, o.state, o.created_at, t.status
     FROM app a
     CROSS JOIN LATERAL (
        SELECT * FROM operation o WHERE o.tenant_id = a.tenant_id AND o.app_id = a.id ORDER BY o.id DESC LIMIT 200
     ) o
     LEFT JOIN LATERAL (
        SELECT status FROM attempt t WHERE t.tenant_id = o.tenant_id AND t.app_id = o.app_id AND t.operation_id = o.id
        ORDER BY t.number DESC LIMIT 1
     ) t ON true
     WHERE a.tenant_id = $1 AND o.state IN ('refused', 'unknown') ORDER BY o.created_at DESC LIMIT 200"
);
statement!(
    Deeds: (SqlUuid,) -> (Timestamptz, Text, Text, Text) =
    "SELECT at, actor, action, subject FROM audit_entry WHERE tenant_id = $1 ORDER BY id DESC LIMIT 100"
);

/// What runs said, by kind.
pub(super) async fn outcomes(
    conn: &mut Conn,
    tenant: TenantId,
    runs: &[RunId],
) -> Result<Vec<OutcomeRow>, QueryError> {
    let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    Outcomes::with((tenant.uuid(), runs)).get_results(conn).await
}

/// What apps refused lately.
pub(super) async fn refused(conn: &mut Conn, tenant: TenantId) -> Result<Vec<OperationRow>, QueryError> {
    Refused::with((tenant.uuid(),)).get_results(conn).await
}

/// What was done lately.
pub(super) async fn deeds(conn: &mut Conn, tenant: TenantId) -> Result<Vec<DeedRow>, QueryError> {
    Deeds::with((tenant.uuid(),)).get_results(conn).await
}
