//! One batch of items in one transaction.

use std::collections::HashMap;

use super::groups;
use super::overlay::{merge, overlay};
use crate::base::{ClientId, HoldId, PersonId, ResourceId};
use crate::db::Conn;
use crate::directory::{Cause, Error as DirectoryError, Expected, Put, Stored};
use crate::guard::{self, Action, ItemState, Mark, NewHold, StoredItem};
use crate::hr::Employee;
use crate::identity::{Review, store as people};
use crate::lifecycle::Facts;
use crate::provision;
use crate::scim::{self, ENTERPRISE, Object};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::plan::{Effect, HoldAt, give_names, store};
use crate::sync::read::{join, store as staging};
use crate::translate;

/// The resource type of users.
const USER: &str = "User";

/// The note on an item whose manager had no user when it was applied.
pub(super) const MANAGER_WAITS: &str = "manager waits";

/// An item with its effect read again.
pub(super) struct Work {
    pub item: StoredItem,
    pub effect: Effect,
    pub(super) user: Option<ResourceId>,
    pub(super) refused: Option<String>,
    /// What is said of an item that was applied in part.
    pub(super) noted: Option<String>,
    manager_waits: bool,
    /// HR held the user meanwhile, and this item does not lift it: the person is looked at again.
    held_meanwhile: bool,
}

impl Work {
    pub fn of(item: StoredItem) -> Result<Self, Error> {
        let effect: Effect = serde_json::from_value(item.item.diff.clone()).map_err(Error::Record)?;
        Ok(Self {
            user: item.item.resource,
            item,
            effect,
            refused: None,
            noted: None,
            manager_waits: false,
            held_meanwhile: false,
        })
    }

    fn writes_user(&self) -> bool {
        matches!(
            self.item.item.action,
            Action::Create | Action::Link | Action::Update | Action::Disable
        ) && self.effect.object.is_some()
    }
}

/// What applying a batch needs beside the items.
pub(super) struct Batch<'a> {
    pub job: &'a Job<'a>,
    pub live: &'a Compiled,
    pub cause: Cause,
}

impl Batch<'_> {
    /// Applies the items. The caller holds the lease in this transaction.
    pub async fn apply(&self, conn: &mut Conn, mut work: Vec<Work>) -> Result<(), Error> {
        self.pass_over_erased(conn, &mut work).await?;
        self.pass_over_overtaken(conn, &mut work).await?;
        self.people_and_records(conn, &work).await?;
        self.users(conn, &mut work).await?;
        self.disable_alone(conn, &mut work).await?;
        self.names(conn, &work).await?;
        self.managers_of_this_batch(conn, &mut work).await?;
        let changes: Vec<(ResourceId, &Effect)> = work
            .iter()
            .filter(|one| one.refused.is_none() && !one.effect.groups.is_empty())
            .filter(|one| one.item.item.action != Action::Remove)
            .filter_map(|one| Some((one.user?, &one.effect)))
            .collect();
        groups::change_members(conn, self.job, &changes, &self.cause).await?;
        self.removals(conn, &mut work).await?;
        self.standings(conn, &work).await?;
        let held = self.questions(conn, &work).await?;
        self.kept_back(conn, &work).await?;
        self.look_again(conn, &work).await?;
        self.tell(conn, &work, &held).await?;
        self.mark(conn, &work).await
    }

    /// Takes out what is of people who were erased after the plan was made; an item that is of nothing else is refused.
    async fn pass_over_erased(&self, conn: &mut Conn, work: &mut Vec<Work>) -> Result<(), Error> {
        let run = &self.job.run;
        let records = work.iter().flat_map(|one| &one.effect.records);
        let ids: Vec<&str> = records.map(|record| record.source_id.as_str()).collect();
        let mut erased =
            people::erased_among(conn, (run.tenant, run.connection), &ids, &self.job.engine.sealer).await?;
        erased.retain(|_, (_, why)| *why == people::Erased::Asked);
        if erased.is_empty() {
            return Ok(());
        }
        let mut refused = Vec::new();
        work.retain_mut(|one| {
            let before = one.effect.records.len();
            one.effect
                .records
                .retain(|record| !erased.contains_key(&record.source_id));
            let is_left = one.effect.records.is_empty() && before > 0;
            if is_left {
                refused.push(Mark {
                    ordinal: one.item.ordinal,
                    state: ItemState::Refused,
                    note: Some("the person was erased after the plan was made".to_owned()),
                });
            }
            !is_left
        });
        self.mark_all(conn, &refused).await
    }

    async fn people_and_records(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let run = &self.job.run;
        let new: Vec<PersonId> = work
            .iter()
            .filter(|one| one.effect.new_person)
            .filter_map(|one| one.item.item.person)
            .collect();
        if !new.is_empty() {
            people::create_people(conn, run.tenant, &new, self.cause.now).await?;
        }
        self.save_records(conn, work).await?;
        let outcomes: Vec<(String, String, Option<serde_json::Value>)> = work
            .iter()
            .flat_map(|one| &one.effect.records)
            .filter(|record| !record.staged)
            .map(|record| (record.source_id.clone(), record.outcome.clone(), record.detail()))
            .collect();
        if !outcomes.is_empty() {
            people::set_outcomes(conn, run.tenant, run.connection, &outcomes).await?;
        }
        let gone: Vec<String> = work
            .iter()
            .flat_map(|one| one.effect.gone.iter().cloned())
            .collect();
        if !gone.is_empty() {
            store::mark_gone(conn, run, &gone).await?;
        }
        Ok(())
    }

    async fn save_records(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let run = &self.job.run;
        let sealer = &self.job.engine.sealer;
        let ids: Vec<String> = work
            .iter()
            .flat_map(|one| &one.effect.records)
            .filter(|record| record.staged)
            .map(|record| record.source_id.clone())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut staged: HashMap<String, (Option<Employee>, Vec<u8>)> = HashMap::new();
        for record in staging::staged(conn, run, &ids).await? {
            let employee = record
                .employee
                .map(|plain| join(sealer, run.tenant, plain, record.sealed.as_deref()))
                .transpose()?;
            staged.insert(record.source_id, (employee, record.digest));
        }
        let records: Vec<people::NewRecord<'_>> = work
            .iter()
            .flat_map(|one| one.effect.records.iter().map(move |record| (one, record)))
            .filter(|(_, record)| record.staged)
            .map(|(one, record)| {
                // A crash of the database empties staging: then the record is kept by its id alone and read again.
                let read = staged.get(&record.source_id);
                people::NewRecord {
                    source_id: &record.source_id,
                    person: one.item.item.person,
                    employee: read
                        .and_then(|(employee, _)| employee.as_ref())
                        .filter(|_| record.outcome != "filtered"),
                    digest: read.map(|(_, digest)| digest.clone()).unwrap_or_default(),
                    outcome: &record.outcome,
                    detail: record.detail(),
                }
            })
            .collect();
        people::save(
            conn,
            run.tenant,
            run.connection,
            &records,
            self.live.sealed_custom(),
            sealer,
            self.cause.now,
        )
        .await?;
        Ok(())
    }

    /// Writes the users of all items in one go.
    async fn users(&self, conn: &mut Conn, work: &mut [Work]) -> Result<(), Error> {
        let tenant = self.job.run.tenant;
        let managers = self.users_of_managers(conn, work).await?;
        let ids: Vec<ResourceId> = work
            .iter()
            .filter(|one| one.writes_user())
            .filter_map(|one| one.item.item.resource)
            .collect();
        let now = if ids.is_empty() {
            HashMap::new()
        } else {
            self.job.engine.directory.load(conn, tenant, &ids).await?
        };
        let (mut puts, mut places) = (Vec::new(), Vec::new());
        for (place, one) in work.iter_mut().enumerate() {
            if !one.writes_user() {
                continue;
            }
            let current = one.item.item.resource.and_then(|user| now.get(&user));
            if one.item.item.resource.is_some() && current.is_none() {
                one.refused = Some("the user was deleted after the plan was made".to_owned());
                continue;
            }
            if current.is_some_and(|user| user.person.is_some() && user.person != one.item.item.person) {
                one.refused = Some("the user belongs to another person since the plan was made".to_owned());
                continue;
            }
            let manager = one
                .effect
                .manager_waits
                .map(|person| managers.get(&person).copied());
            one.manager_waits = manager == Some(None);
            one.held_meanwhile = !one.effect.lifts
                && !one.effect.disabled
                && current.is_some_and(|user| user.disabled_by.iter().any(|party| party == "hr"));
            puts.push(self.put(one, current, manager.flatten()));
            places.push(place);
        }
        if puts.is_empty() {
            return Ok(());
        }
        let written = self
            .job
            .engine
            .directory
            .put_many(conn, tenant, puts, &self.cause)
            .await?;
        let mut made = Vec::new();
        for (place, written) in places.into_iter().zip(written) {
            let Some(one) = work.get_mut(place) else { continue };
            match written {
                Ok(written) => {
                    one.user = Some(written.id);
                    if let (Action::Create | Action::Link, Some(person)) =
                        (one.item.item.action, one.item.item.person)
                    {
                        made.push((person, written.id));
                    }
                }
                Err(error) => one.refused = Some(refusal(error)?),
            }
        }
        if !made.is_empty() {
            people::set_users(conn, tenant, &made).await?;
            let made: Vec<PersonId> = made.into_iter().map(|(person, _)| person).collect();
            let directory = &self.job.engine.directory;
            directory.lift_tombstones(conn, tenant, &made).await?;
        }
        Ok(())
    }

    /// Notes the userNames that a pattern gave: they stay their people's for ever.
    async fn names(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let given: Vec<(PersonId, String, String)> = work
            .iter()
            .filter(|one| one.refused.is_none() && one.user.is_some() && one.writes_user())
            .filter_map(|one| {
                let name = one.effect.name.as_ref()?;
                let shown = one.effect.object.as_ref()?.get("userName")?.as_str()?;
                Some((one.item.item.person?, shown.to_owned(), name.base.clone()))
            })
            .collect();
        if !given.is_empty() {
            give_names(conn, self.job.run.tenant, &given, self.cause.now).await?;
        }
        Ok(())
    }

    fn put(&self, one: &Work, current: Option<&Stored>, manager: Option<ResourceId>) -> Put {
        let item = &one.item.item;
        let planned = one.effect.object.clone().unwrap_or_default();
        let mut object = match (current, item.action) {
            (None, _) => planned,
            (Some(current), Action::Link) => {
                let mut merged = merge(&current.object, &planned);
                self.leave_clients_alone(current, &mut merged);
                merged
            }
            (Some(current), _) if item.base_version == Some(current.version) => planned,
            (Some(current), _) => {
                let mut moved = overlay(&current.object, &planned, &one.effect.delta);
                self.leave_clients_alone(current, &mut moved);
                moved
            }
        };
        if let Some(manager) = manager.filter(|_| current.is_none_or(|user| !self.has_clients_manager(user)))
        {
            translate::put_manager(
                self.live.mapping.kind(),
                &mut object,
                Some(manager),
                item.resource,
            );
        }
        let takes_over = matches!(item.action, Action::Create | Action::Link);
        let client = ClientId::from(self.job.run.connection.uuid());
        Put {
            id: item.resource,
            kind: USER.to_owned(),
            object,
            external_id: item
                .person
                .filter(|_| takes_over)
                .map(|person| (client, person.to_string())),
            person: item.person,
            expected: None,
            // Only an item that was planned to lift HR's hold does.
            disabled_by: if one.effect.disabled || one.held_meanwhile {
                vec!["hr".to_owned()]
            } else {
                Vec::new()
            },
        }
    }

    /// Puts back what clients wrote and may keep. Of a user that HR takes over, clients wrote everything.
    fn leave_clients_alone(&self, current: &Stored, object: &mut Object) {
        let kind = self.live.mapping.kind();
        let kept = if current.person.is_some() {
            self.live.kept(&current.writers)
        } else {
            let clients = self.live.authority.having(scim::Rule::Client);
            clients
                .filter(|path| scim::holds(kind, &current.object, path))
                .collect()
        };
        scim::transfer(kind, kept, &current.object, object);
    }

    /// Whether a client wrote the manager and may keep it.
    fn has_clients_manager(&self, current: &Stored) -> bool {
        let path = format!("{ENTERPRISE}:manager.value");
        let is_there = current.person.is_none() || current.writers.contains_key(&path);
        is_there
            && self.live.authority.rule(&path) == Some(scim::Rule::Client)
            && scim::holds(self.live.mapping.kind(), &current.object, &path)
    }

    async fn users_of_managers(
        &self,
        conn: &mut Conn,
        work: &[Work],
    ) -> Result<HashMap<PersonId, ResourceId>, Error> {
        let mut managers: Vec<PersonId> = work.iter().filter_map(|one| one.effect.manager_waits).collect();
        managers.sort_unstable();
        managers.dedup();
        if managers.is_empty() {
            return Ok(HashMap::new());
        }
        let found = people::people(conn, self.job.run.tenant, &managers).await?;
        Ok(found
            .into_values()
            .filter_map(|person| Some((person.id, person.user?)))
            .collect())
    }

    /// Sets managers whose users were made a moment ago in this very batch.
    async fn managers_of_this_batch(&self, conn: &mut Conn, work: &mut [Work]) -> Result<(), Error> {
        if !work.iter().any(|one| one.manager_waits) {
            return Ok(());
        }
        let managers = self.users_of_managers(conn, work).await?;
        let waiting: Vec<(usize, ResourceId, ResourceId)> = work
            .iter()
            .enumerate()
            .filter(|(_, one)| one.manager_waits && one.refused.is_none())
            .filter_map(|(place, one)| {
                let manager = managers.get(&one.effect.manager_waits?)?;
                Some((place, one.user?, *manager))
            })
            .collect();
        let pairs: Vec<(ResourceId, ResourceId)> = waiting
            .iter()
            .map(|(_, user, manager)| (*user, *manager))
            .collect();
        self.put_managers(conn, &pairs).await?;
        for (place, _, _) in waiting {
            if let Some(one) = work.get_mut(place) {
                one.manager_waits = false;
            }
        }
        Ok(())
    }

    /// Sets the manager of users, and nothing else of them.
    async fn put_managers(&self, conn: &mut Conn, pairs: &[(ResourceId, ResourceId)]) -> Result<(), Error> {
        if pairs.is_empty() {
            return Ok(());
        }
        let tenant = self.job.run.tenant;
        let users: Vec<ResourceId> = pairs.iter().map(|(user, _)| *user).collect();
        let now = self.job.engine.directory.load(conn, tenant, &users).await?;
        let kind = self.live.mapping.kind();
        let puts: Vec<Put> = pairs
            .iter()
            .filter_map(|(user, manager)| {
                let current = now.get(user).filter(|user| !self.has_clients_manager(user))?;
                let mut object = current.object.clone();
                translate::put_manager(kind, &mut object, Some(*manager), Some(*user)).then(|| Put {
                    id: Some(*user),
                    kind: USER.to_owned(),
                    object,
                    external_id: None,
                    person: None,
                    expected: None,
                    disabled_by: current.disabled_by.clone(),
                })
            })
            .collect();
        self.job
            .engine
            .directory
            .put_many(conn, tenant, puts, &self.cause)
            .await?;
        Ok(())
    }

    /// Sets the managers that waited for a later batch.
    pub async fn late_managers(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let managers = self.users_of_managers(conn, work).await?;
        let people: Vec<PersonId> = work.iter().filter_map(|one| one.item.item.person).collect();
        let own = people::people(conn, self.job.run.tenant, &people).await?;
        let pairs: Vec<(ResourceId, ResourceId)> = work
            .iter()
            .filter_map(|one| {
                let manager = managers.get(&one.effect.manager_waits?)?;
                let user = own.get(&one.item.item.person?)?.user?;
                Some((user, *manager))
            })
            .collect();
        self.put_managers(conn, &pairs).await?;
        let marks: Vec<Mark> = work
            .iter()
            .map(|one| Mark {
                ordinal: one.item.ordinal,
                state: ItemState::Applied,
                note: None,
            })
            .collect();
        self.mark_all(conn, &marks).await
    }

    async fn removals(&self, conn: &mut Conn, work: &mut [Work]) -> Result<(), Error> {
        for one in work
            .iter_mut()
            .filter(|one| one.item.item.action == Action::Remove)
        {
            let Some(user) = one.item.item.resource else {
                continue;
            };
            let target = (self.job.run.tenant, user, USER);
            let removed = self
                .job
                .engine
                .directory
                .delete(conn, target, &Expected::Any, &self.cause)
                .await;
            match removed {
                Ok(()) | Err(DirectoryError::NotFound) => {}
                Err(error) => one.refused = Some(refusal(error)?),
            }
        }
        Ok(())
    }

    async fn standings(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let standings: Vec<people::Standing> = work
            .iter()
            .filter(|one| one.refused.is_none())
            .filter_map(|one| {
                Some(people::Standing {
                    person: one.item.item.person?,
                    lifecycle: one.effect.lifecycle.clone()?,
                    next_look_at: if one.held_meanwhile {
                        Some(self.cause.now)
                    } else {
                        one.effect.next_look_at
                    },
                })
            })
            .collect();
        if !standings.is_empty() {
            people::set_standing(conn, self.job.run.tenant, &standings).await?;
        }
        let facts: Vec<(PersonId, &Facts)> = work
            .iter()
            .filter(|one| one.refused.is_none())
            .filter_map(|one| Some((one.item.item.person?, one.effect.facts.as_ref()?)))
            .collect();
        provision::put_employments(conn, self.job.run.tenant, &facts).await?;
        Ok(())
    }

    /// Keeps back no longer what HR does not say any more.
    async fn kept_back(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let over: Vec<(&str, &str)> = work
            .iter()
            .filter(|one| one.refused.is_none())
            .flat_map(|one| &one.effect.releases)
            .map(|release| (release.subject.as_str(), release.path.as_str()))
            .collect();
        let owner = self.job.run.connection.uuid();
        guard::end_kept(conn, (self.job.run.tenant, owner), &over).await?;
        Ok(())
    }

    /// Opens what waits for a human, and ends the reviews that are settled. Returns what waits since now.
    async fn questions(&self, conn: &mut Conn, work: &[Work]) -> Result<Vec<(HoldId, NewHold)>, Error> {
        let run = &self.job.run;
        let asked = |one: &Work, hold: &HoldAt| NewHold {
            owner: run.connection.uuid(),
            app: None,
            person: one.item.item.person,
            resource: one.user,
            field: hold.field.clone(),
            old: hold.old.clone(),
            new: hold.new.clone(),
            detail: "HR has another value".to_owned(),
        };
        let done = || work.iter().filter(|one| one.refused.is_none());
        let holds: Vec<NewHold> = done()
            .flat_map(|one| one.effect.holds.iter().map(move |hold| asked(one, hold)))
            .collect();
        let ruled: Vec<(NewHold, String)> = done()
            .flat_map(|one| {
                one.effect
                    .ruled
                    .iter()
                    .map(move |(hold, rule)| (asked(one, hold), rule.clone()))
            })
            .collect();
        // What HR says no more is no question any more.
        let judged: Vec<ResourceId> = done()
            .filter(|one| one.effect.records.iter().any(|record| record.outcome == "linked"))
            .filter_map(|one| one.user)
            .collect();
        let still: Vec<NewHold> = holds
            .iter()
            .chain(ruled.iter().map(|(hold, _)| hold))
            .cloned()
            .collect();
        let (owner, now) = (run.connection.uuid(), self.cause.now);
        guard::close_holds(conn, run.tenant, owner, &judged, &still, now).await?;
        let opened = guard::open_holds(conn, run.tenant, &holds, now).await?;
        guard::rule_holds(conn, run.tenant, &ruled, now).await?;
        let reviews: Vec<Review> = work
            .iter()
            .filter_map(|one| one.effect.review.clone())
            .map(|review| Review {
                reason: review.reason,
                source_ids: review.source_ids,
                candidates: review.candidates,
            })
            .collect();
        let looked_at: Vec<String> = work
            .iter()
            .flat_map(|one| &one.effect.records)
            .filter(|record| record.staged)
            .map(|record| record.source_id.clone())
            .collect();
        if !looked_at.is_empty() {
            let raised = reviews
                .iter()
                .map(|review| &review.source_ids)
                .collect::<Vec<_>>();
            let raised = serde_json::json!(raised);
            store::settle_reviews(conn, run, &looked_at, &raised, self.cause.now).await?;
        }
        if !reviews.is_empty() {
            let (tenant, connection) = (run.tenant, run.connection);
            people::set_reviews(
                conn,
                tenant,
                connection,
                Some(run.id),
                &reviews,
                false,
                self.cause.now,
            )
            .await?;
        }
        Ok(opened)
    }

    async fn mark(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let marks: Vec<Mark> = work
            .iter()
            .map(|one| Mark {
                ordinal: one.item.ordinal,
                state: match one.refused {
                    Some(_) => ItemState::Refused,
                    None => ItemState::Applied,
                },
                note: one
                    .refused
                    .clone()
                    .or_else(|| one.noted.clone())
                    .or_else(|| one.manager_waits.then(|| MANAGER_WAITS.to_owned())),
            })
            .collect();
        self.mark_all(conn, &marks).await
    }

    pub(super) async fn mark_all(&self, conn: &mut Conn, marks: &[Mark]) -> Result<(), Error> {
        if let Some(plan) = self.job.run.plan {
            guard::mark(conn, self.job.run.tenant, plan, marks).await?;
        }
        Ok(())
    }
}

/// Why the directory refused one item; a failure that is not the item's own is passed on.
pub(in crate::sync) fn refusal(error: DirectoryError) -> Result<String, Error> {
    match error {
        DirectoryError::Uniqueness { attribute } => Ok(format!(
            "another resource took the value of {attribute} after the plan was made: the next run looks again"
        )),
        DirectoryError::NotFound => Ok("the user was deleted after the plan was made".to_owned()),
        DirectoryError::Busy | DirectoryError::VersionMismatch => {
            Ok("others changed the user at the same moment: the next run looks again".to_owned())
        }
        DirectoryError::Scim(error) => Ok(format!("not valid SCIM: {}", error.detail)),
        error => Err(error.into()),
    }
}
