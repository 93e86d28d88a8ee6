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
    /// Waits for a human, or for a rule of `[[approve]]`.
    Hold,
    /// Never written.
    Ignore,
}

impl Policy {
    /// The word in files and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Fill => "fill",
            Self::Hold => "hold",
            Self::Ignore => "ignore",
        }
    }
}

/// One line of `[mapping]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// An expression over `user`; without it the user's own attribute of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happens when the app holds another value. Without it `overwrite`; said outright, `overwrite` also takes a
    /// value that the connection holds back (policy `hold` there) to this app at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether an empty value of ours empties the app's. Without it: of a line with `from` no, of one without as the user
    /// is, for which the connection's own line decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_when_empty: Option<bool>,
    /// A boolean attribute that is sent as false together with a value that takes another one's place, such as "this
    /// telephone number is verified". Only the app makes it true again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverify: Option<String>,
}
