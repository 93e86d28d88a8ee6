//! What an HR system's records hold: their attributes by path, without values, so that people may choose among them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Aim, ManifestReader};
use crate::connector::source::Source;
use crate::connector::{Error, Manifest};

/// How deep attributes are looked for.
const DEEPEST: usize = 6;
/// So many attributes are told at most.
const MOST: usize = 1_000;
/// Of so many records of the first page.
const RECORDS: usize = 200;

/// The attributes of an HR system's records, as its first page has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attributes {
    /// Of how many records.
    pub records: usize,
    /// The attributes, in the order of their paths.
    pub items: Vec<Attribute>,
    /// Whether there are more than are told.
    pub more: bool,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attribute {
    /// Where it stands in a record, as a JSON Pointer: what a line of `[custom]` names.
    pub path: String,
    /// What the HR system calls it, where a label stands beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How many of the records have a value there.
    pub filled: usize,
    /// The field that is read from there already, by the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Source<'_> {
    /// Asks for one page with everything the credentials may see, and tells which attributes its records have. No value
    /// is given out or kept. A connector that reads files, or is written to, has none to tell.
    ///
    /// # Errors
    /// When the HR system cannot be read.
    pub async fn attributes(self) -> Result<Attributes, Error> {
        if self.manifest.written.employees.is_none() {
            return Ok(Attributes::default());
        }
        let mut manifest = self.manifest.clone();
        if let Some(employees) = &mut manifest.written.employees {
            employees.select = None;
        }
        let source = Source {
            manifest: &manifest,
            ..self
        };
        let records = ManifestReader::new(source, Aim::All).first_records().await?;
        Ok(told(&manifest, &records))
    }
}

impl ManifestReader<'_> {
    /// The records of the first page as they came.
    async fn first_records(&mut self) -> Result<Vec<Value>, Error> {
        let mut open = self.open().await?;
        Ok(self
            .next_sheet(&mut open)
            .await?
            .map(|sheet| sheet.items)
            .unwrap_or_default())
    }
}

/// Label and number of records by path.
type Found = BTreeMap<String, (Option<String>, usize)>;

fn told(manifest: &Manifest, records: &[Value]) -> Attributes {
    let records = records.get(..RECORDS).unwrap_or(records);
    let mut found = Found::new();
    for record in records {
        look(record, String::new(), None, 0, &mut found);
    }
    let more = found.len() > MOST;
    let items = found
        .into_iter()
        .take(MOST)
        .map(|(path, (label, filled))| Attribute {
            field: manifest.field_at(&path, label.as_deref()),
            path,
            label,
            filled,
        })
        .collect();
    Attributes {
        records: records.len(),
        items,
        more,
    }
}

fn look(value: &Value, path: String, label: Option<&str>, depth: usize, found: &mut Found) {
    match value {
        Value::Object(members) if depth < DEEPEST => {
            let own = members.get("label").and_then(Value::as_str);
            for (name, member) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                let label = own.filter(|_| name != "label").or(label);
                look(member, format!("{path}/{step}"), label, depth + 1, found);
            }
        }
        Value::Array(items) if depth < DEEPEST => {
            if let Some(first) = items.first() {
                look(first, format!("{path}/0"), label, depth + 1, found);
            }
        }
        _ if found.len() <= MOST || found.contains_key(&path) => {
            let filled = !value.is_null() && value.as_str() != Some("");
            let known = found.entry(path).or_insert_with(|| (label.map(str::to_owned), 0));
            known.1 += usize::from(filled);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_labels_and_numbers_are_told_and_no_value() {
        let manifest = crate::connector::Catalogue::load(None)
            .unwrap()
            .get("personio")
            .unwrap()
            .clone();
        let record = |badge: Value| {
            json!({ "type": "Employee", "attributes": {
                "first_name": { "label": "First name", "value": "Ann" },
                "dynamic_7": { "label": "Badge", "value": badge },
            }})
        };
        let told = told(&manifest, &[record(json!("b-1")), record(Value::Null)]);
        assert_eq!((told.records, told.more), (2, false));
        let badge = told
            .items
            .iter()
            .find(|one| one.path == "/attributes/dynamic_7/value")
            .unwrap();
        assert_eq!((badge.label.as_deref(), badge.filled), (Some("Badge"), 1));
        assert_eq!(badge.field, None);
        let name = told
            .items
            .iter()
            .find(|one| one.path == "/attributes/first_name/value")
            .unwrap();
        assert_eq!(name.field.as_deref(), Some("given_name"));
        assert!(!json!(told).to_string().contains("Ann"));
    }
}
