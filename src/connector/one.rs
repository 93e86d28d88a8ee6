//! Reading one employee by its id. No manifest says yet how.

use super::{Error, Manifest, Source};
use crate::hr::Employee;

impl Manifest {
    /// Whether one employee can be read by its id.
    #[must_use]
    pub const fn reads_one(&self) -> bool {
        false
    }

    /// Whether changes alone can be read.
    #[must_use]
    pub const fn reads_changes(&self) -> bool {
        false
    }
}

impl Source<'_> {
    /// One employee; none when the HR system has none of this id.
    ///
    /// # Errors
    /// When the HR system cannot be asked.
    pub async fn one(self, _id: &str) -> Result<Option<Employee>, Error> {
        Ok(None)
    }
}
