//! Signing in: keys in their place, and tokens fetched, kept and rotated.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use crate::base::Secret;
use crate::net::Request;

/// How requests are signed in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Auth {
    /// Not at all.
    #[default]
    None,
    /// A key in a header.
    Header { name: String, value: String },
    /// A key in the query.
    Query { name: String, value: String },
    /// User and password (RFC 7617).
    Basic { user: String, password: String },
    /// A fixed bearer token (RFC 6750).
    Bearer { token: String },
    /// Client credentials (RFC 6749 §4.4).
    #[serde(rename = "oauth2_client_credentials")]
    ClientCredentials {
        token: String,
        id: String,
        secret: String,
        scope: Option<String>,
        #[serde(default)]
        send: SendCredentials,
        #[serde(default)]
        extra: BTreeMap<String, String>,
    },
    /// A login whose answer holds a token, which is then a bearer token.
    Session {
        post: String,
        body: Value,
        /// Where the token is in the answer.
        read: String,
        /// How long it lives when nothing else is said.
        lives_seconds: u32,
        /// Whether answers may bring the next token in their `Authorization` header.
        #[serde(default)]
        rotates: bool,
    },
}

/// How client credentials are sent (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SendCredentials {
    /// In the form.
    #[default]
    Form,
    /// In the `Authorization` header.
    Basic,
}

impl Auth {
    /// Whether a token has to be fetched first.
    pub const fn has_token(&self) -> bool {
        matches!(self, Self::ClientCredentials { .. } | Self::Session { .. })
    }

    /// Whether answers may bring the next token.
    pub const fn rotates(&self) -> bool {
        matches!(self, Self::Session { rotates: true, .. })
    }
}

/// Keys in their place, ready for each request.
#[derive(Debug, Clone)]
pub(super) enum Badge {
    None,
    Header(String, Secret),
    Query(String, Secret),
    Basic(String, Secret),
    Bearer(Secret),
}

impl Badge {
    /// Signs a request in. A key in the query was put into the address before.
    pub fn sign<'n>(&self, request: Request<'n>) -> Request<'n> {
        match self {
            Self::None | Self::Query(..) => request,
            Self::Header(name, value) => request.secret_header(name, value),
            Self::Basic(user, password) => request.basic(user, password),
            Self::Bearer(token) => request.bearer(token),
        }
    }
}

/// A vendor's token with the time it ends.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// The token.
    pub token: Secret,
    /// When it ends, when that is known.
    pub expires_at: Option<DateTime<Utc>>,
}

impl CachedToken {
    /// Whether it lives for another minute.
    pub(super) fn lives(&self, now: DateTime<Utc>) -> bool {
        self.expires_at
            .is_none_or(|end| end > now + TimeDelta::seconds(60))
    }
}

/// Keeps a connection's vendor token between runs and processes. Losing it costs one more login, so failures of the store
/// are the store's to report.
pub trait TokenCache: Send + Sync {
    /// The token, if there is one.
    fn get(&self) -> BoxFuture<'_, Option<CachedToken>>;
    /// Keeps a token.
    fn put(&self, token: CachedToken) -> BoxFuture<'_, ()>;
    /// Drops the token: it was refused.
    fn forget(&self) -> BoxFuture<'_, ()>;
}

/// Keeps a token in memory: for checks of a connection, whose settings may not be stored yet, and for tests.
#[derive(Debug, Default)]
pub struct MemoryTokens(std::sync::Mutex<Option<CachedToken>>);

impl MemoryTokens {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<CachedToken>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl TokenCache for MemoryTokens {
    fn get(&self) -> BoxFuture<'_, Option<CachedToken>> {
        let kept = self.lock().clone();
        Box::pin(async move { kept })
    }

    fn put(&self, token: CachedToken) -> BoxFuture<'_, ()> {
        *self.lock() = Some(token);
        Box::pin(async {})
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        *self.lock() = None;
        Box::pin(async {})
    }
}
