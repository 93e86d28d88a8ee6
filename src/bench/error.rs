//! Why nothing was measured.

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("the settings cannot be used")]
    Config(#[from] crate::config::Error),
    /// The database does not run.
    #[error("the database cannot be used")]
    App(#[from] crate::app::Error),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] crate::db::Error),
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[from] crate::db::QueryError),
    /// Users could not be loaded.
    #[error("the users could not be loaded")]
    Directory(#[from] crate::directory::Error),
    /// A tenant or token could not be made.
    #[error("the tenant could not be made")]
    Access(#[from] crate::access::Error),
    /// A process, file or socket failed.
    #[error("a process, file or socket failed")]
    Io(#[from] std::io::Error),
    /// A part of the measurement ended early.
    #[error("a part of the measurement ended early")]
    Ended(#[from] tokio::task::JoinError),
    /// Something did not go as it must.
    #[error("{0}")]
    Wrong(String),
}
