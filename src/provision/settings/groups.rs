//! `[groups]`: whether groups are pushed.

use serde::{Deserialize, Serialize};

use super::super::error::Problem;

/// `[groups]`: whether groups are pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Groups {
    /// Whether the tenant's groups and their members are pushed. Not unless asked.
    pub push: bool,
    /// Members in one request.
    pub member_batch: u16,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            push: false,
            member_batch: 100,
        }
    }
}

impl Groups {
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if self.member_batch == 0 {
            found.push(Problem::at("groups.member_batch", "is at least 1"));
        }
    }
}
