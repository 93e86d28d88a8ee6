//! The table `given_name`, and which names are taken.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Given, GivenNames};
use crate::base::{PersonId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::scim;
use crate::statement;

statement!(
    NamesOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Text, Text) =
    "SELECT DISTINCT ON (person_id) person_id, shown, base FROM given_name
     WHERE tenant_id = $1 AND person_id = ANY($2) ORDER BY person_id, given_at DESC, name"
);

/// The names that people were given last.
pub(super) async fn of_people(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
) -> Result<GivenNames, QueryError> {
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, String, String)> = NamesOf::with((tenant.uuid(), people)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(person, shown, base)| (PersonId::from(person), Given { shown, base }))
        .collect())
}

statement!(
    /// By a user, by one that was deleted, by anybody to whom it was ever given.
    Taken: (SqlUuid, Array<Text>) -> (Text,) =
    "SELECT user_name FROM resource WHERE tenant_id = $1 AND kind = 'User' AND user_name = ANY($2)
     UNION SELECT user_name FROM tombstone WHERE tenant_id = $1 AND user_name = ANY($2)
     UNION SELECT name FROM given_name WHERE tenant_id = $1 AND name = ANY($2)"
);

/// Which of these folded names are taken.
pub(super) async fn taken(
    conn: &mut Conn,
    tenant: TenantId,
    names: &[String],
) -> Result<HashSet<String>, QueryError> {
    let rows: Vec<(String,)> = Taken::with((tenant.uuid(), names)).get_results(conn).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

statement!(
    Give: (SqlUuid, Array<Text>, Array<SqlUuid>, Array<Text>, Array<Text>, Timestamptz) -> () =
    "INSERT INTO given_name (tenant_id, name, person_id, shown, base, given_at)
     SELECT $1, given.*, $6 FROM UNNEST($2::text[], $3::uuid[], $4::text[], $5::text[]) AS given
     ON CONFLICT (tenant_id, name) DO NOTHING"
);

/// Notes names as given: person, name, base.
pub(in crate::sync) async fn give(
    conn: &mut Conn,
    tenant: TenantId,
    names: &[(PersonId, String, String)],
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    let folded: Vec<String> = names.iter().map(|(_, name, _)| scim::fold(name)).collect();
    let people: Vec<Uuid> = names.iter().map(|(person, _, _)| person.uuid()).collect();
    let shown: Vec<&str> = names.iter().map(|(_, name, _)| name.as_str()).collect();
    let bases: Vec<&str> = names.iter().map(|(_, _, base)| base.as_str()).collect();
    Give::with((tenant.uuid(), folded, people, shown, bases, now))
        .execute(conn)
        .await?;
    Ok(())
}
