//! What is wrong with a mapping, and why a person has no user.

use serde::Serialize;

/// A line of the mapping, a group rule or a required field that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {message}")]
pub struct MappingError {
    /// Where in the settings: `mapping.title.from`, `group[0].key`, `read.required`.
    pub at: String,
    /// Line in the expression, from 1; 0 when it is not about an expression.
    pub line: usize,
    /// Column in the expression, from 1; 0 when it is not about an expression.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl MappingError {
    pub(super) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            line: 0,
            column: 0,
            message: message.into(),
        }
    }

    pub(super) fn expression(at: impl Into<String>, error: crate::expression::Error) -> Self {
        Self {
            at: at.into(),
            line: error.line,
            column: error.column,
            message: error.message,
        }
    }
}

/// A person who has no user, or whose user stays as it is, since something required is empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missing: {}", fields.join(", "))]
pub struct Missing {
    /// Exactly the fields that are empty, by their canonical names, in the order of the settings.
    pub fields: Vec<String>,
}
