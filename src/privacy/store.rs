//! Who is meant, and the table `erasure`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::Error;
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

/// Whom it is about: everything by which rows are found.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub tenant: TenantId,
    /// None for a user that no HR system knows.
    pub person: Option<PersonId>,
    /// Their users, those that were among them.
    pub users: Vec<Uuid>,
    /// Their records: connections …
    pub connections: Vec<Uuid>,
    /// … and ids beside them.
    pub sources: Vec<String>,
    /// Texts that name them and nobody else, in lower case.
    pub texts: Vec<String>,
    /// The userName, while there is a user.
    pub user_name: Option<String>,
}

type Binds<'a> = (Uuid, Uuid, &'a [Uuid], &'a [Uuid], &'a [String], &'a [String]);

impl Subject {
    /// As the statements of places take it.
    pub fn binds(&self) -> Binds<'_> {
        (
            self.tenant.uuid(),
            self.person.map_or(Uuid::nil(), PersonId::uuid),
            &self.users,
            &self.connections,
            &self.sources,
            &self.texts,
        )
    }
}

statement!(
    /// The person that an id stands for, and every user that is or was theirs. Of whom only emptied changes are left is
    /// nobody any more.
    PersonOf: (SqlUuid, SqlUuid) -> (Nullable<SqlUuid>, Array<SqlUuid>) =
    "WITH p AS (
         SELECT id FROM person WHERE tenant_id = $1 AND (id = $2 OR user_id = $2)
         UNION SELECT person_id FROM tombstone WHERE tenant_id = $1 AND resource_id = $2
         UNION SELECT person_id FROM resource WHERE tenant_id = $1 AND id = $2 AND person_id IS NOT NULL),
     u AS (
         SELECT user_id AS id FROM person WHERE tenant_id = $1 AND id IN (SELECT id FROM p) AND user_id IS NOT NULL
         UNION SELECT resource_id FROM tombstone WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
         UNION SELECT id FROM resource WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
         UNION SELECT resource_id FROM change WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
         UNION SELECT id FROM resource WHERE tenant_id = $1 AND id = $2 AND kind = 'User'
         UNION SELECT resource_id FROM change WHERE tenant_id = $1 AND resource_id = $2 AND kind = 'User'
             AND delta IS NOT NULL)
     SELECT (SELECT id FROM p LIMIT 1), ARRAY(SELECT id FROM u)"
);
statement!(
    RecordsOf: (SqlUuid, SqlUuid) -> (SqlUuid, Text, Nullable<Jsonb>) =
    "SELECT connection_id, source_id, employee FROM source_record WHERE tenant_id = $1 AND person_id = $2
     ORDER BY connection_id, source_id"
);
statement!(
    /// What users were called, now and before.
    BodiesOf: (SqlUuid, Array<SqlUuid>) -> (Jsonb,) =
    "SELECT body::jsonb FROM resource WHERE tenant_id = $1 AND id = ANY($2)
     UNION ALL SELECT jsonb_build_object(line ->> 'path', jsonb_build_array(line -> 'before', line -> 'after'))
     FROM change c CROSS JOIN LATERAL jsonb_array_elements(c.delta) line
     WHERE c.tenant_id = $1 AND c.resource_id = ANY($2) AND c.action <> 'members'"
);

/// Whom an id stands for; `None` when nobody.
pub(super) async fn subject(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<Subject>, Error> {
    let (person, users): (Option<Uuid>, Vec<Uuid>) = PersonOf::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await?;
    if person.is_none() && users.is_empty() {
        return Ok(None);
    }
    let records: Vec<(Uuid, String, Option<Value>)> = match person {
        Some(person) => RecordsOf::with((tenant.uuid(), person)).load(conn).await?,
        None => Vec::new(),
    };
    let bodies: Vec<(Value,)> = BodiesOf::with((tenant.uuid(), &users)).load(conn).await?;
    let mut texts = BTreeSet::new();
    let mut user_name = None;
    for (body,) in &bodies {
        if let Some(name) = body.get("userName").and_then(Value::as_str) {
            user_name.get_or_insert_with(|| name.to_owned());
        }
        naming(body, &mut texts);
    }
    let (mut connections, mut sources) = (Vec::new(), Vec::new());
    for (connection, source, employee) in records {
        connections.push(connection);
        sources.push(source);
        if let Some(employee) = &employee {
            naming(employee, &mut texts);
        }
    }
    Ok(Some(Subject {
        tenant,
        person: person.map(PersonId::from),
        users,
        connections,
        sources,
        texts: texts.into_iter().collect(),
        user_name,
    }))
}

/// Fields whose value is one person's alone.
const NAMING: &[&str] = &[
    "userName",
    "displayName",
    "display_name",
    "formatted",
    "work_email",
    "employee_number",
    "employeeNumber",
];
/// The shortest text that is looked for in what others wrote.
const SHORTEST: usize = 5;

/// Gathers texts that name a person and nobody else: their names as a whole, numbers and e-mail addresses; never those
/// of their manager.
fn naming(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.contains("manager")) {
                let own = NAMING
                    .iter()
                    .any(|one| name == one || name.ends_with(&format!(":{one}")));
                match value {
                    Value::String(text) if own || text.contains('@') => add(text, texts),
                    Value::Array(sides) if own => {
                        for text in sides.iter().filter_map(Value::as_str) {
                            add(text, texts);
                        }
                    }
                    other => naming(other, texts),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(text) if text.contains('@') => add(text, texts),
                    other => naming(other, texts),
                }
            }
        }
        _ => {}
    }
}

fn add(text: &str, texts: &mut BTreeSet<String>) {
    let text = text.trim().to_lowercase();
    if text.chars().count() >= SHORTEST {
        texts.insert(text);
    }
}

/// Who was asked to be erased, and how far that is.
#[derive(Debug, Clone)]
pub(super) struct Erasure {
    pub tenant: TenantId,
    pub id: Uuid,
    pub subject: Uuid,
    pub asked_at: DateTime<Utc>,
    pub asked_by: String,
    pub accounts: String,
}

statement!(
    AddErasure: (SqlUuid, SqlUuid, SqlUuid, Text, Timestamptz, Text) -> () =
    "INSERT INTO erasure (tenant_id, id, subject_id, accounts, state, asked_at, asked_by)
     VALUES ($1, $2, $3, $4, 'waiting', $5, $6)"
);
statement!(
    WaitingErasures: (BigInt,) -> (SqlUuid, SqlUuid, SqlUuid, Timestamptz, Text, Text) =
    "SELECT tenant_id, id, subject_id, asked_at, asked_by, accounts FROM erasure WHERE state = 'waiting'
     ORDER BY asked_at LIMIT $1 FOR UPDATE SKIP LOCKED"
);
statement!(
    EndErasure: (SqlUuid, SqlUuid, Timestamptz, Jsonb, BigInt) -> () =
    "UPDATE erasure SET state = 'done', done_at = $3, rows = $4, accounts_left = $5::integer WHERE tenant_id = $1 AND id = $2"
);
statement!(
    Erasures: (SqlUuid, SqlUuid, BigInt) -> (Jsonb,) =
    "SELECT to_jsonb(e) - 'tenant_id' FROM erasure e WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
);
statement!(
    /// Accounts in apps that are live, and what they are still to be told.
    Untold: (SqlUuid, Array<SqlUuid>) -> (BigInt, BigInt) =
    "SELECT count(*) FILTER (WHERE x.remote_id IS NOT NULL
                                 AND (x.cause IS DISTINCT FROM 'missing' OR x.look OR x.state IN ('pending', 'quarantined'))
                             OR o.busy OR m.member),
            count(*) FILTER (WHERE x.remote_id IS NOT NULL AND x.state <> 'removed')
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM operation o WHERE o.tenant_id = x.tenant_id AND o.app_id = x.app_id
         AND o.resource_id = x.resource_id AND o.state IN ('pending', 'unknown')) AS busy) o
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM account_member k WHERE k.tenant_id = x.tenant_id AND k.app_id = x.app_id
         AND k.member_id = x.resource_id) AS member) m
     WHERE x.tenant_id = $1 AND x.resource_id = ANY($2) AND a.mode = 'live'"
);
statement!(
    Busy: (SqlUuid, Array<SqlUuid>) -> (Bool,) =
    "SELECT EXISTS (SELECT FROM account x JOIN operation o ON o.tenant_id = x.tenant_id AND o.app_id = x.app_id
         AND o.resource_id = x.resource_id AND o.state IN ('pending', 'unknown')
     WHERE x.tenant_id = $1 AND x.resource_id = ANY($2))"
);

/// Notes that somebody is to be erased.
pub(super) async fn add_erasure(conn: &mut Conn, of: &Erasure) -> Result<(), Error> {
    AddErasure::with((
        of.tenant.uuid(),
        of.id,
        of.subject,
        of.accounts.as_str(),
        of.asked_at,
        of.asked_by.as_str(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` erasures of any tenant that wait, the oldest first; held until the end of the transaction.
pub(super) async fn waiting(conn: &mut Conn, limit: i64) -> Result<Vec<Erasure>, Error> {
    type Row = (Uuid, Uuid, Uuid, DateTime<Utc>, String, String);
    let rows: Vec<Row> = WaitingErasures::with((limit,)).load(conn).await?;
    let erasure = |(tenant, id, subject, asked_at, asked_by, accounts): Row| Erasure {
        tenant: tenant.into(),
        id,
        subject,
        asked_at,
        asked_by,
        accounts,
    };
    Ok(rows.into_iter().map(erasure).collect())
}

/// Notes that everything is gone.
pub(super) async fn end_erasure(
    conn: &mut Conn,
    of: &Erasure,
    rows: &Value,
    left: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    EndErasure::with((of.tenant.uuid(), of.id, now, rows, left))
        .execute(conn)
        .await?;
    Ok(())
}

/// The erasures of a tenant before one of them, the newest first.
///
/// # Errors
/// When the database refuses.
pub async fn erasures(
    conn: &mut Conn,
    tenant: TenantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Value>, Error> {
    let before = before.unwrap_or(Uuid::max());
    let rows: Vec<(Value,)> = Erasures::with((tenant.uuid(), before, limit)).load(conn).await?;
    Ok(rows.into_iter().map(|(row,)| row).collect())
}

/// How many accounts in live apps are still to be told, and how many stand there.
pub(super) async fn untold(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(i64, i64), Error> {
    Ok(Untold::with((tenant.uuid(), users)).get_result(conn).await?)
}

/// Whether a call about one of these users is under way.
pub(super) async fn is_busy(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<bool, Error> {
    let (busy,): (bool,) = Busy::with((tenant.uuid(), users)).get_result(conn).await?;
    Ok(busy)
}

statement!(
    StillThere: (SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT id FROM resource WHERE tenant_id = $1 AND id = ANY($2) AND kind = 'User'"
);

/// Which of these users are there.
pub(super) async fn still_there(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[Uuid],
) -> Result<Vec<ResourceId>, Error> {
    let rows: Vec<(Uuid,)> = StillThere::with((tenant.uuid(), users)).load(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}
