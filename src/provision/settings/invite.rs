//! `[invite]`: who is invited.

use serde::{Deserialize, Serialize};

/// `[invite]`: who is invited. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Whether new people are invited.
    #[serde(default)]
    pub new_people: bool,
    /// By us, or by the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Invite {
    /// What of it this version does not do.
    pub(super) fn warnings(&self, said: &mut Vec<String>) {
        said.push("[invite] is kept, but this version sends no invitations".to_owned());
    }
}
