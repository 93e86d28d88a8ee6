//! Where each value of a user comes from, and what each app holds of it: record, field, mapping line, policy, run; and in
//! each app what is known to be there, what should be, and the app's last answer.

mod apps;
mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::explain::{self, Explained};
use super::{Doer, Error};
use crate::base::{ConnectionId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::Directory;
use crate::scim::HR;
use crate::sync::{Engine, SettingsRead, fact_of, word_of};

pub use apps::{AppLine, Held, Sent, Step};
pub use store::RecordOf;

/// A canonical field, with where it stands in the vendor's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldPlace {
    /// `work_email`, `entity.id`.
    pub field: String,
    /// The places in the record, or the columns, best first; empty when it is not read.
    pub at: Vec<String>,
}

/// The line of the mapping that wrote a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineOfMapping {
    /// Its name in `[mapping]`: `emails.work`; none for what is set from HR's facts without a line.
    pub name: Option<String>,
    /// The expression.
    pub from: Option<String>,
    /// `default`, `connection` (its file says so), `entity` (its file says so for the person's), `user_name` or `facts`.
    pub set_in: &'static str,
    /// `overwrite`, `fill`, `hold` or `ignore`.
    pub policy: Option<String>,
    /// Whether an empty source value clears the attribute.
    pub clear_when_empty: bool,
    /// What it reads.
    pub fields: Vec<FieldPlace>,
}

/// An attribute with where its value comes from.
#[derive(Debug, Clone, Serialize)]
pub struct AttributeLine {
    /// Its path.
    pub path: String,
    /// The value; masked when it is sensitive and the asker may not see it.
    pub value: Value,
    /// `hr`, `client` or `refuse`; none when it is the clients' own.
    pub authority: Option<String>,
    /// Who wrote it last.
    pub writer: Option<Doer>,
    /// When.
    pub written_at: Option<DateTime<Utc>>,
    /// The connection whose run wrote it.
    pub connection: Option<String>,
    /// The connector.
    pub connector: Option<String>,
    /// The settings revision that the run had.
    pub revision: Option<i32>,
    /// The records of that connection that the person is made of.
    pub source_ids: Vec<String>,
    /// The lines of the mapping.
    pub mapping: Vec<LineOfMapping>,
}

/// A user with the whole story.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The story: who holds it, since when it is deleted, its records.
    pub story: Explained,
    /// The records in more detail.
    pub records: Vec<RecordOf>,
    /// The verdict on the person: state, facts and the rule that decided; null without a person.
    pub lifecycle: Value,
    /// The attributes.
    pub attributes: Vec<AttributeLine>,
    /// The apps.
    pub apps: Vec<AppLine>,
}

/// A user by its id, its person's, or the id it had before it was deleted, with where each value comes from. The number of
/// statements does not depend on how many records, runs or apps there are.
///
/// # Errors
/// When the store refuses.
#[tracing::instrument(name = "insight.user.lineage", skip_all)]
pub async fn lineage(
    conn: &mut Conn,
    (directory, sync): (&Directory, &Engine),
    (tenant, id): (TenantId, ResourceId),
    shows_sensitive: bool,
) -> Result<Option<Lineage>, Error> {
    let Some(story) = explain::explain_to(conn, directory, tenant, id, shows_sensitive).await? else {
        return Ok(None);
    };
    let records = match story.person {
        Some(person) => store::records(conn, tenant, person).await?,
        None => Vec::new(),
    };
    let lifecycle = match story.person {
        Some(person) => store::lifecycle(conn, tenant, person).await?,
        None => Value::Null,
    };
    let read = settings(conn, sync, tenant, &story).await?;
    let entity = entity_of(&story);
    let attributes = story
        .attributes
        .iter()
        .map(|one| attribute(one, (&records, &entity), &read))
        .collect();
    let apps = match &story.user {
        Some(user) => apps::lines(conn, directory, tenant, user, shows_sensitive).await?,
        None => Vec::new(),
    };
    Ok(Some(Lineage {
        records,
        lifecycle,
        attributes,
        apps,
        story,
    }))
}

type Read = HashMap<(ConnectionId, i32), SettingsRead>;

/// The settings that the runs had which wrote the values.
async fn settings(
    conn: &mut Conn,
    sync: &Engine,
    tenant: TenantId,
    story: &Explained,
) -> Result<Read, Error> {
    let mut wanted: Vec<(ConnectionId, i32)> = story
        .attributes
        .iter()
        .filter_map(|one| revision_of(&one.writer.as_ref()?.0))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    Ok(sync.settings_read(conn, tenant, &wanted).await?)
}

fn revision_of(doer: &Doer) -> Option<(ConnectionId, i32)> {
    Some((doer.connection?.into(), doer.revision?))
}

/// The id, code and name of the legal entity whose employment leads.
fn entity_of(story: &Explained) -> Vec<&str> {
    let place = format!("{HR}:entity");
    let parts = story.attributes.iter().filter(|one| one.path.starts_with(&place));
    parts
        .flat_map(|one| match &one.value {
            Value::Object(parts) => parts.values().filter_map(Value::as_str).collect(),
            value => Vec::from_iter(value.as_str()),
        })
        .collect()
}

fn attribute(
    one: &explain::Standing,
    (records, entity): (&[RecordOf], &[&str]),
    read: &Read,
) -> AttributeLine {
    let (writer, written_at) = one.writer.clone().unzip();
    let by = writer.as_ref().and_then(revision_of);
    let settings = by.and_then(|by| read.get(&by));
    AttributeLine {
        value: one.value.clone(),
        authority: one.authority.clone(),
        connection: settings.map(|settings| settings.connection.clone()),
        connector: settings.map(|settings| settings.connector.clone()),
        revision: by.map(|(_, revision)| revision),
        source_ids: records
            .iter()
            .filter(|record| settings.is_some_and(|settings| settings.connection == record.connection))
            .map(|record| record.source_id.clone())
            .collect(),
        mapping: settings
            .map(|settings| lines(settings, entity, &one.path))
            .unwrap_or_default(),
        path: one.path.clone(),
        writer,
        written_at,
    }
}

fn lines(settings: &SettingsRead, entity: &[&str], path: &str) -> Vec<LineOfMapping> {
    let mut found: Vec<LineOfMapping> = settings
        .lines(entity)
        .iter()
        .filter(|read| read.line.path == path)
        .map(|read| LineOfMapping {
            name: Some(read.line.name.clone()),
            from: Some(read.line.from.clone()),
            set_in: read.line.set_in.word(),
            policy: Some(word_of(&read.line.policy)),
            clear_when_empty: read.line.clear_when_empty,
            fields: read
                .fields
                .iter()
                .map(|(field, at)| FieldPlace {
                    field: field.clone(),
                    at: at.clone(),
                })
                .collect(),
        })
        .collect();
    if let (true, Some(field)) = (found.is_empty(), fact_of(path)) {
        found.push(LineOfMapping {
            name: None,
            from: None,
            set_in: "facts",
            policy: None,
            clear_when_empty: true,
            fields: vec![FieldPlace {
                field: field.to_owned(),
                at: settings.places(field).to_vec(),
            }],
        });
    }
    found
}
