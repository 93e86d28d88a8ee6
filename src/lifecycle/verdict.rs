//! The answer.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// Where a person stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The first day is ahead.
    PreHire,
    /// Employed.
    Active,
    /// No longer employed.
    Left,
    /// Was to start and does not.
    Rescinded,
    /// Nobody can say; with the reason. Nothing is changed for the person until it is known.
    Held(String),
}

impl State {
    /// The word for it, as in the HR extension.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::PreHire => "pre_hire",
            Self::Active => "active",
            Self::Left => "left",
            Self::Rescinded => "rescinded",
            Self::Held(_) => "held",
        }
    }
}

/// Where a person stands, with the facts, and until when that is certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Where the person stands.
    pub state: State,
    /// Whether the person is to have access now: an active one, and a pre-hire within the policy's days.
    pub access: bool,
    /// Employed and away.
    pub on_leave: bool,
    /// First day of the deciding employment.
    pub first_day: Option<NaiveDate>,
    /// Last day of the deciding employment, as HR gave it.
    pub last_day: Option<NaiveDate>,
    /// Last day with access, once a leave is known: ahead (leaving is planned) or past.
    pub leaves_on: Option<NaiveDate>,
    /// Last day at work.
    pub last_working_day: Option<NaiveDate>,
    /// The next instant at which the answer may change without any change in HR.
    pub next: Option<DateTime<Utc>>,
    /// What decided, in words.
    pub rule: String,
}

impl Verdict {
    /// Whether another verdict says the same of the person; how long it holds and what decided may differ.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let facts = |verdict: &Self| {
            (
                verdict.access,
                verdict.on_leave,
                verdict.first_day,
                verdict.last_day,
                verdict.leaves_on,
                verdict.last_working_day,
            )
        };
        self.state == other.state && facts(self) == facts(other)
    }

    /// Employed, and without access only because of being away.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state == State::Active && !self.access
    }

    /// The word for where the person stands; a planned leave is told.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.leaving_planned() {
            "leaving_planned"
        } else {
            self.state.word()
        }
    }

    /// Whether the leave is known and still ahead.
    #[must_use]
    pub fn leaving_planned(&self) -> bool {
        self.state == State::Active && self.leaves_on.is_some()
    }
}
