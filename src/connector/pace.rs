//! How fast requests may follow each other: by the manifest, and by what the answers say.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::request::{Pace, ResetUnit};
use crate::net::Answer;

/// Calls for single records that may be under way when the manifest says nothing.
const AT_ONCE: u32 = 4;
/// More than this is never under way.
const MOST_AT_ONCE: u32 = 16;

/// Keeps the pace of one read.
#[derive(Debug)]
pub(super) struct Pacer {
    windows: Vec<Window>,
    told: Vec<Told>,
    hold: Option<Instant>,
    at_once: u32,
}

#[derive(Debug)]
struct Window {
    most: usize,
    length: Duration,
    sent: VecDeque<Instant>,
}

#[derive(Debug)]
struct Told {
    remaining: Option<String>,
    reset: String,
    unit: ResetUnit,
}

impl Pacer {
    pub fn new(paces: &[Pace]) -> Self {
        let windows = paces.iter().filter_map(|pace| {
            Some(Window {
                most: usize::try_from(pace.requests?).unwrap_or(usize::MAX).max(1),
                length: Duration::from_secs(pace.per_seconds?.into()),
                sent: VecDeque::new(),
            })
        });
        let told = paces.iter().filter_map(|pace| {
            Some(Told {
                remaining: pace.remaining.clone(),
                reset: pace.reset.clone()?,
                unit: pace.unit,
            })
        });
        Self {
            windows: windows.collect(),
            told: told.collect(),
            hold: None,
            at_once: paces
                .iter()
                .find_map(|pace| pace.at_once)
                .unwrap_or(AT_ONCE)
                .clamp(1, MOST_AT_ONCE),
        }
    }

    /// How many calls for single records may be under way.
    pub fn at_once(&self) -> usize {
        usize::try_from(self.at_once).unwrap_or(1)
    }

    /// How long the next request has to wait.
    pub fn delay(&mut self) -> Duration {
        let now = Instant::now();
        let mut free = self.hold.take().unwrap_or(now);
        for window in &mut self.windows {
            if window.sent.len() >= window.most
                && let Some(oldest) = window.sent.pop_front()
            {
                free = free.max(oldest + window.length);
            }
        }
        free.saturating_duration_since(now)
    }

    /// Counts a request, after it has waited.
    pub fn sent(&mut self) {
        for window in &mut self.windows {
            window.sent.push_back(Instant::now());
        }
    }

    /// Takes note of what an answer says of the requests that are left.
    pub fn note(&mut self, answer: &Answer, now: DateTime<Utc>) {
        let used_up = |told: &&Told| {
            let remaining = told.remaining.as_deref().and_then(|name| answer.header(name));
            remaining.is_some_and(|text| text.trim().parse::<f64>().is_ok_and(|left| left < 1.0))
        };
        let wait = self
            .told
            .iter()
            .filter(used_up)
            .filter_map(|told| told.wait(answer, now))
            .max();
        if let Some(wait) = wait {
            self.hold = Some(Instant::now() + wait);
        }
    }

    /// How long a refusal asks us to wait by the manifest's headers.
    pub fn reset(&self, answer: &Answer, now: DateTime<Utc>) -> Option<Duration> {
        self.told.iter().filter_map(|told| told.wait(answer, now)).max()
    }
}

impl Told {
    fn wait(&self, answer: &Answer, now: DateTime<Utc>) -> Option<Duration> {
        let number: f64 = answer.header(&self.reset)?.trim().parse().ok()?;
        let wait = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).ok();
        match self.unit {
            ResetUnit::Seconds => wait(number),
            ResetUnit::Milliseconds => wait(number / 1000.0),
            ResetUnit::Epoch => {
                let at = wait(number)?;
                let since = u64::try_from(now.timestamp()).ok()?;
                Some(at.saturating_sub(Duration::from_secs(since)))
            }
        }
    }
}
