//! The modes of an app.

use serde::{Deserialize, Serialize};

/// What an app does for us at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads and matches; calls nothing that changes the app.
    Observe,
    /// Matches count as linked; still nothing is changed in the app.
    Link,
    /// Pushes.
    Live,
    /// Makes no call at all.
    Paused,
}

impl Mode {
    /// The word in files, tables and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Link => "link",
            Self::Live => "live",
            Self::Paused => "paused",
        }
    }

    /// The mode of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Observe, Self::Link, Self::Live, Self::Paused]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}
