//! `[guard]`: what a publication may disable without an approval.

use serde::{Deserialize, Serialize};

/// `[guard]`: what a publication may disable without an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Accounts that a publication would disable.
    pub disables: Cap,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            disables: Cap {
                share: 0.2,
                count: 500,
            },
        }
    }
}

/// A share *or* a count, whichever is reached first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Of the accounts that are there, 0 to 1.
    pub share: f64,
    /// A number of accounts.
    pub count: u64,
}
