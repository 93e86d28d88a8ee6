//! How far a run is, in all: one number that only grows, and how long it will still take.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{Run, RunState};

/// Where each step of a run ends, in percent of the whole.
const READ: u64 = 50;
const PLANNED: u64 = 75;

/// Nothing is said of the time left before so much is done: it would be a guess.
const ENOUGH: u64 = 5;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The run's state.
    pub state: RunState,
    /// Of the whole run, 0 to 100. A run that waits for approval stands where its plan is made.
    pub percent: u64,
    /// Records, people or items that the step has done.
    pub done: Option<u64>,
    /// Of so many; none while nobody can say.
    pub of: Option<u64>,
    /// How long it will still take, in seconds; none while nobody can say.
    pub seconds_left: Option<i64>,
}

impl Progress {
    /// How far `run` is at `now`. `usual` is how many records the reads before had.
    #[must_use]
    pub fn of(run: &Run, usual: Option<u64>, now: DateTime<Utc>) -> Self {
        let number = |member: &str| run.progress.get(member).and_then(Value::as_u64);
        let (done, of) = (number("done"), number("of"));
        let of = match run.state {
            RunState::Reading => of.or(usual),
            _ => of,
        };
        // The numbers are those of the step before until the step says its own.
        let of_step = run.progress.get("step").and_then(Value::as_str) == Some(run.state.as_str());
        let part = done.zip(of).filter(|_| of_step);
        let percent = match run.state {
            RunState::Queued => 0,
            RunState::Reading => between(0, READ, part),
            RunState::Planning => between(READ, PLANNED, part),
            RunState::AwaitingApproval => PLANNED,
            RunState::Applying => between(PLANNED, 99, part),
            RunState::Done | RunState::Partial => 100,
            RunState::Failed | RunState::Cancelled | RunState::Rejected | RunState::Superseded => {
                number("percent").unwrap_or_default()
            }
        };
        let working = !run.state.is_at_rest();
        let left = run
            .started_at
            .filter(|_| working && percent >= ENOUGH)
            .and_then(|started| {
                let passed = u64::try_from((now - started).num_milliseconds()).ok()?;
                let left = passed
                    .checked_mul(100_u64.checked_sub(percent)?)?
                    .checked_div(percent)?;
                i64::try_from(left.div_ceil(1_000)).ok()
            });
        Self {
            state: run.state,
            percent,
            done: done.filter(|_| of_step && working),
            of: of.filter(|_| of_step && working),
            seconds_left: left,
        }
    }
}

/// A place between two percentages. A source that has more than it said stays below the end of its step.
fn between(from: u64, to: u64, part: Option<(u64, u64)>) -> u64 {
    let Some((done, of)) = part.filter(|(_, of)| *of > 0) else {
        return from;
    };
    let width = to.saturating_sub(from);
    let share = u128::from(width) * u128::from(done.min(of)) / u128::from(of);
    from.saturating_add(u64::try_from(share).unwrap_or(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ConnectionId, RunId, TenantId};
    use crate::sync::RunCause;
    use serde_json::json;

    fn run(state: RunState, progress: Value) -> Run {
        let now: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
        Run {
            tenant: TenantId::new(),
            id: RunId::new(),
            connection: ConnectionId::new(),
            state,
            dry_run: false,
            cause: RunCause::Manual,
            actor: String::new(),
            revision: 1,
            plan: None,
            coverage: None,
            counts: json!({}),
            progress,
            error: None,
            queued_at: now,
            started_at: Some(now),
            finished_at: None,
            cancel_asked: false,
        }
    }

    #[test]
    fn rg_27_progress_only_grows_and_ends_at_a_hundred() {
        let step = |step: &str, done: u64, of: Option<u64>| json!({ "step": step, "done": done, "of": of });
        let life = [
            run(RunState::Queued, json!({})),
            run(RunState::Reading, json!({})),
            run(RunState::Reading, step("reading", 100, None)),
            run(RunState::Reading, step("reading", 150, Some(200))),
            run(RunState::Reading, step("reading", 250, Some(200))),
            run(RunState::Planning, step("reading", 250, Some(200))),
            run(RunState::Planning, step("planning", 10, Some(200))),
            run(RunState::Planning, step("planning", 200, Some(200))),
            run(RunState::Applying, json!({ "step": "applying" })),
            run(RunState::Applying, step("applying", 9, Some(10))),
            run(RunState::Done, json!({ "step": "done" })),
        ];
        let later = "2026-12-01T08:01:00Z".parse().unwrap();
        let percents: Vec<u64> = life
            .iter()
            .map(|run| Progress::of(run, Some(400), later).percent)
            .collect();
        assert_eq!(percents, [0, 0, 12, 37, 50, 50, 51, 75, 75, 96, 100]);
        let left: Vec<Option<i64>> = life
            .iter()
            .map(|run| Progress::of(run, Some(400), later).seconds_left)
            .collect();
        assert_eq!(left[3], Some(103), "37 % took a minute");
        assert_eq!((left[0], left[10]), (None, None));
    }
}
