//! What a batch of people is judged by: their records, users, groups, managers. A fixed number of statements per batch.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::assign::Assigned;
use super::remark::Message;
use super::store;
use crate::base::{PersonId, ResourceId};
use crate::directory::{Directory, Stored as StoredUser, Tombstone};
use crate::guard;
use crate::hr::{Employee, ManagerRef};
use crate::identity::store as people;
use crate::lifecycle::Facts;
use crate::provision;
use crate::sync::Error;
use crate::sync::engine::Job;
use crate::sync::read::{Remark, join, store as staging};

/// A record of a person as it counts now.
#[derive(Debug, Clone)]
pub(super) struct RecordNow {
    /// Its id.
    pub source_id: String,
    /// What it says.
    pub employee: Employee,
    /// It is new or changed in this read.
    pub staged: bool,
    /// What could not be read of it.
    pub problems: Vec<Remark>,
    /// Outcome and messages that stood before; none for a new record.
    pub before: Option<(String, Option<Value>)>,
    /// It came by the connection of this run.
    pub ours: bool,
}

impl RecordNow {
    /// What stood of it in words.
    pub fn messages_before(&self) -> Vec<Message> {
        Message::stored(self.before.as_ref().and_then(|(_, detail)| detail.as_ref()))
    }
}

/// A manager's user.
#[derive(Debug, Clone, Copy)]
pub(super) struct ManagerUser {
    /// The user.
    pub user: ResourceId,
    /// Whether it is active.
    pub active: bool,
}

/// What a batch of people is judged by.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The people that are stored.
    pub people: HashMap<PersonId, people::Person>,
    /// Their records.
    pub records: HashMap<PersonId, Vec<RecordNow>>,
    /// Their users.
    pub users: HashMap<ResourceId, StoredUser>,
    /// The groups of this connection's units that the users are in.
    pub groups: HashMap<ResourceId, Vec<(ResourceId, String)>>,
    /// Whom references mean, by stored records.
    pub managers: HashMap<ManagerRef, PersonId>,
    /// Users of managers.
    pub manager_users: HashMap<PersonId, ManagerUser>,
    /// What was known of people's employments.
    pub facts: HashMap<PersonId, Facts>,
    /// Values that a human rejected last, by user and field.
    pub rejected: HashMap<(ResourceId, String), Option<Value>>,
    /// People whose user a client or an admin deleted.
    pub tombstones: HashMap<PersonId, Tombstone>,
    /// Those of them whose user a client made anew.
    pub remade: HashMap<PersonId, ResourceId>,
    /// Staged records as they were stored before, without their sensitive part.
    pub records_before: HashMap<String, Value>,
}

impl Surroundings {
    /// Loads them.
    pub async fn load(
        job: &Job<'_>,
        assigned: &Assigned,
        gone: &HashSet<String>,
        batch: &[PersonId],
    ) -> Result<Self, Error> {
        let run = &job.run;
        let mut conn = job.conn().await?;
        let known: Vec<PersonId> = batch
            .iter()
            .copied()
            .filter(|person| !assigned.new.contains(person))
            .collect();
        let mut here = Self::default();
        let mut stored = HashMap::new();
        if !known.is_empty() {
            here.people = people::people(&mut conn, run.tenant, &known).await?;
            here.facts = provision::employments(&mut conn, run.tenant, &known).await?;
            stored = people::of_people(&mut conn, run.tenant, &known, &job.engine.sealer).await?;
        }
        let staged_ids: Vec<String> = batch
            .iter()
            .filter_map(|person| assigned.by_person.get(person))
            .flatten()
            .cloned()
            .collect();
        let staged = staging::staged(&mut conn, run, &staged_ids).await?;
        here.records_before = store::records_before(&mut conn, run, &staged_ids).await?;
        here.collect(job, assigned, gone, stored, staged)?;

        let directory = &job.engine.directory;
        here.tombstones = directory.tombstones(&mut conn, run.tenant, &known).await?;
        if !here.tombstones.is_empty() {
            here.remade = store::remade(&mut conn, run, &known).await?;
        }
        let users: Vec<ResourceId> = here
            .people
            .values()
            .filter_map(|person| person.user)
            .chain(here.remade.values().copied())
            .collect();
        if !users.is_empty() {
            here.users = job.engine.directory.load(&mut conn, run.tenant, &users).await?;
            here.groups = store::org_groups_of(&mut conn, run, &users).await?;
            here.rejected = guard::rejected_values(&mut conn, run.tenant, run.connection.uuid(), &users)
                .await?
                .into_iter()
                .map(|(user, field, value)| ((user, field), value))
                .collect();
        }
        here.load_managers(&mut conn, job, assigned).await?;
        Ok(here)
    }

    fn collect(
        &mut self,
        job: &Job<'_>,
        assigned: &Assigned,
        gone: &HashSet<String>,
        stored: HashMap<PersonId, Vec<people::Stored>>,
        staged: Vec<staging::Staged>,
    ) -> Result<(), Error> {
        let mut before: HashMap<String, (String, Option<Value>)> = HashMap::new();
        for (person, records) in stored {
            for record in records {
                let ours = record.connection == job.run.connection;
                if ours && !assigned.is_stored && assigned.of.contains_key(&record.source_id) {
                    before.insert(record.source_id, (record.outcome, record.detail));
                    continue;
                }
                let counts = record.outcome != "gone" && !(ours && gone.contains(&record.source_id));
                if let (Some(employee), true) = (record.employee, counts) {
                    self.records.entry(person).or_default().push(RecordNow {
                        source_id: record.source_id,
                        employee,
                        staged: false,
                        problems: Vec::new(),
                        before: Some((record.outcome, record.detail)),
                        ours,
                    });
                }
            }
        }
        for record in staged {
            let Some(person) = assigned.of.get(&record.source_id) else {
                continue;
            };
            let Some(plain) = record.employee else { continue };
            let employee = join(
                &job.engine.sealer,
                job.run.tenant,
                plain,
                record.sealed.as_deref(),
            )?;
            self.records.entry(*person).or_default().push(RecordNow {
                before: before.remove(&record.source_id),
                source_id: record.source_id,
                employee,
                staged: true,
                problems: record.problems,
                ours: true,
            });
        }
        Ok(())
    }

    async fn load_managers(
        &mut self,
        conn: &mut crate::db::Conn,
        job: &Job<'_>,
        assigned: &Assigned,
    ) -> Result<(), Error> {
        let references: HashSet<&ManagerRef> = self
            .records
            .values()
            .flatten()
            .filter_map(|record| record.employee.manager.as_ref())
            .collect();
        let unknown: Vec<ManagerRef> = references
            .iter()
            .filter(|reference| assigned.manager(reference).is_none())
            .map(|reference| (*reference).clone())
            .collect();
        if !unknown.is_empty() {
            self.managers = people::managers(conn, job.run.tenant, job.run.connection, &unknown).await?;
        }
        let mut managers: Vec<PersonId> = references
            .iter()
            .filter_map(|reference| assigned.manager(reference))
            .chain(self.managers.values().copied())
            .filter(|person| !assigned.new.contains(person))
            .collect();
        managers.sort_unstable();
        managers.dedup();
        if managers.is_empty() {
            return Ok(());
        }
        self.manager_users = manager_users(conn, &job.engine.directory, job, &managers).await?;
        Ok(())
    }
}

async fn manager_users(
    conn: &mut crate::db::Conn,
    directory: &Directory,
    job: &Job<'_>,
    managers: &[PersonId],
) -> Result<HashMap<PersonId, ManagerUser>, Error> {
    let people = people::people(conn, job.run.tenant, managers).await?;
    let users: Vec<ResourceId> = people.values().filter_map(|person| person.user).collect();
    let users = directory.load(conn, job.run.tenant, &users).await?;
    Ok(people
        .values()
        .filter_map(|person| {
            let user = users.get(&person.user?)?;
            let active = user.active.unwrap_or(true);
            Some((
                person.id,
                ManagerUser {
                    user: user.id,
                    active,
                },
            ))
        })
        .collect())
}
