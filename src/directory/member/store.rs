//! Statements about membership.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement};
use crate::directory::filter_sql::{Bind, Sql, View};
use crate::directory::store::{Failure, bare};
use crate::directory::{GroupRef, MemberRow};
use crate::scim::ResourceType;
use crate::scim::filter::Bound as Filter;
use crate::statement;

statement!(
    /// Adds those that exist in the tenant and are not members yet.
    Add: (SqlUuid, SqlUuid, Array<SqlUuid>, Text, Timestamptz) -> (SqlUuid,) =
    "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
     SELECT $1, $2, r.id, r.kind, $4, $5 FROM resource r WHERE r.tenant_id = $1 AND r.id = ANY($3)
     ON CONFLICT DO NOTHING RETURNING member_id"
);

/// Adds members; gives those that were not members before.
pub(in crate::directory) async fn add(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    members: &[ResourceId],
    origin: &str,
    now: DateTime<Utc>,
) -> Result<Vec<ResourceId>, Failure> {
    let values = (tenant.uuid(), group.uuid(), bare(members), origin, now);
    ids(Add::with(values).load::<(Uuid,)>(conn).await)
}

fn ids(rows: Result<Vec<(Uuid,)>, Failure>) -> Result<Vec<ResourceId>, Failure> {
    Ok(rows?.into_iter().map(|(id,)| id.into()).collect())
}

statement!(
    /// Takes members away, all or only those that an origin put there.
    Remove: (SqlUuid, SqlUuid, Array<SqlUuid>, Nullable<Text>) -> (SqlUuid,) =
    "DELETE FROM membership WHERE tenant_id = $1 AND group_id = $2 AND member_id = ANY($3)
        AND ($4 IS NULL OR origin = $4) RETURNING member_id"
);

/// Takes members away (with `origin`: only its own); gives those that were members.
pub(in crate::directory) async fn remove(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    members: &[ResourceId],
    origin: Option<&str>,
) -> Result<Vec<ResourceId>, Failure> {
    let values = (tenant.uuid(), group.uuid(), bare(members), origin);
    ids(Remove::with(values).load::<(Uuid,)>(conn).await)
}

statement!(
    /// Takes all members away but some.
    RemoveAllBut: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "DELETE FROM membership m WHERE m.tenant_id = $1 AND m.group_id = $2
        AND NOT EXISTS (SELECT FROM unnest($3) AS k(id) WHERE k.id = m.member_id) RETURNING member_id"
);

/// Takes all members away but `keep`; gives those that were taken away.
pub(in crate::directory) async fn remove_all_but(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    keep: &[ResourceId],
) -> Result<Vec<ResourceId>, Failure> {
    let values = (tenant.uuid(), group.uuid(), bare(keep));
    ids(RemoveAllBut::with(values).load::<(Uuid,)>(conn).await)
}

/// Takes away the members that meet a filter on elements of `members`; gives those that were taken away.
pub(in crate::directory) async fn remove_where(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    kind: &ResourceType,
    filter: &Filter,
) -> Result<Vec<ResourceId>, Failure> {
    let view = View {
        tenant,
        kind,
        client: None,
        base: "",
    };
    let sql = Sql::new("DELETE FROM membership s USING resource o WHERE s.tenant_id = ")
        .bind(Bind::Id(Some(tenant.uuid())))
        .push(" AND s.group_id = ")
        .bind(Bind::Id(Some(group.uuid())))
        .push(" AND o.tenant_id = s.tenant_id AND o.id = s.member_id AND ")
        .sql(&view.member_condition(filter))
        .push(" RETURNING s.member_id");
    ids(sql.statement::<(SqlUuid,)>().load::<(Uuid,)>(conn).await)
}

statement!(
    /// The types and names of resources.
    KindsOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, Text) =
    "SELECT id, kind || ' ' || coalesce(body->>'displayName', body->>'userName', '')
     FROM resource WHERE tenant_id = $1 AND id = ANY($2)"
);

/// The types of those of `members` that exist.
pub(in crate::directory) async fn kinds_of(
    conn: &mut Conn,
    tenant: TenantId,
    members: &[ResourceId],
) -> Result<Vec<MemberRow>, Failure> {
    let rows = KindsOf::with((tenant.uuid(), bare(members)))
        .load::<(Uuid, String)>(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, label)| MemberRow::labelled(id.into(), &label))
        .collect())
}

statement!(
    /// Whether a group is among the members, direct or through other groups, of some groups.
    Below: (SqlUuid, Array<SqlUuid>, SqlUuid) -> (Bool,) =
    "WITH RECURSIVE below (id) AS (
        SELECT unnest($2)
        UNION
        SELECT m.member_id FROM below b JOIN membership m ON m.tenant_id = $1 AND m.group_id = b.id
        WHERE m.member_kind = 'Group')
     SELECT EXISTS (SELECT FROM below WHERE id = $3)"
);

/// Whether `group` would contain itself if it contained `members` (which are groups).
pub(in crate::directory) async fn holds_cycle(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    members: &[ResourceId],
) -> Result<bool, Failure> {
    let values = (tenant.uuid(), bare(members), group.uuid());
    let (found,) = Below::with(values).get_result::<(bool,)>(conn).await?;
    Ok(found)
}

statement!(
    /// Moves the version of a group whose members changed.
    Touch: (SqlUuid, SqlUuid, Timestamptz) -> (Text, BigInt, Nullable<SqlUuid>) =
    "UPDATE resource SET version = version + 1, last_modified = $3 WHERE tenant_id = $1 AND id = $2
     RETURNING kind, version, person_id"
);

pub(super) async fn touch(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    now: DateTime<Utc>,
) -> Result<Option<(String, i64, Option<PersonId>)>, Failure> {
    let row = Touch::with((tenant.uuid(), group.uuid(), now))
        .get_result::<(String, i64, Option<Uuid>)>(conn)
        .await
        .optional()?;
    Ok(row.map(|(kind, version, person)| (kind, version, person.map(PersonId::from))))
}

statement!(
    /// Moves the versions of all groups that a member is in.
    TouchGroupsOf: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid, Text, BigInt) =
    "UPDATE resource SET version = version + 1, last_modified = $3
     WHERE tenant_id = $1 AND id IN (
        SELECT r.id FROM membership m JOIN resource r ON r.tenant_id = m.tenant_id AND r.id = m.group_id
        WHERE m.tenant_id = $1 AND m.member_id = $2 ORDER BY r.id FOR NO KEY UPDATE OF r)
     RETURNING id, kind, version"
);

pub(super) async fn touch_groups_of(
    conn: &mut Conn,
    (tenant, member): (TenantId, ResourceId),
    now: DateTime<Utc>,
) -> Result<Vec<(ResourceId, String, i64)>, Failure> {
    let rows = TouchGroupsOf::with((tenant.uuid(), member.uuid(), now))
        .load::<(Uuid, String, i64)>(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, kind, version)| (id.into(), kind, version))
        .collect())
}

statement!(
    /// The groups that resources are in.
    GroupsOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid, Text) =
    "SELECT m.member_id, m.group_id, coalesce(g.body->>'displayName', '')
     FROM membership m JOIN resource g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
     WHERE m.tenant_id = $1 AND m.member_id = ANY($2) ORDER BY m.member_id, m.group_id"
);

pub(super) async fn groups_of(
    conn: &mut Conn,
    tenant: TenantId,
    members: &[ResourceId],
) -> Result<Vec<(ResourceId, GroupRef)>, Failure> {
    let rows = GroupsOf::with((tenant.uuid(), bare(members)))
        .load::<(Uuid, Uuid, String)>(conn)
        .await?;
    let refs = rows.into_iter().map(|(member, id, display)| {
        (
            member.into(),
            GroupRef {
                id: id.into(),
                display,
            },
        )
    });
    Ok(refs.collect())
}

statement!(
    /// Members of a group in the order of their ids, after one of them.
    MembersOf: (SqlUuid, SqlUuid, Nullable<SqlUuid>, BigInt) -> (SqlUuid, Text) =
    "SELECT m.member_id, m.member_kind || ' ' || coalesce(r.body->>'displayName', r.body->>'userName', '')
     FROM membership m JOIN resource r ON r.tenant_id = m.tenant_id AND r.id = m.member_id
     WHERE m.tenant_id = $1 AND m.group_id = $2 AND ($3 IS NULL OR m.member_id > $3) ORDER BY m.member_id LIMIT $4"
);

pub(super) async fn members_of(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<MemberRow>, Failure> {
    let values = (tenant.uuid(), group.uuid(), after.map(ResourceId::uuid), limit);
    let rows = MembersOf::with(values).load::<(Uuid, String)>(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(id, label)| MemberRow::labelled(id.into(), &label))
        .collect())
}
