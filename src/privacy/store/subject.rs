//! Who is meant: by what their rows are found.

use std::collections::BTreeSet;

use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::privacy::Error;
use crate::statement;

/// Whom it is about: everything by which rows are found.
#[derive(Debug, Clone)]
pub(in crate::privacy) struct Subject {
    pub tenant: TenantId,
    /// None for a user that no HR system knows; several where several people are erased together.
    pub people: Vec<Uuid>,
    /// Their users, those that were among them.
    pub users: Vec<Uuid>,
    /// Their records: connections …
    pub connections: Vec<Uuid>,
    /// … and ids beside them, …
    pub sources: Vec<String>,
    /// … and entities and numbers beside them, empty where there is none.
    pub numbers: Vec<String>,
    /// Texts that name them and nobody else, as they are written and folded: addresses and userNames, names of several words.
    pub texts: Vec<String>,
    /// The userName, while there is a user.
    pub user_name: Option<String>,
}

type Binds<'a> = (
    Uuid,
    &'a [Uuid],
    &'a [Uuid],
    &'a [Uuid],
    &'a [String],
    &'a [String],
    &'a [String],
);

impl Subject {
    /// Nobody yet.
    pub const fn nobody(tenant: TenantId) -> Self {
        Self {
            tenant,
            people: Vec::new(),
            users: Vec::new(),
            connections: Vec::new(),
            sources: Vec::new(),
            numbers: Vec::new(),
            texts: Vec::new(),
            user_name: None,
        }
    }

    /// As the statements of places take it.
    pub fn binds(&self) -> Binds<'_> {
        (
            self.tenant.uuid(),
            &self.people,
            &self.users,
            &self.connections,
            &self.sources,
            &self.texts,
            &self.numbers,
        )
    }

    /// The person, if there is one.
    pub fn person(&self) -> Option<PersonId> {
        self.people.as_slice().first().copied().map(PersonId::from)
    }

    /// Several of one tenant as one.
    pub fn all<'a>(tenant: TenantId, subjects: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::nobody(tenant);
        for one in subjects {
            all.people.extend(&one.people);
            all.users.extend(&one.users);
            all.connections.extend(&one.connections);
            all.sources.extend(one.sources.iter().cloned());
            all.numbers.extend(one.numbers.iter().cloned());
            all.texts.extend(one.texts.iter().cloned());
        }
        all
    }
}

statement!(
    /// The person that an id stands for, and every user that is or was theirs. Of whom only emptied changes are left is
    /// nobody any more.
    PersonOf: (SqlUuid, SqlUuid) -> (Nullable<SqlUuid>, Array<SqlUuid>) =
    "WITH p AS (
         SELECT id FROM person WHERE tenant_id = $1 AND (id = $2 OR user_id = $2)
         UNION SELECT person_id FROM tombstone WHERE tenant_id = $1 AND resource_id = $2
         UNION SELECT c.person_id FROM change c JOIN person g ON g.tenant_id = $1 AND g.id = c.person_id
             WHERE c.tenant_id = $1 AND c.resource_id = $2 AND c.action = 'delete'
         UNION SELECT person_id FROM resource WHERE tenant_id = $1 AND id = $2 AND person_id IS NOT NULL),
     u AS (
         SELECT user_id AS id FROM person WHERE tenant_id = $1 AND id IN (SELECT id FROM p) AND user_id IS NOT NULL
         UNION SELECT resource_id FROM tombstone WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
         UNION SELECT id FROM resource WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
         UNION SELECT resource_id FROM change WHERE tenant_id = $1 AND person_id IN (SELECT id FROM p)
             AND action = 'delete' AND person_id IS NOT NULL
         UNION SELECT id FROM resource WHERE tenant_id = $1 AND id = $2 AND kind = 'User'
         UNION SELECT resource_id FROM change WHERE tenant_id = $1 AND resource_id = $2 AND kind = 'User'
             AND delta IS NOT NULL)
     SELECT (SELECT id FROM p LIMIT 1), ARRAY(SELECT id FROM u)"
);
statement!(
    RecordsOf: (SqlUuid, SqlUuid) -> (SqlUuid, Text, Text, Nullable<Jsonb>) =
    "SELECT connection_id, source_id, coalesce(entity_key || '/' || employee_number, ''), employee FROM source_record WHERE tenant_id = $1 AND person_id = $2
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

statement!(
    /// Those of these texts that nobody else bears as userName, name or address, in the directory or in HR; each with its
    /// folded form.
    Unborne: (SqlUuid, Array<SqlUuid>, Nullable<SqlUuid>, Array<Text>) -> (Text, Text) =
    "SELECT t, scim_fold(t) FROM unnest($4) t
     WHERE NOT EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.kind = 'User' AND r.user_name = scim_fold(t) AND r.id <> ALL($2))
       AND NOT EXISTS (SELECT FROM resource r WHERE r.tenant_id = $1 AND r.kind = 'User' AND r.display_name = scim_fold(t) AND r.id <> ALL($2))
       AND NOT EXISTS (SELECT FROM resource_key k JOIN resource r ON r.tenant_id = $1 AND r.id = k.id
                       WHERE k.tenant_id = $1 AND k.keys @> ARRAY[scim_key($1, 'User', 'emails.value', scim_fold(t))] AND k.id <> ALL($2)
                         AND strpos(scim_fold(r.body::text), scim_fold(t)) > 0)
       AND NOT EXISTS (SELECT FROM source_record s WHERE s.tenant_id = $1 AND s.work_email IN (t, scim_fold(t))
                       AND s.person_id IS DISTINCT FROM $3)"
);

/// Whom an id stands for; `None` when nobody.
pub(in crate::privacy) async fn subject(
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
    let records: Vec<(Uuid, String, String, Option<Value>)> = match person {
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
    let mut of = Subject {
        people: person.into_iter().collect(),
        users,
        user_name,
        ..Subject::nobody(tenant)
    };
    for (connection, source, number, employee) in records {
        of.connections.push(connection);
        of.sources.push(source);
        of.numbers.push(number);
        if let Some(employee) = &employee {
            naming(employee, &mut texts);
        }
    }
    let texts: Vec<String> = texts.into_iter().collect();
    let own: Vec<(String, String)> = Unborne::with((tenant.uuid(), &of.users, person, &texts))
        .load(conn)
        .await?;
    let own: BTreeSet<String> = own
        .into_iter()
        .flat_map(|(text, folded)| [text, folded])
        .collect();
    of.texts = own.into_iter().collect();
    Ok(Some(of))
}

/// Fields whose value names one person as a whole.
const NAMING: &[&str] = &[
    "userName",
    "displayName",
    "display_name",
    "formatted",
    "name.formatted",
    "work_email",
];
/// The shortest text that is looked for in what is kept of others.
const SHORTEST: usize = 5;
/// The most texts of one person that are looked for.
const MOST: usize = 200;

/// Gathers texts that name a person: userNames, their mail addresses, and names of several words; never those of their
/// manager, nor of where they work, which others share.
fn naming(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let lower = name.to_lowercase();
                let own = NAMING
                    .iter()
                    .any(|one| name == one || name.ends_with(&format!(":{one}")));
                if lower.contains("manager") || (lower.contains("address") && !lower.contains("email")) {
                    continue;
                }
                if own || lower.contains("email") {
                    strings(value, own, texts);
                } else {
                    naming(value, texts);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                naming(item, texts);
            }
        }
        _ => {}
    }
}

/// The strings of a value: all of a naming field's, else those that are addresses.
fn strings(value: &Value, own: bool, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if own || text.contains('@') => add(text, texts),
        Value::Array(items) => items.iter().for_each(|item| strings(item, own, texts)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, false, texts)),
        _ => {}
    }
}

/// A name of one word is a word like any other: it is looked for nowhere.
fn add(text: &str, texts: &mut BTreeSet<String>) {
    let text = text.trim();
    let is_name = text.contains('@') || text.contains(char::is_whitespace);
    if is_name && text.chars().count() >= SHORTEST && texts.len() < MOST {
        texts.insert(text.to_owned());
    }
}
