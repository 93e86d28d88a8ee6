//! Why a command failed, and with which exit code.

use std::process::ExitCode;

use crate::{access, app, config, db, net, sync};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 3: a plan awaits approval.
    AwaitingApproval,
    /// 4: the read was partial.
    PartialRead,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::AwaitingApproval => 3,
            Exit::PartialRead => 4,
        })
    }
}

/// Why a command failed. The text is shown to whoever typed it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("the settings cannot be used")]
    Config(#[from] config::Error),
    /// The program does not start.
    #[error("scim-bridge does not start")]
    App(#[from] app::Error),
    /// A connection is not one that this can be done with.
    #[error(transparent)]
    Sync(#[from] sync::Error),
    /// The database cannot be reached.
    #[error("the database cannot be used")]
    Database(#[from] db::Error),
    /// The connectors cannot be read.
    #[error(transparent)]
    Connector(#[from] crate::connector::Error),
    /// Refused.
    #[error(transparent)]
    Access(#[from] access::Error),
    /// Something in the arguments or a file that was named.
    #[error("{0}")]
    Usage(String),
    /// No token to call the API with.
    #[error(
        "SCIM_BRIDGE_TOKEN is not set: make a token with `scim-bridge token create --tenant … --name … --scope admin`"
    )]
    NoToken,
    /// The server cannot be reached.
    #[error("the server at {url} cannot be reached: is `scim-bridge serve` running there? (SCIM_BRIDGE_URL)")]
    Unreachable {
        /// Where it was sought.
        url: String,
        /// What failed.
        #[source]
        source: net::Error,
    },
    /// The server said no.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable name of the problem, such as `not-found`.
        code: String,
        /// What the server said.
        detail: String,
        /// The whole answer.
        body: serde_json::Value,
    },
    /// The server's answer makes no sense.
    #[error("the server at {url} answered something that is not its API: {status}")]
    Strange {
        /// Who answered.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The demo did not come to its end.
    #[error("the demo did not come to its end")]
    Demo(#[source] Box<crate::demo::Error>),
    /// Nothing was measured.
    #[error("nothing was measured")]
    Bench(#[source] Box<crate::bench::Error>),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[from] std::io::Error),
}
