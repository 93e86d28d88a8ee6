//! What stands of a record in words, and whether that is news.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::PersonId;
use crate::sync::run::{Outcome, Severity};

/// One thing that stands of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Message {
    /// How much it weighs.
    pub severity: Severity,
    /// One word.
    pub outcome: String,
    /// The field it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what to do; never a value.
    pub message: String,
}

impl Message {
    /// Somebody is skipped.
    pub(super) fn error(outcome: &str, field: Option<&str>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, outcome, field, message)
    }

    /// Somebody comes through with something left out.
    pub(super) fn warning(outcome: &str, field: Option<&str>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, outcome, field, message)
    }

    fn new(severity: Severity, outcome: &str, field: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            severity,
            outcome: outcome.to_owned(),
            field: field.map(str::to_owned),
            message: message.into(),
        }
    }

    /// The messages in a record's stored detail.
    pub(super) fn stored(detail: Option<&Value>) -> Vec<Self> {
        detail
            .and_then(|detail| detail.get("messages"))
            .and_then(|messages| serde_json::from_value(messages.clone()).ok())
            .unwrap_or_default()
    }
}

/// What a run has to say of a record: its messages where they differ from what stood, and that it is fine where
/// something stood and nothing stands now.
pub(super) fn news(
    source_id: &str,
    employee_number: Option<&str>,
    person: Option<PersonId>,
    before: &[Message],
    now: &[Message],
) -> Vec<Outcome> {
    if before == now {
        return Vec::new();
    }
    let outcome = |severity, word: &str, field: Option<String>, message: String| Outcome {
        severity,
        source_id: Some(source_id.to_owned()),
        employee_number: employee_number.map(str::to_owned),
        person,
        outcome: word.to_owned(),
        field,
        message,
    };
    if now.is_empty() {
        return vec![outcome(
            Severity::Info,
            "fine",
            None,
            "what stood of this record before is settled".to_owned(),
        )];
    }
    now.iter()
        .map(|one| outcome(one.severity, &one.outcome, one.field.clone(), one.message.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_said() {
        let skipped = vec![Message::error("skipped", Some("work_email"), "is missing")];
        assert!(news("1", None, None, &skipped, &skipped).is_empty());
        assert!(news("1", None, None, &[], &[]).is_empty());
        let first = news("1", Some("007"), None, &[], &skipped);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].severity, Severity::Error);
        assert_eq!(first[0].employee_number.as_deref(), Some("007"));
        let settled = news("1", None, None, &skipped, &[]);
        assert_eq!(settled[0].outcome, "fine");
    }
}
