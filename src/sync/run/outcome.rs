//! What a run has to say of single people.

use serde::{Deserialize, Serialize};

use super::advice::advice;
use crate::base::PersonId;

/// How much an outcome weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know: somebody who was skipped before is fine now, somebody is missing for the first time.
    Info,
    /// Somebody came through, with something left out.
    Warning,
    /// Somebody was skipped.
    Error,
}

impl Severity {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "error" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Info,
        }
    }
}

/// One thing a run has to say of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How much it weighs.
    pub severity: Severity,
    /// The record.
    pub source_id: Option<String>,
    /// Its personnel number.
    pub employee_number: Option<String>,
    /// The person, when the record has one.
    pub person: Option<PersonId>,
    /// One word: `skipped`, `held`, `review`, `conflict`, `missing`, `manager`, `problem`, `fine` …
    pub outcome: String,
    /// The field it is about.
    pub field: Option<String>,
    /// What is wrong and what to do; never a value.
    pub message: String,
}

impl Outcome {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        advice(&self.outcome, self.field.as_deref())
    }
}
