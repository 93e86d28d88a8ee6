//! Why somebody cannot be told.

/// A failure of what is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or is gone.
    #[error("events cannot be stored or read")]
    Store(#[from] crate::db::QueryError),
    /// The pool gave no connection.
    #[error("no connection to the store of events")]
    Db(#[from] crate::db::Error),
    /// The words of a template cannot be put together.
    #[error("the template cannot be filled: {0}")]
    Words(crate::expression::Error),
    /// A stored event is of a kind that this version does not know.
    #[error("the event is of a kind that this version does not know")]
    UnknownKind,
    /// The address and secret of a subscription cannot be sealed or opened.
    #[error("the address of a subscription")]
    Unsealable(#[from] crate::base::Unsealable),
}
