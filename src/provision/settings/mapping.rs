//! `[mapping]`: what is sent, and what happens where the app holds another value.

use serde::{Deserialize, Serialize};

/// What happens to an attribute that the app already holds with another value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Ours is written.
    #[default]
    Overwrite,
    /// Ours is written only where the app has none.
    Fill,
    /// Waits for a human.
    Hold,
    /// Never written.
    Ignore,
}

/// One line of `[mapping]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// An expression over `user`; without it the user's own attribute of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happens when the app holds another value.
    #[serde(default)]
    pub policy: Policy,
}
