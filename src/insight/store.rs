//! Reads, across the tables of the modules below.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Error, Person};
use crate::base::{ConnectionId, PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

/// App, mode, trouble, quiet until, state, accounts in it.
pub(super) type CountRow = (
    String,
    String,
    Option<String>,
    Option<DateTime<Utc>>,
    Option<String>,
    i64,
);

statement!(
    Counts: (SqlUuid,) -> (Text, Text, Nullable<Text>, Nullable<Timestamptz>, Nullable<Text>, BigInt) =
    "SELECT a.name, a.mode, a.trouble, a.resume_at, x.state, count(x.resource_id)
     FROM app a LEFT JOIN account x ON x.tenant_id = a.tenant_id AND x.app_id = a.id
     WHERE a.tenant_id = $1 GROUP BY a.name, a.mode, a.trouble, a.resume_at, x.state ORDER BY a.name, x.state"
);

/// Accounts by app and state.
pub(super) async fn counts(conn: &mut Conn, tenant: TenantId) -> Result<Vec<CountRow>, Error> {
    Ok(Counts::with((tenant.uuid(),)).get_results(conn).await?)
}

statement!(
    IsSettled: (SqlUuid, Timestamptz) -> (Bool,) =
    "SELECT NOT EXISTS (SELECT 1 FROM unnumbered_change c WHERE c.tenant_id = $1)
        AND NOT EXISTS (
            SELECT 1 FROM hold h WHERE h.tenant_id = $1 AND h.app_id IS NOT NULL AND NOT h.heeded
              AND h.state IN ('approved', 'rejected'))
        AND NOT EXISTS (
            SELECT 1 FROM app a
            WHERE a.tenant_id = $1 AND a.mode <> 'paused' AND a.live_revision IS NOT NULL
              AND NOT EXISTS (SELECT FROM frozen f WHERE f.tenant_id = a.tenant_id AND f.owner_id IN (a.id, a.tenant_id))
              AND (a.planned_revision IS DISTINCT FROM a.live_revision
                   OR a.dispatched_seq < coalesce((SELECT last_seq FROM change_chain c WHERE c.tenant_id = $1), 0)
                   OR (a.matched_at IS NULL AND a.trouble IS NULL)
                   OR (a.trouble IS NULL AND EXISTS (
                           SELECT 1 FROM account x
                           WHERE x.tenant_id = $1 AND x.app_id = a.id AND x.look
                             AND x.state NOT IN ('quarantined', 'unmatched')
                             AND (x.state = 'pending' OR x.due_at IS NULL OR x.due_at <= $2)))
                   OR EXISTS (SELECT 1 FROM operation o
                              WHERE o.tenant_id = $1 AND o.app_id = a.id AND o.state = 'pending')))"
);

/// Whether nothing is still to come for any app that is not paused.
pub(super) async fn is_settled(conn: &mut Conn, tenant: TenantId, now: DateTime<Utc>) -> Result<bool, Error> {
    let (settled,): (bool,) = IsSettled::with((tenant.uuid(), now)).get_result(conn).await?;
    Ok(settled)
}

/// App, connection, client; since, reason, by whom.
pub(super) type FrozenRow = (
    Option<String>,
    Option<String>,
    Option<String>,
    DateTime<Utc>,
    String,
    String,
);

statement!(
    Frozen: (SqlUuid,) -> (Nullable<Text>, Nullable<Text>, Nullable<Text>, Timestamptz, Text, Text) =
    "SELECT a.name, c.name, k.name, f.since, f.reason, f.by_whom FROM frozen f
     LEFT JOIN app a ON a.tenant_id = f.tenant_id AND a.id = f.owner_id
     LEFT JOIN connection c ON c.tenant_id = f.tenant_id AND c.id = f.owner_id
     LEFT JOIN client k ON k.tenant_id = f.tenant_id AND k.id = f.owner_id
     WHERE f.tenant_id = $1 ORDER BY f.since, f.owner_id"
);

/// What is frozen, with its name.
pub(super) async fn frozen(conn: &mut Conn, tenant: TenantId) -> Result<Vec<FrozenRow>, Error> {
    Ok(Frozen::with((tenant.uuid(),)).get_results(conn).await?)
}

fn people_of(rows: Vec<(Uuid,)>) -> Vec<PersonId> {
    rows.into_iter().map(|(id,)| id.into()).collect()
}

statement!(
    PeopleByEmail: (SqlUuid, Text) -> (SqlUuid,) =
    "SELECT DISTINCT person_id FROM source_record WHERE tenant_id = $1 AND work_email = $2 AND person_id IS NOT NULL LIMIT 100"
);

/// People with this work address (folded) in HR.
pub(super) async fn people_by_email(
    conn: &mut Conn,
    tenant: TenantId,
    email: &str,
) -> Result<Vec<PersonId>, Error> {
    Ok(people_of(
        PeopleByEmail::with((tenant.uuid(), email))
            .get_results(conn)
            .await?,
    ))
}

statement!(
    PeopleByNumber: (SqlUuid, Text) -> (SqlUuid,) =
    "SELECT DISTINCT s.person_id FROM connection c JOIN source_record s
         ON s.tenant_id = c.tenant_id AND s.connection_id = c.id AND s.employee_number = $2
     WHERE c.tenant_id = $1 AND s.person_id IS NOT NULL LIMIT 100"
);

/// People with this employee number in HR.
pub(super) async fn people_by_number(
    conn: &mut Conn,
    tenant: TenantId,
    number: &str,
) -> Result<Vec<PersonId>, Error> {
    Ok(people_of(
        PeopleByNumber::with((tenant.uuid(), number))
            .get_results(conn)
            .await?,
    ))
}

statement!(
    PeopleBySourceId: (SqlUuid, Text) -> (SqlUuid,) =
    "SELECT DISTINCT s.person_id FROM connection c JOIN source_record s
         ON s.tenant_id = c.tenant_id AND s.connection_id = c.id AND s.source_id = $2
     WHERE c.tenant_id = $1 AND s.person_id IS NOT NULL LIMIT 100"
);

/// The people behind this record of any connection.
pub(super) async fn people_by_source_id(
    conn: &mut Conn,
    tenant: TenantId,
    id: &str,
) -> Result<Vec<PersonId>, Error> {
    Ok(people_of(
        PeopleBySourceId::with((tenant.uuid(), id))
            .get_results(conn)
            .await?,
    ))
}

statement!(
    UsersByExternalId: (SqlUuid, Text) -> (SqlUuid,) =
    "SELECT DISTINCT e.resource_id FROM client c JOIN external_id e
         ON e.tenant_id = c.tenant_id AND e.client_id = c.id AND e.kind = 'User' AND e.value = $2
     WHERE c.tenant_id = $1 LIMIT 100"
);

/// Users that any client, or HR, calls so.
pub(super) async fn users_by_external_id(
    conn: &mut Conn,
    tenant: TenantId,
    id: &str,
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = UsersByExternalId::with((tenant.uuid(), id))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

type PersonRow = (
    Option<Uuid>,
    Option<Uuid>,
    Option<String>,
    Option<String>,
    Option<bool>,
);

statement!(
    People: (SqlUuid, Array<SqlUuid>, Array<SqlUuid>) ->
        (Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<Text>, Nullable<Text>, Nullable<Bool>) =
    "SELECT r.id, coalesce(r.person_id, p.id), r.body ->> 'userName', r.body ->> 'displayName', r.active
     FROM resource r LEFT JOIN person p ON p.tenant_id = r.tenant_id AND p.user_id = r.id
     WHERE r.tenant_id = $1 AND r.kind = 'User' AND r.id = ANY($2)
     UNION
     SELECT r.id, p.id, r.body ->> 'userName', r.body ->> 'displayName', r.active
     FROM person p LEFT JOIN resource r ON r.tenant_id = p.tenant_id AND r.id = p.user_id
     WHERE p.tenant_id = $1 AND p.id = ANY($3)
     ORDER BY 1, 2"
);

/// These users and these people, each once.
pub(super) async fn people(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
    people: &[PersonId],
) -> Result<Vec<Person>, Error> {
    let users: Vec<Uuid> = users.iter().map(|id| id.uuid()).collect();
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<PersonRow> = People::with((tenant.uuid(), users, people))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(user, person, user_name, display_name, active)| Person {
            user: user.map(ResourceId::from),
            person: person.map(PersonId::from),
            user_name,
            display_name,
            active,
        })
        .collect())
}

statement!(
    PeopleOf: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT DISTINCT person_id FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND person_id = ANY($3)"
);

/// Those of these people of whom a connection has a record.
pub(super) async fn those_of(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    people: &[PersonId],
) -> Result<Vec<PersonId>, Error> {
    let ids: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid,)> = PeopleOf::with((tenant.uuid(), connection.uuid(), ids))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
