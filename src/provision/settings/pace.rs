//! `[pace]`: how hard the app may be asked.

use serde::{Deserialize, Serialize};

use super::super::error::Problem;

/// `[pace]`: how hard the app may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Calls under way at a time.
    pub concurrency: u16,
    /// Calls started in a second; no limit without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u16>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            concurrency: 8,
            per_second: None,
        }
    }
}

impl Pace {
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if !(1..=64).contains(&self.concurrency) {
            found.push(Problem::at("pace.concurrency", "is 1 to 64"));
        }
        if self.per_second == Some(0) {
            found.push(Problem::at("pace.per_second", "is at least 1"));
        }
    }
}
