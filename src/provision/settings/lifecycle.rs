//! `[lifecycle]`: where this app differs from the connection.

use serde::{Deserialize, Serialize};

use crate::lifecycle::{Days, Differences, LateLeave, Leave, OnLeave, WhileLeaving};

/// `[lifecycle]`: where this app differs from the connection. What is not said here is as the connection says.
/// `pre_hire` can only be shorter than the connection's: before that there is no user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When leavers leave: `last_day` or `end_of_month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// When leavers leave who were recorded late: `now` or `end_of_current_month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_leave: Option<LateLeave>,
    /// How long before the first day an account exists, such as `14d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_hire: Option<Days>,
    /// Whether people on leave keep the access: `active` or `disable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_leave: Option<OnLeave>,
    /// What a planned leave means for groups: `grant` or `no_grants`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_leaving: Option<WhileLeaving>,
    /// Whether those who return are enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivate: Option<bool>,
}

impl Lifecycle {
    /// As the judgement needs it.
    #[must_use]
    pub fn differences(&self) -> Differences {
        Differences {
            leave: self.leave,
            late_leave: self.late_leave,
            pre_hire: self.pre_hire,
            on_leave: self.on_leave,
            while_leaving: self.while_leaving,
        }
    }
}
