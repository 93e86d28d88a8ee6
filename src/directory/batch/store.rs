//! Statements over many resources at once; each row comes as one element of every array.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{ClientId, PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement};
use crate::directory::log::Entry;
use crate::directory::row::Columns;
use crate::directory::store::Failure;
use crate::statement;

/// A resource on its way into the store.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Where it stands in the batch.
    pub at: usize,
    pub id: ResourceId,
    pub kind: String,
    pub columns: Columns,
    /// Whether the keys are to be written.
    pub with_keys: bool,
    pub disabled_by: Vec<String>,
    pub person: Option<PersonId>,
    /// What a client is to call it.
    pub external: Option<(ClientId, String)>,
    /// Whose values stand where they are not HR's, when that changes.
    pub writers: Option<BTreeMap<String, String>>,
    pub entry: Entry,
}

impl Draft {
    fn client(&self) -> Option<Uuid> {
        self.external.as_ref().map(|(client, _)| client.uuid())
    }

    fn external(&self) -> Option<&str> {
        self.external.as_ref().map(|(_, value)| value.as_str())
    }

    /// The keys as an array literal, since arrays of arrays must be of one length.
    fn keys(&self) -> Option<String> {
        let keys = || {
            self.columns
                .keys
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        self.with_keys.then(|| format!("{{{}}}", keys()))
    }
}

statement!(
    /// Which of the values that must be unique are in use by another resource.
    InUse: (
        SqlUuid, Array<BigInt>, Array<Text>, Array<SqlUuid>, Array<Nullable<Text>>, Array<Nullable<SqlUuid>>, Array<Nullable<Text>>,
    ) -> (BigInt, Bool) =
    "SELECT u.at, EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.kind = u.kind
                          AND r.user_name = u.user_name AND r.id <> u.id)
     FROM unnest($2, $3, $4, $5, $6, $7) AS u(at, kind, id, user_name, client, external)
     WHERE EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.kind = u.kind
                   AND r.user_name = u.user_name AND r.id <> u.id)
        OR EXISTS (SELECT FROM external_id e WHERE e.tenant_id = $1 AND e.client_id = u.client AND e.kind = u.kind
                   AND e.value = u.external AND e.resource_id <> u.id)"
);

/// The drafts whose userName or externalId is in use, by their place in the batch.
pub(super) async fn in_use(
    conn: &mut Conn,
    tenant: TenantId,
    drafts: &[&Draft],
) -> Result<HashMap<usize, &'static str>, Failure> {
    let at: Vec<i64> = (0..).take(drafts.len()).collect();
    let rows = InUse::with((
        tenant.uuid(),
        at,
        each(drafts, |draft| draft.kind.as_str()),
        each(drafts, |draft| draft.id.uuid()),
        each(drafts, |draft| draft.columns.user_name.as_deref()),
        each(drafts, |draft| draft.client()),
        each(drafts, |draft| draft.external()),
    ))
    .load::<(i64, bool)>(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(at, name)| {
            let draft = drafts.get(usize::try_from(at).ok()?)?;
            Some((draft.at, if name { "userName" } else { "externalId" }))
        })
        .collect())
}

fn each<'a, T>(drafts: &[&'a Draft], of: impl Fn(&'a Draft) -> T) -> Vec<T> {
    drafts.iter().map(|draft| of(draft)).collect()
}

statement!(
    /// Makes resources with their keys, externalIds and changes; those whose userName came into use meanwhile are
    /// not made and not returned.
    InsertMany: (
        SqlUuid, Timestamptz, Jsonb, Array<SqlUuid>, Array<Text>, Array<Nullable<Text>>, Array<Nullable<Text>>,
        Array<Nullable<Bool>>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Text>, Array<Nullable<Text>>,
        Array<Nullable<SqlUuid>>, Array<Nullable<Text>>, Array<Text>, Array<Bytea>, Array<Bytea>,
    ) -> (SqlUuid, BigInt) =
    "WITH u AS MATERIALIZED (
        SELECT * FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            AS u(id, kind, user_name, display_name, active, person, holds, body, keys, client, external, delta, salt, digest)),
     r AS (
        INSERT INTO resource (tenant_id, id, kind, user_name, display_name, active, created, last_modified, version,
                              person_id, disabled_by, body, called)
        SELECT $1, id, kind, user_name, display_name, active, $2, $2, 1, person, string_to_array(holds, ','), body::json,
               called_by('{}', client, EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = client), external)
        FROM u ON CONFLICT DO NOTHING RETURNING id, version),
     k AS (INSERT INTO resource_key (tenant_id, id, keys) SELECT $1, u.id, u.keys::bigint[] FROM u JOIN r USING (id)),
     e AS (INSERT INTO external_id (tenant_id, client_id, kind, value, resource_id, hr)
           SELECT $1, u.client, u.kind, u.external, u.id,
                  EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = u.client)
           FROM u JOIN r USING (id) WHERE u.external IS NOT NULL),
     c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
           SELECT $1, $2, u.id, u.kind, 'create', 1, u.person, u.delta::jsonb, $3, u.salt, u.digest
           FROM u JOIN r USING (id) ORDER BY u.id)
     SELECT id, version FROM r"
);

statement!(
    /// Changes resources that are held still, with their keys, externalIds and changes.
    UpdateMany: (
        SqlUuid, Timestamptz, Jsonb, Array<SqlUuid>, Array<Text>, Array<Nullable<Text>>, Array<Nullable<Text>>,
        Array<Nullable<Bool>>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Text>, Array<Nullable<Text>>,
        Array<Nullable<SqlUuid>>, Array<Nullable<Text>>, Array<Text>, Array<Bytea>, Array<Bytea>,
    ) -> (SqlUuid, BigInt) =
    "WITH u AS MATERIALIZED (
        SELECT * FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            AS u(id, kind, user_name, display_name, active, person, holds, body, keys, client, external, delta, salt, digest)),
     r AS (
        UPDATE resource r SET user_name = u.user_name, display_name = u.display_name, active = u.active,
               person_id = u.person, disabled_by = string_to_array(u.holds, ','), body = u.body::json,
               called = CASE WHEN u.external IS NULL THEN r.called ELSE called_by(r.called, u.client,
                   EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = u.client), u.external) END,
               last_modified = $2, version = r.version + 1
        FROM u WHERE r.tenant_id = $1 AND r.id = u.id RETURNING r.id, r.version),
     k AS (INSERT INTO resource_key (tenant_id, id, keys)
           SELECT $1, u.id, u.keys::bigint[] FROM u JOIN r USING (id) WHERE u.keys IS NOT NULL
           ON CONFLICT (tenant_id, id) DO UPDATE SET keys = EXCLUDED.keys),
     e AS (INSERT INTO external_id (tenant_id, client_id, kind, value, resource_id, hr)
           SELECT $1, u.client, u.kind, u.external, u.id,
                  EXISTS (SELECT FROM connection c WHERE c.tenant_id = $1 AND c.id = u.client)
           FROM u JOIN r USING (id) WHERE u.external IS NOT NULL
           ON CONFLICT (tenant_id, resource_id, client_id) DO UPDATE SET value = EXCLUDED.value
           WHERE external_id.value <> EXCLUDED.value),
     c AS (INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
           SELECT $1, $2, u.id, u.kind, 'update', r.version, u.person, u.delta::jsonb, $3, u.salt, u.digest
           FROM u JOIN r USING (id) ORDER BY u.id)
     SELECT id, version FROM r"
);

/// Which of the two ways of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Insert,
    Update,
}

/// Writes drafts; gives the new versions of those that were written.
pub(super) async fn write(
    conn: &mut Conn,
    way: Way,
    tenant: TenantId,
    drafts: &[&Draft],
    now: DateTime<Utc>,
    origin: &Value,
) -> Result<HashMap<ResourceId, i64>, Failure> {
    let values = (
        tenant.uuid(),
        now,
        origin,
        each(drafts, |draft| draft.id.uuid()),
        each(drafts, |draft| draft.kind.as_str()),
        each(drafts, |draft| draft.columns.user_name.as_deref()),
        each(drafts, |draft| draft.columns.display_name.as_deref()),
        each(drafts, |draft| draft.columns.active),
        each(drafts, |draft| draft.person.map(PersonId::uuid)),
        each(drafts, |draft| draft.disabled_by.join(",")),
        each(drafts, |draft| draft.columns.body.as_str()),
        each(drafts, Draft::keys),
        each(drafts, |draft| draft.client()),
        each(drafts, |draft| draft.external()),
        each(drafts, |draft| draft.entry.delta.as_str()),
        each(drafts, |draft| draft.entry.salt.as_slice()),
        each(drafts, |draft| draft.entry.digest.as_slice()),
    );
    let rows = match way {
        Way::Insert => InsertMany::with(values).load::<(Uuid, i64)>(conn).await?,
        Way::Update => UpdateMany::with(values).load::<(Uuid, i64)>(conn).await?,
    };
    Ok(rows
        .into_iter()
        .map(|(id, version)| (id.into(), version))
        .collect())
}

statement!(
    /// Notes whose values stand in resources that are held still.
    SetWriters: (SqlUuid, Array<SqlUuid>, Array<Text>) -> () =
    "UPDATE resource SET writers = nullif(u.writers::jsonb, '{}') FROM unnest($2, $3) AS u(id, writers)
     WHERE resource.tenant_id = $1 AND resource.id = u.id"
);

/// Notes whose values stand, where that changes: mostly nowhere.
pub(super) async fn set_writers(conn: &mut Conn, tenant: TenantId, drafts: &[&Draft]) -> Result<(), Failure> {
    let (ids, writers): (Vec<Uuid>, Vec<String>) = drafts
        .iter()
        .filter_map(|draft| {
            Some((
                draft.id.uuid(),
                Value::from_iter(draft.writers.clone()?).to_string(),
            ))
        })
        .unzip();
    if !ids.is_empty() {
        SetWriters::with((tenant.uuid(), ids, writers))
            .execute(conn)
            .await?;
    }
    Ok(())
}

statement!(
    /// Adds lines to the log.
    InsertChanges: (
        SqlUuid, Timestamptz, Jsonb, Text, Array<SqlUuid>, Array<Text>, Array<BigInt>, Array<Nullable<SqlUuid>>,
        Array<Text>, Array<Bytea>, Array<Bytea>,
    ) -> () =
    "INSERT INTO change (tenant_id, at, resource_id, kind, action, version, person_id, delta, origin, salt, digest)
     SELECT $1, $2, u.id, u.kind, $4, u.version, u.person, u.delta::jsonb, $3, u.salt, u.digest
     FROM unnest($5, $6, $7, $8, $9, $10, $11) AS u(id, kind, version, person, delta, salt, digest)"
);

/// One line of the log.
#[derive(Debug)]
pub(crate) struct Line {
    pub id: ResourceId,
    pub kind: String,
    pub version: i64,
    pub person: Option<PersonId>,
    pub entry: Entry,
}

/// Adds lines to the log, all with one action.
pub(crate) async fn insert_changes(
    conn: &mut Conn,
    tenant: TenantId,
    action: &str,
    lines: &[Line],
    now: DateTime<Utc>,
    origin: &Value,
) -> Result<(), Failure> {
    InsertChanges::with((
        tenant.uuid(),
        now,
        origin,
        action,
        lines.iter().map(|line| line.id.uuid()).collect::<Vec<_>>(),
        lines.iter().map(|line| line.kind.as_str()).collect::<Vec<_>>(),
        lines.iter().map(|line| line.version).collect::<Vec<_>>(),
        lines
            .iter()
            .map(|line| line.person.map(PersonId::uuid))
            .collect::<Vec<_>>(),
        lines
            .iter()
            .map(|line| line.entry.delta.as_str())
            .collect::<Vec<_>>(),
        lines
            .iter()
            .map(|line| line.entry.salt.as_slice())
            .collect::<Vec<_>>(),
        lines
            .iter()
            .map(|line| line.entry.digest.as_slice())
            .collect::<Vec<_>>(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}
