//! `[match]`: how existing accounts are found.

use serde::{Deserialize, Serialize};

use super::super::error::Problem;

/// What is done when more than one account fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// The account is held until a human decides.
    #[default]
    Review,
}

/// `[match]`: how existing accounts are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// The attributes compared, the strongest first.
    pub by: Vec<MatchBy>,
    /// What is done when more than one account fits.
    pub ambiguous: Ambiguous,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            by: vec![MatchBy::ExternalId, MatchBy::UserName, MatchBy::WorkEmail],
            ambiguous: Ambiguous::Review,
        }
    }
}

/// An attribute by which accounts are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchBy {
    /// The app's `externalId` is our user id; compared exactly.
    #[serde(rename = "externalId")]
    ExternalId,
    /// `userName`, without regard to case (RFC 7643 §4.1.1).
    #[serde(rename = "userName")]
    UserName,
    /// The work e-mail, without regard to case.
    #[serde(rename = "emails.work", alias = "emails")]
    WorkEmail,
}

impl Matching {
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        if self.by.is_empty() {
            found.push(Problem::at("match.by", "names no attribute"));
        }
    }
}
