//! What the settings of past and present runs say of where a value comes from.

use std::collections::HashMap;

use serde_json::Value;

use super::connection::{ConnectionFile, Settled, settle, store};
use super::{Engine, Error};
use crate::base::{ConnectionId, TenantId};
use crate::connector::stands_in;
use crate::db::Conn;
use crate::scim::ENTERPRISE;
use crate::translate::LineView;

/// A revision of a connection's settings, read for its mapping.
#[derive(Debug, Clone)]
pub struct SettingsRead {
    /// The connection's name.
    pub connection: String,
    /// The connector's key.
    pub connector: String,
    lines: Vec<LineRead>,
    /// Those of the legal entities that differ.
    entities: Vec<(String, Vec<LineRead>)>,
    places: HashMap<String, Vec<String>>,
}

/// A line of a mapping, with where its fields stand in the vendor's record.
#[derive(Debug, Clone)]
pub struct LineRead {
    /// The line.
    pub line: LineView,
    /// Each field, `entity.id`, with its places in the record, best first.
    pub fields: Vec<(String, Vec<String>)>,
}

impl SettingsRead {
    /// What writes which attribute of a person whose entity has one of these words as id, code or name in HR.
    #[must_use]
    pub fn lines(&self, entity: &[&str]) -> &[LineRead] {
        let own = self.entities.iter().find(|(id, _)| entity.contains(&id.as_str()));
        own.map_or(&self.lines, |(_, lines)| lines)
    }

    /// Where a canonical field stands in the record, best first.
    #[must_use]
    pub fn places(&self, field: &str) -> &[String] {
        self.places.get(field).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Fields that users get without a line of the mapping.
const FACTS: &[&str] = &[
    "manager",
    "status",
    "employment_type",
    "first_day",
    "last_day",
    "last_working_day",
    "entity",
    "location",
    "team",
];

impl Engine {
    /// The mapping of each of these revisions, in one statement. What can no longer be read is left out.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn settings_read(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        wanted: &[(ConnectionId, i32)],
    ) -> Result<HashMap<(ConnectionId, i32), SettingsRead>, Error> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let kind = self.directory.kind(conn, tenant, "User").await?;
        let rows = store::revisions_of(conn, tenant, wanted).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, name, revision, body)| {
                let file = ConnectionFile::from_json(&body).ok()?;
                let settled = settle(&kind, &file).ok()?;
                Some(((id.into(), revision), self.read_settings(name, &file, &settled)))
            })
            .collect())
    }

    fn read_settings(&self, connection: String, file: &ConnectionFile, settled: &Settled) -> SettingsRead {
        let stands = |path: &[String]| -> Vec<String> {
            let Some((field, parts)) = path.split_first() else {
                return Vec::new();
            };
            let part = parts.first().map(String::as_str);
            match file.fields.as_ref().and_then(|fields| fields.get(field)) {
                Some(line) => stands_in(line, part),
                None => self
                    .catalogue
                    .get(&file.connector)
                    .map(|manifest| manifest.stands(field, part))
                    .unwrap_or_default(),
            }
        };
        let read = |lines: Vec<LineView>| -> Vec<LineRead> {
            lines
                .into_iter()
                .map(|line| LineRead {
                    fields: line
                        .fields
                        .iter()
                        .map(|path| (path.join("."), stands(path)))
                        .collect(),
                    line,
                })
                .collect()
        };
        SettingsRead {
            connection,
            connector: file.connector.clone(),
            lines: read(settled.lines(None)),
            entities: settled
                .entities
                .iter()
                .map(|entity| (entity.id.clone(), read(settled.lines(Some(entity)))))
                .collect(),
            places: FACTS
                .iter()
                .map(|field| ((*field).to_owned(), stands(&[(*field).to_owned()])))
                .collect(),
        }
    }
}

/// The canonical field behind an attribute that is set from HR's facts, and no line of a mapping.
#[must_use]
pub fn fact_of(path: &str) -> Option<&'static str> {
    if path == "active" {
        return Some("status");
    }
    if path == format!("{ENTERPRISE}:manager.value") {
        return Some("manager");
    }
    let fact = path.strip_prefix(crate::scim::HR)?.strip_prefix(':')?;
    match fact.split('.').next()? {
        "employmentType" => Some("employment_type"),
        "firstDay" => Some("first_day"),
        "lastDay" => Some("last_day"),
        "lastWorkingDay" => Some("last_working_day"),
        "entity" => Some("entity"),
        "location" => Some("location"),
        "team" => Some("team"),
        "state" | "onLeave" => Some("status"),
        _ => None,
    }
}

/// The word that a setting has in files.
#[must_use]
pub fn word_of(policy: &impl serde::Serialize) -> String {
    match serde_json::to_value(policy) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}
