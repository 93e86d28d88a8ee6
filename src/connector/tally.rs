//! What has been seen in a read so far, and whether that was everybody.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use super::map::{Mapped, Mapper};
use super::way::FieldWays;
use super::{Error, Manifest};
use crate::hr::{Page, Problem};

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Ids, each with the parent under which it came first.
    seen: HashMap<u64, usize>,
    rows: u64,
    nameless: u64,
    again: u64,
    /// What the HR system counts, for each parent.
    expected: Vec<Option<u64>>,
    /// Fields that no record so far has had; `None` before the first record.
    absent: Option<u64>,
    names: Vec<&'static str>,
}

impl Tally {
    pub fn new(fields: &[FieldWays]) -> Self {
        Self {
            names: fields.iter().map(|field| field.field.name).collect(),
            ..Self::default()
        }
    }

    /// Takes note of what the HR system counts for a parent.
    pub fn count(&mut self, parent: usize, total: Option<u64>) {
        while self.expected.len() <= parent {
            self.expected.push(None);
        }
        if let (Some(expected), Some(total)) = (self.expected.get_mut(parent), total) {
            *expected = Some(total);
        }
    }

    /// How many the HR system counts, once every parent read so far gave a number.
    pub fn expected(&self) -> Option<u64> {
        let counts: Option<Vec<u64>> = self.expected.iter().copied().collect();
        counts
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.iter().sum())
    }

    /// Notes records that are no employees.
    pub fn pass_over(&mut self, records: usize) {
        self.rows = self
            .rows
            .saturating_add(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// Reads the records of a page; those that came before are passed over. `false` when nothing on it was new.
    pub fn take(&mut self, mapper: &Mapper, items: &[Value], parent: usize, repeats: bool) -> (Page, bool) {
        let (mut page, mut fresh) = (Page::default(), false);
        for item in items {
            let Mapped { employee, missing } = mapper.map(item);
            self.rows = self.rows.saturating_add(1);
            let id = match &employee {
                Ok(employee) => Some(employee.source_id.as_str()),
                Err(problem) => problem.source_id.as_deref(),
            };
            match id.map(|id| self.first_parent(id, parent)) {
                None => {
                    self.nameless = self.nameless.saturating_add(1);
                    fresh = true;
                }
                Some(None) => fresh = true,
                Some(Some(first)) => {
                    let doubtful = first == parent && !repeats;
                    self.again = self.again.saturating_add(u64::from(doubtful));
                    fresh |= first != parent;
                    continue;
                }
            }
            self.absent = Some(self.absent.map_or(missing, |absent| absent & missing));
            match employee {
                Ok(employee) => page.employees.push(employee),
                Err(problem) => page.problems.push(problem),
            }
        }
        (page, fresh)
    }

    /// The parent under which an id came before; notes it when it is new.
    fn first_parent(&mut self, id: &str, parent: usize) -> Option<usize> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        match self.seen.entry(hasher.finish()) {
            std::collections::hash_map::Entry::Occupied(seen) => Some(*seen.get()),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(parent);
                None
            }
        }
    }

    /// Refuses a page that shows that the HR system's records have another shape than we know.
    pub fn judge(
        &self,
        manifest: &Manifest,
        mapper: &Mapper,
        watched: &dyn Fn(&str) -> bool,
        page: &Page,
        number: u32,
    ) -> Result<(), Error> {
        let connector = || manifest.key().to_owned();
        if let Some(name) = self.absent().into_iter().find(|name| watched(name)) {
            let path = mapper
                .fields
                .iter()
                .find(|field| field.field.name == name)
                .map(first_path);
            return Err(Error::Drift {
                connector: connector(),
                field: name.to_owned(),
                path: path.unwrap_or_default(),
            });
        }
        let Some(first) = page.problems.first() else {
            return Ok(());
        };
        let Problem { field, message, .. } = first;
        let all_alike = page.employees.is_empty()
            && page.problems.len() > 1
            && page
                .problems
                .iter()
                .all(|other| other.field == *field && other.message == *message);
        if all_alike {
            let (field, message) = (field.clone(), message.clone());
            return Err(Error::AllUnreadable {
                connector: connector(),
                page: number,
                field,
                message,
            });
        }
        Ok(())
    }

    /// Fields whose path none of the records so far has.
    pub fn absent(&self) -> Vec<&'static str> {
        let Some(absent) = self.absent else {
            return Vec::new();
        };
        self.names
            .iter()
            .enumerate()
            .filter(|(index, _)| {
                u32::try_from(*index)
                    .ok()
                    .and_then(|index| absent.checked_shr(index))
                    .unwrap_or(0)
                    & 1
                    == 1
            })
            .map(|(_, name)| *name)
            .collect()
    }

    /// Why somebody may be missing.
    pub fn doubt(&self) -> Option<String> {
        if self.nameless > 0 {
            return Some(format!("{} records have no id", self.nameless));
        }
        if self.again > 0 {
            return Some(format!(
                "{} records came twice: the list moved while it was read",
                self.again
            ));
        }
        match self.expected() {
            Some(expected) if expected != self.rows => Some(format!(
                "the HR system counts {expected} records, {} came",
                self.rows
            )),
            _ => None,
        }
    }
}

/// The path shown when a field is missing.
fn first_path(field: &FieldWays) -> String {
    let path = field
        .ways
        .first()
        .and_then(|way| way.paths().first().map(|path| path.text().to_owned()));
    path.unwrap_or_default()
}
