//! Why an expression cannot be used.

/// An expression that cannot be compiled, or cannot be run for a record. Says where in the text, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// Line in the expression's text, from 1.
    pub line: usize,
    /// Column in that line in characters, from 1.
    pub column: usize,
    /// What is wrong, and the nearest known names where that helps.
    pub message: String,
}

impl Error {
    /// An error at byte `at` of `text`.
    pub(super) fn at(text: &str, at: usize, message: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
        }
    }

    /// What minijinja says of a text that is not an expression.
    pub(super) fn syntax(text: &str, error: &minijinja::Error) -> Self {
        let message = error.detail().unwrap_or("not an expression").to_owned();
        let at = error.range().map_or(text.len(), |range| range.start);
        Self::at(text, at, message)
    }

    /// What minijinja says of a run. Its detail may quote a value, so only the kind is kept.
    pub(super) fn run(text: &str, error: &minijinja::Error) -> Self {
        use minijinja::ErrorKind;
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "the expression takes too many steps".to_owned(),
            ErrorKind::InvalidOperation => "the values do not fit the operation".to_owned(),
            kind => kind.to_string(),
        };
        let at = error.range().map_or(0, |range| range.start);
        Self::at(text, at, message)
    }
}
