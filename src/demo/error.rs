//! Why the demo did not come to its end.

use crate::{access, app, cli, db};

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bridge does not start.
    #[error("the bridge does not start")]
    App(#[from] app::Error),
    /// The sandbox HR system does not start.
    #[error("the sandbox HR system does not start")]
    Sandbox(#[source] std::io::Error),
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] db::Error),
    /// A tenant or a token is refused.
    #[error("a tenant or a token cannot be made")]
    Access(#[from] access::Error),
    /// The management API refuses.
    #[error("the management API refuses")]
    Api(#[from] Box<cli::Error>),
    /// An address is none.
    #[error("an address cannot be made")]
    Address(#[source] url::ParseError),
    /// Too few people for a day of life.
    #[error("the company is too small for a day of life: take at least 10 employees")]
    TooSmall,
    /// A run did not end well.
    #[error("a run did not end well: {0}")]
    Run(String),
    /// Something did not end.
    #[error("{0} was not done in time")]
    TooLong(String),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[source] std::io::Error),
}

impl From<cli::Error> for Error {
    fn from(error: cli::Error) -> Self {
        Self::Api(Box::new(error))
    }
}
