//! `[lifecycle]`: where this app differs from the connection.

use serde::{Deserialize, Serialize};

/// `[lifecycle]`: where this app differs from the connection. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When leavers leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<String>,
    /// When leavers leave who were recorded late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_leave: Option<String>,
    /// How long before the first day an account exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_hire: Option<String>,
    /// Whether those who return are enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivate: Option<bool>,
}

impl Lifecycle {
    /// What of it this version does not do.
    pub(super) fn warnings(&self, said: &mut Vec<String>) {
        said.push("[lifecycle] is kept, but this version decides leavers by the connection alone".to_owned());
    }
}
