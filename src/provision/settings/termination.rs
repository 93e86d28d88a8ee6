//! `[termination]`: what is asked before somebody's access is ended by hand.

use serde::{Deserialize, Serialize};

use super::super::error::Problem;
use super::deprovision::is_address;

/// What is asked before somebody's access is ended by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Termination {
    /// The address that says whether the app has anything against it, such as a voucher that was chosen.
    pub ask: String,
}

impl Termination {
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if !is_address(&self.ask) {
            found.push(Problem::at(
                "termination",
                "`ask` is an http or https address without user name and password",
            ));
        }
    }
}
