//! What a run would do for one person.

mod standing;

use std::collections::HashSet;

use serde_json::Value;

use self::standing::Standing;
use super::assign::Assigned;
use super::compare::Compared;
use super::effect::{Effect, GroupAt, Groups, HoldAt, NameAt, RecordEffect, Release};
use super::naming::{GivenNames, named};
use super::remark::{Message, news};
use super::ruled::by_rule;
use super::surroundings::{ManagerUser, RecordNow, Surroundings};
use crate::base::{PersonId, ResourceId};
use crate::directory::Stored as StoredUser;
use crate::guard::Action;
use crate::hr::Employee;
use crate::identity::Resolved;
use crate::identity::store::Person;
use crate::lifecycle::{Facts, MissingAction, State, Verdict, WhileLeaving};
use crate::scim::{self, Object, ResourceType};
use crate::sync::connection::Compiled;
use crate::sync::run::Outcome;
use crate::sync::run::RunCause;
use crate::translate::{self, BaseName, Mapping};

/// Fields that decide where a person stands: who has an unreadable one is held, never guessed at.
const DECIDING: &[&str] = &["status", "first_day", "last_day", "last_working_day"];

/// Why somebody in HR has no user.
const DELETED: &str = "a client or an admin deleted this user: it stays deleted until it is released (`scim-bridge user release`)";

/// The end of the path of the manager.
const MANAGER: &str = ":manager.value";

/// All that a decision looks at beside the person.
pub(super) struct View<'a> {
    /// The settings.
    pub live: &'a Compiled,
    /// What this batch is judged by.
    pub around: &'a Surroundings,
    /// Whose the staged records are.
    pub assigned: &'a Assigned,
    /// The userNames that a pattern gave them.
    pub given: &'a GivenNames,
    /// People whose users this plan makes, so far.
    pub made: &'a HashSet<PersonId>,
    /// The connection was cut: its records count no more.
    pub cut: Option<RunCause>,
    /// The read did not see everybody for sure: nobody leaves.
    pub partial: bool,
    /// The type User.
    pub kind: &'a ResourceType,
    /// Now.
    pub now: chrono::DateTime<chrono::Utc>,
}

/// What would be done for one person.
#[derive(Debug)]
pub(super) struct Draft {
    /// The person.
    pub person: PersonId,
    /// Its user, when there is one.
    pub user: Option<ResourceId>,
    /// Its version.
    pub version: Option<i64>,
    /// What it does.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// What applying needs.
    pub effect: Effect,
    /// What to say of its records.
    pub said: Vec<Outcome>,
    /// How its records differ from before.
    pub compared: Compared,
    /// Its records could be used before and cannot now.
    pub unusable: bool,
    /// It was disabled and gets its access back.
    pub back: bool,
    /// It is not done: all of it was declined or undone before.
    pub declined: Option<String>,
    /// What a pattern makes of the person, when the userName is given by one.
    pub base: Option<BaseName>,
}

impl Draft {
    /// The userName it would take anew, folded.
    pub fn new_name(&self) -> Option<String> {
        let takes = matches!(self.action, Action::Create | Action::Link)
            || self
                .effect
                .delta
                .iter()
                .any(|delta| delta.get("path").and_then(Value::as_str) == Some("userName"));
        let name = self.effect.object.as_ref()?.get("userName")?.as_str()?;
        takes.then(|| scim::fold(name))
    }
}

impl Draft {
    /// An item beside one that is declined: what is kept back no longer.
    pub fn releasing(&self, releases: Vec<Release>) -> Self {
        Self {
            person: self.person,
            user: self.user,
            version: None,
            action: Action::Skip,
            reason: "HR says something else than what was kept back".to_owned(),
            effect: Effect {
                releases,
                ..Effect::default()
            },
            said: Vec::new(),
            compared: Compared::default(),
            unusable: false,
            back: false,
            declined: None,
            base: None,
        }
    }
}

/// Decides for one person. `None`: nothing to do and nothing to write down.
pub(super) fn decide(view: &View<'_>, person: PersonId, gone: Vec<String>) -> Option<Draft> {
    let none = Vec::new();
    let records = view.around.records.get(&person).unwrap_or(&none);
    let stored = view.around.people.get(&person);
    let user = stored
        .and_then(|stored| stored.user)
        .and_then(|user| view.around.users.get(&user));
    let mut deciding = Deciding {
        view,
        person,
        stored,
        user,
        records,
        messages: Vec::new(),
        outcome: "linked",
        filtered: HashSet::new(),
        gone,
        waits: false,
        leading: None,
        base: None,
    };
    deciding.decide()
}

struct Deciding<'a> {
    view: &'a View<'a>,
    person: PersonId,
    stored: Option<&'a Person>,
    user: Option<&'a StoredUser>,
    records: &'a [RecordNow],
    messages: Vec<Message>,
    outcome: &'static str,
    filtered: HashSet<&'a str>,
    gone: Vec<String>,
    waits: bool,
    leading: Option<&'a str>,
    base: Option<BaseName>,
}

impl<'a> Deciding<'a> {
    fn decide(&mut self) -> Option<Draft> {
        let mut effect = Effect {
            new_person: self.view.assigned.new.contains(&self.person),
            gone: self.gone.clone(),
            ..Effect::default()
        };
        let (action, reason) = match self.standing() {
            Standing::Held => {
                self.outcome = "held";
                (Action::Skip, "held: see the messages of its records".to_owned())
            }
            Standing::Out(reason) => {
                let facts = Facts {
                    policy: self.view.live.file.lifecycle.clone(),
                    ..Facts::default()
                };
                self.keep_facts(facts, &mut effect);
                self.leave(reason, &mut effect)
            }
            Standing::Judged(judged, leading) => {
                let (verdict, resolved, facts) = *judged;
                self.leading = Some(leading.source_id.as_str());
                effect.lifecycle = serde_json::to_value(&verdict).ok();
                effect.next_look_at = verdict.next;
                if !matches!(verdict.state, State::Held(_)) {
                    let back = self.user.is_some_and(is_disabled_by_hr);
                    let stays_disabled = verdict.access && back && !facts.policy.reactivate;
                    self.keep_facts(
                        Facts {
                            stays_disabled,
                            ..facts
                        },
                        &mut effect,
                    );
                }
                if matches!(verdict.state, State::Held(_)) {
                    self.held_by_word(&verdict, leading);
                    (Action::Skip, verdict.rule)
                } else if verdict.access {
                    self.stay(&verdict, &resolved, leading, &mut effect)
                } else {
                    self.go(&verdict, &resolved, &mut effect)
                }
            }
        };
        self.finish(action, reason, effect)
    }

    fn mapping(&self, resolved: &Resolved) -> &'a Mapping {
        self.view.live.mapping_of(resolved.leading())
    }

    fn held_by_word(&mut self, verdict: &Verdict, leading: &RecordNow) {
        self.outcome = "held";
        let why = match &verdict.state {
            State::Held(why) => why.clone(),
            _ => verdict.rule.clone(),
        };
        let field = matches!(leading.employee.status, crate::hr::Status::Unknown(_)).then_some("status");
        self.messages.push(Message::error(
            "held",
            field,
            format!("{why}; nothing was changed for this person"),
        ));
    }

    /// The person has no record that is in.
    fn leave(&mut self, reason: &str, effect: &mut Effect) -> (Action, String) {
        let Some(user) = self.user else {
            return (Action::Skip, reason.to_owned());
        };
        effect.groups.remove = self.groups_now().iter().map(|(group, _)| *group).collect();
        effect.disabled = true;
        let missing = self.records.is_empty();
        let action = &self.view.live.file.lifecycle.missing.action;
        let removes = match self.view.cut {
            Some(cut) => cut == RunCause::CutRemove,
            None => missing && *action == MissingAction::Remove,
        };
        if removes {
            return (Action::Remove, reason.to_owned());
        }
        if is_disabled_by_hr(user) && effect.groups.is_empty() {
            return (Action::Skip, reason.to_owned());
        }
        effect.object = Some(user.object.clone());
        (Action::Disable, reason.to_owned())
    }

    /// The person has no access now: not yet, not any more.
    fn go(&mut self, verdict: &Verdict, resolved: &Resolved, effect: &mut Effect) -> (Action, String) {
        let Some(user) = self.user else {
            return (Action::Skip, format!("no account: {}", verdict.rule));
        };
        let translated = translate::user(self.mapping(resolved), resolved, verdict, Some(&user.object));
        let object = translated.map_or_else(|_| user.object.clone(), |translated| translated.object);
        effect.disabled = true;
        effect.groups.remove = self.groups_now().iter().map(|(group, _)| *group).collect();
        self.compare(user, object, effect);
        let action = if is_disabled_by_hr(user) {
            self.update_or_skip(effect)
        } else {
            effect.object.get_or_insert_with(|| user.object.clone());
            Action::Disable
        };
        (action, verdict.rule.clone())
    }

    /// The person has access.
    fn stay(
        &mut self,
        verdict: &Verdict,
        resolved: &Resolved,
        leading: &'a RecordNow,
        effect: &mut Effect,
    ) -> (Action, String) {
        let given = self.view.given.get(&self.person);
        let (named, base) = named(self.view.live, given, self.user, &leading.employee);
        let previous = named.as_ref().or(self.user.map(|user| &user.object));
        let translated = match translate::user(self.mapping(resolved), resolved, verdict, previous) {
            Ok(translated) => translated,
            Err(missing) => return self.skip(&missing.fields, effect),
        };
        for problem in translated.problems {
            self.messages
                .push(Message::warning("mapping", Some(&problem.field), problem.message));
        }
        let mut object = translated.object;
        effect.name = base.as_ref().map(|base| NameAt {
            base: base.numbered(1),
        });
        self.base = base;
        effect.manager_waits = self.set_manager(&mut object, &leading.employee);
        self.set_groups(resolved, verdict, effect);
        let Some(user) = self.user else {
            object.remove("active");
            return self.make(object, effect);
        };
        let held = self.leave_clients_alone(user, &mut object, translated.held, effect);
        let rejected = &self.view.around.rejected;
        let (held, ruled) = by_rule(self.view.live, rejected, user.id, &mut object, held);
        effect.ruled = ruled;
        effect.holds = self.holds(user, held);
        let back = is_disabled_by_hr(user);
        if back && !self.view.live.file.lifecycle.reactivate {
            effect.disabled = true;
            self.messages.push(Message::warning(
                "would_reactivate",
                None,
                "HR says active again, and lifecycle.reactivate is off: the account stays disabled",
            ));
        }
        if back && !effect.disabled && user.disabled_by.len() > 1 {
            self.messages.push(Message::warning(
                "disabled_by_others",
                None,
                "HR says active again, and others hold the account disabled: see `scim-bridge user explain`, and release it there",
            ));
        }
        self.compare(user, object, effect);
        if effect.manager_waits.is_some() || (back && !effect.disabled) {
            effect.object.get_or_insert_with(|| user.object.clone());
        }
        if back && !effect.disabled {
            effect.lifts = true;
            return (Action::Update, format!("back again: {}", verdict.rule));
        }
        (self.update_or_skip(effect), "changed in HR".to_owned())
    }

    /// The person has no user. One that a client or an admin deleted is not made again, unless a client made it anew
    /// itself.
    fn make(&mut self, mut object: Object, effect: &mut Effect) -> (Action, String) {
        let around = self.view.around;
        if let Some(user) = around.remade.get(&self.person) {
            self.user = around.users.get(user);
            if effect.name.take().is_some() {
                object.remove("userName");
            }
            effect.object = Some(object);
            return (
                Action::Link,
                "a client made the user anew that was deleted".to_owned(),
            );
        }
        if around.tombstones.contains_key(&self.person) {
            effect.manager_waits = None;
            effect.name = None;
            effect.groups = Groups::default();
            self.messages.push(Message::warning("deleted", None, DELETED));
            return (Action::Skip, DELETED.to_owned());
        }
        effect.object = Some(object);
        (Action::Create, "new in HR".to_owned())
    }

    /// Puts back what clients wrote and may keep. Returns the decisions that are still to be asked for.
    fn leave_clients_alone(
        &self,
        user: &StoredUser,
        object: &mut Object,
        mut held: Vec<translate::HeldField>,
        effect: &mut Effect,
    ) -> Vec<translate::HeldField> {
        let kept = self.view.live.kept(&user.writers);
        if kept.is_empty() {
            return held;
        }
        if kept.iter().any(|path| path.ends_with(MANAGER)) {
            effect.manager_waits = None;
        }
        held.retain(|field| {
            let is_kept = |path: &str| kept.iter().any(|kept| is_within(path, kept));
            !field.parts.iter().all(|part| is_kept(&part.path))
        });
        scim::transfer(self.view.kind, kept, &user.object, object);
        held
    }

    fn skip(&mut self, fields: &[String], effect: &mut Effect) -> (Action, String) {
        self.outcome = "skipped";
        let consequence = if self.user.is_some() {
            effect.lifecycle = None;
            effect.facts = None;
            effect.next_look_at = self.stored.and_then(|stored| stored.next_look_at);
            "the account stays as it is"
        } else {
            "no account is made"
        };
        for field in fields {
            self.messages.push(Message::error(
                "skipped",
                Some(field),
                format!("{field} is empty in HR: {consequence} until it is filled in"),
            ));
        }
        (Action::Skip, format!("missing: {}", fields.join(", ")))
    }

    /// Sets the manager as far as it is known. Returns whose user the manager will be, when this plan makes it.
    fn set_manager(&mut self, object: &mut Object, employee: &Employee) -> Option<PersonId> {
        let mapping = self.view.live.mapping_of(Some(employee));
        let own = self.user.map(|user| user.id);
        let Some(reference) = &employee.manager else {
            translate::set_manager(mapping, object, None, None, own);
            return None;
        };
        let assigned = self.view.assigned;
        let found = assigned
            .manager(reference)
            .or_else(|| self.view.around.managers.get(reference).copied());
        match found {
            Some(person) if person == self.person || mapping.leaves_managers() => None,
            Some(person) => match self.view.around.manager_users.get(&person) {
                Some(ManagerUser { user, active }) => {
                    if !active {
                        self.messages.push(Message::warning(
                            "manager",
                            Some("manager"),
                            "the manager has left: name another one in HR",
                        ));
                    }
                    translate::set_manager(mapping, object, Some(reference), Some(*user), own);
                    None
                }
                None if self.view.made.contains(&person) => Some(person),
                None => {
                    self.wait_for_manager(
                        "the manager has no account yet: it is set as soon as there is one",
                    );
                    // Managers in a circle, and managers that come later in the same plan.
                    assigned.new.contains(&person).then_some(person)
                }
            },
            None => {
                self.wait_for_manager(
                    "HR names a manager whom nobody has read: it is set as soon as there is one",
                );
                None
            }
        }
    }

    fn wait_for_manager(&mut self, message: &str) {
        self.waits = true;
        self.messages
            .push(Message::warning("manager", Some("manager"), message));
    }

    fn groups_now(&self) -> &[(ResourceId, String)] {
        self.user
            .and_then(|user| self.view.around.groups.get(&user.id))
            .map_or(&[], Vec::as_slice)
    }

    fn set_groups(&mut self, resolved: &Resolved, verdict: &Verdict, effect: &mut Effect) {
        let wanted = translate::groups(&self.view.live.mapping, resolved);
        let now = self.groups_now();
        effect.groups.add = wanted
            .iter()
            .filter(|group| !now.iter().any(|(_, key)| *key == group.key))
            .map(|group| GroupAt {
                key: group.key.clone(),
                name: group.name.clone(),
            })
            .collect();
        effect.groups.remove = now
            .iter()
            .filter(|(_, key)| !wanted.iter().any(|group| group.key == *key))
            .map(|(group, _)| *group)
            .collect();
        let no_grants = self.view.live.file.lifecycle.while_leaving == WhileLeaving::NoGrants;
        if no_grants && verdict.leaving_planned() && !effect.groups.add.is_empty() {
            effect.groups.add.clear();
            self.messages.push(Message::warning(
                "leaving",
                Some("groups"),
                "the leave is planned, and lifecycle.while_leaving is no_grants: groups that HR names anew are not entered",
            ));
        }
    }

    /// Decisions to ask for, but for values that were rejected already.
    fn holds(&mut self, user: &StoredUser, held: Vec<translate::HeldField>) -> Vec<HoldAt> {
        let mut holds = Vec::new();
        for field in held {
            let (old, new) = field.both();
            let rejected = self.view.around.rejected.get(&(user.id, field.field.clone()));
            if rejected.is_some_and(|rejected| rejected.as_ref() == Some(&new)) {
                continue;
            }
            self.messages.push(Message::warning(
                "held",
                Some(&field.field),
                "HR has another value; it waits for a decision: see `scim-bridge hold list`",
            ));
            holds.push(HoldAt {
                field: field.field,
                old: Some(old),
                new: Some(new),
            });
        }
        holds
    }

    fn compare(&self, user: &StoredUser, mut object: Object, effect: &mut Effect) {
        let mut before = user.object.clone();
        before.remove("active");
        object.remove("active");
        effect.delta = scim::diff::diff(self.view.kind, &before, &object)
            .into_iter()
            .filter_map(|delta| serde_json::to_value(delta).ok())
            .collect();
        if !effect.delta.is_empty() {
            effect.object = Some(object);
        }
    }

    fn update_or_skip(&self, effect: &Effect) -> Action {
        if effect.object.is_some() || !effect.groups.is_empty() || effect.manager_waits.is_some() {
            Action::Update
        } else if effect.holds.is_empty() {
            Action::Skip
        } else {
            Action::Hold
        }
    }

    fn finish(&mut self, action: Action, reason: String, mut effect: Effect) -> Option<Draft> {
        let waits_for_complete = self.view.partial && matches!(action, Action::Disable | Action::Remove);
        if waits_for_complete {
            return self.wait_for_complete_read();
        }
        let said = self.write_records(&mut effect);
        self.settle_next_look(&mut effect);
        let standing_changes = effect.facts.is_some()
            || effect.lifecycle.is_some()
                && (effect.lifecycle != self.stored.and_then(|stored| stored.lifecycle.clone())
                    || effect.next_look_at != self.stored.and_then(|stored| stored.next_look_at));
        let nothing = action == Action::Skip
            && effect.records.is_empty()
            && effect.gone.is_empty()
            && !effect.new_person
            && !standing_changes;
        if nothing && said.is_empty() {
            return None;
        }
        Some(Draft {
            person: self.person,
            user: self.user.map(|user| user.id),
            version: self.user.map(|user| user.version),
            action,
            reason,
            compared: self.compared(),
            unusable: self.is_unusable(),
            back: action == Action::Update && !effect.disabled && self.user.is_some_and(is_disabled_by_hr),
            declined: None,
            base: self.base.take(),
            effect,
            said,
        })
    }

    /// Whose day has come is looked at, whatever comes of it, and not again at once.
    fn settle_next_look(&self, effect: &mut Effect) {
        let now = self.view.now;
        let tomorrow = now.checked_add_days(chrono::Days::new(1));
        if effect.lifecycle.is_some() {
            if effect.next_look_at.is_some_and(|next| next <= now) {
                effect.next_look_at = tomorrow;
            }
            return;
        }
        effect.next_look_at = None;
        if let Some(stored) = self.stored
            && stored.next_look_at.is_some_and(|next| next <= now)
        {
            effect.lifecycle.clone_from(&stored.lifecycle);
            effect.next_look_at = tomorrow;
        }
    }

    /// Somebody would leave by a partial read: nothing is done and nothing is stored, so that the next complete read
    /// meets the same change again.
    fn wait_for_complete_read(&self) -> Option<Draft> {
        let source_id = self
            .leading
            .or_else(|| self.records.first().map(|one| one.source_id.as_str()))?;
        let message = Message::warning(
            "waits",
            None,
            "HR says that this person has left; the read was partial, so it waits for the next complete one",
        );
        Some(Draft {
            person: self.person,
            user: self.user.map(|user| user.id),
            version: None,
            action: Action::Skip,
            reason: "leaves; waits for a complete read".to_owned(),
            effect: Effect::default(),
            said: news(source_id, None, Some(self.person), &[], &[message]),
            compared: Compared::default(),
            unusable: false,
            back: false,
            declined: None,
            base: None,
        })
    }

    /// Writes down what becomes of each record, and gathers what is news.
    fn write_records(&self, effect: &mut Effect) -> Vec<Outcome> {
        let mut said = Vec::new();
        let first = self.records.iter().find(|record| record.ours);
        for record in self.records.iter().filter(|record| record.ours) {
            let leads = match self.leading {
                Some(leading) => record.source_id == leading,
                None => first.is_some_and(|first| first.source_id == record.source_id),
            };
            let filtered = self.filtered.contains(record.source_id.as_str());
            let mut messages: Vec<Message> = record
                .problems
                .iter()
                .map(|problem| Message::warning("problem", Some(&problem.field), problem.message.clone()))
                .collect();
            if leads {
                messages.extend(self.messages.iter().cloned());
            }
            let now = RecordEffect {
                source_id: record.source_id.clone(),
                outcome: if filtered { "filtered" } else { self.outcome }.to_owned(),
                messages,
                waits: leads && self.waits,
                staged: record.staged,
            };
            said.extend(news(
                &record.source_id,
                record.employee.employee_number.as_deref().filter(|_| !filtered),
                Some(self.person),
                &record.messages_before(),
                &now.messages,
            ));
            let unchanged = record
                .before
                .as_ref()
                .is_some_and(|(outcome, detail)| *outcome == now.outcome && *detail == now.detail());
            if record.staged || !unchanged {
                effect.records.push(now);
            }
        }
        said
    }

    /// How the records of an active person differ from before: the guard compares with the active people there are.
    fn compared(&self) -> Compared {
        let mut compared = Compared::default();
        if self.user.as_ref().is_none_or(|user| user.active != Some(true)) {
            return compared;
        }
        for record in self.records.iter().filter(|record| record.staged) {
            if let Some(before) = self.view.around.records_before.get(&record.source_id) {
                compared.add(before, &record.employee);
            }
        }
        compared
    }

    /// Whether an active person's records could be used before and cannot now.
    fn is_unusable(&self) -> bool {
        let active = self.user.is_some_and(|user| user.active == Some(true));
        let was_fine = |record: &RecordNow| {
            let before = record.before.as_ref();
            record.staged && before.is_some_and(|(outcome, _)| outcome == "linked")
        };
        active && matches!(self.outcome, "skipped" | "held") && self.records.iter().any(was_fine)
    }
}

/// Whether a path of the mapping (`emails.work`) is `attribute` or within it.
fn is_within(path: &str, attribute: &str) -> bool {
    path.strip_prefix(attribute)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_disabled_by_hr(user: &StoredUser) -> bool {
    user.disabled_by.iter().any(|party| party == "hr")
}
