//! What can go wrong while apps are brought up to date. A refusal by an app is no error: it is an account's state.

/// Why the work for an app stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool gave no connection.
    #[error("no connection to the store")]
    Db(#[from] crate::db::Error),
    /// The database refused.
    #[error("the store of accounts failed")]
    Store(#[from] crate::db::QueryError),
    /// Users and groups could not be read.
    #[error("the directory could not be read")]
    Directory(#[from] crate::directory::Error),
    /// The app's settings could not be read.
    #[error("the app's settings could not be used")]
    Provision(#[from] crate::provision::Error),
    /// The plan of a publication could not be kept.
    #[error("the plan could not be kept")]
    Guard(#[from] crate::guard::Error),
    /// What happened could not be kept to be told.
    #[error("an event could not be kept")]
    Notice(#[from] crate::notice::Error),
    /// An app's base URL cannot be extended by a path.
    #[error("the app's address cannot be used")]
    Address,
    /// An order by hand cannot be carried out so.
    #[error("this cannot be done: {0}")]
    Order(&'static str),
    /// There is no such account or operation.
    #[error("there is no {0}")]
    Unknown(&'static str),
    /// It cannot be done as things stand.
    #[error("{0}")]
    Refused(&'static str),
    /// Somebody else took over the app meanwhile; what they find in the tables is all there is to know.
    #[error("the lease of the app has passed to somebody else")]
    LeaseLost,
}
