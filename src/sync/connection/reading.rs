//! Which fields a connection reads, and which of those it could read it does not.

use super::{ConnectionFile, FileProblem};
use crate::connector::{CsvFields, Manifest};

/// Fields of a file that are read whatever is chosen: they say who somebody is and where they stand.
const STRUCTURE: &[&str] = &[
    "source_id",
    "remote_id",
    "employee_number",
    "status",
    "manager",
    "first_day",
    "last_day",
    "last_working_day",
];
/// Fields without which nobody has a user, where `[read] required` says nothing.
const NAMES: &[&str] = &["given_name", "family_name", "work_email"];

/// What of the readable fields is read.
#[derive(Debug, Clone, Default)]
pub(in crate::sync) struct Reading {
    /// The optional fields that are read.
    pub optional: Vec<String>,
    /// Fields that could be read and are not, because nobody chose them: of them nothing is kept.
    pub unread: Vec<String>,
}

impl Reading {
    /// By `[read]` of a file.
    pub(super) fn of(manifest: &Manifest, file: &ConnectionFile, problems: &mut Vec<FileProblem>) -> Self {
        let readable = manifest.fields();
        let optional = match &file.read.optional {
            None => manifest.default_optional(),
            Some(chosen) => {
                for name in chosen {
                    if !readable.iter().any(|field| &field.name == name) {
                        problems.push(FileProblem::at(
                            "read.optional",
                            format!("connector {} cannot read {name:?}", manifest.key()),
                        ));
                    }
                }
                // Fields of the account's own that the file declares are read because it does.
                let own = (!file.custom.is_empty() && !chosen.iter().any(|name| name == "custom"))
                    .then(|| "custom".to_owned());
                chosen.iter().cloned().chain(own).collect()
            }
        };
        let needed = |name: &str| match &file.read.required {
            Some(required) => required.iter().any(|one| one == name),
            None => NAMES.contains(&name),
        };
        let is_file = manifest.reads_files();
        let unread = readable
            .iter()
            .filter(|field| !optional.contains(&field.name) && !field.required)
            .filter(|field| !(is_file && (STRUCTURE.contains(&field.name.as_str()) || needed(&field.name))))
            // SCIM clients and callers that push send what they send: of that only what is sensitive is chosen.
            .filter(|field| field.sensitive || !(manifest.is_written() || manifest.is_pushed()))
            .map(|field| field.name.clone())
            .collect();
        Self { unread, optional }
    }

    /// The columns of a file that are read.
    pub(super) fn columns(&self, fields: &CsvFields) -> CsvFields {
        fields.only(|name| !self.unread.iter().any(|unread| unread == name))
    }
}
