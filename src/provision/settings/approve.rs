//! `[[approve]]`: values that need no human although a line says `hold`.

use serde::{Deserialize, Serialize};

/// What a rule knows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApproveRule {
    /// The same local part at another domain (RFC 5322 §3.4.1): a company changed its name.
    SameLocalPartNewDomain,
    /// The same text, but for upper and lower case and spaces around it.
    OnlyCase,
}

impl ApproveRule {
    /// The word in files and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SameLocalPartNewDomain => "same_local_part_new_domain",
            Self::OnlyCase => "only_case",
        }
    }
}

/// One rule: either of the known ones, or an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// What the rule is called in the decisions that it makes; without it the rule's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The held attribute, such as `emails`; every one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One of the known rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<ApproveRule>,
    /// `same_local_part_new_domain`: the domain before; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `same_local_part_new_domain`: the domain after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// An expression over `old` and `new`, the two values as texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}
