//! The table `account_wipe`.

use std::collections::HashMap;

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Fate;
use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

statement!(
    AddFates: (SqlUuid, Array<SqlUuid>, Text) -> () =
    "INSERT INTO account_wipe (tenant_id, resource_id, deed) SELECT $1, id, $3 FROM UNNEST($2) AS u (id)
     ON CONFLICT (tenant_id, resource_id) DO UPDATE SET deed = excluded.deed"
);
statement!(
    ForgetFates: (SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_wipe WHERE tenant_id = $1 AND resource_id = ANY($2)"
);
statement!(
    FatesAmong: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Text) =
    "SELECT resource_id, deed FROM account_wipe WHERE tenant_id = $1 AND resource_id = ANY($2)"
);
statement!(
    /// In whatever mode the app is: what is not looked at any more has been told.
    LookAtAccountsOf: (SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account SET look = true, due_at = NULL, priority = 1
     WHERE tenant_id = $1 AND resource_id = ANY($2) AND state <> 'unmatched'"
);
statement!(
    ForgetMembers: (SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_member WHERE tenant_id = $1 AND app_id IN (SELECT id FROM app WHERE tenant_id = $1) AND member_id = ANY($2)"
);

pub(super) async fn add(conn: &mut Conn, tenant: TenantId, users: &[Uuid], fate: Fate) -> Result<(), Error> {
    let deed = if fate == Fate::Left { "leave" } else { "delete" };
    AddFates::with((tenant.uuid(), users, deed)).execute(conn).await?;
    Ok(())
}

pub(super) async fn forget(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    ForgetFates::with((tenant.uuid(), users)).execute(conn).await?;
    Ok(())
}

pub(super) async fn look(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    LookAtAccountsOf::with((tenant.uuid(), users))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn forget_members(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    ForgetMembers::with((tenant.uuid(), users)).execute(conn).await?;
    Ok(())
}

pub(super) async fn among(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Fate>, Error> {
    let rows: Vec<(Uuid, String)> = FatesAmong::with((tenant.uuid(), uuids(users))).load(conn).await?;
    let fate = |deed: &str| match deed {
        "leave" => Fate::Left,
        _ => Fate::Deleted,
    };
    Ok(rows
        .into_iter()
        .map(|(id, deed)| (id.into(), fate(&deed)))
        .collect())
}
