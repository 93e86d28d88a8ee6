//! The table `drift_member`, and members as a compare reads them. Ids go to the database a page at a time.

use std::collections::HashMap;

use diesel::OptionalExtension as _;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::compare::CompareId;
use crate::delivery::send::MemberRef;
use crate::delivery::store::uuids;
use crate::statement;

type At = (TenantId, AppId);

statement!(
    ShowsMembers: (SqlUuid, SqlUuid) -> (Bool,) = "SELECT shows_members FROM app WHERE tenant_id = $1 AND id = $2"
);
statement!(
    SetShowsMembers: (SqlUuid, SqlUuid) -> () =
    "UPDATE app SET shows_members = true WHERE tenant_id = $1 AND id = $2 AND NOT shows_members"
);

/// Whether the app was seen to answer with members of a group.
pub(super) async fn shows_members(conn: &mut Conn, (tenant, app): At) -> Result<bool, Error> {
    let row: Option<(bool,)> = ShowsMembers::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.is_some_and(|(shows,)| shows))
}

/// Notes that the app answers with members of groups.
pub(super) async fn set_shows_members(conn: &mut Conn, (tenant, app): At) -> Result<(), Error> {
    SetShowsMembers::with((tenant.uuid(), app.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    WithMembers: (SqlUuid, SqlUuid, Array<Text>) -> (Text,) =
    "SELECT x.remote_id FROM account x
     WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.kind = 'Group' AND x.remote_id = ANY($3) AND x.state <> 'unmatched'
       AND EXISTS (SELECT 1 FROM account_member k WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = x.resource_id)"
);

/// Those of these groups of the app in which it is known to hold members.
pub(super) async fn with_members(
    conn: &mut Conn,
    (tenant, app): At,
    remotes: &[&str],
) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = WithMembers::with((tenant.uuid(), app.uuid(), remotes.to_vec()))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(remote,)| remote).collect())
}

statement!(
    Forget: (SqlUuid, SqlUuid, SqlUuid, SqlUuid) -> () =
    "DELETE FROM drift_member WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3 AND group_id = $4"
);

/// Forgets what was found of a group: it is read once more.
pub(super) async fn forget(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    group: ResourceId,
) -> Result<(), Error> {
    Forget::with((tenant.uuid(), app.uuid(), compare, group.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    KnownMembers: (SqlUuid, SqlUuid, SqlUuid, SqlUuid, BigInt) -> (SqlUuid, Text) =
    "SELECT k.member_id, k.remote_id FROM account_member k
     JOIN membership ms ON ms.tenant_id = $1 AND ms.group_id = $3 AND ms.member_id = k.member_id
     WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = $3 AND k.sure AND k.member_id > $4
     ORDER BY k.member_id LIMIT $5"
);

/// A page of the members that belong into a group and that the app acknowledged: our user, its id in the app.
pub(super) async fn known(
    conn: &mut Conn,
    (tenant, app): At,
    group: ResourceId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<MemberRef>, Error> {
    let rows: Vec<(Uuid, String)> =
        KnownMembers::with((tenant.uuid(), app.uuid(), group.uuid(), after, limit))
            .get_results(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, remote)| (id.into(), remote)).collect())
}

statement!(
    PutMissing: (SqlUuid, SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Array<Text>) -> () =
    "INSERT INTO drift_member (tenant_id, app_id, compare_id, group_id, missing, left_alone, member_id, remote_id)
     SELECT $1, $2, $3, $4, true, false, m.* FROM UNNEST($5::uuid[], $6::text[]) AS m
     ON CONFLICT (tenant_id, app_id, compare_id, group_id, member_id) DO NOTHING"
);

/// Keeps members that the app no longer holds.
pub(super) async fn put_missing(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    group: ResourceId,
    members: &[MemberRef],
) -> Result<(), Error> {
    let ids: Vec<Uuid> = members.iter().map(|(id, _)| id.uuid()).collect();
    let remotes: Vec<&str> = members.iter().map(|(_, remote)| remote.as_str()).collect();
    PutMissing::with((tenant.uuid(), app.uuid(), compare, group.uuid(), ids, remotes))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    PutForeign: (SqlUuid, SqlUuid, SqlUuid, SqlUuid, Bool, Array<Text>) -> () =
    "INSERT INTO drift_member (tenant_id, app_id, compare_id, group_id, missing, left_alone, member_id, remote_id)
     SELECT $1, $2, $3, $4, false, $5, a.resource_id, a.remote_id
     FROM UNNEST($6::text[]) AS r(remote_id)
     JOIN account a ON a.tenant_id = $1 AND a.app_id = $2 AND a.kind = 'User' AND a.remote_id = r.remote_id
     WHERE a.state NOT IN ('unmatched', 'skipped')
       AND NOT EXISTS (SELECT 1 FROM membership ms
                       WHERE ms.tenant_id = $1 AND ms.group_id = $4 AND ms.member_id = a.resource_id)
       AND NOT EXISTS (SELECT 1 FROM account_member k
                       WHERE k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = $4 AND k.member_id = a.resource_id)
     ON CONFLICT (tenant_id, app_id, compare_id, group_id, member_id) DO NOTHING"
);

/// Keeps those of the read members that are users of ours and do not belong into the group. Whoever is not ours, or
/// protected, is no matter of ours.
pub(super) async fn put_foreign(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    (group, left_alone): (ResourceId, bool),
    remotes: &[&str],
) -> Result<(), Error> {
    PutForeign::with((
        tenant.uuid(),
        app.uuid(),
        compare,
        group.uuid(),
        left_alone,
        remotes.to_vec(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    CountMembers: (SqlUuid, SqlUuid, SqlUuid, SqlUuid) -> (BigInt, BigInt, BigInt) =
    "SELECT count(*) FILTER (WHERE missing), count(*) FILTER (WHERE NOT missing), count(*) FILTER (WHERE left_alone)
     FROM drift_member WHERE tenant_id = $1 AND app_id = $2 AND compare_id = $3 AND group_id = $4"
);

/// How many members of a group are missing, how many are foreign, and how many of these are left alone.
pub(super) async fn counts(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    group: ResourceId,
) -> Result<(i64, i64, i64), Error> {
    Ok(
        CountMembers::with((tenant.uuid(), app.uuid(), compare, group.uuid()))
            .get_result(conn)
            .await?,
    )
}

statement!(
    SomeMembers: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>, Bool, BigInt) -> (SqlUuid, SqlUuid, Text, Bool) =
    "SELECT g.id, d.member_id, d.remote_id, d.missing
     FROM UNNEST($4::uuid[]) AS g(id) CROSS JOIN (VALUES (true), (false)) AS side(missing)
     CROSS JOIN LATERAL (
         SELECT m.member_id, m.remote_id, m.missing FROM drift_member m
         WHERE m.tenant_id = $1 AND m.app_id = $2 AND m.compare_id = $3 AND m.group_id = g.id
           AND m.missing = side.missing AND (NOT m.left_alone OR NOT $5)
           AND (NOT $5 OR m.missing = EXISTS (SELECT 1 FROM membership ms
                                 WHERE ms.tenant_id = $1 AND ms.group_id = g.id AND ms.member_id = m.member_id))
         ORDER BY m.member_id LIMIT $6) d
     ORDER BY 1, 2"
);

/// Who is to be put into a group, and who is to be taken out.
#[derive(Debug, Clone, Default)]
pub(super) struct Apart {
    pub missing: Vec<MemberRef>,
    pub foreign: Vec<MemberRef>,
}

/// Up to `limit` of each side, by group. Of those `to_repair` alone: whoever is left alone, or whom the directory has put
/// in or taken out since, is none.
pub(super) async fn some(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    groups: &[ResourceId],
    (to_repair, limit): (bool, i64),
) -> Result<HashMap<ResourceId, Apart>, Error> {
    if groups.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Uuid, String, bool)> = SomeMembers::with((
        tenant.uuid(),
        app.uuid(),
        compare,
        uuids(groups),
        to_repair,
        limit,
    ))
    .get_results(conn)
    .await?;
    let mut found: HashMap<ResourceId, Apart> = HashMap::new();
    for (group, member, remote, missing) in rows {
        let apart = found.entry(group.into()).or_default();
        let side = if missing {
            &mut apart.missing
        } else {
            &mut apart.foreign
        };
        side.push((member.into(), remote));
    }
    Ok(found)
}

statement!(
    UnlearnMissing: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "DELETE FROM account_member k USING drift_member d
     WHERE d.tenant_id = $1 AND d.app_id = $2 AND d.compare_id = $3 AND d.group_id = ANY($4) AND d.missing
       AND k.tenant_id = $1 AND k.app_id = $2 AND k.group_id = d.group_id AND k.member_id = d.member_id
       AND k.remote_id = d.remote_id"
);
statement!(
    LearnForeign: (SqlUuid, SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "INSERT INTO account_member (tenant_id, app_id, group_id, member_id, remote_id, sure)
     SELECT $1, $2, d.group_id, d.member_id, d.remote_id, true FROM drift_member d
     JOIN account g ON g.tenant_id = $1 AND g.app_id = $2 AND g.resource_id = d.group_id
     WHERE d.tenant_id = $1 AND d.app_id = $2 AND d.compare_id = $3 AND d.group_id = ANY($4)
       AND NOT d.missing AND NOT d.left_alone
     ON CONFLICT (tenant_id, app_id, group_id, member_id) DO NOTHING"
);

/// Makes what was read what is known of the members of these groups: the next look puts in and takes out what differs.
pub(in crate::delivery) async fn take_members(
    conn: &mut Conn,
    (tenant, app): At,
    compare: CompareId,
    groups: &[ResourceId],
) -> Result<(), Error> {
    let binds = (tenant.uuid(), app.uuid(), compare, uuids(groups));
    UnlearnMissing::with(binds.clone()).execute(conn).await?;
    LearnForeign::with(binds).execute(conn).await?;
    Ok(())
}
