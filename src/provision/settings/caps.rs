//! `[caps]`: what may be done to the app's accounts within 24 hours before it freezes and asks.

use serde::{Deserialize, Serialize};

use crate::guard::{CapAction, Limit};

/// `[caps]`: rolling 24-hour caps, whatever the cause. Each is a share of the accounts that are there, or a count,
/// whichever is passed first; one that is empty is no cap. What a human approved is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Accounts made. Default: no cap.
    pub creates: Limit,
    /// Accounts disabled. Default: 20 % or 500.
    pub disables: Limit,
    /// Accounts and groups deleted. Default: 20 % or 500.
    pub removals: Limit,
    /// Accounts of which a value is cleared. Default: 30 % or 500.
    pub cleared: Limit,
}

impl Default for Caps {
    fn default() -> Self {
        let limit = |share, count| Limit {
            share: Some(share),
            count: Some(count),
        };
        Self {
            creates: Limit {
                share: None,
                count: None,
            },
            disables: limit(0.2, 500),
            removals: limit(0.2, 500),
            cleared: limit(0.3, 500),
        }
    }
}

impl Caps {
    /// The cap on one kind of effect.
    #[must_use]
    pub const fn of(&self, action: CapAction) -> Limit {
        match action {
            CapAction::Create => self.creates,
            CapAction::Disable => self.disables,
            CapAction::Delete => self.removals,
            CapAction::Clear => self.cleared,
        }
    }

    pub(super) const fn named(&self) -> [(&'static str, Limit); 4] {
        [
            ("creates", self.creates),
            ("disables", self.disables),
            ("removals", self.removals),
            ("cleared", self.cleared),
        ]
    }
}
