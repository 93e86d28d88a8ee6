//! What can go wrong when something is looked up.

/// Why it could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("what is stored could not be read")]
    Store(#[from] crate::db::QueryError),
    /// A search failed.
    #[error("the directory could not be searched")]
    Directory(#[from] crate::directory::Error),
    /// What apps would be sent could not be foretold.
    #[error("what apps would be sent cannot be foretold")]
    Delivery(#[from] crate::delivery::Error),
    /// The plan could not be read.
    #[error("the plan cannot be read")]
    Plan(#[from] crate::guard::Error),
    /// A value that no search can be made of.
    #[error("this cannot be searched for: {0}")]
    Value(String),
    /// The log no longer reaches back so far.
    #[error("what was then is no longer kept")]
    Forgotten,
    /// Another module refused.
    #[error("what is stored could not be read")]
    Sync(#[from] crate::sync::Error),
    /// The pool gave no connection.
    #[error("no connection to the store")]
    Db(#[from] crate::db::Error),
    /// The settings of an app could not be read.
    #[error("the settings of an app could not be read")]
    Provision(#[from] crate::provision::Error),
}
