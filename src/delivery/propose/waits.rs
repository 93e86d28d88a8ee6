//! What keeps an account from being worked on although something is to be done.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::PlanId;
use crate::provision::{Cause, Decision, Next};

/// Why an account waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A human left it out of a plan.
    Declined,
    /// What it stood on moved between the plan and its approval.
    Moved,
    /// It was found in the app and no plan was made of it yet.
    Unjudged,
    /// Its plan waits for an approval.
    Asked,
    /// It was deleted in the app by hand.
    Removed,
}

/// What keeps an account from being worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Why.
    pub why: Why,
    /// The plan it was left out of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why it would have been deprovisioned, in the word of [`Cause`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What is particular about an account: what keeps it, what is not counted, and whether it is to be deleted.
#[derive(Debug, Default, Deserialize)]
pub(in crate::delivery) struct Apart {
    /// It is to be in no group that names it anew.
    pub no_grants: bool,
    /// What keeps it from being worked on.
    pub waits: Option<Waits>,
    /// What is done next is not counted in the caps.
    pub allowed: bool,
    /// Somebody asked that it be deleted.
    pub removing: bool,
    /// The person was told that it is removed then.
    pub told: Option<DateTime<Utc>>,
}

impl Apart {
    /// As the store gives it; nothing for most accounts.
    pub fn read(value: Option<Value>) -> Self {
        value
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default()
    }
}

impl Waits {
    /// Whether it keeps this from being done. A leaver passes, unless leaving is what was left out: a decision about
    /// something else never keeps an account open.
    #[must_use]
    pub fn stops(&self, decision: &Decision) -> bool {
        let is_effect = matches!(
            decision.next,
            Next::Create(_) | Next::Change(..) | Next::Disable | Next::Delete | Next::Hook(_)
        );
        let leaves = matches!(decision.cause, Some((Cause::Leaver, _)));
        let passes = leaves
            && matches!(self.why, Why::Declined | Why::Moved | Why::Asked)
            && self.cause.as_deref() != Some(Cause::Leaver.word());
        is_effect && !passes
    }

    /// In words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let plan = self.plan.map(|plan| plan.to_string()).unwrap_or_default();
        let by = self.by.as_deref().unwrap_or("somebody");
        match self.why {
            Why::Declined => format!("left out of the plan {plan} by {by}"),
            Why::Moved => {
                format!("left out of the plan {plan}: what it stood on changed before the approval")
            }
            Why::Unjudged => "found in the app; what would be done is judged next".to_owned(),
            Why::Asked => format!("waits for the approval of the plan {plan}"),
            Why::Removed => format!("removed from the app by {by}; a push makes it again"),
        }
    }
}
