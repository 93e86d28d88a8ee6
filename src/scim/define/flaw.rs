//! What is wrong with a definition.

use serde::Serialize;

/// What is wrong with a definition, and where: `Resources[0].attributes[2].type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The place in the document, or the definition that is meant.
    pub at: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Flaw {
    pub(super) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}
