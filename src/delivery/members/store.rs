//! Members: what an app is known to hold in a group, against what it should. Reads the directory's `membership`.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::statement;

/// Group, member, the member's id in the app.
pub(in crate::delivery) type MemberRow = (ResourceId, ResourceId, String);

statement!(
    MembersToAdd: (SqlUuid, SqlUuid, Array<SqlUuid>, BigInt) -> (SqlUuid, SqlUuid, Text) =
    "SELECT g.id, m.member_id, m.remote_id FROM UNNEST($3::uuid[]) AS g(id) CROSS JOIN LATERAL (
         SELECT ms.member_id, a.remote_id
         FROM membership ms
         JOIN account a ON a.tenant_id = $1 AND a.app_id = $2 AND a.resource_id = ms.member_id
         LEFT JOIN account_member k ON k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = g.id AND k.member_id = ms.member_id
         WHERE ms.tenant_id = $1 AND ms.group_id = g.id AND a.remote_id IS NOT NULL AND a.grouped AND a.state <> 'unmatched'
           AND (NOT a.no_grants OR k.member_id IS NOT NULL)
           AND (k.member_id IS NULL OR NOT k.sure OR k.remote_id <> a.remote_id)
         ORDER BY ms.member_id LIMIT $4) m"
);

/// Members that the app should hold and is not known to, up to `limit` for each group.
pub(in crate::delivery) async fn to_add(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    groups: &[ResourceId],
    limit: i64,
) -> Result<Vec<MemberRow>, Error> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uuid, Uuid, String)> =
        MembersToAdd::with((tenant.uuid(), app.uuid(), uuids(groups), limit))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(group, member, remote)| (group.into(), member.into(), remote))
        .collect())
}

statement!(
    MembersToRemove: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Bool>, BigInt) -> (SqlUuid, SqlUuid, Text) =
    "SELECT g.id, m.member_id, m.remote_id FROM UNNEST($3::uuid[], $4::bool[]) AS g(id, wanted) CROSS JOIN LATERAL (
         SELECT k.member_id, k.remote_id
         FROM account_member k
         LEFT JOIN membership ms ON ms.tenant_id = $1 AND ms.group_id = g.id AND ms.member_id = k.member_id
         LEFT JOIN account a ON a.tenant_id = $1 AND a.app_id = $2 AND a.resource_id = k.member_id
         WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = g.id
           AND (NOT g.wanted OR ms.member_id IS NULL OR a.resource_id IS NULL OR NOT a.grouped)
         ORDER BY k.member_id LIMIT $5) m"
);

/// Members that we put there and that no longer belong there, up to `limit` for each group; all of ours for a group
/// that is not wanted.
pub(in crate::delivery) async fn to_remove(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    groups: &[(ResourceId, bool)],
    limit: i64,
) -> Result<Vec<MemberRow>, Error> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = groups.iter().map(|(id, _)| id.uuid()).collect();
    let wanted: Vec<bool> = groups.iter().map(|(_, wanted)| *wanted).collect();
    let rows: Vec<(Uuid, Uuid, String)> =
        MembersToRemove::with((tenant.uuid(), app.uuid(), ids, wanted, limit))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(group, member, remote)| (group.into(), member.into(), remote))
        .collect())
}

statement!(
    PutMembers: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Bool>) -> () =
    "INSERT INTO account_member (tenant_id, app_id, group_id, member_id, remote_id, sure)
     SELECT $1, $2, m.* FROM UNNEST($3::uuid[], $4::uuid[], $5::text[], $6::bool[]) AS m
     ON CONFLICT (tenant_id, app_id, group_id, member_id) DO UPDATE SET remote_id = excluded.remote_id, sure = excluded.sure"
);

/// Notes members that the app holds, or (not sure) may hold.
pub(in crate::delivery) async fn put(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    rows: &[(MemberRow, bool)],
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let groups: Vec<Uuid> = rows.iter().map(|((group, _, _), _)| group.uuid()).collect();
    let members: Vec<Uuid> = rows.iter().map(|((_, member, _), _)| member.uuid()).collect();
    let remotes: Vec<&str> = rows.iter().map(|((_, _, remote), _)| remote.as_str()).collect();
    let sure: Vec<bool> = rows.iter().map(|(_, sure)| *sure).collect();
    PutMembers::with((tenant.uuid(), app.uuid(), groups, members, remotes, sure))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    DropMembers: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<SqlUuid>) -> () =
    "DELETE FROM account_member k USING UNNEST($3::uuid[], $4::uuid[]) AS m(group_id, member_id)
     WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = m.group_id AND k.member_id = m.member_id"
);

/// Notes members that the app holds no more: group and member.
pub(in crate::delivery) async fn take_away(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    rows: &[(ResourceId, ResourceId)],
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let groups: Vec<Uuid> = rows.iter().map(|(group, _)| group.uuid()).collect();
    let members: Vec<Uuid> = rows.iter().map(|(_, member)| member.uuid()).collect();
    DropMembers::with((tenant.uuid(), app.uuid(), groups, members))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    DropAllOf: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_member k WHERE k.tenant_id = $1 AND k.app_id = $2 AND (k.group_id = ANY($3) OR k.member_id = ANY($3))"
);

/// Forgets memberships of accounts that the app no longer has, as group and as member.
pub(in crate::delivery) async fn forget(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    ids: &[ResourceId],
) -> Result<(), Error> {
    if !ids.is_empty() {
        DropAllOf::with((tenant.uuid(), app.uuid(), uuids(ids)))
            .execute(conn)
            .await?;
    }
    Ok(())
}
