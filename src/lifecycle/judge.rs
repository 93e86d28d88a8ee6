//! The judgement.

use std::cmp::Reverse;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calendar::{after, before, begins, day_of, end_of_month, ends, sane};
use super::policy::{LateLeave, Leave, OnLeave, Policy};
use super::verdict::{State, Verdict};
use crate::hr::{Employee, Employment, Status};

/// Days between two employments that are no interruption.
const SHORT_GAP: u32 = 7;

/// Why somebody who is employed has no access.
const ON_LEAVE: &str = "on leave, and the policy disables people on leave";

/// Judges one record as if it were the whole person.
#[must_use]
pub fn judge(
    employee: &Employee,
    policy: &Policy,
    previous: Option<&Verdict>,
    now: DateTime<Utc>,
) -> Verdict {
    judge_all(std::slice::from_ref(employee), policy, previous, now).0
}

/// Judges all records of one person; also gives the index of the record that decides, which leads.
/// `previous` is the last verdict on this person, or `None` for somebody who never was judged.
#[must_use]
pub fn judge_all(
    employees: &[Employee],
    policy: &Policy,
    previous: Option<&Verdict>,
    now: DateTime<Utc>,
) -> (Verdict, usize) {
    let records: Vec<Record<'_>> = employees
        .iter()
        .map(|employee| Record::new(employee, policy))
        .collect();
    let (mut verdict, leading) = judge_records(&records, policy, previous, now);
    // A day of one record may change nothing for the person: `next` is the first instant at which something does.
    while let Some(next) = verdict.next {
        let (then, _) = judge_records(&records, policy, Some(&verdict), next);
        if !verdict.says_the_same(&then) {
            break;
        }
        verdict.next = then.next.filter(|later| *later > next);
    }
    (verdict, leading)
}

fn judge_records(
    records: &[Record<'_>],
    policy: &Policy,
    previous: Option<&Verdict>,
    now: DateTime<Utc>,
) -> (Verdict, usize) {
    let mut verdicts: Vec<Verdict> = records.iter().map(|record| record.judge(policy, now)).collect();
    bridge(records, &mut verdicts, policy, now);
    let leading = best(&verdicts);
    // Whatever may change for one record may change the best.
    let next = verdicts.iter().filter_map(|verdict| verdict.next).min();
    let Some(mut verdict) = verdicts.into_iter().nth(leading) else {
        return (held("the person has no record", None), 0);
    };
    verdict.next = next;
    if let Some(record) = records.get(leading) {
        late(&mut verdict, record.zone, policy, previous, now);
        let was_called_off = previous.is_some_and(|previous| previous.state == State::Rescinded);
        if was_called_off && record.employee.status == Status::Left {
            verdict.state = State::Rescinded;
            verdict.access = false;
        }
    }
    (verdict, leading)
}

/// The index of the best verdict: active, active without access, held, pre-hire, left, rescinded; then the longest, then the latest start;
/// then the first.
#[must_use]
pub fn best(verdicts: &[Verdict]) -> usize {
    let rank = |verdict: &Verdict| match verdict.state {
        State::Active if verdict.access => 0,
        State::Active => 1,
        State::Held(_) => 2,
        State::PreHire => 3,
        State::Left => 4,
        State::Rescinded => 5,
    };
    let key = |(index, verdict): &(usize, &Verdict)| {
        let end = verdict.leaves_on.unwrap_or(NaiveDate::MAX);
        // Of those still to come the earliest start counts.
        let start = verdict.first_day.unwrap_or(NaiveDate::MIN);
        let early = (verdict.state == State::PreHire).then_some(start);
        (rank(verdict), early, Reverse((end, start)), *index)
    };
    verdicts
        .iter()
        .enumerate()
        .min_by_key(key)
        .map_or(0, |(index, _)| index)
}

/// A stretch of employment without an interruption, in days of the record's zone.
#[derive(Debug, Clone)]
struct Stretch {
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    last_working_day: Option<NaiveDate>,
}

impl Stretch {
    /// Last day with access.
    fn access_until(&self, policy: &Policy) -> Option<NaiveDate> {
        self.last.map(|last| match policy.leave {
            Leave::LastDay => last,
            Leave::EndOfMonth => end_of_month(last),
        })
    }
}

struct Record<'a> {
    employee: &'a Employee,
    zone: Tz,
    stretches: Vec<Stretch>,
    rescinded: bool,
}

impl<'a> Record<'a> {
    fn new(employee: &'a Employee, policy: &Policy) -> Self {
        let zone = employee
            .time_zone
            .as_deref()
            .and_then(|name| name.trim().parse().ok())
            .unwrap_or(policy.zone.0);
        let meant: Vec<&Employment> = employee
            .employments
            .iter()
            .filter(|one| !never_started(one))
            .collect();
        Self {
            employee,
            zone,
            stretches: stretches(&meant),
            rescinded: meant.is_empty() && !employee.employments.is_empty(),
        }
    }

    fn judge(&self, policy: &Policy, now: DateTime<Utc>) -> Verdict {
        if let Status::Unknown(_) = self.employee.status {
            return held("HR gives a status that is not in the status table", None);
        }
        if self.rescinded {
            return Verdict {
                state: State::Rescinded,
                ..held("the last day lies before the first", None)
            };
        }
        let Some(place) = self.place(policy, now) else {
            return self.by_word(policy, None);
        };
        let on_leave = self.employee.status == Status::OnLeave;
        let next = self.next(policy, now);
        let verdict = |state, access, rule: &str, stretch: &Stretch| Verdict {
            on_leave: on_leave && state == State::Active,
            state,
            access,
            first_day: stretch.first,
            last_day: stretch.last,
            leaves_on: stretch.access_until(policy),
            last_working_day: stretch.last_working_day,
            next,
            rule: rule.to_owned(),
        };
        match place {
            Place::Within(stretch) if stretch.last.is_none() && self.decided_by_word(stretch) => {
                self.by_word(policy, Some(stretch))
            }
            Place::Within(stretch) => {
                let rule = match stretch.last {
                    _ if self.is_paused(policy) => ON_LEAVE,
                    Some(_) => "the last day is ahead",
                    None => "employed, no last day",
                };
                verdict(State::Active, !self.is_paused(policy), rule, stretch)
            }
            Place::Ahead(stretch) if self.called_off(stretch) => verdict(
                State::Rescinded,
                false,
                "HR says left before the first day",
                stretch,
            ),
            Place::Ahead(stretch) => {
                let access = stretch
                    .first
                    .is_some_and(|first| begins(before(first, policy.pre_hire.0), self.zone) <= now);
                verdict(State::PreHire, access, "the first day is ahead", stretch)
            }
            Place::Over(stretch) => verdict(State::Left, false, "the last day has passed", stretch),
        }
    }

    /// Away, under a policy that disables people who are.
    fn is_paused(&self, policy: &Policy) -> bool {
        policy.on_leave == OnLeave::Disable && self.employee.status == Status::OnLeave
    }

    /// Whether the status says something that the dates of an open stretch leave open.
    fn decided_by_word(&self, stretch: &Stretch) -> bool {
        match self.employee.status {
            Status::Left => true,
            Status::PreHire => stretch.first.is_none(),
            _ => false,
        }
    }

    /// Left before the first stretch; before a later one, `left` speaks of the earlier.
    fn called_off(&self, ahead: &Stretch) -> bool {
        let first_ever = self.stretches.first().is_some_and(|one| one.first == ahead.first);
        self.employee.status == Status::Left && first_ever
    }

    /// No date decides: the word does.
    fn by_word(&self, policy: &Policy, stretch: Option<&Stretch>) -> Verdict {
        let (state, access, rule) = match self.employee.status {
            _ if self.is_paused(policy) => (State::Active, false, ON_LEAVE),
            Status::Left => (State::Left, false, "HR says left, without a last day"),
            Status::PreHire => (State::PreHire, false, "HR says pre-hire, without a first day"),
            _ => (State::Active, true, "no date says otherwise"),
        };
        Verdict {
            state,
            access,
            on_leave: self.employee.status == Status::OnLeave,
            first_day: stretch.and_then(|stretch| stretch.first),
            last_day: None,
            leaves_on: None,
            last_working_day: stretch.and_then(|stretch| stretch.last_working_day),
            next: None,
            rule: rule.to_owned(),
        }
    }

    /// The stretch around now, else the next one, else the last one.
    fn place(&self, policy: &Policy, now: DateTime<Utc>) -> Option<Place<'_>> {
        let started = |stretch: &Stretch| stretch.first.is_none_or(|first| begins(first, self.zone) <= now);
        let over = |stretch: &Stretch| {
            stretch
                .access_until(policy)
                .is_some_and(|until| ends(until, self.zone) <= now)
        };
        if let Some(stretch) = self.stretches.iter().rev().find(|one| started(one) && !over(one)) {
            return Some(Place::Within(stretch));
        }
        if let Some(stretch) = self.stretches.iter().find(|one| !started(one)) {
            return Some(Place::Ahead(stretch));
        }
        self.stretches.last().map(Place::Over)
    }

    /// The first boundary after now.
    fn next(&self, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let boundaries = |stretch: &Stretch| {
            let start = stretch.first.map(|first| begins(first, self.zone));
            let early = stretch
                .first
                .map(|first| begins(before(first, policy.pre_hire.0), self.zone));
            let end = stretch.access_until(policy).map(|until| ends(until, self.zone));
            [early, start, end]
        };
        self.stretches
            .iter()
            .flat_map(boundaries)
            .flatten()
            .filter(|instant| *instant > now)
            .min()
    }
}

enum Place<'r> {
    Within(&'r Stretch),
    Ahead(&'r Stretch),
    Over(&'r Stretch),
}

fn held(reason: &str, next: Option<DateTime<Utc>>) -> Verdict {
    Verdict {
        state: State::Held(reason.to_owned()),
        access: false,
        on_leave: false,
        first_day: None,
        last_day: None,
        leaves_on: None,
        last_working_day: None,
        next,
        rule: reason.to_owned(),
    }
}

/// A last day before the first: the employment was called off.
fn never_started(employment: &Employment) -> bool {
    matches!((employment.first_day, employment.last_day), (Some(first), Some(last)) if last < first)
}

/// Employments in order, those with at most [`SHORT_GAP`] days between them as one.
fn stretches(employments: &[&Employment]) -> Vec<Stretch> {
    let mut sorted: Vec<Stretch> = employments
        .iter()
        .map(|one| Stretch {
            first: one.first_day.map(sane),
            last: one.last_day.map(sane),
            last_working_day: one.last_working_day,
        })
        .collect();
    sorted.sort_by_key(|stretch| (stretch.first, stretch.last.unwrap_or(NaiveDate::MAX)));
    let mut joined: Vec<Stretch> = Vec::with_capacity(sorted.len());
    for stretch in sorted {
        match joined.last_mut() {
            Some(open) if touches(open.last, stretch.first) => {
                let ends_later = match (open.last, stretch.last) {
                    (None, _) => false,
                    (_, None) => true,
                    (Some(open), Some(last)) => last >= open,
                };
                if ends_later {
                    open.last = stretch.last;
                    open.last_working_day = stretch.last_working_day;
                }
            }
            _ => joined.push(stretch),
        }
    }
    joined
}

fn touches(last: Option<NaiveDate>, first: Option<NaiveDate>) -> bool {
    match (last, first) {
        (Some(last), Some(first)) => first <= after(last, SHORT_GAP + 1),
        _ => true,
    }
}

/// A record that ended and another that starts within the short gap: no interruption.
fn bridge(records: &[Record<'_>], verdicts: &mut [Verdict], policy: &Policy, now: DateTime<Utc>) {
    let ended: Vec<NaiveDate> = verdicts
        .iter()
        .filter(|verdict| verdict.state == State::Left)
        .filter_map(|verdict| verdict.last_day)
        .collect();
    for (verdict, record) in verdicts.iter_mut().zip(records) {
        let Some(first) = verdict.first_day.filter(|_| verdict.state == State::PreHire) else {
            continue;
        };
        if ended
            .iter()
            .any(|last| *last < first && touches(Some(*last), Some(first)))
        {
            verdict.state = State::Active;
            verdict.access = !record.is_paused(policy);
            verdict.on_leave = record.employee.status == Status::OnLeave;
            verdict.rule = "between two employments, less than eight days apart".to_owned();
            verdict.next = record.next(policy, now);
        }
    }
}

/// A leave that was recorded after its day, for somebody who was active for us until then.
fn late(verdict: &mut Verdict, zone: Tz, policy: &Policy, previous: Option<&Verdict>, now: DateTime<Utc>) {
    let (State::Left, LateLeave::EndOfCurrentMonth, Some(previous)) =
        (&verdict.state, policy.late_leave, previous)
    else {
        return;
    };
    let Some(regular) = verdict.leaves_on else { return };
    let same_leave = previous.last_day == verdict.last_day;
    let until = match previous.leaves_on {
        Some(until) if same_leave && until > regular => until,
        _ if same_leave || !previous.access => return,
        _ => end_of_month(day_of(now, zone)),
    };
    verdict.leaves_on = Some(until);
    let end = ends(until, zone);
    if end > now {
        verdict.state = State::Active;
        verdict.access = true;
        verdict.next = Some(verdict.next.map_or(end, |next| next.min(end)));
        verdict.rule = "the leave was recorded after its day".to_owned();
    }
}
