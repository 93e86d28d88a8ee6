//! The `person` table.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Timestamptz, Uuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid as Id;

use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement};
use crate::identity::Error;
use crate::statement;

/// A person as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// Its user, once there is one.
    pub user: Option<ResourceId>,
    /// The last verdict.
    pub lifecycle: Option<Value>,
    /// Ended by hand: when, by whom and why.
    pub ending: Option<Value>,
    /// When the verdict may change by itself.
    pub next_look_at: Option<DateTime<Utc>>,
}

/// A verdict to be kept for a person.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose.
    pub person: PersonId,
    /// The verdict.
    pub lifecycle: Value,
    /// When it may change by itself.
    pub next_look_at: Option<DateTime<Utc>>,
}

statement!(
    CreatePeople: (Uuid, Array<Uuid>, Timestamptz) -> () =
    "INSERT INTO person (tenant_id, id, created_at) SELECT $1, id, $3 FROM UNNEST($2) AS id"
);
statement!(
    People: (Uuid, Array<Uuid>) -> (Uuid, Nullable<Uuid>, Nullable<Jsonb>, Nullable<Jsonb>, Nullable<Timestamptz>) =
    "SELECT id, user_id, lifecycle, suspended, next_look_at FROM person WHERE tenant_id = $1 AND id = ANY($2)"
);
statement!(
    SetUsers: (Uuid, Array<Uuid>, Array<Uuid>) -> () =
    "UPDATE person SET user_id = new.user_id FROM UNNEST($2, $3) AS new (id, user_id) \
     WHERE person.tenant_id = $1 AND person.id = new.id AND person.user_id IS DISTINCT FROM new.user_id"
);
statement!(
    ForgetUser: (Uuid, Uuid, Timestamptz) -> () =
    "UPDATE person SET user_id = NULL, next_look_at = $3 WHERE tenant_id = $1 AND id = $2"
);
statement!(
    SetEnding: (Uuid, Uuid, Nullable<Jsonb>, Timestamptz) -> () =
    "UPDATE person SET suspended = $3, next_look_at = $4 \
     WHERE tenant_id = $1 AND id = $2 AND (suspended IS NOT NULL OR $3 IS NOT NULL)"
);
statement!(
    SetStanding: (Uuid, Array<Uuid>, Array<Jsonb>, Array<Nullable<Timestamptz>>) -> () =
    "UPDATE person SET lifecycle = new.lifecycle, next_look_at = new.next_look_at \
     FROM UNNEST($2, $3, $4) AS new (id, lifecycle, next_look_at) \
     WHERE person.tenant_id = $1 AND person.id = new.id \
       AND (person.lifecycle IS DISTINCT FROM new.lifecycle OR person.next_look_at IS DISTINCT FROM new.next_look_at)"
);
statement!(
    Due: (Timestamptz, BigInt) -> (Uuid, Uuid) =
    "SELECT tenant_id, id FROM person WHERE next_look_at <= $1 ORDER BY next_look_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"
);

/// Adds people.
///
/// # Errors
/// When the database refuses.
pub async fn create_people(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[PersonId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let ids: Vec<Id> = ids.iter().map(|id| id.uuid()).collect();
    CreatePeople::with((tenant.uuid(), ids, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// People by id; who is not of this tenant is not there.
///
/// # Errors
/// When the database refuses.
pub async fn people(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[PersonId],
) -> Result<HashMap<PersonId, Person>, Error> {
    let ids: Vec<Id> = ids.iter().map(|id| id.uuid()).collect();
    type Row = (
        Id,
        Option<Id>,
        Option<Value>,
        Option<Value>,
        Option<DateTime<Utc>>,
    );
    let rows: Vec<Row> = People::with((tenant.uuid(), ids)).load(conn).await?;
    let person = |(id, user, lifecycle, ending, next_look_at): Row| {
        let id = PersonId::from(id);
        (
            id,
            Person {
                id,
                user: user.map(ResourceId::from),
                lifecycle,
                ending,
                next_look_at,
            },
        )
    };
    Ok(rows.into_iter().map(person).collect())
}

/// Notes which user stands for a person.
///
/// # Errors
/// When the database refuses: also when a user stands for somebody else already.
pub async fn set_users(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[(PersonId, ResourceId)],
) -> Result<(), Error> {
    let (people, users): (Vec<Id>, Vec<Id>) = users
        .iter()
        .map(|(person, user)| (person.uuid(), user.uuid()))
        .unzip();
    SetUsers::with((tenant.uuid(), people, users))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets which user stood for a person, and lets the person be looked at again at once.
///
/// # Errors
/// When the database refuses.
pub async fn forget_user(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    ForgetUser::with((tenant.uuid(), person.uuid(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Keeps how a person's access was ended by hand, or that it no longer is, and lets the person be looked at at once.
/// Returns whether there is anything new.
///
/// # Errors
/// When the database refuses.
pub async fn set_ending(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
    ending: Option<&Value>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = SetEnding::with((tenant.uuid(), person.uuid(), ending, now))
        .execute(conn)
        .await?;
    Ok(done > 0)
}

/// Keeps verdicts; one that is the same as before is not written.
///
/// # Errors
/// When the database refuses.
pub async fn set_standing(conn: &mut Conn, tenant: TenantId, standings: &[Standing]) -> Result<(), Error> {
    let ids: Vec<Id> = standings.iter().map(|one| one.person.uuid()).collect();
    let verdicts: Vec<Value> = standings.iter().map(|one| one.lifecycle.clone()).collect();
    let looks: Vec<Option<DateTime<Utc>>> = standings.iter().map(|one| one.next_look_at).collect();
    SetStanding::with((tenant.uuid(), ids, verdicts, looks))
        .execute(conn)
        .await?;
    Ok(())
}

/// Up to `limit` people of all tenants whose verdict may have changed by itself, the longest due first, locked until the
/// transaction ends; those that another process has locked are left out.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(TenantId, PersonId)>, Error> {
    let rows: Vec<(Id, Id)> = Due::with((now, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, person)| (tenant.into(), person.into()))
        .collect())
}
