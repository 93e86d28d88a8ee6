//! Why the program does not run.

use std::net::SocketAddr;

/// Why the program does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("the settings cannot be used")]
    Config(#[from] crate::config::Error),
    /// The database does not run or cannot be reached.
    #[error("the database cannot be used")]
    Database(#[from] crate::db::Error),
    /// A manifest cannot be used.
    #[error("the connectors cannot be used")]
    Connectors(#[from] crate::connector::Error),
    /// The HTTP client cannot be made.
    #[error("outgoing requests cannot be made")]
    Net(#[from] crate::net::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// `SCIM_BRIDGE_LISTEN`.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The public address cannot be made.
    #[error("the public address cannot be made from {address}")]
    PublicUrl {
        /// What was bound.
        address: SocketAddr,
    },
    /// The HTTP server cannot start.
    #[error("the HTTP server cannot start")]
    Http(#[source] std::io::Error),
    /// Signals of the operating system cannot be waited for.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}
