//! What a human declined in a plan, or undid of a run: no run does it again by itself.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::base::{PersonId, PlanId, keyed_digest, random_token};

/// How many bytes of salt stand before a digest.
const SALT: usize = 22;

/// A part of an effect that somebody does not want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The person's id; `record:` and the source id of somebody who is not there yet.
    pub subject: String,
    /// An attribute path, `group:` and its key, `create`, `disable` or `remove`.
    pub path: String,
    /// The person, when there is one.
    pub person: Option<PersonId>,
    digest: Vec<u8>,
}

impl Kept {
    /// A part with the value that was not wanted; only a salted digest of it is kept.
    #[must_use]
    pub fn new(subject: &str, path: &str, person: Option<PersonId>, value: &Value) -> Self {
        let mut digest = random_token().into_bytes();
        digest.truncate(SALT);
        let sum = keyed_digest(&digest, value.to_string().as_bytes());
        digest.extend(sum);
        Self {
            subject: subject.to_owned(),
            path: path.to_owned(),
            person,
            digest,
        }
    }

    pub(super) fn stored(subject: String, path: String, person: Option<PersonId>, digest: Vec<u8>) -> Self {
        Self {
            subject,
            path,
            person,
            digest,
        }
    }

    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Whether it is this value that was not wanted.
    #[must_use]
    pub fn is(&self, value: &Value) -> bool {
        let (salt, sum) = self.digest.split_at(self.digest.len().min(SALT));
        keyed_digest(salt, value.to_string().as_bytes()) == sum
    }
}

/// Why a part is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptWhy {
    /// Whoever approved the rest of a plan left it out.
    Declined,
    /// A run had done it, and somebody undid the run.
    Undone,
}

impl KeptWhy {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Undone => "undone",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "undone" => Self::Undone,
            _ => Self::Declined,
        }
    }
}

/// A part that is kept back, with who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// The part.
    pub kept: Kept,
    /// Why.
    pub why: KeptWhy,
    /// The plan that was decided.
    pub plan: PlanId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who said so.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kept_value_is_known_again_and_no_other_is() {
        let kept = Kept::new("p", "title", None, &json!("Lead"));
        assert!(kept.is(&json!("Lead")));
        assert!(!kept.is(&json!("lead")) && !kept.is(&Value::Null));
        let again = Kept::new("p", "title", None, &json!("Lead"));
        assert_ne!(kept, again, "two digests of one value tell nothing");
    }
}
