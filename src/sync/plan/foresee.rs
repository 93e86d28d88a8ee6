//! What the days to come bring: the decisions that runs for due dates would make, one after the other, on nothing but
//! what is stored. Writes nothing.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::assign::Assigned;
use super::naming::{self, GivenNames};
use super::person::{Draft, View, decide};
use super::store;
use super::surroundings::Surroundings;
use crate::base::{ConnectionId, PersonId, ResourceId, RunId, TenantId};
use crate::directory::Stored;
use crate::guard::Action;
use crate::scim::Object;
use crate::sync::Error;
use crate::sync::connection::{Compiled, Connection, ConnectionState, store as connections};
use crate::sync::engine::{Engine, Job};
use crate::sync::run::{Run, RunCause, RunState};

/// The most instants that are looked at of one person.
const MOST_DAYS: usize = 64;

/// Where a walk through the days to come goes on: the next instant of the last person, and who that is.
pub type DayCursor = (DateTime<Utc>, PersonId);

/// The days to come of one person.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// Who.
    pub person: PersonId,
    /// The user, or what stands for one that is still to be made.
    pub user: ResourceId,
    /// The user is there now.
    pub is_there: bool,
    /// As it is now; none: it is still to be made.
    pub now: Option<Stored>,
    /// What happens, in order.
    pub days: Vec<ForeseenDay>,
}

/// What happens to one person's user at one instant.
#[derive(Debug, Clone)]
pub struct ForeseenDay {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: Action,
    /// By which rule.
    pub rule: String,
    /// The user after it; none: removed.
    pub after: Option<Stored>,
}

/// What does not happen by itself while a connection is paused.
#[derive(Debug, Clone, Copy)]
pub struct DaysToCome {
    /// So many people are due to be looked at: for a first day, a last day, the end of a leave, or what was declined.
    pub people: u64,
    /// The first of these days.
    pub first: DateTime<Utc>,
}

impl Engine {
    /// The days that pass without effect because the connection is paused; none when there are none, or it works.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn days_without_effect(
        &self,
        tenant: TenantId,
        connection: &Connection,
    ) -> Result<Option<DaysToCome>, Error> {
        if connection.state != ConnectionState::Paused {
            return Ok(None);
        }
        let mut conn = self.conn().await?;
        let (people, first) = store::days_to_come(&mut conn, tenant, connection.id).await?;
        Ok(first.map(|first| DaysToCome {
            people: people.try_into().unwrap_or_default(),
            first,
        }))
    }

    /// The days to come, until `to`, of up to `limit` people of a published connection, those first whose next instant is
    /// the earliest; and where the walk goes on. A constant number of statements.
    ///
    /// # Errors
    /// When the settings in force cannot be used, or the store refuses.
    pub async fn foresee(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        after: Option<DayCursor>,
        to: DateTime<Utc>,
        limit: i64,
    ) -> Result<(Vec<Foreseen>, Option<DayCursor>), Error> {
        let mut conn = self.conn().await?;
        let found = connections::by_id(&mut conn, tenant, connection).await?;
        let Some(found) = found.filter(|found| found.state == ConnectionState::Published) else {
            return Ok((Vec::new(), None));
        };
        let Some(number) = found.live else {
            return Ok((Vec::new(), None));
        };
        let people = store::people_to_come(&mut conn, (tenant, connection), after, to, limit).await?;
        let Some((last_at, last)) = people.last().map(|(person, at)| (*at, *person)) else {
            return Ok((Vec::new(), None));
        };
        let revision = connections::revision(&mut conn, tenant, connection, number)
            .await?
            .ok_or_else(|| Error::Unknown {
                what: "connection",
                name: connection.to_string(),
            })?;
        let live = Compiled::of(self, &mut conn, found, &revision).await?;
        drop(conn);
        let job = Job::looking(self, nothing_run(tenant, connection, number, self.clock.now()));
        let assigned = Assigned::default();
        let ids: Vec<PersonId> = people.iter().map(|(person, _)| *person).collect();
        let mut around = Surroundings::load(&job, &assigned, &HashSet::new(), &ids).await?;
        let given = naming::given(&job, &live, &ids).await?;
        let foreseen = people
            .into_iter()
            .map(|(person, first)| walk(&live, (&assigned, &given), &mut around, person, first, to))
            .collect();
        Ok((foreseen, Some((last_at, last))))
    }
}

/// A run that is none: it names whose records are meant, and has read nothing.
fn nothing_run(tenant: TenantId, connection: ConnectionId, revision: i32, now: DateTime<Utc>) -> Run {
    Run {
        tenant,
        id: RunId::new(),
        connection,
        state: RunState::Planning,
        dry_run: true,
        cause: RunCause::Due,
        actor: "calendar".to_owned(),
        revision,
        plan: None,
        coverage: None,
        counts: json!({}),
        progress: Value::Null,
        error: None,
        queued_at: now,
        started_at: None,
        finished_at: None,
        cancel_asked: false,
    }
}

/// Decides for one person at each instant at which something may change, each time on what the last decision left.
fn walk(
    live: &Compiled,
    (assigned, given): (&Assigned, &GivenNames),
    around: &mut Surroundings,
    person: PersonId,
    first: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Foreseen {
    let known = around.people.get(&person).and_then(|person| person.user);
    let now = known.and_then(|user| around.users.get(&user)).cloned();
    let mut found = Foreseen {
        person,
        user: known.unwrap_or_else(ResourceId::new),
        is_there: now.is_some(),
        now,
        days: Vec::new(),
    };
    let (made, mut at) = (HashSet::new(), first);
    for _ in 0..MOST_DAYS {
        if at > to {
            break;
        }
        let view = View {
            live,
            around,
            assigned,
            given,
            made: &made,
            cut: None,
            partial: false,
            kind: live.mapping.kind(),
            now: at,
        };
        let Some(draft) = decide(&view, person, Vec::new()) else {
            break;
        };
        let next = draft.effect.next_look_at;
        let acts = matches!(
            draft.action,
            Action::Create | Action::Link | Action::Update | Action::Disable | Action::Remove
        );
        let (action, rule) = (draft.action, draft.reason.clone());
        let after = follow(around, draft, found.user, at);
        if acts {
            found.days.push(ForeseenDay {
                at,
                action,
                rule,
                after,
            });
        }
        match next.filter(|next| *next > at) {
            Some(next) => at = next,
            None => break,
        }
    }
    found
}

/// What is known after a decision. The user, if there is one then.
fn follow(around: &mut Surroundings, draft: Draft, user: ResourceId, at: DateTime<Utc>) -> Option<Stored> {
    let effect = draft.effect;
    if let Some(person) = around.people.get_mut(&draft.person) {
        if effect.lifecycle.is_some() {
            person.lifecycle = effect.lifecycle;
        }
        person.next_look_at = effect.next_look_at;
        person.user = match draft.action {
            Action::Create | Action::Link => Some(user),
            Action::Remove => None,
            _ => person.user,
        };
    }
    if let Some(facts) = effect.facts {
        around.facts.insert(draft.person, facts);
    }
    if draft.action == Action::Remove {
        around.users.remove(&user);
        return None;
    }
    let groups = around.groups.entry(user).or_default();
    groups.retain(|(group, _)| !effect.groups.remove.contains(group));
    groups.extend(
        effect
            .groups
            .add
            .into_iter()
            .map(|group| (ResourceId::new(), group.key)),
    );
    if let Some(object) = effect.object {
        let stored = around
            .users
            .entry(user)
            .or_insert_with(|| to_be(user, draft.person, at));
        stored.object = object;
        stored.disabled_by.retain(|party| party != "hr");
        if effect.disabled {
            stored.disabled_by.push("hr".to_owned());
        }
        let active = stored.disabled_by.is_empty();
        stored.active = Some(active);
        stored.object.insert("active".to_owned(), json!(active));
    }
    around.users.get(&user).cloned()
}

/// A user that is still to be made.
fn to_be(id: ResourceId, person: PersonId, at: DateTime<Utc>) -> Stored {
    Stored {
        id,
        kind: "User".to_owned(),
        object: Object::new(),
        version: 0,
        active: Some(true),
        person: Some(person),
        disabled_by: Vec::new(),
        writers: BTreeMap::new(),
        created: at,
        last_modified: at,
    }
}
