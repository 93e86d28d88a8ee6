//! `[[deprovision.*]]`: the steps per cause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::error::Problem;
use super::duration::duration;

/// What a step of deprovisioning does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// `active` becomes false.
    Disable,
    /// Taken out of the groups that we put the account into.
    RemoveGroups,
    /// DELETE.
    Delete,
    /// A call to an address of the customer's.
    Hook,
}

/// One step of deprovisioning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is done.
    #[serde(rename = "do")]
    pub deed: Do,
    /// How long after the cause.
    #[serde(default = "at_once")]
    pub after: String,
}

impl Step {
    /// How long after the cause the step is due.
    #[must_use]
    pub fn wait(&self) -> Duration {
        duration(&self.after).unwrap_or_default()
    }
}

fn at_once() -> String {
    "0d".to_owned()
}

fn disable() -> Vec<Step> {
    vec![Step {
        deed: Do::Disable,
        after: at_once(),
    }]
}

/// `[[deprovision.*]]`: the steps per cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deprovision {
    /// The user is no longer active.
    pub leaver: Vec<Step>,
    /// The user no longer belongs into the app.
    pub out_of_scope: Vec<Step>,
    /// The user is no longer there.
    pub missing: Vec<Step>,
}

impl Default for Deprovision {
    fn default() -> Self {
        Self {
            leaver: disable(),
            out_of_scope: disable(),
            missing: disable(),
        }
    }
}

impl Deprovision {
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        let causes = [
            ("deprovision.leaver", &self.leaver),
            ("deprovision.out_of_scope", &self.out_of_scope),
            ("deprovision.missing", &self.missing),
        ];
        for (at, steps) in causes {
            for step in steps {
                if step.deed == Do::Hook {
                    found.push(Problem::at(at, "`hook` is not available in this version"));
                }
                if duration(&step.after).is_none() {
                    found.push(Problem::at(
                        at,
                        "`after` is a number with s, m, h, d or w, such as 14d",
                    ));
                }
            }
        }
    }
}
