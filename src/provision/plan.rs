//! Desired minus known: the one next thing to do about an account. Pure; called again after every answer.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::desired::{Desired, HeldValue, Rules, UserView};
use super::settings::{Deprovision, Do, Step};
use super::standing::Stand;
use super::target::Target;
use crate::base::ResourceId;
use crate::guard;
use crate::scim::Object;

/// The provisioning state of an account (design: provisioning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Does not belong into the app and is not there.
    OutOfScope,
    /// Nothing is done, and the reason says why.
    Skipped,
    /// A human has to decide something.
    Held,
    /// Something is still to be done.
    Pending,
    /// The app holds what it should.
    InSync,
    /// The app refused for good; it is tried again when something changes or somebody says so.
    Parked,
    /// The app as a whole keeps failing.
    Quarantined,
    /// Disabled in the app.
    Disabled,
    /// Removed from the app.
    Removed,
    /// The app has it and nobody of ours does.
    Unmatched,
}

const STATES: &[(State, &str)] = &[
    (State::OutOfScope, "out_of_scope"),
    (State::Skipped, "skipped"),
    (State::Held, "held"),
    (State::Pending, "pending"),
    (State::InSync, "in_sync"),
    (State::Parked, "parked"),
    (State::Quarantined, "quarantined"),
    (State::Disabled, "disabled"),
    (State::Removed, "removed"),
    (State::Unmatched, "unmatched"),
];

impl State {
    /// The word in tables and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        STATES
            .iter()
            .find(|(state, _)| *state == self)
            .map_or("pending", |(_, word)| word)
    }

    /// The state of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        STATES
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(state, _)| *state)
    }

    /// All words, for messages.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        STATES.iter().map(|(_, word)| *word).collect()
    }
}

/// Why an account is being deprovisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The user is not active.
    Leaver,
    /// It does not belong into the app.
    OutOfScope,
    /// It is no longer there.
    Missing,
}

impl Cause {
    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leaver => "leaver",
            Self::OutOfScope => "out_of_scope",
            Self::Missing => "missing",
        }
    }

    /// The cause of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Leaver, Self::OutOfScope, Self::Missing]
            .into_iter()
            .find(|cause| cause.word() == word)
    }

    /// Its steps.
    #[must_use]
    pub fn steps(self, all: &Deprovision) -> &[Step] {
        match self {
            Self::Leaver => &all.leaver,
            Self::OutOfScope => &all.out_of_scope,
            Self::Missing => &all.missing,
        }
    }

    /// In words.
    #[must_use]
    pub const fn said(self) -> &'static str {
        match self {
            Self::Leaver => "the user is not active",
            Self::OutOfScope => "outside the app's scope",
            Self::Missing => "no longer there",
        }
    }
}

/// An account as known.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The app's id.
    pub remote_id: Option<&'a str>,
    /// What the app last acknowledged, or was read to hold.
    pub known: Option<&'a Object>,
    /// Why it is being deprovisioned.
    pub cause: Option<Cause>,
    /// Since when.
    pub cause_since: Option<DateTime<Utc>>,
    /// How many steps are done.
    pub steps_done: usize,
    /// Found and matched, not made by us.
    pub adopted: bool,
    /// The app never acknowledged a change of ours.
    pub untouched: bool,
    /// The person was told that the account is removed then.
    pub told: Option<DateTime<Utc>>,
}

/// What an account is of.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Deleted.
    Gone {
        /// It was a group.
        was_group: bool,
    },
    /// A user.
    User(UserView<'a>),
    /// A group.
    Group(ResourceId, &'a Object),
}

/// The one next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing.
    Rest(State, String),
    /// Nothing before that instant.
    Wait(State, String, DateTime<Utc>),
    /// POST.
    Create(Object),
    /// PATCH or PUT from the first to the second.
    Change(Object, Object),
    /// `active` becomes false.
    Disable,
    /// DELETE.
    Delete,
    /// The hook of this step is called.
    Hook(usize),
}

/// What is said of somebody who is back and stays disabled in the app.
pub const WITHHELD: &str = "would reactivate: the person is back, and the app's lifecycle.reactivate is off";

/// What is said of an account that is never written.
const PROTECTED: &str = "a protected account";

/// What was decided about an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The next thing to do.
    pub next: Next,
    /// Why it is being deprovisioned, if it is, and since when.
    pub cause: Option<(Cause, DateTime<Utc>)>,
    /// Steps done, those counted that need no call.
    pub steps_done: usize,
    /// Whether it may be in the app's groups.
    pub grouped: bool,
    /// Values that wait for a human.
    pub held: Vec<HeldValue>,
    /// Values that a rule approved, each with the rule's name.
    pub ruled: Vec<(HeldValue, String)>,
    /// Fields whose new value the app is told to be unverified.
    pub unverified: Vec<String>,
    /// Whether it is to enter no further group of the app.
    pub no_grants: bool,
    /// When the decision may change by itself, whatever is done now.
    pub again_at: Option<DateTime<Utc>>,
    /// When the account is removed, of which the person is told, or was.
    pub told: Option<DateTime<Utc>>,
}

impl Decision {
    /// Whether the account is on its way out because its user is not active.
    #[must_use]
    pub fn is_leaver(&self) -> bool {
        self.cause.is_some_and(|(cause, _)| cause == Cause::Leaver)
    }

    fn wanted(next: Next) -> Self {
        Self {
            next,
            cause: None,
            steps_done: 0,
            grouped: true,
            held: Vec::new(),
            ruled: Vec::new(),
            unverified: Vec::new(),
            no_grants: false,
            again_at: None,
            told: None,
        }
    }

    /// The same, by where the user stands for the app.
    fn standing(mut self, stand: &Stand) -> Self {
        self.no_grants = stand.no_grants;
        if !matches!(self.cause, Some((Cause::OutOfScope, _))) {
            self.again_at = stand.next;
        }
        match &mut self.next {
            Next::Wait(_, _, due) => *due = stand.next.map_or(*due, |next| next.min(*due)),
            Next::Rest(State::InSync, reason) if stand.no_grants => {
                "the leave is planned: it enters no further group".clone_into(reason);
            }
            _ => {}
        }
        self
    }
}

/// Decides about one account. `decided` tells what humans said about values.
pub fn decide(
    rules: &Rules,
    account: Account<'_>,
    subject: Subject<'_>,
    now: DateTime<Utc>,
    decided: impl Fn(&HeldValue) -> Option<guard::Decision>,
) -> Decision {
    match subject {
        Subject::Gone { was_group: false } if account.known.is_some_and(|known| rules.protects(known)) => {
            Decision::wanted(Next::Rest(State::Skipped, PROTECTED.to_owned()))
        }
        Subject::Gone { was_group: false } => deprovision(rules, account, Cause::Missing, now, now),
        Subject::Gone { was_group: true } => ungroup(account, Cause::Missing, now),
        Subject::User(view) => {
            let stand = rules.stand(view, now);
            let object = stand.seen(view.object);
            let view = UserView {
                object: &object,
                ..view
            };
            decide_user(rules, account, view, &stand, now, decided).standing(&stand)
        }
        Subject::Group(id, object) => match rules.group(id, object) {
            Desired::OutOfScope => ungroup(account, Cause::OutOfScope, now),
            Desired::Unclear(why) => Decision::wanted(Next::Rest(State::Held, why)),
            Desired::Wanted(object) => want(rules, account, object, decided),
        },
    }
}

fn decide_user(
    rules: &Rules,
    account: Account<'_>,
    view: UserView<'_>,
    stand: &Stand,
    now: DateTime<Utc>,
    decided: impl Fn(&HeldValue) -> Option<guard::Decision>,
) -> Decision {
    if rules.protects(view.object) || account.known.is_some_and(|known| rules.protects(known)) {
        return Decision::wanted(Next::Rest(State::Skipped, PROTECTED.to_owned()));
    }
    match rules.user(view) {
        // Who was there before us and never was ours to keep is not ours to take away.
        Desired::OutOfScope if account.adopted && account.untouched => {
            Decision::wanted(Next::Rest(State::OutOfScope, Cause::OutOfScope.said().to_owned()))
        }
        Desired::OutOfScope => deprovision(rules, account, Cause::OutOfScope, now, now),
        _ if stand.paused => pause(account),
        _ if !stand.active => deprovision(rules, account, Cause::Leaver, stand.left_at, now),
        _ if rules.keeps_returned_disabled() && has_left(account) => stay_disabled(account, now),
        Desired::Unclear(why) => Decision::wanted(Next::Rest(State::Held, why)),
        Desired::Wanted(object) => want(rules, account, object, decided),
    }
}

fn is_disabled(account: Account<'_>) -> bool {
    account.known.and_then(|known| known.get("active")) == Some(&json!(false))
}

/// On leave, under a policy that disables people on leave: disabled, and no step for leavers begins.
fn pause(account: Account<'_>) -> Decision {
    Decision::wanted(match account.remote_id {
        None => Next::Rest(
            State::Skipped,
            "the person is on leave and has no account in the app".to_owned(),
        ),
        Some(_) if is_disabled(account) => Next::Rest(State::Disabled, "the person is on leave".to_owned()),
        Some(_) => Next::Disable,
    })
}

fn has_left(account: Account<'_>) -> bool {
    account.remote_id.is_some() && account.cause == Some(Cause::Leaver) && is_disabled(account)
}

/// Back again in HR, under a policy that does not reactivate. Steps for leavers begin anew with the next leave.
fn stay_disabled(account: Account<'_>, now: DateTime<Utc>) -> Decision {
    Decision {
        cause: Some((Cause::Leaver, now)),
        steps_done: account.steps_done,
        ..Decision::wanted(Next::Rest(State::Disabled, WITHHELD.to_owned()))
    }
}

fn want(
    rules: &Rules,
    account: Account<'_>,
    object: Object,
    decided: impl Fn(&HeldValue) -> Option<guard::Decision>,
) -> Decision {
    let missing = rules.missing(&object);
    if !missing.is_empty() {
        let stays = match account.remote_id {
            Some(_) => "the account stays as it is",
            None => "no account is made",
        };
        let reason = format!("missing: {}; {stays} until it is filled in", missing.join(", "));
        return Decision::wanted(Next::Rest(State::Skipped, reason));
    }
    let known = account.remote_id.and(account.known);
    let allowed = rules.settle(object, known, decided);
    let object = allowed.object;
    let next = match (account.remote_id, account.known) {
        (None, _) => Next::Create(object),
        (Some(_), Some(known)) if *known == object && allowed.held.is_empty() => {
            Next::Rest(State::InSync, String::new())
        }
        (Some(_), Some(known)) if *known == object => {
            let fields: Vec<&str> = allowed.held.iter().map(|value| value.field.as_str()).collect();
            Next::Rest(
                State::Held,
                format!("waits for a decision about {}", fields.join(", ")),
            )
        }
        (Some(_), known) => {
            let mut before = known.cloned().unwrap_or_default();
            for path in &allowed.again {
                if let Some(target) = Target::parse(path) {
                    target.set(&mut before, None);
                }
            }
            Next::Change(before, object)
        }
    };
    Decision {
        held: allowed.held,
        ruled: allowed.ruled,
        unverified: allowed.unverified,
        ..Decision::wanted(next)
    }
}

/// `began` is when the cause began, if it is new.
fn deprovision(
    rules: &Rules,
    account: Account<'_>,
    cause: Cause,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Decision {
    let since = match (account.cause, account.cause_since) {
        (Some(before), Some(since)) if before == cause => since,
        _ => began,
    };
    let (mut done, mut told) = if account.cause == Some(cause) {
        (account.steps_done, account.told)
    } else {
        (0, None)
    };
    let mut grouped = cause == Cause::Leaver;
    let steps = cause.steps(&rules.settings().deprovision);
    for step in steps.iter().take(done) {
        grouped &= step.deed != Do::RemoveGroups;
    }
    let decided = |next, steps_done, grouped, told| Decision {
        cause: Some((cause, since)),
        steps_done,
        grouped,
        told,
        ..Decision::wanted(next)
    };
    if account.remote_id.is_none() {
        let (state, reason) = match cause {
            Cause::Leaver if account.cause.is_some() => (State::Removed, cause.said()),
            Cause::Leaver => (
                State::Skipped,
                "the user is not active and has no account in the app",
            ),
            Cause::OutOfScope => (State::OutOfScope, cause.said()),
            Cause::Missing => (State::Removed, cause.said()),
        };
        return decided(Next::Rest(state, reason.to_owned()), done, grouped, None);
    }
    let is_disabled = is_disabled(account);
    let resting = if is_disabled {
        State::Disabled
    } else {
        State::InSync
    };
    for step in steps.iter().skip(done) {
        let wait = TimeDelta::from_std(step.wait()).unwrap_or(TimeDelta::MAX);
        let mut due = since.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC);
        if let Some(notice) = step.notice() {
            due = noticed(due, notice, &mut told, now);
        }
        if due > now {
            let reason = format!(
                "{}; the next step is due {}",
                cause.said(),
                due.format("%Y-%m-%d %H:%M UTC")
            );
            return decided(Next::Wait(resting, reason, due), done, grouped, told);
        }
        match step.deed {
            Do::Disable if is_disabled => {}
            Do::Disable => return decided(Next::Disable, done, grouped, told),
            Do::RemoveGroups => grouped = false,
            Do::Set => {
                let known = account.known.cloned().unwrap_or_default();
                let after = step.applied(&known);
                if after != known {
                    return decided(Next::Change(known, after), done, grouped, told);
                }
            }
            Do::Delete => return decided(Next::Delete, done, grouped, told),
            Do::Hook => return decided(Next::Hook(done), done, grouped, told),
        }
        done += 1;
    }
    decided(Next::Rest(resting, cause.said().to_owned()), done, grouped, told)
}

/// When a step that removes is due, of which the person is told before: not before the day that was told, and never
/// sooner than the notice after it was given. Until it is given, the instant of giving it.
fn noticed(
    due: DateTime<Utc>,
    notice: Duration,
    told: &mut Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    if let Some(on) = *told {
        return due.max(on);
    }
    let notice = TimeDelta::from_std(notice).unwrap_or(TimeDelta::MAX);
    let give = due.checked_sub_signed(notice).unwrap_or(now);
    if give > now {
        return give;
    }
    let on = now.checked_add_signed(notice).map_or(due, |first| first.max(due));
    *told = Some(on);
    on
}

/// A group that is not to be in the app: ours is deleted, one that was there before us only loses our members.
fn ungroup(account: Account<'_>, cause: Cause, now: DateTime<Utc>) -> Decision {
    let next = match (account.remote_id, cause) {
        (Some(_), _) if !account.adopted => Next::Delete,
        (None, Cause::Missing) => Next::Rest(State::Removed, cause.said().to_owned()),
        _ => Next::Rest(State::OutOfScope, cause.said().to_owned()),
    };
    Decision {
        cause: Some((cause, account.cause_since.unwrap_or(now))),
        grouped: false,
        ..Decision::wanted(next)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::provision::{Settings, Standing};

    fn rules(more: &str) -> Rules {
        let text = format!("name = \"a\"\nbase_url = \"https://a.example/scim\"\n{more}");
        let user = crate::scim::Registry::builtin().kind("User").unwrap().clone();
        Rules::compile(Settings::from_toml(&text).unwrap(), &user).unwrap()
    }

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    const NEW: Account<'static> = Account {
        remote_id: None,
        known: None,
        cause: None,
        cause_since: None,
        steps_done: 0,
        adopted: false,
        untouched: false,
        told: None,
    };

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hour * 3_600, 0).unwrap()
    }

    fn next(rules: &Rules, account: Account<'_>, user: &Object, hour: i64) -> Decision {
        let view = UserView {
            id: ResourceId::from(uuid::Uuid::nil()),
            object: user,
            manager: None,
            manager_remote: None,
            reports: None,
            standing: Standing::default(),
        };
        decide(rules, account, Subject::User(view), at(hour), |_| None)
    }

    #[test]
    fn a_joiner_is_created_and_then_rests() {
        let rules = rules("");
        let user = object(json!({"userName": "a", "active": true}));
        let Next::Create(sent) = next(&rules, NEW, &user, 0).next else {
            panic!("not created");
        };
        let account = Account {
            remote_id: Some("7"),
            known: Some(&sent),
            ..NEW
        };
        assert_eq!(
            next(&rules, account, &user, 0).next,
            Next::Rest(State::InSync, String::new())
        );
        let mover = object(json!({"userName": "a", "active": true, "title": "T"}));
        assert!(matches!(next(&rules, account, &mover, 0).next, Next::Change(..)));
    }

    #[test]
    fn a_leaver_without_an_account_costs_no_call() {
        let rules = rules("");
        let user = object(json!({"userName": "a", "active": false}));
        assert!(matches!(
            next(&rules, NEW, &user, 0).next,
            Next::Rest(State::Skipped, _)
        ));
    }

    #[test]
    fn deprovisioning_goes_step_by_step_and_a_return_cancels_it() {
        let rules = rules(
            "[[deprovision.leaver]]\ndo = \"disable\"\n[[deprovision.leaver]]\ndo = \"remove_groups\"\nafter = \"1h\"\n[[deprovision.leaver]]\ndo = \"delete\"\nafter = \"2d\"",
        );
        let user = object(json!({"userName": "a", "active": false}));
        let known = object(json!({"userName": "a", "active": true}));
        let account = Account {
            remote_id: Some("7"),
            known: Some(&known),
            ..NEW
        };
        let first = next(&rules, account, &user, 0);
        assert_eq!(
            (&first.next, first.cause),
            (&Next::Disable, Some((Cause::Leaver, at(0))))
        );
        let disabled = object(json!({"userName": "a", "active": false}));
        let mut account = Account {
            known: Some(&disabled),
            cause: Some(Cause::Leaver),
            cause_since: Some(at(0)),
            ..account
        };
        let second = next(&rules, account, &user, 0);
        assert!(
            matches!(second.next, Next::Wait(State::Disabled, _, due) if due == at(1)),
            "{second:?}"
        );
        assert!(second.grouped);
        account.steps_done = second.steps_done;
        let third = next(&rules, account, &user, 1);
        assert!(
            matches!(third.next, Next::Wait(State::Disabled, _, due) if due == at(48)),
            "{third:?}"
        );
        assert!(!third.grouped);
        account.steps_done = third.steps_done;
        assert!(!next(&rules, account, &user, 2).grouped);
        assert_eq!(next(&rules, account, &user, 48).next, Next::Delete);
        let back = object(json!({"userName": "a", "active": true}));
        let returned = next(&rules, account, &back, 3);
        assert!(matches!(returned.next, Next::Change(..)));
        assert_eq!((returned.cause, returned.grouped), (None, true));
    }

    #[test]
    fn an_undefined_scope_holds_but_never_takes_away() {
        let rules = rules("[scope]\ninclude = 'user.costCenter == \"1\"'");
        let known = object(json!({"userName": "a", "active": true}));
        let account = Account {
            remote_id: Some("7"),
            known: Some(&known),
            ..NEW
        };
        assert!(matches!(
            next(&rules, account, &known, 0).next,
            Next::Rest(State::Held, _)
        ));
    }

    #[test]
    fn who_leaves_the_scope_is_disabled_and_taken_out_of_groups() {
        let rules = rules("[scope]\ninclude = 'user.title == \"CFO\"'");
        let user = object(json!({"userName": "a", "active": true, "title": "CEO"}));
        let account = Account {
            remote_id: Some("7"),
            known: Some(&user),
            ..NEW
        };
        let decision = next(&rules, account, &user, 0);
        assert_eq!((decision.next, decision.grouped), (Next::Disable, false));
    }

    #[test]
    fn protected_accounts_are_left_alone() {
        let rules = rules("[protect]\naccounts = [\"Root@x\"]");
        let user = object(json!({"userName": "root@X", "active": true}));
        assert!(matches!(
            next(&rules, NEW, &user, 0).next,
            Next::Rest(State::Skipped, _)
        ));
    }

    #[test]
    fn groups_that_we_made_are_deleted_and_others_only_left() {
        let rules = rules("");
        let group = object(json!({"displayName": "G"}));
        let account = Account {
            remote_id: Some("7"),
            known: Some(&group),
            ..NEW
        };
        let id = ResourceId::new();
        let of = |account| decide(&rules, account, Subject::Group(id, &group), at(0), |_| None).next;
        assert_eq!(of(account), Next::Delete);
        assert!(matches!(
            of(Account {
                adopted: true,
                ..account
            }),
            Next::Rest(State::OutOfScope, _)
        ));
    }

    #[test]
    fn states_and_their_words_agree() {
        for (state, word) in STATES {
            assert_eq!(state.word(), *word);
            assert_eq!(State::of(word), Some(*state));
        }
    }
}
