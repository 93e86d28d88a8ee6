//! Statements about membership.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement};
use crate::directory::filter_sql::{Bind, Sql, View};
use crate::directory::log::Entry;
use crate::directory::store::{Failure, bare};
use crate::directory::{Cause, Found, GroupRef, MemberRow};
use crate::scim::ResourceType;
use crate::scim::filter::Bound as Filter;
use crate::statement;

statement!(
    /// Adds those that exist in the tenant and are not members yet. Each is kept from being deleted meanwhile, in the
    /// order of the ids, so that who is being deleted is waited for and then passed over.
    Add: (SqlUuid, SqlUuid, Array<SqlUuid>, Text, Timestamptz) -> (SqlUuid,) =
    "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
     SELECT $1, $2, r.id, r.kind, $4, $5 FROM resource r WHERE r.tenant_id = $1 AND r.id = ANY($3)
     ORDER BY r.id FOR KEY SHARE OF r
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

statement!(
    /// Names members.
    Name: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Text>) -> () =
    "UPDATE membership m SET display = n.display FROM unnest($3, $4) AS n (id, display)
     WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id = n.id"
);

/// Gives members the names that a client has for them.
pub(in crate::directory) async fn name(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    names: &[(ResourceId, &str)],
) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let (ids, names): (Vec<Uuid>, Vec<&str>) = names.iter().map(|(id, name)| (id.uuid(), *name)).unzip();
    Name::with((tenant.uuid(), group.uuid(), ids, names))
        .execute(conn)
        .await?;
    Ok(())
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
    /// Those of some resources that are groups.
    GroupsAmong: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND id = ANY($2) AND kind = 'Group'"
);

/// Those of `members` that are groups.
pub(in crate::directory) async fn groups_among(
    conn: &mut Conn,
    tenant: TenantId,
    members: &[ResourceId],
) -> Result<Vec<ResourceId>, Failure> {
    let values = (tenant.uuid(), bare(members));
    ids(GroupsAmong::with(values).load::<(Uuid,)>(conn).await)
}

statement!(
    /// Waits until no other transaction of the tenant puts groups into groups, and keeps others from it until this
    /// transaction ends.
    HoldNesting: (Text,) -> (Bool,) =
    "SELECT pg_advisory_xact_lock(hashtextextended('nesting ' || $1, 0)) IS NULL"
);

/// Lets one transaction of a tenant at a time put groups into groups: two that each look for a cycle before either
/// commits would both find none. Adding users takes no such lock.
pub(in crate::directory) async fn hold_nesting(conn: &mut Conn, tenant: TenantId) -> Result<(), Failure> {
    let _held: (bool,) = HoldNesting::with((tenant.to_string(),)).get_result(conn).await?;
    Ok(())
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
    /// Holds a resource and the groups it is in still: a user before any group, groups by their ids, which is the
    /// order in which everybody takes them.
    HoldWithGroups: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT r.id FROM resource r WHERE r.tenant_id = $1 AND r.id = ANY (ARRAY(
        SELECT $2 UNION ALL SELECT m.group_id FROM membership m WHERE m.tenant_id = $1 AND m.member_id = $2))
     ORDER BY r.kind = 'Group', r.id FOR NO KEY UPDATE OF r"
);
statement!(
    /// Keeps a resource from entering groups until the end of the transaction.
    HoldOut: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
);
statement!(
    DirectGroups: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT group_id FROM membership WHERE tenant_id = $1 AND member_id = $2"
);

/// Holds a resource that is to be deleted, and the groups it is in; nobody puts it into another one from then on.
/// `false` when it was put into another one meanwhile: then let everything go and try again, since waiting for that
/// group now could be waiting for somebody who waits for us.
pub(in crate::directory) async fn hold_with_groups(
    conn: &mut Conn,
    (tenant, id): (TenantId, ResourceId),
) -> Result<bool, Failure> {
    let values = (tenant.uuid(), id.uuid());
    let held = ids(HoldWithGroups::with(values).load::<(Uuid,)>(conn).await)?;
    HoldOut::with(values).load::<(Uuid,)>(conn).await?;
    let groups = ids(DirectGroups::with(values).load::<(Uuid,)>(conn).await)?;
    Ok(groups.iter().all(|group| held.contains(group)))
}

statement!(
    /// Moves the versions of all groups that a member is in; they are held already.
    TouchGroupsOf: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid, Text, BigInt) =
    "UPDATE resource SET version = version + 1, last_modified = $3
     WHERE tenant_id = $1 AND id IN (SELECT m.group_id FROM membership m WHERE m.tenant_id = $1 AND m.member_id = $2)
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
    let refs = rows
        .into_iter()
        .map(|(member, id, display)| (member.into(), GroupRef::direct(id.into(), display)));
    Ok(refs.collect())
}

/// So many groups of groups one answer shows; more are refused, with what to ask for instead.
const INDIRECT: usize = 100_000;

/// An answer would show more than [`INDIRECT`] groups of groups.
#[derive(Debug, thiserror::Error)]
#[error("more than {INDIRECT} groups of groups in one answer")]
pub(in crate::directory) struct TooManyGroups;

impl TooManyGroups {
    fn failure() -> Failure {
        Failure::QueryBuilderError(Box::new(Self))
    }
}

macro_rules! groups_shown {
    ($(#[$doc:meta])* $name:ident, ($($by:ty),+), $whose:literal) => {
        statement!(
            $(#[$doc])*
            $name: (SqlUuid, $($by),+) -> (SqlUuid, Bool, Text, Array<SqlUuid>) =
            concat!(
                "SELECT o.id, EXISTS (SELECT FROM membership a
                            WHERE a.tenant_id = $1 AND a.member_id = o.id AND a.member_kind = 'Group'),
                        coalesce(o.body->>'displayName', ''), m.members
                 FROM (SELECT group_id, array_agg(member_id) AS members FROM membership
                        WHERE tenant_id = $1 AND ", $whose, " GROUP BY group_id) m
                 JOIN resource o ON o.tenant_id = $1 AND o.id = m.group_id ORDER BY o.id"
            )
        );
    };
}
groups_shown!(
    /// The groups that resources are in, whether each is in a group itself, and its members among them.
    GroupsOfThese, (Array<SqlUuid>), "member_id = ANY($2)"
);
groups_shown!(
    /// The same for all resources with ids from one to another: a page of a plain list is one stretch of the index.
    GroupsBetween, (SqlUuid, SqlUuid), "member_id BETWEEN $2 AND $3"
);

/// Adds the groups that resources are in: one statement, and one more when a group is in a group. `dense`: all
/// resources with ids between theirs are among them.
pub(in crate::directory) async fn show_groups(
    conn: &mut Conn,
    tenant: TenantId,
    found: &mut [Found],
    dense: bool,
) -> Result<(), Failure> {
    let ids: Vec<Uuid> = found.iter().map(|found| found.id.uuid()).collect();
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(());
    };
    type Row = (Uuid, bool, String, Vec<Uuid>);
    let rows: Vec<Row> = if dense {
        GroupsBetween::with((tenant.uuid(), first, last))
            .load(conn)
            .await?
    } else {
        GroupsOfThese::with((tenant.uuid(), &ids)).load(conn).await?
    };
    let places: HashMap<Uuid, usize> = (0..).zip(&ids).map(|(at, id)| (*id, at)).collect();
    for (group, nested, display, members) in rows {
        for member in members {
            let Some(found) = places.get(&member).and_then(|at| found.get_mut(*at)) else {
                continue;
            };
            found.nested |= nested;
            found.groups.push(GroupRef::direct(group.into(), display.clone()));
        }
    }
    show_indirect(conn, tenant, found).await
}

statement!(
    /// Which groups are in which, from some groups upwards.
    Above: (SqlUuid, Array<SqlUuid>, BigInt) -> (SqlUuid, SqlUuid, Text) =
    "WITH RECURSIVE above (id) AS (
        SELECT unnest($2)
        UNION
        SELECT m.group_id FROM above a JOIN membership m ON m.tenant_id = $1 AND m.member_id = a.id)
     SELECT a.id, m.group_id, coalesce(g.body->>'displayName', '')
     FROM above a JOIN membership m ON m.tenant_id = $1 AND m.member_id = a.id
     JOIN resource g ON g.tenant_id = $1 AND g.id = m.group_id LIMIT $3"
);

/// Adds the groups that resources are in through other groups, in one statement, if there are any.
pub(in crate::directory) async fn show_indirect(
    conn: &mut Conn,
    tenant: TenantId,
    found: &mut [Found],
) -> Result<(), Failure> {
    let mut direct: Vec<ResourceId> = found
        .iter()
        .filter(|found| found.nested)
        .flat_map(|found| found.groups.iter().map(|group| group.id))
        .collect();
    if direct.is_empty() {
        return Ok(());
    }
    direct.sort_unstable();
    direct.dedup();
    let most = i64::try_from(INDIRECT).unwrap_or(i64::MAX);
    let rows = Above::with((tenant.uuid(), bare(&direct), most.saturating_add(1)))
        .load::<(Uuid, Uuid, String)>(conn)
        .await?;
    if rows.len() > INDIRECT {
        return Err(TooManyGroups::failure());
    }
    let mut above: HashMap<ResourceId, Vec<(ResourceId, String)>> = HashMap::new();
    for (below, id, display) in rows {
        above.entry(below.into()).or_default().push((id.into(), display));
    }
    let mut shown = 0_usize;
    for found in found.iter_mut().filter(|found| found.nested) {
        let others = all_above(&found.groups, &above);
        shown = shown.saturating_add(others.len());
        if shown > INDIRECT {
            return Err(TooManyGroups::failure());
        }
        found
            .groups
            .extend(others.into_iter().map(|(id, display)| GroupRef {
                id,
                display: display.to_owned(),
                direct: false,
            }));
        found.nested = false;
    }
    Ok(())
}

/// The groups that some groups are in, directly or not, but for these themselves; by their ids.
fn all_above<'a>(
    own: &[GroupRef],
    above: &'a HashMap<ResourceId, Vec<(ResourceId, String)>>,
) -> BTreeMap<ResourceId, &'a str> {
    let mut others = BTreeMap::new();
    let mut next: Vec<ResourceId> = own.iter().map(|group| group.id).collect();
    while let Some(below) = next.pop() {
        for (id, display) in above.get(&below).into_iter().flatten() {
            if others.insert(*id, display.as_str()).is_none() {
                next.push(*id);
            }
        }
    }
    for group in own {
        others.remove(&group.id);
    }
    others
}

statement!(
    /// Members of a group in the order of their ids, after one of them.
    MembersOf: (SqlUuid, SqlUuid, Nullable<SqlUuid>, BigInt) -> (SqlUuid, Text) =
    "SELECT m.member_id, m.member_kind || ' ' || coalesce(m.display, r.body->>'displayName', r.body->>'userName', '')
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

macro_rules! one_member {
    ($(#[$doc:meta])* $name:ident, $held:literal, $step:literal) => {
        statement!(
            $(#[$doc])*
            $name: (
                SqlUuid, SqlUuid, Text, SqlUuid, Text, Timestamptz, Text, Jsonb, Bytea, Bytea,
            ) -> (Nullable<Text>, Nullable<BigInt>) =
            concat!(
                "WITH g AS MATERIALIZED (
                    SELECT id FROM resource WHERE tenant_id = $1 AND id = $2 AND kind = $3 FOR NO KEY UPDATE),
                 r AS MATERIALIZED (SELECT r.id, r.kind FROM g, resource r WHERE r.tenant_id = $1 AND r.id = $4", $held, "),
                 m AS (", $step, "),
                 v AS (UPDATE resource SET version = version + 1, last_modified = $6
                       WHERE tenant_id = $1 AND id = (SELECT $2 FROM m) RETURNING kind, version, person_id),
                 c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
                       SELECT $1, $6, $2, kind, 'members', version, person_id, $7::jsonb, $8, $9, $10 FROM v)
                 SELECT (SELECT kind FROM r), (SELECT version FROM v) FROM g"
            )
        );
    };
}

one_member!(
    /// Adds one member that is no group; a group has to be looked at for cycles. The group is held first, as everywhere,
    /// then the member is kept from being deleted.
    AddOne,
    " FOR KEY SHARE OF r",
    "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
     SELECT $1, $2, id, kind, $5, $6 FROM r WHERE kind <> 'Group' ON CONFLICT DO NOTHING RETURNING member_id"
);
one_member!(
    /// Takes one member away.
    RemoveOne,
    "",
    "DELETE FROM membership USING g WHERE tenant_id = $1 AND group_id = $2 AND member_id = $4
     RETURNING member_id"
);

/// One step on one member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Add(ResourceId),
    Remove(ResourceId),
}

/// The member's type, and the group's version now if it moved.
pub(super) type Done = (Option<String>, Option<i64>);

/// Carries out one step with its change; `None` without such a group.
pub(super) async fn change_one(
    conn: &mut Conn,
    (tenant, group, kind): (TenantId, ResourceId, &str),
    step: Step,
    cause: &Cause,
) -> Result<Option<Done>, Failure> {
    let Entry { delta, salt, digest } = match step {
        Step::Add(member) => Entry::of_members(&[member], &[]),
        Step::Remove(member) => Entry::of_members(&[], &[member]),
    };
    let (Step::Add(member) | Step::Remove(member)) = step;
    let values = (
        tenant.uuid(),
        group.uuid(),
        kind,
        member.uuid(),
        cause.party(),
        cause.now,
        delta,
        &cause.origin,
        salt,
        digest,
    );
    match step {
        Step::Add(_) => AddOne::with(values).get_result::<Done>(conn).await.optional(),
        Step::Remove(_) => RemoveOne::with(values).get_result::<Done>(conn).await.optional(),
    }
}
