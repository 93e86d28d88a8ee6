//! One batch: accounts that are to be looked at, against what they should be. Ends with intents, or with rest.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::caps;
use super::client::{endpoint, whole};
use super::farewell::farewell;
use super::hook::Hook;
use super::invite::invites_of;
use super::members::{self, MemberRow};
use super::patch::{member_changes, patch_body};
use super::record::{Intent, Settled, intend, resolve_under, settle};
use super::send::{Job, Task, after_of};
use super::store::{self, DecidedValue, Leased, Reference, Row};
use super::waiting::{look_at_managers, reports, waiting};
use super::wipe::{Fate, fates};
use super::{Error, LEASE_TIME, told};
use crate::base::{AppId, OperationId, PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{Directory, Stored};
use crate::guard::{self, NewHold};
use crate::notice::{self, NewEvent};
use crate::provision::{
    Account, Cause, Decision, Employments, HeldValue, Invite, Mode, Next, Rules, Standing, State, Subject,
    UserView, decide, employments, manager_of, ours_of, with_attributes,
};
use crate::scim::{Object, Registry};

/// How long an account waits for its manager's account at most, before it is made without the reference.
const MANAGER_WAIT: TimeDelta = TimeDelta::minutes(5);
/// The priority of users that waited for their manager once.
pub(super) const WAITED: i16 = 6;

/// What stays the same while an app is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub at: (TenantId, AppId),
    pub name: &'a str,
    pub mode: Mode,
    pub rules: &'a Rules,
    pub directory: &'a Directory,
    pub registry: &'a Registry,
    pub can_patch: bool,
}

/// How much, and how urgent, one batch may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub limit: i64,
    pub least_urgent: i16,
}

/// What a batch read.
pub(super) struct Read {
    /// Users that are gone by an erase, which said what becomes of their accounts.
    pub fates: HashMap<ResourceId, Fate>,
    pub stored: HashMap<ResourceId, Stored>,
    pub managers: HashMap<ResourceId, Stored>,
    pub references: HashMap<ResourceId, Reference>,
    decided: Vec<DecidedValue>,
    waiting: HashMap<ResourceId, Vec<(Value, Value)>>,
    reports: HashMap<ResourceId, i64>,
    employments: Employments,
    /// What the connections of those without an account say of invitations.
    pub invites: HashMap<ResourceId, Invite>,
    to_add: HashMap<ResourceId, Vec<MemberRow>>,
    to_remove: HashMap<ResourceId, Vec<MemberRow>>,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub looked_at: usize,
    pub jobs: Vec<Job>,
    pub settled: Vec<Settled>,
    pub intents: Vec<Intent>,
    resolving: Vec<OperationId>,
    holds: Vec<NewHold>,
    ruled: Vec<(NewHold, String)>,
    events: Vec<NewEvent>,
    judged: Vec<ResourceId>,
    regrouped: Vec<ResourceId>,
}

/// Looks at a batch of accounts and writes what is to be done. Needs a transaction; a constant number of statements.
#[tracing::instrument(name = "delivery.batch.prepare", skip_all, fields(app.id = %leased.app))]
pub(super) async fn prepare(
    conn: &mut Conn,
    leased: &Leased,
    plan: Plan<'_>,
    share: Share,
    now: DateTime<Utc>,
) -> Result<Prepared, Error> {
    let at = plan.at;
    store::renew(conn, leased, LEASE_TIME).await?;
    if guard::frozen(conn, at.0, at.1.uuid()).await?.is_some() {
        return Ok(Prepared::default());
    }
    let rows = store::take(conn, leased, now, share.limit, share.least_urgent).await?;
    let mut out = Prepared {
        looked_at: rows.len(),
        ..Prepared::default()
    };
    if rows.is_empty() {
        return Ok(out);
    }
    let read = plan.read(conn, &rows).await?;
    for row in &rows {
        plan.look(row, &read, now, &mut out);
    }
    caps::enforce(conn, plan, &rows, &mut out, now).await?;
    settle(conn, at, &out.settled, now).await?;
    intend(conn, (leased.tenant, leased.app, leased.epoch), &out.intents, now).await?;
    resolve_under(conn, leased, &out.resolving).await?;
    if plan.mode == Mode::Live {
        let owner = leased.app.uuid();
        let asked = out.holds.iter().chain(out.ruled.iter().map(|(hold, _)| hold));
        let asked: Vec<NewHold> = asked.cloned().collect();
        guard::close_holds(conn, leased.tenant, owner, &out.judged, &asked, now).await?;
        let held = guard::open_holds(conn, leased.tenant, &out.holds, now).await?;
        guard::rule_holds(conn, leased.tenant, &out.ruled, now).await?;
        notice::raise_all(conn, leased.tenant, &out.events, now).await?;
        told::held(conn, leased, &held, &read.stored, now).await?;
        farewell(conn, leased, (&rows, &out.settled), &read.stored, now).await?;
    }
    if plan.rules.reads_reports() {
        look_at_managers(conn, at, &recounted(&rows, &out.settled)).await?;
    }
    if !out.regrouped.is_empty() {
        store::look_at_groups_of(conn, at, &out.regrouped).await?;
    }
    Ok(out)
}

impl Plan<'_> {
    async fn read(self, conn: &mut Conn, rows: &[Row]) -> Result<Read, Error> {
        let ids: Vec<ResourceId> = rows.iter().map(|row| row.resource).collect();
        let stored = self.directory.load(conn, self.at.0, &ids).await?;
        self.read_about(conn, rows, stored).await
    }

    /// What belongs to these accounts, beside the users and groups themselves. A constant number of statements.
    pub(super) async fn read_about(
        self,
        conn: &mut Conn,
        rows: &[Row],
        stored: HashMap<ResourceId, Stored>,
    ) -> Result<Read, Error> {
        let ids: Vec<ResourceId> = rows.iter().map(|row| row.resource).collect();
        let people: Vec<PersonId> = stored.values().filter_map(|stored| stored.person).collect();
        let employments = employments(conn, self.at.0, &people).await?;
        let managers: HashSet<ResourceId> = stored
            .values()
            .filter_map(|stored| manager_of(&stored.object))
            .collect();
        let managers: Vec<ResourceId> = managers.into_iter().collect();
        let references = store::references(conn, self.at, &managers)
            .await?
            .into_iter()
            .collect();
        let managers = if self.rules.settings().reads_manager() && !managers.is_empty() {
            self.directory.load(conn, self.at.0, &managers).await?
        } else {
            HashMap::new()
        };
        let decided = store::decided(conn, self.at, &ids).await?;
        let mut held: HashMap<ResourceId, Vec<(Value, Value)>> = HashMap::new();
        if self.rules.overrules() {
            for (id, old, new) in waiting(conn, self.at.0, &ids).await? {
                held.entry(id).or_default().push((old, new));
            }
        }
        let reports = if self.rules.reads_reports() {
            reports(conn, self.at, &ids).await?.into_iter().collect()
        } else {
            HashMap::new()
        };
        let invites = invites_of(conn, self.at.0, rows).await?;
        let (to_add, to_remove) = self.read_members(conn, rows).await?;
        let gone = rows
            .iter()
            .filter(|row| row.remote_id.is_some() && !stored.contains_key(&row.resource));
        let gone: Vec<ResourceId> = gone.map(|row| row.resource).collect();
        let fates = fates(conn, self.at.0, &gone).await?;
        Ok(Read {
            waiting: held,
            reports,
            fates,
            stored,
            managers,
            references,
            decided,
            employments,
            invites,
            to_add,
            to_remove,
        })
    }

    async fn read_members(
        self,
        conn: &mut Conn,
        rows: &[Row],
    ) -> Result<
        (
            HashMap<ResourceId, Vec<MemberRow>>,
            HashMap<ResourceId, Vec<MemberRow>>,
        ),
        Error,
    > {
        let groups: Vec<&Row> = rows
            .iter()
            .filter(|row| row.kind == "Group" && row.remote_id.is_some() && row.unknown.is_none())
            .collect();
        if groups.is_empty() || self.mode != Mode::Live {
            return Ok((HashMap::new(), HashMap::new()));
        }
        let is_pushed = self.rules.settings().groups.push;
        let at = self.at;
        let batch = i64::from(self.rules.settings().groups.member_batch);
        let wanted: Vec<ResourceId> = groups
            .iter()
            .filter(|_| is_pushed)
            .map(|row| row.resource)
            .collect();
        let held: Vec<(ResourceId, bool)> = groups.iter().map(|row| (row.resource, is_pushed)).collect();
        let add = members::to_add(conn, at, &wanted, batch).await?;
        let remove = members::to_remove(conn, at, &held, batch).await?;
        Ok((by_group(add), by_group(remove)))
    }

    /// What is to be done about one account: pure. The one way to a call, whether it is made or only foretold.
    pub(super) fn look(self, row: &Row, read: &Read, now: DateTime<Utc>, out: &mut Prepared) {
        if let Some((operation, action, body, after)) = &row.unknown {
            let expected = expected(after.as_ref(), body.as_ref(), row);
            out.resolving.push(*operation);
            out.settled.push(Settled::pending(row, row.manager));
            out.jobs.push(self.job(
                row,
                *operation,
                Task::Resolve {
                    action: action.clone(),
                    expected,
                    known: row.known.clone(),
                },
                None,
            ));
            return;
        }
        let manager = read
            .stored
            .get(&row.resource)
            .and_then(|stored| manager_of(&stored.object));
        if row.doubtful && row.remote_id.is_none() && read.stored.contains_key(&row.resource) {
            out.settled.push(Settled {
                state: State::Held,
                reason: row.reason.clone(),
                ..Settled::pending(row, manager)
            });
            return;
        }
        if row.removing && row.remote_id.is_some() && self.mode == Mode::Live {
            self.intend(row, Task::Delete, (Settled::pending(row, manager), None), out);
            return;
        }
        let decision = self.decide(row, read, manager, now);
        if let Some(waits) = row.waits.as_ref().filter(|waits| waits.stops(&decision)) {
            out.settled.push(Settled {
                state: State::Held,
                reason: waits.words(),
                ..Settled::pending(row, manager)
            });
            return;
        }
        if let Next::Create(_) = &decision.next
            && self.mode == Mode::Live
            && let Some(manager) = manager
            && self.waits_for(row, manager, read)
        {
            out.settled.push(Settled {
                reason: "waits for the manager's account".to_owned(),
                look: true,
                priority: WAITED,
                due_at: now.checked_add_signed(MANAGER_WAIT),
                ..Settled::pending(row, Some(manager))
            });
            return;
        }
        if decision.grouped != row.grouped || decision.no_grants != row.no_grants {
            out.regrouped.push(row.resource);
        }
        self.turn(row, read, decision, manager, out);
    }

    fn decide(self, row: &Row, read: &Read, manager: Option<ResourceId>, now: DateTime<Utc>) -> Decision {
        let stored = read.stored.get(&row.resource);
        let taken = stored.and_then(|stored| self.taken(read, stored));
        let view = stored.map(|stored| UserView {
            id: stored.id,
            object: taken.as_ref().unwrap_or(&stored.object),
            manager: manager
                .and_then(|id| read.managers.get(&id))
                .map(|manager| &manager.object),
            manager_remote: manager
                .and_then(|id| read.references.get(&id))
                .and_then(|reference| reference.remote_id.as_deref()),
            reports: self
                .rules
                .reads_reports()
                .then(|| read.reports.get(&row.resource).copied().unwrap_or_default()),
            standing: Standing::of(&read.employments, stored.person, &stored.disabled_by),
        });
        let subject = match (view, row.kind.as_str()) {
            (None, kind) => Subject::Gone {
                was_group: kind == "Group",
            },
            (Some(view), "Group") => Subject::Group(view.id, view.object),
            (Some(view), _) => Subject::User(view),
        };
        if matches!(subject, Subject::Gone { was_group: false })
            && let Some(fate) = read.fates.get(&row.resource)
            && let Some(decision) = fate.decision(self.rules, row.known.as_ref(), now)
        {
            return decision;
        }
        // What was only read, and never acknowledged by the app as ours, is judged only where we have something to say.
        let known = match (&row.known, subject) {
            (Some(known), Subject::User(view)) if row.is_read => match self.rules.user(view) {
                crate::provision::Desired::Wanted(wanted) => Some(ours_of(known, &wanted, None)),
                _ => Some(known.clone()),
            },
            (Some(known), Subject::Group(id, object)) if row.is_read => match self.rules.group(id, object) {
                crate::provision::Desired::Wanted(wanted) => Some(ours_of(known, &wanted, None)),
                _ => Some(known.clone()),
            },
            (known, _) => known.clone(),
        };
        let account = Account {
            remote_id: row.remote_id.as_deref(),
            known: known.as_ref(),
            cause: row.cause.map(|(cause, _)| cause),
            cause_since: row.cause.map(|(_, since)| since),
            steps_done: usize::try_from(row.steps_done).unwrap_or(0),
            adopted: row.adopted,
            untouched: row.is_read,
            told: row.told,
        };
        decide(self.rules, account, subject, now, |held| {
            decided(read, row.resource, held)
        })
    }

    /// The user with what connections hold back and this app takes at once.
    fn taken(self, read: &Read, stored: &Stored) -> Option<Object> {
        let waiting = read.waiting.get(&stored.id)?;
        let mut object = None;
        for (old, new) in waiting {
            let before = object.as_ref().unwrap_or(&stored.object);
            if let Some(after) = self.rules.overrule(before, old, new) {
                object = Some(after);
            }
        }
        object
    }

    /// Whether it pays to make the manager's account first: then one call does for both the account and the reference.
    fn waits_for(self, row: &Row, manager: ResourceId, read: &Read) -> bool {
        row.priority < WAITED
            && manager != row.resource
            && read.references.get(&manager).is_some_and(|reference| {
                reference.is_coming
                    && reference.remote_id.is_none()
                    && !reference.depends.contains(&row.resource)
            })
    }

    fn turn(
        self,
        row: &Row,
        read: &Read,
        decision: Decision,
        manager: Option<ResourceId>,
        out: &mut Prepared,
    ) {
        let user = read.stored.get(&row.resource);
        let settled = Settled {
            cause: decision.cause,
            leaving: decision.cause.is_some() || user.is_none_or(|user| user.active == Some(false)),
            steps_done: i16::try_from(decision.steps_done).unwrap_or(i16::MAX),
            grouped: decision.grouped,
            no_grants: decision.no_grants,
            told: match self.mode {
                Mode::Live => decision.told,
                _ => row.told,
            },
            // Who has left reports to nobody.
            ..Settled::pending(row, manager.filter(|_| !decision.is_leaver()))
        };
        let rest = |state, reason| Settled {
            state,
            reason,
            look: decision.again_at.is_some(),
            due_at: decision.again_at,
            ..settled.clone()
        };
        out.judged.push(row.resource);
        out.holds
            .extend(decision.held.iter().map(|held| self.hold(row, read, held)));
        let ruled = decision.ruled.iter();
        out.ruled
            .extend(ruled.map(|(held, rule)| (self.hold(row, read, held), rule.clone())));
        let task = match decision.next {
            Next::Rest(state, reason) => match self.members_task(row, read, state) {
                Some(task) => task,
                None => {
                    out.events.extend(told::withheld(self.at.1, row, read, &reason));
                    out.settled.push(rest(state, reason));
                    return;
                }
            },
            Next::Wait(state, reason, due_at) => {
                out.settled.push(Settled {
                    look: true,
                    due_at: Some(due_at),
                    ..rest(state, reason)
                });
                return;
            }
            Next::Create(object) => Task::Create {
                once: self.tells(row, read),
                object,
            },
            Next::Change(before, after) => Task::Change { before, after },
            Next::Disable => {
                let before = row.known.clone().unwrap_or_default();
                let mut after = before.clone();
                after.insert("active".to_owned(), json!(false));
                Task::Change { before, after }
            }
            Next::Delete => Task::Delete,
            Next::Hook(place) => match self.hook(row, read, place, decision.cause) {
                Some(hook) => Task::Hook(hook),
                None => {
                    out.settled
                        .push(rest(State::Held, "the step has no hook".to_owned()));
                    return;
                }
            },
        };
        let body = self.body(row, &task);
        if is_empty_patch(&task, body.as_ref()) && decision.cause.is_some() {
            // A step that changes nothing is done.
            out.settled.push(Settled {
                steps_done: settled.steps_done.saturating_add(1),
                look: true,
                ..rest(State::Pending, String::new())
            });
            return;
        }
        if is_empty_patch(&task, body.as_ref()) {
            let task = self.members_task(row, read, State::InSync);
            let is_held = !decision.held.is_empty();
            match (task, is_held) {
                (Some(task), _) if self.mode == Mode::Live => {
                    self.intend(row, task, (settled, decision.again_at), out);
                }
                (_, true) => out
                    .settled
                    .push(rest(State::Held, "waits for a decision".to_owned())),
                _ => out.settled.push(rest(State::InSync, String::new())),
            }
            return;
        }
        if self.mode != Mode::Live {
            out.settled.push(rest(State::Pending, would(self.mode, &task)));
            return;
        }
        if !decision.unverified.is_empty() && row.attempts == 0 {
            out.events
                .extend(told::unverified(self.at.1, row, read, &decision.unverified));
        }
        self.intend(row, task, (settled, decision.again_at), out);
    }

    fn intend(
        self,
        row: &Row,
        task: Task,
        (settled, again_at): (Settled, Option<DateTime<Utc>>),
        out: &mut Prepared,
    ) {
        let operation = OperationId::new();
        let (action, method) = match &task {
            Task::Create { .. } => ("create", "POST"),
            Task::Delete => ("delete", "DELETE"),
            Task::Hook(_) => ("hook", "POST"),
            Task::Members { .. } => ("members", if self.can_patch { "PATCH" } else { "PUT" }),
            Task::Change { after, before } => {
                let is_disable =
                    after.get("active") == Some(&json!(false)) && before.get("active") != after.get("active");
                (
                    if is_disable { "disable" } else { "update" },
                    if self.can_patch { "PATCH" } else { "PUT" },
                )
            }
            Task::Resolve { .. } => ("update", "GET"),
        };
        let path = match (&task, &row.remote_id) {
            (Task::Hook(hook), _) => hook.url.clone(),
            (Task::Create { .. }, _) | (_, None) => format!("/{}", endpoint(&row.kind)),
            (_, Some(remote)) => format!("/{}/{remote}", endpoint(&row.kind)),
        };
        out.intents.push(Intent {
            id: operation,
            resource: row.resource,
            action,
            method,
            path,
            body: self.body(row, &task),
            after: after_of(&task),
        });
        out.settled.push(settled);
        out.jobs.push(self.job(row, operation, task, again_at));
    }

    fn job(self, row: &Row, operation: OperationId, task: Task, again_at: Option<DateTime<Utc>>) -> Job {
        Job {
            again_at,
            operation,
            resource: row.resource,
            kind: row.kind.clone(),
            remote: row.remote_id.clone(),
            attempts: row.attempts,
            task,
        }
    }

    fn body(self, row: &Row, task: &Task) -> Option<Value> {
        match task {
            Task::Create { object, once } => Some(whole(&row.kind, &with_attributes(object, once))),
            Task::Change { before, after } if self.can_patch => {
                Some(patch_body(self.registry, &row.kind, before, after))
            }
            Task::Change { after, .. } => Some(whole(&row.kind, after)),
            Task::Members { add, remove } => Some(member_changes(add, remove)),
            Task::Hook(hook) => Some(hook.body.clone()),
            Task::Delete | Task::Resolve { .. } => None,
        }
    }

    /// Members to put in and take out, when the group itself is as it should be.
    fn members_task(self, row: &Row, read: &Read, state: State) -> Option<Task> {
        if row.kind != "Group" || !matches!(state, State::InSync | State::OutOfScope) {
            return None;
        }
        let refs = |rows: Option<&Vec<MemberRow>>| -> Vec<(ResourceId, String)> {
            rows.into_iter()
                .flatten()
                .map(|(_, member, remote)| (*member, remote.clone()))
                .collect()
        };
        let (add, remove) = (
            refs(read.to_add.get(&row.resource)),
            refs(read.to_remove.get(&row.resource)),
        );
        (!add.is_empty() || !remove.is_empty()).then_some(Task::Members { add, remove })
    }

    /// The call of a step that is a hook.
    fn hook(
        self,
        row: &Row,
        read: &Read,
        place: usize,
        cause: Option<(Cause, DateTime<Utc>)>,
    ) -> Option<Hook> {
        let cause = cause?;
        let step = cause.0.steps(&self.rules.settings().deprovision).get(place)?;
        let user = read.stored.get(&row.resource).map(|stored| &stored.object);
        Some(Hook::of((self.at.1, self.name), row, user, (place, step), cause))
    }

    fn hold(self, row: &Row, read: &Read, held: &HeldValue) -> NewHold {
        NewHold {
            owner: self.at.1.uuid(),
            app: Some(self.at.1),
            person: read.stored.get(&row.resource).and_then(|stored| stored.person),
            resource: Some(row.resource),
            field: held.field.clone(),
            old: held.old.clone(),
            new: held.new.clone(),
            detail: format!("the app {} holds another value", self.name),
        }
    }
}

/// The managers who have one report more or less than before.
fn recounted(rows: &[Row], settled: &[Settled]) -> Vec<ResourceId> {
    let before: HashMap<ResourceId, Option<ResourceId>> =
        rows.iter().map(|row| (row.resource, row.manager)).collect();
    let managers: HashSet<ResourceId> = settled
        .iter()
        .filter_map(|after| Some((before.get(&after.resource).copied()?, after.manager)))
        .filter(|(before, after)| before != after)
        .flat_map(|(before, after)| before.into_iter().chain(after))
        .collect();
    managers.into_iter().collect()
}

fn by_group(rows: Vec<MemberRow>) -> HashMap<ResourceId, Vec<MemberRow>> {
    let mut groups: HashMap<ResourceId, Vec<MemberRow>> = HashMap::new();
    for row in rows {
        groups.entry(row.0).or_default().push(row);
    }
    groups
}

fn decided(read: &Read, resource: ResourceId, held: &HeldValue) -> Option<guard::Decision> {
    read.decided
        .iter()
        .find(|(id, field, new, _)| *id == resource && *field == held.field && *new == held.new)
        .map(|(.., decision)| *decision)
}

/// A difference that SCIM does not count as one, such as the order of a list.
fn is_empty_patch(task: &Task, body: Option<&Value>) -> bool {
    matches!(task, Task::Change { .. })
        && body
            .and_then(|body| body.get("Operations"))
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
}

/// What an operation with an unknown outcome would have led to.
fn expected(after: Option<&Value>, body: Option<&Value>, row: &Row) -> Object {
    after
        .and_then(|after| after.get("object"))
        .or(body)
        .and_then(Value::as_object)
        .cloned()
        .or_else(|| row.known.clone())
        .unwrap_or_default()
}

/// What would be done if the app were live: attribute names, never values.
fn would(mode: Mode, task: &Task) -> String {
    let deed = match task {
        Task::Create { .. } => "would be created".to_owned(),
        Task::Delete => "would be removed".to_owned(),
        Task::Hook(_) => "a hook would be called".to_owned(),
        Task::Change { before, after }
            if before.get("active") != after.get("active") && after.get("active") == Some(&json!(false)) =>
        {
            "would be disabled".to_owned()
        }
        Task::Change { before, after } => {
            let names: Vec<&str> = before
                .keys()
                .chain(after.keys().filter(|key| !before.contains_key(*key)))
                .filter(|key| before.get(*key) != after.get(*key))
                .map(String::as_str)
                .collect();
            format!("would change {}", names.join(", "))
        }
        Task::Members { .. } => "members would change".to_owned(),
        Task::Resolve { .. } => "an earlier call is looked up".to_owned(),
    };
    format!("{deed}; the app is in mode {}", mode.word())
}
