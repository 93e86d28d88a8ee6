//! Why people cannot be read or written.

/// A failure of the store of people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or is gone.
    #[error("the store of people cannot be used")]
    Store(#[from] crate::db::QueryError),
    /// A sealed part cannot be opened or sealed.
    #[error("the sensitive part of a record cannot be opened")]
    Seal(#[from] crate::base::Unsealable),
    /// A stored record is not readable.
    #[error("a stored record is not readable")]
    Unreadable(#[source] serde_json::Error),
    /// A review that is not open (or, to be taken back, not decided), or not of this tenant.
    #[error("there is no such review in this state")]
    NoReview,
    /// A decision that names a person who is no candidate of the review.
    #[error("the person is none of the review's candidates")]
    NoCandidate,
}
