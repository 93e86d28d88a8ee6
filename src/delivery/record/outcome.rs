//! From reports to rows: what ended calls mean for operations, accounts, members and the app. One batch, one
//! transaction, only while the lease is ours.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{AttemptRow, Learnt, Outcome, end, forget_unmatched, holders, learn};
use crate::base::{AppId, ResourceId, TenantId, wait_before};
use crate::db::Conn;
use crate::delivery::hook::Hook;
use crate::delivery::send::{Finding, Job, Report, Task};
use crate::delivery::store::{self, Leased};
use crate::delivery::{Error, members};
use crate::provision::{QUARANTINE_AFTER, Sense, State, collision, ours_of};
use crate::scim::Object;

/// Attempts after which an account is parked although the app as a whole works.
const PARK_AFTER: i32 = 8;
/// How the trouble of an app begins that refuses our token.
const NOT_ACCEPTED: &str = "the app does not accept our token";

/// How the app fares, over a lease.
#[derive(Debug, Clone, Default)]
pub(in crate::delivery) struct Health {
    /// Failures in a row.
    pub failures: i32,
    /// What is wrong with the app as a whole.
    pub trouble: Option<String>,
    /// The app is left alone until then.
    pub resume_at: Option<DateTime<Utc>>,
    /// Something of this changed since it was last written.
    pub is_new: bool,
}

impl Health {
    /// As it was when the app was leased.
    pub fn of(leased: &Leased) -> Self {
        Self {
            failures: leased.failures,
            trouble: leased.trouble.clone(),
            ..Self::default()
        }
    }

    /// The app works. That it asked for quiet stays as it is.
    fn succeeded(&mut self) {
        if self.failures != 0 || self.trouble.is_some() {
            if self.trouble.take().is_some() {
                self.resume_at = None;
            }
            self.failures = 0;
            self.is_new = true;
        }
    }

    /// Our own settings of the app cannot be used.
    pub fn unusable(&mut self, words: &str, now: DateTime<Utc>) {
        self.trouble = Some(words.to_owned());
        self.resume_at = Some(later(now, Duration::from_secs(300)));
        self.is_new = true;
    }

    /// A visit ended before its end.
    pub fn stopped(&mut self, sense: Sense, words: &str, now: DateTime<Utc>) {
        match sense {
            Sense::Throttled(asked) => self.throttled(asked, now, 128),
            Sense::Unauthorised => self.unauthorised(words, now),
            Sense::Refused | Sense::Gone => self.unusable(&format!("the app cannot be read: {words}"), now),
            _ => {
                self.failed(words, now, 128);
                let wait = wait_before(u32::try_from(self.failures).unwrap_or(1), None, 128);
                let until = later(now, wait);
                self.resume_at = Some(self.resume_at.map_or(until, |before| before.max(until)));
            }
        }
    }

    /// Whether the app fails because it does not accept our token.
    pub fn refuses_us(&self) -> bool {
        self.trouble
            .as_ref()
            .is_some_and(|words| words.starts_with(NOT_ACCEPTED))
    }

    /// Whether no further call makes sense for now.
    pub fn is_paused(&self) -> bool {
        self.resume_at.is_some()
    }

    fn failed(&mut self, words: &str, now: DateTime<Utc>, dice: u8) {
        self.failures = self.failures.saturating_add(1);
        self.is_new = true;
        let over = u32::try_from(self.failures).unwrap_or(0);
        if over >= QUARANTINE_AFTER || self.trouble.is_some() {
            let wait = wait_before(over.saturating_sub(QUARANTINE_AFTER) + 5, None, dice);
            self.trouble = Some(format!("the app keeps failing: {words}"));
            self.resume_at = Some(later(now, wait));
        }
    }

    fn throttled(&mut self, asked: Option<Duration>, now: DateTime<Utc>, dice: u8) {
        let wait = asked.unwrap_or_else(|| wait_before(4, None, dice));
        let until = later(now, wait.min(crate::base::LONGEST_WAIT));
        self.resume_at = Some(self.resume_at.map_or(until, |before| before.max(until)));
        self.is_new = true;
    }

    fn unauthorised(&mut self, words: &str, now: DateTime<Utc>) {
        self.trouble = Some(format!("{NOT_ACCEPTED}: {words}"));
        self.resume_at = Some(later(now, Duration::from_secs(300)));
        self.is_new = true;
    }
}

fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(now)
}

#[derive(Debug, Default)]
struct Batch {
    ended: Vec<(Uuid, &'static str)>,
    never_sent: Vec<Uuid>,
    attempts: Vec<AttemptRow>,
    outcomes: Vec<Outcome>,
    members_put: Vec<(members::MemberRow, bool)>,
    members_gone: Vec<(ResourceId, ResourceId)>,
    accounts_gone: Vec<ResourceId>,
    /// Accounts whose id in the app is new or gone: references to them change.
    moved: Vec<ResourceId>,
}

/// Writes what calls taught. Needs a transaction in which the lease was checked.
pub(in crate::delivery) async fn record(
    conn: &mut Conn,
    leased: &Leased,
    reports: &[Report],
    before: &Health,
    now: DateTime<Utc>,
) -> Result<Health, Error> {
    let at = (leased.tenant, leased.app);
    let mut health = before.clone();
    let taken = claims(conn, at, reports).await?;
    let mut batch = Batch::default();
    let mut unmatched = Vec::new();
    for report in reports {
        let claim = claimed(report).map(|remote| (report.job.kind.clone(), remote.to_owned()));
        match claim.and_then(|claim| taken.get(&claim)) {
            Some((holder, state)) if state == State::Unmatched.word() => {
                unmatched.push(*holder);
                batch.add(report, &mut health, now);
            }
            Some((holder, _)) if *holder != report.job.resource => batch.add_conflict(report),
            _ => batch.add(report, &mut health, now),
        }
    }
    batch.park_doubles();
    forget_unmatched(conn, at, &unmatched).await?;
    end(conn, at, &batch.ended, &batch.never_sent, &batch.attempts, now).await?;
    members::put(conn, at, &batch.members_put).await?;
    members::take_away(conn, at, &batch.members_gone).await?;
    members::forget(conn, at, &batch.accounts_gone).await?;
    learn(conn, at, &batch.outcomes, now).await?;
    if !batch.moved.is_empty() {
        store::look_at_dependents(conn, at, &batch.moved).await?;
        store::look_at_groups_of(conn, at, &batch.moved).await?;
    }
    if health.is_new {
        let trouble = health.trouble.as_deref();
        store::set_health(conn, leased, health.failures, trouble, health.resume_at, now).await?;
        health.is_new = false;
    }
    Ok(health)
}

/// The id of the app that a report says is its account's.
fn claimed(report: &Report) -> Option<&str> {
    match &report.finding {
        Finding::Done(Some(id)) | Finding::Found(id, ..) => Some(id),
        _ => None,
    }
}

type Claims = HashMap<(String, String), (ResourceId, String)>;

async fn claims(conn: &mut Conn, at: (TenantId, AppId), reports: &[Report]) -> Result<Claims, Error> {
    let wanted: Vec<(String, String)> = reports
        .iter()
        .filter_map(|report| Some((report.job.kind.clone(), claimed(report)?.to_owned())))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(holders(conn, at, &wanted)
        .await?
        .into_iter()
        .map(|(kind, remote, resource, state)| ((kind, remote), (resource, state)))
        .collect())
}

impl Batch {
    fn note(&mut self, report: &Report, state: &'static str) {
        self.ended.push((report.job.operation.uuid(), state));
        self.attempts.push(AttemptRow {
            operation: report.job.operation,
            at: report.at,
            duration_ms: report.duration_ms,
            status: report.status.map(i32::from),
            detail: report.words.clone(),
        });
    }

    /// The app said that somebody else's account is this one's.
    fn add_conflict(&mut self, report: &Report) {
        self.note(report, "refused");
        self.outcomes.push(Outcome {
            state: State::Parked,
            reason: "the app's account for this one is already linked to another of ours".to_owned(),
            look: false,
            ..Outcome::again(report.job.resource)
        });
    }

    /// Two of one batch cannot bear the same id of the app: the second is parked.
    fn park_doubles(&mut self) {
        let mut seen = HashSet::new();
        for outcome in &mut self.outcomes {
            let Some(remote) = outcome
                .learnt
                .as_ref()
                .and_then(|learnt| learnt.remote_id.clone())
            else {
                continue;
            };
            if !seen.insert(remote) {
                outcome.learnt = None;
                outcome.state = State::Parked;
                outcome.reason = "the app gave this account and another one the same id".to_owned();
                outcome.look = false;
            }
        }
    }

    fn add(&mut self, report: &Report, health: &mut Health, now: DateTime<Utc>) {
        let resource = report.job.resource;
        match &report.finding {
            Finding::NotStarted => self.add_not_started(report),
            Finding::Done(id) => {
                health.succeeded();
                self.note(report, "done");
                self.add_done(&report.job, id.as_deref());
            }
            Finding::Found(id, read, by_our_id) => {
                health.succeeded();
                self.note(report, "done");
                self.moved.push(resource);
                self.outcomes.push(Outcome {
                    learnt: Some(Learnt {
                        remote_id: Some(id.clone()),
                        known: Some(read_of(&report.job, read)),
                        adopted: Some(!by_our_id),
                    }),
                    ..Outcome::again(resource)
                });
            }
            Finding::Holds(read) => {
                health.succeeded();
                self.note(report, "refused");
                self.outcomes.push(Outcome {
                    learnt: Some(Learnt {
                        remote_id: report.job.remote.clone(),
                        known: Some(read_of(&report.job, read)),
                        adopted: None,
                    }),
                    ..Outcome::again(resource)
                });
            }
            Finding::Absent => {
                health.succeeded();
                self.note(report, "refused");
                self.accounts_gone.push(resource);
                self.moved.push(resource);
                self.outcomes.push(Outcome {
                    learnt: Some(Learnt {
                        remote_id: None,
                        known: None,
                        adopted: Some(false),
                    }),
                    ..Outcome::again(resource)
                });
            }
            Finding::Doubt => {
                self.note(report, "refused");
                self.outcomes.push(Outcome {
                    state: State::Held,
                    reason: "more than one account of the app fits".to_owned(),
                    look: false,
                    doubtful: true,
                    ..Outcome::again(resource)
                });
            }
            Finding::Collision(candidates) => {
                health.succeeded();
                self.note(report, "refused");
                self.outcomes.push(Outcome {
                    state: State::Held,
                    reason: collision(candidates),
                    look: false,
                    doubtful: true,
                    candidates: serde_json::to_value(candidates).ok(),
                    ..Outcome::again(resource)
                });
            }
            Finding::Answered(answer) => {
                self.note(report, "done");
                let key = hook_of(&report.job)
                    .map(|hook| hook.key.clone())
                    .unwrap_or_default();
                self.outcomes.push(Outcome {
                    step: Some((key, answer.clone())),
                    ..Outcome::again(resource)
                });
            }
            Finding::Failed(_) if hook_of(&report.job).is_some() => self.add_failed_hook(report, now),
            Finding::Failed(sense) => self.add_failed(report, *sense, health, now),
        }
    }

    /// A hook that failed is called again, later and later; says nothing of the app. One that may fail gives way to the
    /// next step after eight times.
    fn add_failed_hook(&mut self, report: &Report, now: DateTime<Utc>) {
        let Some(hook) = hook_of(&report.job) else { return };
        self.note(report, "refused");
        let attempts = report.job.attempts.saturating_add(1);
        let wait = wait_before(
            u32::try_from(attempts).unwrap_or(1),
            None,
            dice(report.job.resource),
        );
        let again = Outcome {
            reason: format!("the hook of step {} failed: {}", hook.key, report.words),
            attempts,
            due_at: Some(later(now, wait)),
            ..Outcome::again(report.job.resource)
        };
        self.outcomes.push(if hook.may_fail && attempts >= PARK_AFTER {
            Outcome {
                step: Some((hook.key.clone(), serde_json::json!({ "failed": report.words }))),
                attempts: 0,
                due_at: None,
                ..again
            }
        } else {
            again
        });
    }

    /// A resolving job leaves its operation unknown; any other was never sent.
    fn add_not_started(&mut self, report: &Report) {
        if matches!(report.job.task, Task::Resolve { .. }) {
            self.ended.push((report.job.operation.uuid(), "unknown"));
        } else {
            self.never_sent.push(report.job.operation.uuid());
        }
        self.outcomes.push(Outcome {
            attempts: report.job.attempts,
            ..Outcome::again(report.job.resource)
        });
    }

    fn add_done(&mut self, job: &Job, id: Option<&str>) {
        let acknowledged = Outcome {
            acknowledged: true,
            ..Outcome::again(job.resource)
        };
        let in_sync = |learnt, is_user: bool| Outcome {
            learnt: Some(learnt),
            state: if is_user { State::InSync } else { State::Pending },
            look: !is_user,
            ..acknowledged.clone()
        };
        let is_user = job.kind != "Group";
        match &job.task {
            Task::Create { object, .. } => {
                self.moved.push(job.resource);
                let learnt = Learnt {
                    remote_id: id.map(str::to_owned),
                    known: Some(object.clone()),
                    adopted: Some(false),
                };
                self.outcomes.push(Outcome {
                    look: !is_user || job.again_at.is_some(),
                    due_at: job.again_at,
                    ..in_sync(learnt, is_user)
                });
            }
            Task::Change { after, .. } => {
                let learnt = Learnt {
                    remote_id: job.remote.clone(),
                    known: Some(after.clone()),
                    adopted: None,
                };
                // Whether more steps follow a disable, and what is held, the next look says.
                self.outcomes.push(Outcome {
                    state: State::Pending,
                    look: true,
                    ..in_sync(learnt, is_user)
                });
            }
            Task::Delete => {
                self.accounts_gone.push(job.resource);
                self.moved.push(job.resource);
                self.outcomes.push(Outcome {
                    learnt: Some(Learnt {
                        remote_id: None,
                        known: None,
                        adopted: Some(false),
                    }),
                    state: State::Removed,
                    ..acknowledged
                });
            }
            Task::Members { add, remove } => {
                let put = add
                    .iter()
                    .map(|(member, remote)| ((job.resource, *member, remote.clone()), true));
                self.members_put.extend(put);
                self.members_gone
                    .extend(remove.iter().map(|(member, _)| (job.resource, *member)));
                self.outcomes.push(acknowledged);
            }
            Task::Hook(_) | Task::Resolve { .. } => self.outcomes.push(Outcome::again(job.resource)),
        }
    }

    fn add_failed(&mut self, report: &Report, sense: Sense, health: &mut Health, now: DateTime<Utc>) {
        let job = &report.job;
        let dice = dice(job.resource);
        let attempts = job.attempts.saturating_add(1);
        let wait = wait_before(u32::try_from(attempts).unwrap_or(1), None, dice);
        let again = Outcome {
            reason: report.words.clone(),
            attempts,
            due_at: Some(later(now, wait)),
            ..Outcome::again(job.resource)
        };
        let is_resolving = matches!(job.task, Task::Resolve { .. });
        let (operation, outcome) = match sense {
            Sense::Throttled(asked) => {
                health.throttled(asked, now, dice);
                let outcome = Outcome {
                    attempts: job.attempts,
                    due_at: None,
                    ..again
                };
                (if is_resolving { "unknown" } else { "refused" }, outcome)
            }
            Sense::Unauthorised => {
                health.unauthorised(&report.words, now);
                let outcome = Outcome {
                    attempts: job.attempts,
                    due_at: None,
                    ..again
                };
                (if is_resolving { "unknown" } else { "refused" }, outcome)
            }
            Sense::Unknown | Sense::Later => {
                health.failed(&report.words, now, dice);
                let is_unknown = is_resolving || (sense == Sense::Unknown && !self.unsure_members(job));
                let outcome = if attempts >= PARK_AFTER && health.trouble.is_none() {
                    Outcome {
                        state: State::Parked,
                        look: false,
                        due_at: None,
                        ..again
                    }
                } else {
                    again
                };
                (if is_unknown { "unknown" } else { "refused" }, outcome)
            }
            Sense::Done | Sense::Taken | Sense::Gone | Sense::Refused => {
                health.succeeded();
                let outcome = Outcome {
                    state: State::Parked,
                    look: false,
                    due_at: None,
                    ..again
                };
                ("refused", outcome)
            }
        };
        self.note(report, operation);
        self.outcomes.push(outcome);
    }

    /// Members whose call has an unknown outcome are noted as such; the call itself is then settled.
    fn unsure_members(&mut self, job: &Job) -> bool {
        let Task::Members { add, .. } = &job.task else {
            return false;
        };
        let unsure = add
            .iter()
            .map(|(member, remote)| ((job.resource, *member, remote.clone()), false));
        self.members_put.extend(unsure);
        true
    }
}

const fn hook_of(job: &Job) -> Option<&Hook> {
    match &job.task {
        Task::Hook(hook) => Some(hook),
        _ => None,
    }
}

/// What of an account as read is ours to compare.
fn read_of(job: &Job, read: &Object) -> Object {
    match &job.task {
        Task::Create { object: ours, .. } => ours_of(read, ours, None),
        Task::Resolve { expected, known, .. } => ours_of(read, expected, known.as_ref()),
        Task::Change { before, after } => ours_of(read, after, Some(before)),
        Task::Delete | Task::Hook(_) | Task::Members { .. } => read.clone(),
    }
}

/// An evenly spread byte that differs from account to account.
fn dice(resource: ResourceId) -> u8 {
    resource.uuid().as_bytes().last().copied().unwrap_or(0)
}
