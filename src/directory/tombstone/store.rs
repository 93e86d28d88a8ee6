//! The table `tombstone`.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Tombstone;
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::directory::store::Failure;
use crate::statement;

statement!(
    AddTombstone: (SqlUuid, SqlUuid, SqlUuid, Nullable<Text>, Timestamptz, Text) -> () =
    "INSERT INTO tombstone (tenant_id, person_id, resource_id, user_name, at, party)
     SELECT $1, $2, $3, $4, $5, $6
     WHERE EXISTS (SELECT FROM person WHERE tenant_id = $1 AND id = $2)
     ON CONFLICT (tenant_id, person_id) DO UPDATE
        SET resource_id = excluded.resource_id, user_name = excluded.user_name, at = excluded.at, party = excluded.party"
);
statement!(
    TombstonesOfPeople: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid, Timestamptz, Text) =
    "SELECT person_id, resource_id, at, party FROM tombstone WHERE tenant_id = $1 AND person_id = ANY($2)"
);
statement!(
    TombstoneOfResource: (SqlUuid, SqlUuid) -> (SqlUuid, SqlUuid, Timestamptz, Text) =
    "SELECT person_id, resource_id, at, party FROM tombstone WHERE tenant_id = $1 AND resource_id = $2 LIMIT 1"
);
statement!(
    LiftTombstones: (SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM tombstone WHERE tenant_id = $1 AND person_id = ANY($2)"
);

type Row = (Uuid, Uuid, DateTime<Utc>, String);

fn read((person, resource, at, party): Row) -> Tombstone {
    Tombstone {
        person: PersonId::from(person),
        resource: ResourceId::from(resource),
        at,
        party,
    }
}

pub(super) async fn add(
    conn: &mut Conn,
    tenant: TenantId,
    stone: &Tombstone,
    name: Option<&str>,
) -> Result<(), Failure> {
    AddTombstone::with((
        tenant.uuid(),
        stone.person.uuid(),
        stone.resource.uuid(),
        name,
        stone.at,
        stone.party.as_str(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn of_people(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
) -> Result<Vec<Tombstone>, Failure> {
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = TombstonesOfPeople::with((tenant.uuid(), people))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

pub(super) async fn of_resource(
    conn: &mut Conn,
    tenant: TenantId,
    resource: ResourceId,
) -> Result<Option<Tombstone>, Failure> {
    let row: Option<Row> = TombstoneOfResource::with((tenant.uuid(), resource.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read))
}

pub(super) async fn lift(conn: &mut Conn, tenant: TenantId, people: &[PersonId]) -> Result<usize, Failure> {
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    LiftTombstones::with((tenant.uuid(), people)).execute(conn).await
}
