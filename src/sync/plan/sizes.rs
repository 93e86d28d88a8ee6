//! A plan in numbers, as it grows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::person::Draft;
use super::{health, store};
use crate::base::PersonId;
use crate::db::Conn;
use crate::guard::{Action, EmptiedIn, Sizes};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::read::Profile;
use crate::sync::read::store::base;

/// Leavers are added up over so long, so that a loss which comes in small parts is seen too.
const LATELY: chrono::Duration = chrono::Duration::days(7);

/// A field that fewer people of a department lost is not looked at: one team's reorganisation is daily life.
const SMALLEST_LOSS: u64 = 5;
/// So many fields of departments are looked at at most; a read with more of them is over other limits too.
const MOST_LOSSES: usize = 1_000;

/// Whether a whole department loses this field when one person goes: nobody reports to whoever led it.
fn of_a_person(field: &str) -> bool {
    field == "manager"
}

/// Numbers by word, and what the guard needs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    leavers: Vec<PersonId>,
    creates: u64,
    returns: u64,
    unusable: u64,
    swapped: u64,
    emptied: BTreeMap<String, u64>,
    /// By field and department.
    emptied_in: BTreeMap<(String, String), u64>,
    changed: BTreeMap<&'static str, u64>,
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
        if draft.declined.is_some() {
            self.count("declined", 1);
            return;
        }
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
        self.creates = self
            .creates
            .saturating_add(u64::from(draft.action == Action::Create));
        self.returns = self.returns.saturating_add(u64::from(draft.back));
        let unusable = draft.unusable || (draft.action == Action::Conflict && draft.user.is_some());
        self.unusable = self.unusable.saturating_add(u64::from(unusable));
        self.swapped = self.swapped.saturating_add(u64::from(draft.compared.swapped));
        for field in &draft.compared.emptied {
            *self.emptied.entry(field.clone()).or_default() += 1;
            if let Some(department) = draft.compared.department.clone().filter(|_| !of_a_person(field)) {
                *self.emptied_in.entry((field.clone(), department)).or_default() += 1;
            }
        }
        for field in &draft.compared.changed {
            *self.changed.entry(field).or_default() += 1;
        }
    }

    /// Counts records that could be used before and cannot be read now.
    pub fn add_unusable(&mut self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.unusable = self.unusable.saturating_add(records);
    }

    /// Whether nothing would happen that is to be measured by the number of people.
    fn is_quiet(&self) -> bool {
        self.leavers.is_empty()
            && self.emptied.is_empty()
            && self.changed.is_empty()
            && self.creates == 0
            && self.returns == 0
            && self.unusable == 0
            && self.swapped == 0
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

    /// The departments in which enough people lost a field, each with how many had it.
    async fn emptied_in(&self, conn: &mut Conn, job: &Job<'_>) -> Result<Vec<EmptiedIn>, Error> {
        let many = self.emptied_in.iter().filter(|(_, lost)| **lost >= SMALLEST_LOSS);
        let many: Vec<(&str, &str, u64)> = many
            .map(|((field, department), lost)| (field.as_str(), department.as_str(), *lost))
            .take(MOST_LOSSES)
            .collect();
        if many.is_empty() {
            return Ok(Vec::new());
        }
        Ok(store::emptied_in(conn, &job.run, &many).await?)
    }

    /// What the guard judges. The tables are asked only when there is something to compare.
    pub async fn sizes(&self, job: &Job<'_>, live: &Compiled, missing: &[String]) -> Result<Sizes, Error> {
        let mut conn = job.conn().await?;
        let (mut sizes, has_base) = beside_earlier_reads(&mut conn, job, live).await?;
        if self.is_quiet() && missing.is_empty() {
            return Ok(sizes);
        }
        let (population, records, absent) = store::population(&mut conn, &job.run, missing).await?;
        if !self.leavers.is_empty() || !missing.is_empty() {
            sizes.units = store::losing_units(&mut conn, &job.run, missing, &self.leavers).await?;
        }
        let read = |word: &str| {
            job.run
                .counts
                .get(word)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        sizes.empty = !missing.is_empty() && read("read") == 0;
        sizes.population = population;
        sizes.leavers = u64::try_from(self.leavers.len()).unwrap_or(u64::MAX);
        sizes.creates = if has_base { self.creates } else { 0 };
        sizes.returns = self.returns;
        sizes.unusable = self.unusable;
        sizes.swapped = self.swapped;
        sizes.emptied = self
            .emptied
            .iter()
            .map(|(field, count)| (field.clone(), *count))
            .collect();
        let changed = self.changed.iter();
        sizes.changed = changed
            .map(|(field, count)| ((*field).to_owned(), *count))
            .collect();
        sizes.emptied_in = self.emptied_in(&mut conn, job).await?;
        sizes.records = records;
        sizes.missing = absent;
        sizes.new = read("new");
        Ok(sizes)
    }
}

/// What a complete read looks like beside those before it, and whether there are any.
async fn beside_earlier_reads(
    conn: &mut Conn,
    job: &Job<'_>,
    live: &Compiled,
) -> Result<(Sizes, bool), Error> {
    let earlier = base::earlier(conn, &job.run).await?;
    let lately = job.engine.clock.now() - LATELY;
    let left_lately = earlier
        .iter()
        .filter(|read| read.at > lately)
        .map(|read| read.leavers)
        .sum();
    let Some(now) = base::proposed(conn, &job.run)
        .await?
        .filter(|_| job.run.cause.reads())
    else {
        let sizes = Sizes {
            left_lately,
            ..Sizes::default()
        };
        return Ok((sizes, !earlier.is_empty()));
    };
    let all: Vec<&Profile> = earlier.iter().map(|read| &read.profile).collect();
    let alike = earlier.iter().filter(|read| read.rules == live.rules_digest);
    let alike: Vec<&Profile> = alike.map(|read| &read.profile).collect();
    let found = health::compare(&all, &alike, &now);
    let sizes = Sizes {
        left_lately,
        read: now.records,
        thinned: found.thinned,
        same: found.same,
        garbled: found.garbled,
        strange: found.strange,
        ..Sizes::default()
    };
    Ok((sizes, !earlier.is_empty()))
}
