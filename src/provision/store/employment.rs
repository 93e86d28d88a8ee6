//! What is known of people's employments. Sync writes it, whoever decides about accounts reads it.

use diesel::sql_types::{Array, Jsonb, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{PersonId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::lifecycle::Facts;
use crate::provision::{Employments, Error};
use crate::statement;

statement!(
    EmploymentsOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Jsonb) =
    "SELECT person_id, facts FROM employment WHERE tenant_id = $1 AND person_id = ANY($2)"
);
statement!(
    PutEmployments: (SqlUuid, Array<SqlUuid>, Array<Jsonb>) -> () =
    "INSERT INTO employment (tenant_id, person_id, facts)
     SELECT $1, new.* FROM UNNEST($2::uuid[], $3::jsonb[]) AS new ORDER BY 2
     ON CONFLICT (tenant_id, person_id) DO UPDATE SET facts = excluded.facts, fresh = true
     WHERE employment.facts IS DISTINCT FROM excluded.facts"
);

/// What is known of these people; who has no row is not there.
///
/// # Errors
/// When what is stored cannot be read, or the database refuses.
pub async fn employments(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
) -> Result<Employments, Error> {
    if people.is_empty() {
        return Ok(Employments::new());
    }
    let ids: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Value)> = EmploymentsOf::with((tenant.uuid(), ids))
        .get_results(conn)
        .await?;
    rows.into_iter()
        .map(|(id, facts)| Ok((id.into(), serde_json::from_value(facts).map_err(Error::Stored)?)))
        .collect()
}

/// Keeps what is known of people; what is the same as before is not written. The caller's transaction is that of the
/// users, so that no account is judged by facts that are newer or older than its user.
///
/// # Errors
/// When the database refuses.
pub async fn put_employments(
    conn: &mut Conn,
    tenant: TenantId,
    facts: &[(PersonId, &Facts)],
) -> Result<(), Error> {
    if facts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = facts.iter().map(|(id, _)| id.uuid()).collect();
    let bodies = facts
        .iter()
        .map(|(_, facts)| serde_json::to_value(facts).map_err(Error::Stored))
        .collect::<Result<Vec<Value>, _>>()?;
    PutEmployments::with((tenant.uuid(), ids, bodies))
        .execute(conn)
        .await?;
    Ok(())
}
