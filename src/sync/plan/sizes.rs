//! A plan in numbers, as it grows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::assign::Assigned;
use super::person::Draft;
use super::store;
use crate::base::PersonId;
use crate::guard::{Action, Sizes};
use crate::sync::Error;
use crate::sync::engine::Job;

/// Numbers by word, and what the guard needs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    leavers: Vec<PersonId>,
    emptied: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one of a kind.
    pub fn count(&mut self, word: &'static str, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let count = self.counts.entry(word).or_default();
        *count = count.saturating_add(number);
    }

    /// Counts what a draft would do.
    pub fn add(&mut self, draft: &Draft) {
        self.count(draft.action.as_str(), 1);
        if matches!(draft.action, Action::Disable | Action::Remove) {
            self.leavers.push(draft.person);
        }
        if !draft.effect.holds.is_empty() && draft.action != Action::Hold {
            self.count("hold", 1);
        }
        if draft
            .effect
            .records
            .iter()
            .any(|record| record.outcome == "skipped")
        {
            self.count("skipped", 1);
        }
        if draft.effect.records.iter().any(|record| record.outcome == "held") {
            self.count("held", 1);
        }
        if draft
            .effect
            .records
            .iter()
            .any(|record| record.outcome == "filtered")
        {
            self.count("filtered", 1);
        }
        for field in &draft.emptied {
            *self.emptied.entry(field.clone()).or_default() += 1;
        }
    }

    /// Writes the numbers beside those of the read.
    pub fn into_counts(self, read: &Value) -> Value {
        let mut counts: Map<String, Value> = read.as_object().cloned().unwrap_or_default();
        for word in [
            "create", "link", "update", "disable", "remove", "hold", "conflict", "skipped", "review",
            "missing",
        ] {
            counts.insert(word.to_owned(), 0.into());
        }
        counts.remove("skip");
        for (word, count) in self.counts.into_iter().filter(|(word, _)| *word != "skip") {
            counts.insert(word.to_owned(), count.into());
        }
        Value::Object(counts)
    }

    /// What the guard judges. The tables are asked only when there is something to compare.
    pub async fn sizes(
        &self,
        job: &Job<'_>,
        missing: &[String],
        assigned: &Assigned,
    ) -> Result<Sizes, Error> {
        if self.leavers.is_empty() && self.emptied.is_empty() && missing.is_empty() {
            return Ok(Sizes::default());
        }
        let mut conn = job.conn().await?;
        let (population, records, absent) = store::population(&mut conn, &job.run, missing).await?;
        let units = if self.leavers.is_empty() && missing.is_empty() {
            Vec::new()
        } else {
            store::losing_units(&mut conn, &job.run, missing, &self.leavers).await?
        };
        Ok(Sizes {
            population,
            leavers: u64::try_from(self.leavers.len()).unwrap_or(u64::MAX),
            emptied: self
                .emptied
                .iter()
                .map(|(field, count)| (field.clone(), *count))
                .collect(),
            records,
            missing: absent,
            new: u64::try_from(assigned.new.len()).unwrap_or(u64::MAX),
            units,
        })
    }
}
