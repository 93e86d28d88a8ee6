//! Every statement that reads and writes single resources, batches and the change log.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Json, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::error::Error;
use super::log::Entry;
use super::member;
use super::resource::{Found, GroupRef, MemberRow, Stored, Want};
use super::row::{self, Columns};
use crate::base::{ClientId, ConnectionId, PersonId, ResourceId, TenantId};
use crate::db::{self, Conn, Statement};
use crate::{scim, statement};

/// What the database says when it fails.
pub type Failure = db::QueryError;

/// A failure of the database in the directory's words.
pub(super) fn explain(failure: Failure) -> Error {
    if db::is_too_long(&failure) {
        let detail = "the query takes too long: filter by an attribute's exact value, or leave sortBy out";
        return Error::Scim(scim::Error::of(400, scim::ScimType::TooMany, detail));
    }
    if let Failure::QueryBuilderError(cause) = &failure
        && cause.is::<member::TooManyGroups>()
    {
        let detail = format!("{cause}: ask for fewer resources, or without them (excludedAttributes=groups)");
        return Error::Scim(scim::Error::of(400, scim::ScimType::TooMany, detail));
    }
    let attribute = match db::violated_unique(&failure) {
        Some("resource_user_name") => "userName",
        _ => return Error::Store(failure),
    };
    Error::Uniqueness { attribute }
}

/// Members that are read together with their group; `columns!` asks for one more, to see whether there are more.
const MEMBERS_AT_ONCE: usize = 1_000;

/// The columns of [`FoundRow`] from `resource r`: `bare`, `shown` with its groups, with its `members` and its manager's
/// name, or `whole` with all of them. Every part of a statement costs at each execution, also one that is switched off: each look
/// into another index about as much as the whole statement that reads one row.
macro_rules! columns {
    (bare) => {
        columns!(@with "NULL::text[], NULL::text, NULL::text[]")
    };
    (shown) => {
        columns!(@with columns!(@groups), ", NULL::text, NULL::text[]")
    };
    (whole) => {
        columns!(@with columns!(@groups), ", ", columns!(@members))
    };
    (members) => {
        columns!(@with "NULL::text[], ", columns!(@members))
    };
    (@with $($rest:expr),+) => {
        concat!(
            "r.id, r.kind, r.body::text, r.version, r.created, r.last_modified, r.person_id, r.disabled_by, r.called, ",
            $($rest),+
        )
    };
    (@groups) => {
        "ARRAY(SELECT s.group_id || CASE WHEN EXISTS (SELECT FROM membership a
                WHERE a.tenant_id = s.tenant_id AND a.member_id = s.group_id AND a.member_kind = 'Group')
                THEN '+' ELSE '-' END || coalesce(o.body->>'displayName', '')
           FROM membership s JOIN resource o ON o.tenant_id = s.tenant_id AND o.id = s.group_id
          WHERE s.tenant_id = r.tenant_id AND s.member_id = r.id)"
    };
    (@members) => {
        "(SELECT coalesce(m.body->>'displayName', m.body->>'userName') FROM resource m
          WHERE m.tenant_id = r.tenant_id AND m.kind = 'User' AND m.id = CASE
            WHEN r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}'
                 ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
            THEN (r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}')::uuid
            END),
        ARRAY(SELECT s.member_id || ' ' || s.member_kind || ' '
                      || coalesce(s.display, o.body->>'displayName', o.body->>'userName', '')
           FROM (SELECT * FROM membership m WHERE m.tenant_id = r.tenant_id AND m.group_id = r.id
                 ORDER BY m.member_id LIMIT 1001) s
           JOIN resource o ON o.tenant_id = s.tenant_id AND o.id = s.member_id)"
    };
}
pub(super) use columns;

/// SQL types of a [`FoundRow`].
pub(super) type FoundColumns = (
    SqlUuid,
    Text,
    Text,
    BigInt,
    Timestamptz,
    Timestamptz,
    Nullable<SqlUuid>,
    Array<Text>,
    Array<Text>,
    Nullable<Array<Text>>,
    Nullable<Text>,
    Nullable<Array<Text>>,
);

pub(super) type FoundRow = (
    Uuid,
    String,
    String,
    i64,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<Uuid>,
    Vec<String>,
    Vec<String>,
    Option<Vec<String>>,
    Option<String>,
    Option<Vec<String>>,
);

/// A statement for each of what a reader may want, with a function that picks and runs it.
macro_rules! finding {
    ($(#[$doc:meta])* $name:ident, $by:ty $(, $more:ident: $kind:ty as $sql:ty)?; $given:ty, $where:literal) => {
        $(#[$doc])*
        pub(super) async fn $name(
            conn: &mut Conn,
            (tenant, by, kind): (TenantId, $given, &str),
            $($more: $kind,)?
            client: Option<ClientId>,
            want: Want,
        ) -> Result<Vec<Found>, Failure> {
            finding!(@one Bare, (SqlUuid, $by, Text, $($sql)?), columns!(bare), $where);
            finding!(@one Shown, (SqlUuid, $by, Text, $($sql)?), columns!(shown), $where);
            finding!(@one Members, (SqlUuid, $by, Text, $($sql)?), columns!(members), $where);
            finding!(@one Whole, (SqlUuid, $by, Text, $($sql)?), columns!(whole), $where);
            let values = (tenant.uuid(), by, kind, $($more,)?);
            let rows = match (want.members, want.groups) {
                (true, true) => Whole::with(values).load::<FoundRow>(conn).await?,
                (true, false) => Members::with(values).load::<FoundRow>(conn).await?,
                (false, true) => Shown::with(values).load::<FoundRow>(conn).await?,
                (false, false) => Bare::with(values).load::<FoundRow>(conn).await?,
            };
            Ok(rows.into_iter().map(|row| found(row, client)).collect())
        }
    };
    (@one $name:ident, $binds:ty, $columns:expr, $where:literal) => {
        #[derive(Debug)]
        struct $name;
        impl Statement for $name {
            const SQL: &'static str = concat!("SELECT ", $columns, " FROM resource r WHERE ", $where);
            type Binds = $binds;
            type Columns = FoundColumns;
        }
    };
}
pub(super) use finding;

finding!(
    /// The resource of an id.
    by_id, SqlUuid; Uuid, "r.tenant_id = $1 AND r.id = $2 AND r.kind = $3"
);

/// What a client reads.
pub(super) fn found(row: FoundRow, client: Option<ClientId>) -> Found {
    let (
        id,
        kind,
        body,
        version,
        created,
        last_modified,
        person,
        disabled_by,
        called,
        groups,
        manager,
        members,
    ) = row;
    let mut found = Found {
        id: id.into(),
        kind,
        body,
        version,
        created,
        last_modified,
        person: person.map(PersonId::from),
        disabled_by,
        own_external_id: None,
        hr_external_id: None,
        connections: Vec::new(),
        manager,
        groups: Vec::new(),
        nested: false,
        members: labelled(members),
        more_members: false,
    };
    for text in groups.unwrap_or_default() {
        if let Some((id, label)) = text.split_at_checked(36)
            && let (Ok(id), Some(display)) = (id.parse(), label.get(1..))
        {
            found.nested |= label.starts_with('+');
            found.groups.push(GroupRef::direct(id, display.to_owned()));
        }
    }
    found.groups.sort_unstable_by_key(|group| group.id);
    found.members.sort_unstable_by_key(|member| member.id);
    if found.members.len() > MEMBERS_AT_ONCE {
        found.members.truncate(MEMBERS_AT_ONCE);
        found.more_members = true;
    }
    call(&mut found, called, client);
    found
}

/// Who calls it what: of several connections the first by id counts.
fn call(found: &mut Found, mut called: Vec<String>, client: Option<ClientId>) {
    called.sort_unstable();
    for name in called.iter().rev() {
        let Some((giver, value)) = name.split_once(' ') else {
            continue;
        };
        let (hr, giver) = giver.split_at(giver.len().min(1));
        let Ok(giver) = giver.parse::<Uuid>() else {
            continue;
        };
        if client.is_some_and(|client| client.uuid() == giver) {
            found.own_external_id = Some(value.to_owned());
        } else if hr == "h" {
            found.hr_external_id = Some(value.to_owned());
            found.connections.push(giver.into());
        }
    }
}

/// Members that came as an id, a blank, and the rest.
fn labelled(rows: Option<Vec<String>>) -> Vec<MemberRow> {
    rows.unwrap_or_default()
        .iter()
        .filter_map(|text| {
            let (id, rest) = text.split_once(' ')?;
            Some(MemberRow::labelled(id.parse().ok()?, rest))
        })
        .collect()
}

/// One resource by its id, with all its groups.
pub(super) async fn find(
    conn: &mut Conn,
    (tenant, id, kind): (TenantId, ResourceId, &str),
    client: Option<ClientId>,
    want: Want,
) -> Result<Option<Found>, Failure> {
    let mut found = by_id(conn, (tenant, id.uuid(), kind), client, want).await?;
    member::show_indirect(conn, tenant, &mut found).await?;
    Ok(found.pop())
}

statement!(
    /// Holds a resource still until the end of the transaction.
    Lock: (SqlUuid, SqlUuid, Text) -> (BigInt,) =
    "SELECT version FROM resource WHERE tenant_id = $1 AND id = $2 AND kind = $3 FOR NO KEY UPDATE"
);

/// Holds a resource still; `false` when there is none.
pub(super) async fn lock(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    kind: &str,
) -> Result<bool, Failure> {
    let row = Lock::with((tenant.uuid(), id.uuid(), kind))
        .get_result::<(i64,)>(conn)
        .await
        .optional()?;
    Ok(row.is_some())
}

type StoredRow = (
    Uuid,
    String,
    Value,
    i64,
    Option<bool>,
    Option<Uuid>,
    Vec<String>,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<String>,
    Option<Value>,
);

statement!(
    /// Resources by id.
    Load: (SqlUuid, Array<SqlUuid>) -> (
        SqlUuid, Text, Json, BigInt, Nullable<Bool>, Nullable<SqlUuid>, Array<Text>, Timestamptz, Timestamptz, Nullable<Text>,
        Nullable<Jsonb>,
    ) =
    "SELECT id, kind, body, version, active, person_id, disabled_by, created, last_modified, NULL::text, writers
     FROM resource WHERE tenant_id = $1 AND id = ANY($2)"
);

statement!(
    /// Resources by id, held still in the order of their ids, each with what the client beside it calls it.
    LoadLocked: (SqlUuid, Array<SqlUuid>, Array<Nullable<SqlUuid>>) -> (
        SqlUuid, Text, Json, BigInt, Nullable<Bool>, Nullable<SqlUuid>, Array<Text>, Timestamptz, Timestamptz, Nullable<Text>,
        Nullable<Jsonb>,
    ) =
    "SELECT r.id, r.kind, r.body, r.version, r.active, r.person_id, r.disabled_by, r.created, r.last_modified,
            (SELECT e.value FROM external_id e
              WHERE e.tenant_id = r.tenant_id AND e.resource_id = r.id AND e.client_id = u.client), r.writers
     FROM unnest($2, $3) AS u(id, client) JOIN resource r ON r.tenant_id = $1 AND r.id = u.id
     ORDER BY r.id FOR NO KEY UPDATE OF r"
);

fn stored(row: StoredRow) -> (Stored, Option<String>) {
    let (id, kind, body, version, active, person, disabled_by, created, last_modified, external_id, writers) =
        row;
    let stored = Stored {
        id: id.into(),
        kind,
        object: row::object(body),
        version,
        active,
        person: person.map(PersonId::from),
        disabled_by,
        writers: writers
            .and_then(|writers| serde_json::from_value(writers).ok())
            .unwrap_or_default(),
        created,
        last_modified,
    };
    (stored, external_id)
}

pub(super) async fn load(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[ResourceId],
) -> Result<Vec<Stored>, Failure> {
    let rows = Load::with((tenant.uuid(), bare(ids)))
        .load::<StoredRow>(conn)
        .await?;
    Ok(rows.into_iter().map(|row| stored(row).0).collect())
}

pub(super) async fn load_locked(
    conn: &mut Conn,
    tenant: TenantId,
    ids: &[ResourceId],
    clients: &[Option<ClientId>],
) -> Result<Vec<(Stored, Option<String>)>, Failure> {
    let clients: Vec<Option<Uuid>> = clients.iter().map(|client| client.map(ClientId::uuid)).collect();
    let rows = LoadLocked::with((tenant.uuid(), bare(ids), clients))
        .load::<StoredRow>(conn)
        .await?;
    Ok(rows.into_iter().map(stored).collect())
}

pub(super) fn bare(ids: &[ResourceId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

statement!(
    /// Makes one resource with its keys, its externalId and its change. No row: its userName is in use.
    InsertOne: (
        SqlUuid, SqlUuid, Text, Nullable<Text>, Nullable<Text>, Nullable<Bool>, Timestamptz, Array<Text>, Text,
        Array<BigInt>, Nullable<SqlUuid>, Nullable<Text>, Text, Jsonb, Bytea, Bytea,
    ) -> (SqlUuid,) =
    "WITH r AS (
        INSERT INTO resource (tenant_id, id, kind, user_name, display_name, active, created, last_modified, version,
                              disabled_by, body, called)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 1, $8, $9::json, called_by('{}', $11, false, $12)) ON CONFLICT DO NOTHING RETURNING id),
     k AS (INSERT INTO resource_key (tenant_id, id, keys) SELECT $1, id, $10 FROM r),
     e AS (INSERT INTO external_id (tenant_id, client_id, kind, value, resource_id)
           SELECT $1, $11, $3, $12, id FROM r WHERE $12 IS NOT NULL),
     c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, delta, origin, salt, digest)
           SELECT $1, $7, id, $3, 'create', 1, $13::jsonb, $14, $15, $16 FROM r)
     SELECT id FROM r"
);

/// What is written beside the columns.
#[derive(Debug)]
pub(super) struct Note<'a> {
    pub now: DateTime<Utc>,
    pub origin: &'a Value,
    pub entry: &'a Entry,
}

/// Makes one resource; `false` when its userName is in use.
pub(super) async fn insert_one(
    conn: &mut Conn,
    (tenant, id, kind): (TenantId, ResourceId, &str),
    columns: &Columns,
    disabled_by: &[String],
    external: (Option<ClientId>, Option<&str>),
    note: &Note<'_>,
) -> Result<bool, Failure> {
    let row = InsertOne::with((
        tenant.uuid(),
        id.uuid(),
        kind,
        &columns.user_name,
        &columns.display_name,
        columns.active,
        note.now,
        disabled_by,
        &columns.body,
        &columns.keys,
        external.0.map(ClientId::uuid),
        external.1,
        &note.entry.delta,
        note.origin,
        &note.entry.salt,
        &note.entry.digest,
    ))
    .get_result::<(Uuid,)>(conn)
    .await
    .optional()?;
    Ok(row.is_some())
}

statement!(
    /// Changes one resource whose keys and externalId stay, if it is still at the version that was read.
    UpdateOne: (
        SqlUuid, SqlUuid, BigInt, Nullable<Text>, Nullable<Text>, Nullable<Bool>, Timestamptz, Array<Text>, Text,
        Text, Jsonb, Bytea, Bytea,
    ) -> (BigInt,) =
    "WITH r AS (
        UPDATE resource SET user_name = $4, display_name = $5, active = $6, last_modified = $7, disabled_by = $8,
               body = $9::json, version = version + 1
        WHERE tenant_id = $1 AND id = $2 AND version = $3 RETURNING kind, version, person_id),
     c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
           SELECT $1, $7, $2, kind, 'update', version, person_id, $10::jsonb, $11, $12, $13 FROM r)
     SELECT version FROM r"
);

statement!(
    /// Changes one resource with its keys and what one client calls it, if it is still at the version that was read.
    UpdateWhole: (
        SqlUuid, SqlUuid, BigInt, Nullable<Text>, Nullable<Text>, Nullable<Bool>, Timestamptz, Array<Text>, Text,
        Text, Jsonb, Bytea, Bytea, Array<BigInt>, Nullable<SqlUuid>, Nullable<Text>, Nullable<Jsonb>,
    ) -> (BigInt,) =
    "WITH r AS (
        UPDATE resource SET user_name = $4, display_name = $5, active = $6, last_modified = $7, disabled_by = $8,
               body = $9::json, version = version + 1,
               called = CASE WHEN $15 IS NULL THEN called ELSE called_by(called, $15, false, $16) END,
               writers = CASE WHEN $17 IS NULL THEN writers
                         ELSE nullif(jsonb_strip_nulls(coalesce(writers, '{}') || $17), '{}') END
        WHERE tenant_id = $1 AND id = $2 AND version = $3 RETURNING kind, version, person_id),
     k AS (INSERT INTO resource_key (tenant_id, id, keys) SELECT $1, $2, $14 FROM r
           ON CONFLICT (tenant_id, id) DO UPDATE SET keys = EXCLUDED.keys WHERE resource_key.keys <> EXCLUDED.keys),
     x AS (DELETE FROM external_id e USING r
           WHERE e.tenant_id = $1 AND e.resource_id = $2 AND e.client_id = $15 AND $16 IS NULL),
     e AS (INSERT INTO external_id (tenant_id, client_id, kind, value, resource_id)
           SELECT $1, $15, kind, $16, $2 FROM r WHERE $15 IS NOT NULL AND $16 IS NOT NULL
           ON CONFLICT (tenant_id, resource_id, client_id) DO UPDATE SET value = EXCLUDED.value
           WHERE external_id.value <> EXCLUDED.value),
     c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
           SELECT $1, $7, $2, kind, 'update', version, person_id, $10::jsonb, $11, $12, $13 FROM r)
     SELECT version FROM r"
);

/// What an update writes beside the columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside<'a> {
    /// Nothing: the keys and the externalId stay.
    Nothing,
    /// The keys, what the client calls it now (`None`: nothing), and for users from HR whose values stand: see
    /// [`claims`](super::authority::claims).
    KeysAnd(Option<ClientId>, Option<&'a str>, Option<&'a Value>),
}

/// Changes one resource; `None` when it has moved from `version`.
pub(super) async fn update_one(
    conn: &mut Conn,
    (tenant, id, version): (TenantId, ResourceId, i64),
    columns: &Columns,
    disabled_by: &[String],
    beside: Beside<'_>,
    note: &Note<'_>,
) -> Result<Option<i64>, Failure> {
    let (tenant, id) = (tenant.uuid(), id.uuid());
    let Columns {
        user_name,
        display_name,
        active,
        keys,
        body,
    } = columns;
    let Entry { delta, salt, digest } = note.entry;
    let row = match beside {
        Beside::Nothing => {
            UpdateOne::with((
                tenant,
                id,
                version,
                user_name,
                display_name,
                *active,
                note.now,
                disabled_by,
                body,
                delta,
                note.origin,
                salt,
                digest,
            ))
            .get_result::<(i64,)>(conn)
            .await
        }
        Beside::KeysAnd(client, external, claims) => {
            UpdateWhole::with((
                tenant,
                id,
                version,
                user_name,
                display_name,
                *active,
                note.now,
                disabled_by,
                body,
                delta,
                note.origin,
                salt,
                digest,
                keys,
                client.map(ClientId::uuid),
                external,
                claims,
            ))
            .get_result::<(i64,)>(conn)
            .await
        }
    };
    Ok(row.optional()?.map(|(version,)| version))
}

statement!(
    /// The display name of a user, who cannot be deleted until the end of the transaction.
    NameOf: (SqlUuid, SqlUuid) -> (Nullable<Text>,) =
    "SELECT coalesce(body->>'displayName', body->>'userName') FROM resource
     WHERE tenant_id = $1 AND id = $2 AND kind = 'User' FOR KEY SHARE"
);

/// The display name of a user, who is kept from being deleted: `None` when there is no such user.
pub(super) async fn hold_name_of(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<String>, Failure> {
    let row = NameOf::with((tenant.uuid(), id.uuid()))
        .get_result::<(Option<String>,)>(conn)
        .await
        .optional()?;
    Ok(row.map(|(name,)| name.unwrap_or_default()))
}

statement!(
    /// Deletes a resource with all that hangs on it.
    Delete: (SqlUuid, SqlUuid) -> () =
    "WITH k AS (DELETE FROM resource_key WHERE tenant_id = $1 AND id = $2)
     DELETE FROM resource WHERE tenant_id = $1 AND id = $2"
);

pub(super) async fn delete(conn: &mut Conn, tenant: TenantId, id: ResourceId) -> Result<(), Failure> {
    Delete::with((tenant.uuid(), id.uuid())).execute(conn).await?;
    Ok(())
}

statement!(
    /// The resources that have a key.
    Having: (SqlUuid, BigInt) -> (SqlUuid,) =
    "SELECT k.id FROM (SELECT * FROM resource_key WHERE keys @> ARRAY[$2] OFFSET 0) k WHERE k.tenant_id = $1"
);

/// The resources that may have the value of this key (to be rechecked).
pub(super) async fn having(conn: &mut Conn, tenant: TenantId, key: i64) -> Result<Vec<ResourceId>, Failure> {
    let rows = Having::with((tenant.uuid(), key)).load::<(Uuid,)>(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

statement!(
    ConnectionsOf: (SqlUuid, Array<SqlUuid>) -> (SqlUuid, SqlUuid) =
    "SELECT DISTINCT ON (resource_id) resource_id, client_id FROM external_id
     WHERE tenant_id = $1 AND resource_id = ANY($2) AND hr ORDER BY resource_id, client_id"
);

/// Which connection each of these users comes from; who comes from none is left out.
///
/// # Errors
/// When the store refuses.
pub async fn connections_of(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<Vec<(ResourceId, ConnectionId)>, Error> {
    let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    let rows: Vec<(Uuid, Uuid)> = ConnectionsOf::with((tenant.uuid(), users))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(user, connection)| (user.into(), connection.into()))
        .collect())
}
