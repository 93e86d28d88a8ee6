//! Reads of realms.

use diesel::sql_types::{Array, BigInt, Json, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::RealmUser;
use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::directory::row;
use crate::directory::store::{Failure, bare};
use crate::statement;

statement!(
    RealmUsers: (SqlUuid, SqlUuid, BigInt) -> (SqlUuid, Json, Nullable<Text>, Array<Text>) =
    "SELECT r.id, r.body,
            (SELECT e.value FROM external_id e WHERE e.tenant_id = r.tenant_id AND e.resource_id = r.id
             ORDER BY e.client_id LIMIT 1),
            ARRAY(SELECT g.body->>'displayName' FROM membership m
                  JOIN resource g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
                  WHERE m.tenant_id = r.tenant_id AND m.member_id = r.id AND g.body->>'displayName' IS NOT NULL ORDER BY 1)
     FROM resource r WHERE r.tenant_id = $1 AND r.kind = 'User' AND r.id > $2 ORDER BY r.id LIMIT $3"
);
statement!(
    Existing: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND id = ANY($2)"
);

pub(super) async fn users(
    conn: &mut Conn,
    realm: TenantId,
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<RealmUser>, Failure> {
    let after = after.map_or_else(Uuid::nil, ResourceId::uuid);
    let rows: Vec<(Uuid, Value, Option<String>, Vec<String>)> =
        RealmUsers::with((realm.uuid(), after, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(id, body, external_id, groups)| {
            let object = row::object(body);
            RealmUser {
                id: id.into(),
                active: object.get("active") != Some(&Value::Bool(false)),
                object,
                external_id,
                groups,
            }
        })
        .collect())
}

pub(super) async fn existing(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[ResourceId],
) -> Result<Vec<ResourceId>, Failure> {
    let rows: Vec<(Uuid,)> = Existing::with((tenant.uuid(), bare(ids))).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
