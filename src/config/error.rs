//! Why the settings cannot be used.

use std::path::PathBuf;

/// Why the settings cannot be used. Each text names the variable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable that cannot be read.
    #[error("{variable} cannot be used: {reason}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A database of one's own needs a master key of one's own.
    #[error(
        "SCIM_BRIDGE_MASTER_KEY is not set: with DATABASE_URL the key that seals secrets must come from the \
         environment; make one with `openssl rand -base64 32`"
    )]
    NoMasterKey,
    /// The master key is no key.
    #[error("SCIM_BRIDGE_MASTER_KEY cannot be used")]
    BadMasterKey(#[from] crate::base::BadKey),
    /// The clock file is no clock.
    #[error("SCIM_BRIDGE_CLOCK cannot be used")]
    BadClock(#[from] crate::base::BadClock),
    /// A test clock on a server that others can reach.
    #[error("SCIM_BRIDGE_CLOCK is for tests: it is refused unless SCIM_BRIDGE_LISTEN is a loopback address")]
    ClockInPublic,
    /// The key file cannot be used.
    #[error("the key file {path} cannot be used")]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The key file can be read by others.
    #[error("the key file {path} can be read by others: make it `chmod 600`")]
    OpenKeyFile {
        /// Where it is.
        path: PathBuf,
    },
}
