//! Whose is each new or changed record.

use std::collections::{HashMap, HashSet};

use crate::base::PersonId;
use crate::db::Conn;
use crate::hr::{Employee, ManagerRef};
use crate::identity::store::Erased;
use crate::identity::{self, Candidate, Correlation, Known, KnownRecord, Review, fold};
use crate::lifecycle::{State, judge};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::read::{is_back, join, store as staging};

/// How many staged records are looked at together.
const BATCH: i64 = 1000;

/// Whose each staged record is. Of each record only keys are held in memory.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    /// Record → person.
    pub of: HashMap<String, PersonId>,
    /// Person → records.
    pub by_person: HashMap<PersonId, Vec<String>>,
    /// People nobody knew before.
    pub new: HashSet<PersonId>,
    /// People who lost a record to somebody else: a human decided so.
    pub left_behind: Vec<PersonId>,
    /// Records that nobody but a human can place.
    pub in_review: Vec<String>,
    /// What to ask.
    pub reviews: Vec<Review>,
    /// Records that could not be read.
    pub unreadable: Vec<String>,
    /// The records are the stored ones: nothing was read.
    pub is_stored: bool,
    pub(super) managers: HashMap<PersonId, ManagerRef>,
    pub(super) emails: HashMap<String, Option<PersonId>>,
    pub(super) numbers: HashMap<String, Option<PersonId>>,
}

/// What is kept of a staged record.
#[derive(Default)]
struct Staged {
    candidates: Vec<Candidate>,
    managers: Vec<Option<ManagerRef>>,
    unreadable: Vec<String>,
}

impl Assigned {
    /// Whom a reference means, among the records of this read. An address or number that fits several people means
    /// nobody.
    pub fn manager(&self, reference: &ManagerRef) -> Option<PersonId> {
        match reference {
            ManagerRef::SourceId(id) => self.of.get(id).copied(),
            ManagerRef::Email(email) => self.emails.get(&fold(email)).copied().flatten(),
            ManagerRef::EmployeeNumber(number) => self.numbers.get(number).copied().flatten(),
        }
    }

    /// Everybody with a staged record, those first who report to nobody among them, then their reports, and so on.
    pub fn in_order(&self) -> Vec<PersonId> {
        let mut depths: HashMap<PersonId, u32> = HashMap::with_capacity(self.by_person.len());
        for person in self.by_person.keys() {
            self.depth(*person, &mut depths);
        }
        let mut people: Vec<PersonId> = self.by_person.keys().copied().collect();
        people.sort_unstable_by_key(|person| {
            (
                depths.get(person).copied().unwrap_or_default(),
                self.by_person.get(person).and_then(|records| records.first()),
            )
        });
        people
    }

    /// How many managers stand above a person; a circle of managers counts from where it was entered.
    fn depth(&self, person: PersonId, depths: &mut HashMap<PersonId, u32>) {
        let mut chain = Vec::new();
        let mut here = person;
        let mut depth = loop {
            if let Some(depth) = depths.get(&here) {
                break depth.saturating_add(1);
            }
            chain.push(here);
            depths.insert(here, 0);
            let above = self
                .managers
                .get(&here)
                .and_then(|reference| self.manager(reference));
            match above {
                Some(above) if self.by_person.contains_key(&above) && !chain.contains(&above) => here = above,
                _ => break 0,
            }
        };
        while let Some(person) = chain.pop() {
            depths.insert(person, depth);
            depth = depth.saturating_add(1);
        }
    }

    pub(super) fn add(&mut self, candidate: &Candidate, manager: Option<ManagerRef>, person: PersonId) {
        self.of.insert(candidate.source_id.clone(), person);
        self.by_person
            .entry(person)
            .or_default()
            .push(candidate.source_id.clone());
        if let Some(manager) = manager {
            self.managers.insert(person, manager);
        }
        for (key, index) in [
            (&candidate.traits.email, &mut self.emails),
            (&candidate.traits.number, &mut self.numbers),
        ] {
            if let Some(key) = key {
                index
                    .entry(key.clone())
                    .and_modify(|known| {
                        if *known != Some(person) {
                            *known = None;
                        }
                    })
                    .or_insert(Some(person));
            }
        }
    }
}

/// Correlates all staged records of a run.
pub(super) async fn assign(job: &mut Job<'_>, live: &Compiled) -> Result<Assigned, Error> {
    let mut staged = Staged::default();
    let mut known: HashMap<(bool, String), KnownRecord> = HashMap::new();
    let mut after = String::new();
    loop {
        let mut conn = job.conn().await?;
        let mut batch = staging::staged_after(&mut conn, &job.run, &after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after.clone_from(&last.source_id);
        drop_erased(job, live, &mut conn, &mut batch).await?;
        let first = staged.candidates.len();
        for record in batch {
            take(job, live, record, &mut staged)?;
        }
        let new = staged.candidates.get(first..).unwrap_or_default();
        let keys =
            identity::store::KnownKeys::of(new.iter().map(|one| (one.source_id.as_str(), &one.traits)));
        let found = identity::store::known(
            &mut conn,
            job.run.tenant,
            job.run.connection,
            &keys,
            &job.engine.sealer,
        )
        .await?;
        known.extend(
            found
                .into_iter()
                .map(|record| ((record.same_connection, record.source_id.clone()), record)),
        );
        drop(conn);
        job.beat(serde_json::json!({ "step": "planning", "done": 0, "of": staged.candidates.len() }))
            .await?;
    }
    let mut conn = job.conn().await?;
    let decided = identity::store::decided(&mut conn, job.run.tenant, job.run.connection).await?;
    let known = Known {
        records: known.into_values().collect(),
        decided,
    };
    Ok(placed(staged, &known, live))
}

/// Takes out who was erased after the record was read.
async fn drop_erased(
    job: &Job<'_>,
    live: &Compiled,
    conn: &mut Conn,
    batch: &mut Vec<staging::Staged>,
) -> Result<(), Error> {
    let (run, sealer) = (&job.run, &job.engine.sealer);
    let ids: Vec<&str> = batch.iter().map(|record| record.source_id.as_str()).collect();
    let erased = identity::store::erased_among(conn, (run.tenant, run.connection), &ids, sealer).await?;
    if erased.is_empty() {
        return Ok(());
    }
    let mut gone = Vec::new();
    for record in batch.iter() {
        let stays = match (erased.get(&record.source_id), &record.employee) {
            (None, _) => true,
            (Some((_, Erased::Left)), Some(plain)) => {
                let employee = join(sealer, run.tenant, plain.clone(), record.sealed.as_deref())?;
                is_back(&employee, live, job.engine.clock.now())
            }
            (Some(_), _) => false,
        };
        if !stays {
            gone.push(record.source_id.clone());
        }
    }
    staging::drop_records(conn, run, &gone).await?;
    batch.retain(|record| !gone.contains(&record.source_id));
    Ok(())
}

fn take(job: &Job<'_>, live: &Compiled, record: staging::Staged, staged: &mut Staged) -> Result<(), Error> {
    let Some(plain) = record.employee else {
        staged.unreadable.push(record.source_id);
        return Ok(());
    };
    let employee: Employee = join(
        &job.engine.sealer,
        job.run.tenant,
        plain,
        record.sealed.as_deref(),
    )?;
    let verdict = judge(&employee, &live.file.lifecycle, None, job.engine.clock.now());
    let left = matches!(verdict.state, State::Left | State::Rescinded);
    staged.candidates.push(Candidate::of(&employee, left));
    staged.managers.push(employee.manager);
    Ok(())
}

fn placed(staged: Staged, known: &Known, live: &Compiled) -> Assigned {
    let correlated = identity::correlate(&staged.candidates, known, &live.file.matching);
    let before: HashMap<&str, PersonId> = known
        .records
        .iter()
        .filter(|record| record.same_connection)
        .filter_map(|record| Some((record.source_id.as_str(), record.person?)))
        .collect();
    let new: Vec<PersonId> = (0..correlated.new_people).map(|_| PersonId::new()).collect();
    let mut assigned = Assigned {
        unreadable: staged.unreadable,
        ..Assigned::default()
    };
    for ((candidate, manager), outcome) in staged
        .candidates
        .iter()
        .zip(staged.managers)
        .zip(&correlated.outcomes)
    {
        match outcome {
            Correlation::Linked(person, _) => {
                let earlier = before.get(candidate.source_id.as_str());
                assigned
                    .left_behind
                    .extend(earlier.filter(|earlier| *earlier != person));
                assigned.add(candidate, manager, *person);
            }
            Correlation::New(index) => {
                if let Some(person) = new.get(*index) {
                    assigned.new.insert(*person);
                    assigned.add(candidate, manager, *person);
                }
            }
            Correlation::Review(_) => assigned.in_review.push(candidate.source_id.clone()),
        }
    }
    assigned.reviews = correlated.reviews;
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Traits;

    fn candidate(id: &str) -> Candidate {
        Candidate {
            source_id: id.to_owned(),
            traits: Traits::default(),
            left: false,
        }
    }

    #[test]
    fn managers_come_before_their_reports_and_a_circle_ends() {
        let mut assigned = Assigned::default();
        let people: HashMap<&str, PersonId> = ["boss", "lead", "dev", "a", "b"]
            .into_iter()
            .map(|name| (name, PersonId::new()))
            .collect();
        for (name, above) in [
            ("dev", Some("lead")),
            ("lead", Some("boss")),
            ("boss", None),
            ("a", Some("b")),
            ("b", Some("a")),
        ] {
            let manager = above.map(|id| ManagerRef::SourceId(id.to_owned()));
            assigned.add(&candidate(name), manager, people[name]);
        }
        let order = assigned.in_order();
        let place = |name: &str| order.iter().position(|person| *person == people[name]).unwrap();
        assert_eq!(order.len(), 5);
        assert!(place("boss") < place("lead") && place("lead") < place("dev"));
    }
}
