//! What is known of a person's employments, kept so that an app can be judged by its own policy.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::{day_of, ends};
use super::judge::{judge, judge_all};
use super::policy::{LateLeave, Leave, OnLeave, Policy, WhileLeaving, Zone};
use super::verdict::{State, Verdict};
use super::{Days, Period};
use crate::hr::{Employee, Employment, OrgUnit, Status};

/// A person's records as far as they decide when access begins and ends, and the policy of the connection.
/// Without any record nobody is judged by them: the person is out (filtered, or missing for long enough).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The records that are in, by their ids.
    pub records: Vec<RecordFacts>,
    /// The connection's policy.
    pub policy: Policy,
    /// Ended by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// HR says active again, and the connection does not reactivate.
    #[serde(skip_serializing_if = "is_false")]
    pub stays_disabled: bool,
}

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordFacts {
    /// The record's id in its connection.
    pub source_id: String,
    /// The legal entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<OrgUnit>,
    /// IANA time zone, when the source gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What HR says.
    pub status: Status,
    /// Employments.
    pub employments: Vec<Employment>,
    /// When we saw that it had ended, after its last day had passed and while it was active for us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<DateTime<Utc>>,
    /// It was called off before its first day.
    #[serde(skip_serializing_if = "is_false")]
    pub called_off: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// An end that somebody set by hand. It is what it says: no policy lengthens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The last day with access. Employments that begin later are not meant.
    pub last_day: NaiveDate,
    /// The instant at which access ends.
    pub at: DateTime<Utc>,
}

impl Ending {
    /// At the end of a day in a zone.
    #[must_use]
    pub fn on(last_day: NaiveDate, zone: Zone) -> Self {
        Self {
            last_day,
            at: ends(last_day, zone.0),
        }
    }

    /// At once. `first_day` is that of somebody who has not started, so that the start is meant too.
    #[must_use]
    pub fn at_once(now: DateTime<Utc>, zone: Zone, first_day: Option<NaiveDate>) -> Self {
        let today = day_of(now, zone.0);
        Self {
            last_day: first_day.map_or(today, |first| first.max(today)),
            at: now,
        }
    }

    /// What of a verdict is left.
    fn cut(&self, mut verdict: Verdict, now: DateTime<Utc>) -> Verdict {
        let is_meant = verdict.first_day.is_none_or(|first| first <= self.last_day);
        if !is_meant || verdict.state == State::Rescinded {
            return verdict;
        }
        let earlier = verdict.leaves_on.is_none_or(|until| self.last_day <= until);
        if verdict.state == State::Left {
            // Nothing is left to cut but the day.
        } else if self.at <= now {
            verdict.state = State::Left;
            verdict.access = false;
            verdict.on_leave = false;
            "ended by hand".clone_into(&mut verdict.rule);
        } else if earlier {
            verdict.next = Some(verdict.next.map_or(self.at, |next| next.min(self.at)));
            "to be ended by hand".clone_into(&mut verdict.rule);
        }
        if earlier {
            verdict.leaves_on = Some(self.last_day);
        }
        verdict
    }
}

/// Where an app differs from the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// When leavers leave.
    pub leave: Option<Leave>,
    /// When leavers leave who were recorded late.
    pub late_leave: Option<LateLeave>,
    /// How long before the first day.
    pub pre_hire: Option<Days>,
    /// Whether somebody on leave keeps the access.
    pub on_leave: Option<OnLeave>,
    /// What a planned leave means for new grants.
    pub while_leaving: Option<WhileLeaving>,
}

impl Differences {
    /// The policy with these in place.
    #[must_use]
    pub fn over(&self, policy: &Policy) -> Policy {
        Policy {
            leave: self.leave.unwrap_or(policy.leave),
            late_leave: self.late_leave.unwrap_or(policy.late_leave),
            pre_hire: self.pre_hire.unwrap_or(policy.pre_hire),
            on_leave: self.on_leave.unwrap_or(policy.on_leave),
            while_leaving: self.while_leaving.unwrap_or(policy.while_leaving),
            ..policy.clone()
        }
    }
}

/// After an access ended, for how long its end counts as the start of what follows; later than that, what follows
/// counts from the moment it is seen, so that no waiting time is skipped by an outage or a late approval.
const SEEN_IN_TIME: Period = Period(chrono::Duration::hours(24));

impl Facts {
    /// What the records say, with what only the time before can tell: that a leave was recorded late, and that a start
    /// was called off.
    #[must_use]
    pub fn of<'e>(
        records: impl IntoIterator<Item = (&'e str, &'e Employee)>,
        policy: &Policy,
        before: Option<&Self>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut records: Vec<RecordFacts> = records
            .into_iter()
            .map(|(source_id, employee)| {
                let was = before.and_then(|before| before.record(source_id));
                RecordFacts::of(source_id, employee, policy, was, now)
            })
            .collect();
        records.sort_by(|a, b| a.source_id.cmp(&b.source_id));
        Self {
            records,
            policy: policy.clone(),
            ending: None,
            stays_disabled: false,
        }
    }

    fn record(&self, source_id: &str) -> Option<&RecordFacts> {
        self.records.iter().find(|record| record.source_id == source_id)
    }

    /// Whether any record is of a legal entity (by id, code or name); `None` when no record names one.
    #[must_use]
    pub fn has_entity(&self, entity: &str) -> Option<bool> {
        let mut named = self
            .records
            .iter()
            .filter_map(|record| record.entity.as_ref())
            .peekable();
        named.peek()?;
        Some(named.any(|unit| is_named(unit, entity)))
    }

    /// The verdict under a policy, by the records of one entity or by all; `None` when there are none.
    #[must_use]
    pub fn judge(&self, policy: &Policy, entity: Option<&str>, now: DateTime<Utc>) -> Option<Verdict> {
        let mut verdict = self.judge_at(policy, entity, now)?;
        while let (Some(next), Some(_)) = (verdict.next, &self.ending) {
            let then = self.judge_at(policy, entity, next)?;
            if !verdict.says_the_same(&then) {
                break;
            }
            verdict.next = then.next.filter(|later| *later > next);
        }
        Some(verdict)
    }

    fn judge_at(&self, policy: &Policy, entity: Option<&str>, now: DateTime<Utc>) -> Option<Verdict> {
        let records: Vec<&RecordFacts> = self.of_entity(entity).collect();
        if records.is_empty() {
            return None;
        }
        let employees: Vec<Employee> = records.iter().map(|record| record.employee()).collect();
        let (plain, leading) = judge_all(&employees, policy, None, now);
        let leads = records.get(leading)?;
        let verdict = if leads.called_off {
            let off = Verdict {
                state: State::Rescinded,
                ..plain
            };
            judge_all(&employees, policy, Some(&off), now).0
        } else if let Some(seen) = leads.late.filter(|seen| *seen <= now) {
            let was = Verdict {
                state: State::Active,
                access: true,
                last_day: None,
                leaves_on: None,
                ..plain
            };
            let then = judge_all(&employees, policy, Some(&was), seen).0;
            judge_all(&employees, policy, Some(&then), now).0
        } else {
            plain
        };
        Some(self.end_by_hand(verdict, now))
    }

    /// The zone of the record that leads, else the connection's.
    #[must_use]
    pub fn leading_zone(&self, now: DateTime<Utc>) -> Zone {
        let employees: Vec<Employee> = self.records.iter().map(RecordFacts::employee).collect();
        let (_, leading) = judge_all(&employees, &self.policy, None, now);
        self.records
            .get(leading)
            .map_or(self.policy.zone, |record| record.zone(&self.policy))
    }

    /// The verdict cut by what was ended by hand.
    #[must_use]
    pub fn end_by_hand(&self, verdict: Verdict, now: DateTime<Utc>) -> Verdict {
        match &self.ending {
            Some(ending) => ending.cut(verdict, now),
            None => verdict,
        }
    }

    /// From when on what follows a leave counts: the instant at which the access ended, or now when that is long ago.
    #[must_use]
    pub fn left_at(&self, verdict: &Verdict, entity: Option<&str>, now: DateTime<Utc>) -> DateTime<Utc> {
        let until = verdict.leaves_on.filter(|_| verdict.state == State::Left);
        let by_hand = self
            .ending
            .as_ref()
            .map(|ending| ending.at)
            .filter(|at| *at <= now);
        let by_day = until.and_then(|until| {
            let zones = self.of_entity(entity).map(|record| record.zone(&self.policy));
            zones.map(|zone| ends(until, zone.0)).max()
        });
        let late = self.of_entity(entity).filter_map(|record| record.late).max();
        let ended = match (by_day.max(late), by_hand) {
            (Some(by_day), Some(by_hand)) => Some(by_day.min(by_hand)),
            (one, other) => one.or(other),
        };
        ended
            .filter(|ended| *ended <= now && now - *ended <= SEEN_IN_TIME.0)
            .unwrap_or(now)
    }

    fn of_entity<'f>(&'f self, entity: Option<&'f str>) -> impl Iterator<Item = &'f RecordFacts> {
        self.records.iter().filter(move |record| match entity {
            None => true,
            Some(entity) => record.entity.as_ref().is_some_and(|unit| is_named(unit, entity)),
        })
    }
}

fn is_named(unit: &OrgUnit, name: &str) -> bool {
    [&unit.id, &unit.code, &unit.name]
        .into_iter()
        .any(|part| part.as_deref() == Some(name))
}

impl RecordFacts {
    fn of(
        source_id: &str,
        employee: &Employee,
        policy: &Policy,
        was: Option<&Self>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut facts = Self {
            source_id: source_id.to_owned(),
            entity: employee.entity.clone(),
            zone: employee.time_zone.clone(),
            status: employee.status.clone(),
            employments: employee.employments.clone(),
            late: None,
            called_off: false,
        };
        let alone = facts.employee();
        // By the days alone: whether a leave is late does not depend on how long somebody keeps the access.
        let strict = Policy {
            leave: Leave::LastDay,
            on_leave: OnLeave::Active,
            ..policy.clone()
        };
        let verdict = judge(&alone, &strict, None, now);
        facts.called_off = verdict.state == State::Rescinded
            || (was.is_some_and(|was| was.called_off) && employee.status == Status::Left);
        if verdict.state == State::Left
            && let Some(was) = was
        {
            let before = judge(&was.employee(), &strict, None, now);
            let same_leave = before.last_day == verdict.last_day && before.state == State::Left;
            facts.late = if same_leave {
                was.late
            } else {
                (before.access && verdict.last_day.is_some()).then_some(now)
            };
        }
        facts
    }

    /// The zone whose days count.
    fn zone(&self, policy: &Policy) -> Zone {
        self.zone
            .as_deref()
            .and_then(|name| name.trim().parse().ok())
            .unwrap_or(policy.zone)
    }

    fn employee(&self) -> Employee {
        Employee {
            source_id: self.source_id.clone(),
            entity: self.entity.clone(),
            time_zone: self.zone.clone(),
            status: self.status.clone(),
            employments: self.employments.clone(),
            ..Employee::default()
        }
    }
}

#[cfg(test)]
mod tests;
