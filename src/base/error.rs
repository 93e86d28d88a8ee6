//! Shows an error with all its causes on one line.

use std::error::Error;
use std::fmt;

/// Displays an error followed by its causes: `reading page 3: connection reset`.
/// Each error's own `Display` says its own part only.
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
