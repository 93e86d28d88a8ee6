//! `[reconcile]`: the full compare.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration::duration;
use crate::provision::error::Problem;

/// The shortest time between two compares that start by themselves.
const SHORTEST: Duration = Duration::from_secs(300);

/// `[reconcile]`: the full compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// How often it is made by itself, counted from the end of the one before.
    pub every: String,
    /// Whether what somebody else changed in the app is repaired; else it is only reported.
    #[serde(default)]
    pub repair: bool,
}

impl Reconcile {
    /// The time between two compares.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        duration(&self.every).filter(|every| *every >= SHORTEST)
    }

    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if self.every().is_none() {
            found.push(Problem::at(
                "reconcile.every",
                "is a number with m, h, d or w, and at least 5m, such as 24h",
            ));
        }
    }
}
