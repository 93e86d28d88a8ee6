//! Why a request got no answer.

use super::address::Unresolved;

/// Why a request got no answer. An answer with an error status is not one of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be built.
    #[error("the HTTP client cannot be built")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address is no http or https address with a host.
    #[error("the address is not an http or https address")]
    BadAddress,
    /// A header has characters that no header may have.
    #[error("the header {name} has characters that a header cannot carry")]
    BadHeader {
        /// Name of the header, as given.
        name: String,
    },
    /// The target is in a private network.
    #[error(
        "{host} is in a private network: the operator can allow such targets with SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS"
    )]
    Private {
        /// Host of the address.
        host: String,
    },
    /// No connection came about, so nothing was sent.
    #[error("no connection to {host}")]
    Connect {
        /// Host of the address.
        host: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The time for it ran out.
    #[error("{host} did not answer in time")]
    TimedOut {
        /// Host of the address.
        host: String,
    },
    /// The answer points to another place.
    #[error("{host} redirects to another host, which is not followed")]
    Redirected {
        /// Host of the address.
        host: String,
    },
    /// The answer is larger than the cap.
    #[error("the answer of {host} is larger than {cap} bytes")]
    TooLarge {
        /// Host of the address.
        host: String,
        /// The cap in bytes.
        cap: usize,
    },
    /// The connection broke after the request was sent.
    #[error("the connection to {host} broke")]
    Broken {
        /// Host of the address.
        host: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A piece of the answer could not be handed on.
    #[error("a piece of the answer could not be handed on")]
    NotTaken {
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::TimedOut { .. } | Self::Broken { .. }
        )
    }

    /// Whether the host's name could not be resolved.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&**source);
        while let Some(inner) = cause {
            if inner.is::<Unresolved>() {
                return true;
            }
            cause = inner.source();
        }
        false
    }

    /// The host, where one was asked.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Private { host }
            | Self::Connect { host, .. }
            | Self::TimedOut { host }
            | Self::Redirected { host }
            | Self::TooLarge { host, .. }
            | Self::Broken { host, .. } => Some(host),
            Self::Build(_) | Self::BadAddress | Self::BadHeader { .. } | Self::NotTaken { .. } => None,
        }
    }

    /// Whether the other side may have received the request and acted on it.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. }
                | Self::Broken { .. }
                | Self::TooLarge { .. }
                | Self::Redirected { .. }
                | Self::NotTaken { .. }
        )
    }
}
