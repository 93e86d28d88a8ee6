//! What planning asks the tables of others, read only, and a few notes on records and reviews.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{ConnectionId, PersonId, ResourceId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::guard::{EmptiedIn, Unit};
use crate::statement;
use crate::sync::run::Run;

statement!(
    OrgGroupsOf: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid, Text) =
    "SELECT membership.member_id, org_group.group_id, org_group.key
     FROM membership JOIN org_group
       ON org_group.tenant_id = membership.tenant_id AND org_group.group_id = membership.group_id
     WHERE membership.tenant_id = $1 AND org_group.connection_id = $2 AND membership.member_id = ANY($3)
       AND membership.origin = 'hr'"
);

/// In which groups of a connection's units users are, as (group, key), where HR put them there.
pub(in crate::sync) async fn org_groups_of(
    conn: &mut Conn,
    run: &Run,
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Vec<(ResourceId, String)>>, QueryError> {
    let users: Vec<Uuid> = users.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Uuid, String)> =
        OrgGroupsOf::with((run.tenant.uuid(), run.connection.uuid(), users))
            .get_results(conn)
            .await?;
    let mut of: HashMap<ResourceId, Vec<(ResourceId, String)>> = HashMap::new();
    for (user, group, key) in rows {
        of.entry(user.into()).or_default().push((group.into(), key));
    }
    Ok(of)
}

statement!(
    OrgGroups: (SqlUuid, SqlUuid, Array<Text>) -> (Text, SqlUuid, Nullable<Text>) =
    "SELECT org_group.key, org_group.group_id, resource.body ->> 'displayName'
     FROM org_group JOIN resource ON resource.tenant_id = org_group.tenant_id AND resource.id = org_group.group_id
     WHERE org_group.tenant_id = $1 AND org_group.connection_id = $2 AND org_group.key = ANY($3)"
);

/// The groups that stand for units, by the unit's key, with the name they have.
pub(in crate::sync) async fn org_groups(
    conn: &mut Conn,
    run: &Run,
    keys: &[String],
) -> Result<HashMap<String, (ResourceId, String)>, QueryError> {
    let rows: Vec<(String, Uuid, Option<String>)> =
        OrgGroups::with((run.tenant.uuid(), run.connection.uuid(), keys))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(key, group, name)| (key, (ResourceId::from(group), name.unwrap_or_default())))
        .collect())
}

statement!(
    AddOrgGroups: (SqlUuid, SqlUuid, Array<Text>, Array<SqlUuid>) -> () =
    "INSERT INTO org_group (tenant_id, connection_id, key, group_id)
     SELECT $1, $2, made.key, made.group_id FROM UNNEST($3::text[], $4::uuid[]) AS made (key, group_id)
     ON CONFLICT (tenant_id, connection_id, key) DO UPDATE SET group_id = excluded.group_id"
);

/// Notes which groups stand for units.
pub(in crate::sync) async fn add_org_groups(
    conn: &mut Conn,
    run: &Run,
    made: &[(String, ResourceId)],
) -> Result<(), QueryError> {
    let keys: Vec<&str> = made.iter().map(|(key, _)| key.as_str()).collect();
    let groups: Vec<Uuid> = made.iter().map(|(_, group)| group.uuid()).collect();
    AddOrgGroups::with((run.tenant.uuid(), run.connection.uuid(), keys, groups))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    UsersByName: (SqlUuid, Array<Text>) -> (Text, SqlUuid, Nullable<SqlUuid>) =
    "SELECT user_name, id, person_id FROM resource
     WHERE tenant_id = $1 AND kind = 'User' AND user_name = ANY($2)"
);

/// The users that have these folded userNames, each with the person it stands for.
pub(in crate::sync) async fn users_by_name(
    conn: &mut Conn,
    tenant: TenantId,
    names: &[String],
) -> Result<HashMap<String, (ResourceId, Option<PersonId>)>, QueryError> {
    let rows: Vec<(String, Uuid, Option<Uuid>)> = UsersByName::with((tenant.uuid(), names))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(name, user, person)| (name, (user.into(), person.map(PersonId::from))))
        .collect())
}

statement!(
    DuePeople: (SqlUuid, SqlUuid, Timestamptz) -> (SqlUuid,) =
    "SELECT DISTINCT person.id FROM person JOIN source_record record
       ON record.tenant_id = person.tenant_id AND record.person_id = person.id
     WHERE person.tenant_id = $1 AND record.connection_id = $2 AND person.next_look_at <= $3"
);
statement!(
    PeopleToCome: (SqlUuid, SqlUuid, Timestamptz, SqlUuid, Timestamptz, BigInt) -> (SqlUuid, Timestamptz) =
    "SELECT p.id, p.next_look_at FROM person p
     WHERE p.tenant_id = $1 AND p.next_look_at <= $5 AND (p.next_look_at, p.id) > ($3, $4)
       AND EXISTS (SELECT FROM source_record r
                   WHERE r.tenant_id = $1 AND r.person_id = p.id AND r.connection_id = $2)
     ORDER BY p.next_look_at, p.id LIMIT $6"
);
statement!(
    WaitingPeople: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT DISTINCT person_id FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND outcome_detail IS NOT NULL AND outcome_detail ? 'waits'
       AND person_id IS NOT NULL"
);
statement!(
    LastSeq: (SqlUuid, SqlUuid) -> (Nullable<BigInt>,) =
    "SELECT (coverage ->> 'seq')::bigint FROM run
     WHERE tenant_id = $1 AND connection_id = $2 AND state IN ('done', 'partial') AND NOT dry_run
       AND coverage ? 'seq'
     ORDER BY id DESC LIMIT 1"
);
statement!(
    TouchedPeople: (SqlUuid, SqlUuid, BigInt) -> (SqlUuid,) =
    "SELECT DISTINCT person.id
     FROM (SELECT c.resource_id, c.kind, c.origin FROM numbered_change n JOIN change c ON c.id = n.id
            WHERE n.tenant_id = $1 AND n.last_seq > $3 AND n.seq > $3
           UNION ALL SELECT resource_id, kind, origin FROM unnumbered_change WHERE tenant_id = $1) change
     JOIN person ON person.tenant_id = $1 AND person.user_id = change.resource_id
     JOIN source_record record ON record.tenant_id = person.tenant_id AND record.person_id = person.id
     WHERE record.connection_id = $2 AND change.kind = 'User' AND change.origin ->> 'by' <> 'run'"
);
statement!(
    RemadePeople: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT DISTINCT stone.person_id FROM tombstone stone
     JOIN resource ON resource.tenant_id = stone.tenant_id AND resource.kind = 'User'
       AND resource.user_name = stone.user_name AND resource.person_id IS NULL
     JOIN source_record record ON record.tenant_id = stone.tenant_id AND record.person_id = stone.person_id
     WHERE stone.tenant_id = $1 AND record.connection_id = $2"
);
statement!(
    Remade: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid) =
    "SELECT stone.person_id, resource.id FROM tombstone stone
     JOIN resource ON resource.tenant_id = stone.tenant_id AND resource.kind = 'User'
       AND resource.user_name = stone.user_name AND resource.person_id IS NULL
     WHERE stone.tenant_id = $1 AND stone.person_id = ANY($2)"
);
statement!(
    CurrentSeq: (SqlUuid) -> (BigInt,) =
    "SELECT coalesce((SELECT last_seq FROM change_chain WHERE tenant_id = $1), 0)"
);

statement!(
    DaysToCome: (SqlUuid, SqlUuid) -> (BigInt, Nullable<Timestamptz>) =
    "SELECT count(*), min(p.next_look_at) FROM person p
     WHERE p.tenant_id = $1 AND p.next_look_at IS NOT NULL
       AND EXISTS (SELECT FROM source_record r
                   WHERE r.tenant_id = $1 AND r.person_id = p.id AND r.connection_id = $2)"
);

/// How many people of a connection have a day to come on which their verdict may change by itself, and the first of them.
pub(in crate::sync) async fn days_to_come(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<(i64, Option<DateTime<Utc>>), QueryError> {
    DaysToCome::with((tenant.uuid(), connection.uuid()))
        .get_result(conn)
        .await
}

fn people(rows: Vec<(Uuid,)>) -> Vec<PersonId> {
    rows.into_iter().map(|(id,)| PersonId::from(id)).collect()
}

/// People of a connection whose verdict may have changed by itself.
pub(in crate::sync) async fn due_people(
    conn: &mut Conn,
    run: &Run,
    now: DateTime<Utc>,
) -> Result<Vec<PersonId>, QueryError> {
    let rows = DuePeople::with((run.tenant.uuid(), run.connection.uuid(), now))
        .get_results(conn)
        .await?;
    Ok(people(rows))
}

/// Up to `limit` people of a connection whose verdict may change by itself until `to`, after a place, the earliest
/// first.
pub(in crate::sync) async fn people_to_come(
    conn: &mut Conn,
    (tenant, connection): (TenantId, ConnectionId),
    after: Option<(DateTime<Utc>, PersonId)>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(PersonId, DateTime<Utc>)>, QueryError> {
    let (at, person) = after.map_or((DateTime::<Utc>::MIN_UTC, Uuid::nil()), |(at, person)| {
        (at, person.uuid())
    });
    let at = at.max(DateTime::<Utc>::UNIX_EPOCH);
    let rows: Vec<(Uuid, DateTime<Utc>)> =
        PeopleToCome::with((tenant.uuid(), connection.uuid(), at, person, to, limit))
            .get_results(conn)
            .await?;
    Ok(rows.into_iter().map(|(person, at)| (person.into(), at)).collect())
}

statement!(
    PeopleOf: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT DISTINCT person_id FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND person_id IS NOT NULL ORDER BY person_id"
);

/// Everybody who has a record of a connection.
pub(in crate::sync) async fn people_of(conn: &mut Conn, run: &Run) -> Result<Vec<PersonId>, QueryError> {
    let rows = PeopleOf::with((run.tenant.uuid(), run.connection.uuid()))
        .get_results(conn)
        .await?;
    Ok(people(rows))
}

/// People of a connection whose manager had no user when we looked last.
pub(in crate::sync) async fn waiting_people(conn: &mut Conn, run: &Run) -> Result<Vec<PersonId>, QueryError> {
    let rows = WaitingPeople::with((run.tenant.uuid(), run.connection.uuid()))
        .get_results(conn)
        .await?;
    Ok(people(rows))
}

/// People of a connection whose user was deleted and made anew by a client.
pub(in crate::sync) async fn remade_people(conn: &mut Conn, run: &Run) -> Result<Vec<PersonId>, QueryError> {
    let rows = RemadePeople::with((run.tenant.uuid(), run.connection.uuid()))
        .get_results(conn)
        .await?;
    Ok(people(rows))
}

/// The users that clients made anew, of those among these people whose user was deleted.
pub(in crate::sync) async fn remade(
    conn: &mut Conn,
    run: &Run,
    people: &[PersonId],
) -> Result<HashMap<PersonId, ResourceId>, QueryError> {
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Uuid)> = Remade::with((run.tenant.uuid(), people))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(person, user)| (person.into(), user.into()))
        .collect())
}

/// People of a connection whose users others than runs have changed since the last run, numbered or not yet: HR wins.
pub(in crate::sync) async fn touched_people(conn: &mut Conn, run: &Run) -> Result<Vec<PersonId>, QueryError> {
    let since: Option<(Option<i64>,)> = LastSeq::with((run.tenant.uuid(), run.connection.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    let Some((Some(since),)) = since else {
        return Ok(Vec::new());
    };
    let rows = TouchedPeople::with((run.tenant.uuid(), run.connection.uuid(), since))
        .get_results(conn)
        .await?;
    Ok(people(rows))
}

/// The number of the last change in the tenant.
pub(in crate::sync) async fn current_seq(conn: &mut Conn, tenant: TenantId) -> Result<i64, QueryError> {
    let (seq,): (i64,) = CurrentSeq::with((tenant.uuid(),)).get_result(conn).await?;
    Ok(seq)
}

statement!(
    StoredRecords: (SqlUuid, SqlUuid, Text, BigInt) -> (Text, SqlUuid, Jsonb) =
    "SELECT source_id, person_id, employee FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id > $3 AND person_id IS NOT NULL
       AND employee IS NOT NULL AND outcome <> 'gone'
     ORDER BY source_id LIMIT $4"
);

/// Up to `limit` stored records of a connection after a source id, with their people; without what is sealed.
pub(in crate::sync) async fn stored_records(
    conn: &mut Conn,
    run: &Run,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, PersonId, Value)>, QueryError> {
    let rows: Vec<(String, Uuid, Value)> =
        StoredRecords::with((run.tenant.uuid(), run.connection.uuid(), after, limit))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, person, employee)| (id, person.into(), employee))
        .collect())
}

statement!(
    RecordsBefore: (SqlUuid, SqlUuid, Array<Text>) -> (Text, Jsonb) =
    "SELECT source_id, employee FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) AND employee IS NOT NULL"
);

/// Records as they were stored before a read, without their sensitive part.
pub(in crate::sync) async fn records_before(
    conn: &mut Conn,
    run: &Run,
    source_ids: &[String],
) -> Result<HashMap<String, Value>, QueryError> {
    let rows: Vec<(String, Value)> =
        RecordsBefore::with((run.tenant.uuid(), run.connection.uuid(), source_ids))
            .get_results(conn)
            .await?;
    Ok(rows.into_iter().collect())
}

statement!(
    Population: (SqlUuid, SqlUuid, Array<Text>) -> (BigInt, BigInt, BigInt) =
    "SELECT count(DISTINCT record.person_id), count(*), count(*) FILTER (WHERE record.source_id = ANY($3))
     FROM source_record record
     JOIN person ON person.tenant_id = record.tenant_id AND person.id = record.person_id
     JOIN resource ON resource.tenant_id = person.tenant_id AND resource.id = person.user_id
     WHERE record.tenant_id = $1 AND record.connection_id = $2 AND record.outcome <> 'gone' AND resource.active"
);

/// Active people of a connection, their records, and how many of those are among `missing`.
pub(in crate::sync) async fn population(
    conn: &mut Conn,
    run: &Run,
    missing: &[String],
) -> Result<(u64, u64, u64), QueryError> {
    let (people, records, absent): (i64, i64, i64) =
        Population::with((run.tenant.uuid(), run.connection.uuid(), missing))
            .get_result(conn)
            .await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok((unsigned(people), unsigned(records), unsigned(absent)))
}

statement!(
    LosingUnits: (SqlUuid, SqlUuid, Array<Text>, Array<SqlUuid>) -> (Text, Text, BigInt, BigInt, BigInt) =
    "SELECT unit.kind, coalesce(max(unit.body ->> 'name'), max(unit.body ->> 'code'), unit.key),
       count(*), count(*) FILTER (WHERE record.source_id = ANY($3) OR record.person_id = ANY($4)),
       count(*) FILTER (WHERE record.source_id = ANY($3) AND NOT record.person_id = ANY($4))
     FROM source_record record
     JOIN person ON person.tenant_id = record.tenant_id AND person.id = record.person_id
     JOIN resource ON resource.tenant_id = person.tenant_id AND resource.id = person.user_id
     CROSS JOIN LATERAL (
       SELECT kind, body, coalesce(body ->> 'id', body ->> 'code', body ->> 'name') AS key
       FROM (VALUES ('department', record.employee -> 'department'), ('entity', record.employee -> 'entity'))
         AS named (kind, body)) unit
     WHERE record.tenant_id = $1 AND record.connection_id = $2 AND record.outcome <> 'gone' AND resource.active
       AND unit.key IS NOT NULL
     GROUP BY unit.kind, unit.key
     HAVING count(*) FILTER (WHERE record.source_id = ANY($3) OR record.person_id = ANY($4)) > 0
     ORDER BY 1, 2"
);

/// Departments and entities that lose people: those of missing records, and those who would leave.
pub(in crate::sync) async fn losing_units(
    conn: &mut Conn,
    run: &Run,
    missing: &[String],
    leavers: &[PersonId],
) -> Result<Vec<Unit>, QueryError> {
    let leavers: Vec<Uuid> = leavers.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(String, String, i64, i64, i64)> =
        LosingUnits::with((run.tenant.uuid(), run.connection.uuid(), missing, leavers))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, name, before, lost, unseen)| Unit {
            kind,
            name,
            before: u64::try_from(before).unwrap_or_default(),
            lost: u64::try_from(lost).unwrap_or_default(),
            unseen: u64::try_from(unseen).unwrap_or_default(),
        })
        .collect())
}

statement!(
    EmptiedInDepartments: (SqlUuid, SqlUuid, Array<Text>, Array<Text>, Array<BigInt>) -> (Text, Text, BigInt, BigInt) =
    "SELECT lost.field, coalesce(max(had.body ->> 'name'), lost.department), count(DISTINCT had.person_id), lost.people
     FROM UNNEST($3::text[], $4::text[], $5::bigint[]) AS lost(field, department, people)
     JOIN (SELECT record.person_id, record.employee, department.body,
             coalesce(department.body ->> 'id', department.body ->> 'code', department.body ->> 'name') AS key
           FROM source_record record
           JOIN person ON person.tenant_id = record.tenant_id AND person.id = record.person_id
           JOIN resource ON resource.tenant_id = person.tenant_id AND resource.id = person.user_id
           CROSS JOIN LATERAL (SELECT record.employee -> 'department' AS body) department
           WHERE record.tenant_id = $1 AND record.connection_id = $2 AND record.outcome <> 'gone' AND resource.active) had
       ON had.key = lost.department
     WHERE had.employee -> lost.field NOT IN ('null', '[]', '{}')
     GROUP BY lost.field, lost.department, lost.people ORDER BY 1, 2"
);

/// Of fields that people of a department lost: how many of the department had a value in it before. `lost` is field, key
/// of the department, and how many lost it.
pub(in crate::sync) async fn emptied_in(
    conn: &mut Conn,
    run: &Run,
    lost: &[(&str, &str, u64)],
) -> Result<Vec<EmptiedIn>, QueryError> {
    let fields: Vec<&str> = lost.iter().map(|(field, ..)| *field).collect();
    let departments: Vec<&str> = lost.iter().map(|(_, department, _)| *department).collect();
    let people = lost
        .iter()
        .map(|(.., people)| i64::try_from(*people).unwrap_or(i64::MAX));
    let (tenant, connection) = (run.tenant.uuid(), run.connection.uuid());
    let people: Vec<i64> = people.collect();
    let rows: Vec<(String, String, i64, i64)> =
        EmptiedInDepartments::with((tenant, connection, fields, departments, people))
            .get_results(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(field, department, had, lost)| EmptiedIn {
            field,
            department,
            had: u64::try_from(had).unwrap_or_default(),
            lost: u64::try_from(lost).unwrap_or_default(),
        })
        .collect())
}

statement!(
    LookLater: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE person SET next_look_at = $3
     FROM plan_item item, run
     WHERE run.tenant_id = $1 AND run.id = $2 AND item.tenant_id = run.tenant_id AND item.plan_id = run.plan_id
       AND person.tenant_id = item.tenant_id AND person.id = item.person_id AND person.next_look_at < $3"
);

statement!(
    LookTomorrow: (SqlUuid, Array<SqlUuid>, Timestamptz, Timestamptz) -> () =
    "UPDATE person SET next_look_at = $4
     WHERE tenant_id = $1 AND id = ANY($2) AND (next_look_at IS NULL OR next_look_at <= $3 OR next_look_at > $4)"
);

/// Looks at people again in a day at the latest, and not at once.
pub(in crate::sync) async fn look_tomorrow(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    if people.is_empty() {
        return Ok(());
    }
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    LookTomorrow::with((tenant.uuid(), people, now, now + Duration::days(1)))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    LookAtDeclinedLater: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE person SET next_look_at = $3
     FROM plan_item item
     WHERE item.tenant_id = $1 AND item.plan_id = $2 AND item.state = 'declined'
       AND person.tenant_id = item.tenant_id AND person.id = item.person_id AND person.next_look_at < $3"
);
statement!(
    LookNow: (SqlUuid, Array<SqlUuid>, Timestamptz) -> () =
    "UPDATE person SET next_look_at = $3 WHERE tenant_id = $1 AND id = ANY($2)"
);

/// Looks at people whose items were declined again in a day, not at once.
pub(in crate::sync) async fn look_at_declined_later(
    conn: &mut Conn,
    run: &Run,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    if let Some(plan) = run.plan {
        let later = now + Duration::days(1);
        LookAtDeclinedLater::with((run.tenant.uuid(), plan.uuid(), later))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Lets people be looked at as soon as possible.
pub(in crate::sync) async fn look_now(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    if people.is_empty() {
        return Ok(());
    }
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    LookNow::with((tenant.uuid(), people, now)).execute(conn).await?;
    Ok(())
}

/// Looks at the people of a rejected plan again in a day, not at once.
pub(in crate::sync) async fn look_again_later(
    conn: &mut Conn,
    run: &Run,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    LookLater::with((run.tenant.uuid(), run.id.uuid(), now + Duration::days(1)))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SettleReviews: (SqlUuid, SqlUuid, Array<Text>, Jsonb, Timestamptz) -> () =
    "UPDATE review SET state = 'gone', decided_at = $5
     WHERE tenant_id = $1 AND connection_id = $2 AND state = 'open' AND source_ids && $3
       AND NOT to_jsonb(source_ids) IN (SELECT jsonb_array_elements($4))"
);

/// Ends open reviews about records that were looked at again and raise no review any more.
pub(in crate::sync) async fn settle_reviews(
    conn: &mut Conn,
    run: &Run,
    looked_at: &[String],
    raised: &Value,
    now: DateTime<Utc>,
) -> Result<(), QueryError> {
    SettleReviews::with((run.tenant.uuid(), run.connection.uuid(), looked_at, raised, now))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    MarkGone: (SqlUuid, SqlUuid, Array<Text>) -> () =
    "UPDATE source_record SET outcome = 'gone', outcome_detail = NULL, digest = ''::bytea
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);

/// Notes that records are gone for good; should one come back, it counts as changed.
pub(in crate::sync) async fn mark_gone(
    conn: &mut Conn,
    run: &Run,
    source_ids: &[String],
) -> Result<(), QueryError> {
    MarkGone::with((run.tenant.uuid(), run.connection.uuid(), source_ids))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    Returned: (SqlUuid, SqlUuid, SqlUuid) -> (Text, Nullable<SqlUuid>) =
    "SELECT record.source_id, record.person_id FROM source_record record
     WHERE record.tenant_id = $1 AND record.connection_id = $2 AND record.missing_reads > 0
       AND EXISTS (SELECT FROM staging_page page
         WHERE page.tenant_id = $1 AND page.run_id = $3 AND record.source_id = ANY(page.seen))"
);

/// Records that were missing from the read before and are there again, and whose they are.
pub(in crate::sync) async fn returned(
    conn: &mut Conn,
    run: &Run,
) -> Result<(Vec<String>, Vec<PersonId>), QueryError> {
    let rows: Vec<(String, Option<Uuid>)> =
        Returned::with((run.tenant.uuid(), run.connection.uuid(), run.id.uuid()))
            .get_results(conn)
            .await?;
    let (records, people): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Ok((
        records,
        people.into_iter().flatten().map(PersonId::from).collect(),
    ))
}

statement!(
    DueConnections: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid) =
    "SELECT DISTINCT record.tenant_id, record.connection_id
     FROM person
     JOIN source_record record ON record.tenant_id = person.tenant_id AND record.person_id = person.id
     JOIN connection ON connection.tenant_id = record.tenant_id AND connection.id = record.connection_id
     WHERE person.next_look_at <= $1 AND connection.state = 'published' LIMIT $2"
);

/// Up to `limit` working connections with people whose verdict may have changed by itself.
pub(in crate::sync) async fn due_connections(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(TenantId, ConnectionId)>, QueryError> {
    let rows: Vec<(Uuid, Uuid)> = DueConnections::with((now, limit)).get_results(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, connection)| (tenant.into(), connection.into()))
        .collect())
}
