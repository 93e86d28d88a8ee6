//! What can go wrong when an app's settings are read, stored or used.

use crate::base::Unsealable;

/// One thing that is wrong in an app's settings, said so that a person can mend it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// Where: the key, such as `scope.include`.
    pub at: String,
    /// Line in the file or in the expression, from 1; 0 when unknown.
    pub line: usize,
    /// Column in that line, from 1; 0 when unknown.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// A problem of a key as a whole.
    #[must_use]
    pub fn at(key: &str, message: impl Into<String>) -> Self {
        Self {
            at: key.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

/// Why something about an app failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are not usable.
    #[error("the app's settings are not usable: {}", list(.0))]
    Settings(Vec<Problem>),
    /// No such app in this tenant.
    #[error("there is no app {0}")]
    UnknownApp(String),
    /// There is nothing to publish or to go back to.
    #[error("{0}")]
    NothingThere(&'static str),
    /// A sealed token cannot be opened.
    #[error("the app's token cannot be opened")]
    Sealed(#[from] Unsealable),
    /// What is stored as settings cannot be read back.
    #[error("the stored settings of an app cannot be read")]
    Stored(#[source] serde_json::Error),
    /// The database refused.
    #[error("the store of apps failed")]
    Store(#[from] crate::db::QueryError),
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
