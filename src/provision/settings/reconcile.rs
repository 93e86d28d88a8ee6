//! `[reconcile]`: the full compare.

use serde::{Deserialize, Serialize};

/// `[reconcile]`: the full compare. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// How often.
    pub every: String,
    /// Whether drift is repaired.
    #[serde(default)]
    pub repair: bool,
}

impl Reconcile {
    /// What of it this version does not do.
    pub(super) fn warnings(&self, said: &mut Vec<String>) {
        said.push("[reconcile] is kept, but this version makes no full compare by itself".to_owned());
    }
}
