//! Reads of the log and of past states.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::insight::Error;
use crate::statement;

statement!(
    ResourceOf: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "SELECT coalesce((SELECT user_id FROM person WHERE tenant_id = $1 AND id = $2), $2)"
);

/// The user of a person, or what bears the id itself.
pub(super) async fn resource_of(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
) -> Result<ResourceId, Error> {
    let (id,): (Uuid,) = ResourceOf::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await?;
    Ok(id.into())
}

/// The last change at or before an instant.
pub(super) struct Cut {
    pub id: i64,
    pub at: Option<DateTime<Utc>>,
    pub kind: String,
    pub action: String,
    pub version: i64,
    pub created: Option<DateTime<Utc>>,
    /// Its content is no longer kept, and the instant lies before what is: what stood then cannot be told.
    pub is_forgotten: bool,
}

statement!(
    /// Where the log was let go of, a change may stand for several: then the one after it tells the version.
    CutAt: (SqlUuid, SqlUuid, Timestamptz) -> (BigInt, Nullable<Timestamptz>, Text, Text, BigInt, Nullable<Timestamptz>, Bool) =
    "SELECT c.id, CASE WHEN c.delta IS NOT NULL OR c.action = 'delete' THEN c.at END, c.kind, c.action,
            CASE WHEN c.delta IS NULL AND c.action <> 'delete' THEN coalesce(
                (SELECT n.version - 1 FROM change n WHERE n.tenant_id = $1 AND n.resource_id = $2 AND n.id > c.id
                 ORDER BY n.id LIMIT 1),
                (SELECT version FROM resource r WHERE r.tenant_id = $1 AND r.id = $2), c.version) ELSE c.version END,
            coalesce((SELECT created FROM resource r WHERE r.tenant_id = $1 AND r.id = $2),
                     (SELECT f.at FROM change f WHERE f.tenant_id = $1 AND f.resource_id = $2 AND f.action = 'create'
                      ORDER BY f.id LIMIT 1)),
            c.delta IS NULL AND EXISTS (SELECT FROM change_checkpoint k WHERE k.tenant_id = $1 AND k.at > $3)
     FROM change c WHERE c.tenant_id = $1 AND c.resource_id = $2 AND c.at <= $3 ORDER BY c.id DESC LIMIT 1"
);

pub(super) async fn cut(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    at: DateTime<Utc>,
) -> Result<Option<Cut>, Error> {
    type Row = (
        i64,
        Option<DateTime<Utc>>,
        String,
        String,
        i64,
        Option<DateTime<Utc>>,
        bool,
    );
    let row: Option<Row> = CutAt::with((tenant.uuid(), id.uuid(), at))
        .get_result(conn)
        .await
        .optional()?;
    Ok(
        row.map(|(id, at, kind, action, version, created, is_forgotten)| Cut {
            id,
            at,
            kind,
            action,
            version,
            created,
            is_forgotten,
        }),
    )
}

statement!(
    BeginningOf: (SqlUuid, SqlUuid) -> (
        Nullable<Text>, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>, Nullable<Timestamptz>, Nullable<Timestamptz>,
        Nullable<Timestamptz>,
    ) =
    "SELECT f.action, f.version, coalesce(f.kind, r.kind), r.version, r.created, r.last_modified,
            (SELECT at FROM change_checkpoint WHERE tenant_id = $1)
     FROM (SELECT) one
     LEFT JOIN LATERAL (SELECT action, version, kind FROM change WHERE tenant_id = $1 AND resource_id = $2
                        ORDER BY id LIMIT 1) f ON true
     LEFT JOIN resource r ON r.tenant_id = $1 AND r.id = $2"
);

/// How a resource stood at an instant from before the changes of it that are kept. `None`: it was not there.
///
/// # Errors
/// [`Error::Forgotten`] when that is no longer known.
pub(super) async fn beginning(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    at: DateTime<Utc>,
) -> Result<Option<Cut>, Error> {
    type Row = (
        Option<String>,
        Option<i64>,
        Option<String>,
        Option<i64>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
    );
    let row: Row = BeginningOf::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await?;
    let (action, version, kind, version_now, created, last_modified, horizon) = row;
    let (Some(kind), false) = (kind, action.as_deref() == Some("create")) else {
        return Ok(None);
    };
    if horizon.is_none_or(|horizon| at < horizon) {
        return Err(Error::Forgotten);
    }
    let is_changed = action.is_some();
    Ok(Some(Cut {
        id: 0,
        at: last_modified.filter(|_| !is_changed),
        kind,
        action: String::new(),
        version: version
            .map(|version| version.saturating_sub(1))
            .or(version_now)
            .unwrap_or_default(),
        created,
        is_forgotten: false,
    }))
}

statement!(
    Undoable: (SqlUuid, SqlUuid, BigInt, BigInt, BigInt) -> (BigInt, Nullable<Jsonb>) =
    "SELECT id, delta FROM change
     WHERE tenant_id = $1 AND resource_id = $2 AND id > $3 AND id < $4 AND action <> 'members' ORDER BY id DESC LIMIT $5"
);

/// Changes of attributes between two places of the log, both left out, the newest first.
pub(super) async fn undoable(
    conn: &mut Conn,
    (tenant, id): (TenantId, ResourceId),
    (after, before): (i64, i64),
    limit: i64,
) -> Result<Vec<(i64, Option<Value>)>, Error> {
    let rows = Undoable::with((tenant.uuid(), id.uuid(), after, before, limit));
    Ok(rows.load(conn).await?)
}

/// Somebody who was a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastMember {
    /// The user or group.
    pub id: ResourceId,
    /// What it is called now; none when it is gone.
    pub display: Option<String>,
}

statement!(
    /// Of those who came or went since, the first change tells what they were; everybody else is what he is now.
    Members: (SqlUuid, SqlUuid, BigInt, SqlUuid, BigInt) -> (SqlUuid, Nullable<Text>) =
    "WITH touched AS (
        SELECT DISTINCT ON (m.id) m.id, m.added
        FROM change c CROSS JOIN LATERAL (
            SELECT e::uuid AS id, true AS added FROM jsonb_array_elements_text(c.delta -> 0 -> 'added') e
            UNION ALL SELECT e::uuid, false FROM jsonb_array_elements_text(c.delta -> 0 -> 'removed') e) m
        WHERE c.tenant_id = $1 AND c.resource_id = $2 AND c.id > $3 AND c.action = 'members' AND m.id > $4
        ORDER BY m.id, c.id),
     were AS (
        (SELECT m.member_id AS id FROM membership m WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id > $4
            AND NOT EXISTS (SELECT FROM touched t WHERE t.id = m.member_id) ORDER BY m.member_id LIMIT $5)
        UNION ALL SELECT id FROM touched WHERE NOT added)
     SELECT w.id, (SELECT coalesce(r.body ->> 'displayName', r.body ->> 'userName') FROM resource r
                   WHERE r.tenant_id = $1 AND r.id = w.id)
     FROM were w ORDER BY w.id LIMIT $5"
);

pub(super) async fn members(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    cut: i64,
    after: Uuid,
    limit: i64,
) -> Result<Vec<PastMember>, Error> {
    let rows: Vec<(Uuid, Option<String>)> = Members::with((tenant.uuid(), group.uuid(), cut, after, limit))
        .load(conn)
        .await?;
    let member = |(id, display): (Uuid, _)| PastMember {
        id: id.into(),
        display,
    };
    Ok(rows.into_iter().map(member).collect())
}

/// Who came into a group and who went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MembersMoved {
    /// How many came.
    pub added_total: i64,
    /// The first thousand of them.
    pub added: Vec<ResourceId>,
    /// How many went.
    pub removed_total: i64,
    /// The first thousand of them.
    pub removed: Vec<ResourceId>,
}

statement!(
    /// Who came and stayed, and who went and stayed away: by the first and the last change of each.
    MembersMovedBetween: (SqlUuid, SqlUuid, BigInt, BigInt, BigInt) -> (Bool, BigInt, Array<SqlUuid>) =
    "WITH touched AS (
        SELECT m.id, (array_agg(m.added ORDER BY c.id))[1] AS first, (array_agg(m.added ORDER BY c.id DESC))[1] AS last
        FROM change c CROSS JOIN LATERAL (
            SELECT e::uuid AS id, true AS added FROM jsonb_array_elements_text(c.delta -> 0 -> 'added') e
            UNION ALL SELECT e::uuid, false FROM jsonb_array_elements_text(c.delta -> 0 -> 'removed') e) m
        WHERE c.tenant_id = $1 AND c.resource_id = $2 AND c.id > $3 AND c.id <= $4 AND c.action = 'members'
        GROUP BY m.id)
     SELECT last, count(*), (array_agg(id ORDER BY id))[1:$5] FROM touched WHERE first = last GROUP BY last"
);

pub(super) async fn members_moved(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    (from, to): (i64, i64),
    named: i64,
) -> Result<MembersMoved, Error> {
    let rows: Vec<(bool, i64, Vec<Uuid>)> =
        MembersMovedBetween::with((tenant.uuid(), group.uuid(), from, to, named))
            .load(conn)
            .await?;
    let mut moved = MembersMoved::default();
    for (came, total, ids) in rows {
        let ids = ids.into_iter().map(ResourceId::from).collect();
        if came {
            (moved.added_total, moved.added) = (total, ids);
        } else {
            (moved.removed_total, moved.removed) = (total, ids);
        }
    }
    Ok(moved)
}

/// An account as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastAccount {
    /// The app's name.
    pub app: String,
    /// The state.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Since when it was in that state.
    pub since: DateTime<Utc>,
    /// When the app had last acknowledged a change of ours by then.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// The app's id.
    pub remote_id: Option<String>,
}

statement!(
    AccountsAt: (SqlUuid, SqlUuid, Timestamptz) ->
        (Text, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT a.name, s.state, s.reason, s.at,
            (SELECT max(o.finished_at) FROM operation o WHERE o.tenant_id = $1 AND o.app_id = s.app_id
             AND o.resource_id = $2 AND o.state = 'done' AND o.finished_at <= $3), s.remote_id
     FROM (SELECT DISTINCT ON (app_id) app_id, state, reason, at, remote_id FROM account_state
           WHERE tenant_id = $1 AND resource_id = $2 AND at <= $3 ORDER BY app_id, at DESC, id DESC) s
     JOIN app a ON a.tenant_id = $1 AND a.id = s.app_id ORDER BY a.name"
);

pub(super) async fn accounts(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    at: DateTime<Utc>,
) -> Result<Vec<PastAccount>, Error> {
    type Row = (
        String,
        String,
        String,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        Option<String>,
    );
    let rows: Vec<Row> = AccountsAt::with((tenant.uuid(), id.uuid(), at))
        .load(conn)
        .await?;
    let account = |(app, state, reason, since, acknowledged_at, remote_id): Row| PastAccount {
        app,
        state,
        reason,
        since,
        acknowledged_at,
        remote_id,
    };
    Ok(rows.into_iter().map(account).collect())
}
