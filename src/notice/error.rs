//! Why somebody cannot be told.

/// A failure of what is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or is gone.
    #[error("events cannot be stored or read")]
    Store(#[from] crate::db::QueryError),
}
