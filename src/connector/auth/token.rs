//! A vendor's token, and the place where it is kept for all processes.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;

use crate::base::Secret;

/// A token is renewed so long before its end, or for a short life a quarter of it.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// A token with less than this left is not used any more.
const LEAST: TimeDelta = TimeDelta::seconds(30);

/// A vendor's token.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// The token.
    pub token: Secret,
    /// When it was given.
    pub made_at: DateTime<Utc>,
    /// When it ends, when that is known.
    pub expires_at: Option<DateTime<Utc>>,
    /// What the next one is asked for with.
    pub refresh: Option<Secret>,
    /// Digest of the credentials it was given for: other credentials need another token.
    pub scope: Vec<u8>,
}

impl CachedToken {
    /// Whether it need not be renewed yet.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| {
            let quarter = (end - self.made_at) / 4;
            end > now + quarter.clamp(LEAST, AHEAD)
        })
    }

    /// Whether it may still be used.
    #[must_use]
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| end > now + LEAST)
    }
}

/// Whose turn it is to fetch a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Ours, until [`TokenCache::put`] or [`TokenCache::end_turn`].
    Ours {
        /// Whether somebody began before and never finished: a token may have been given and lost.
        interrupted: bool,
    },
    /// Another process is at it.
    Theirs,
}

/// The place for tokens does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the vendor's token cannot be read or kept")]
pub struct TokenTrouble(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Keeps a connection's vendor token between runs and processes, and lets one of them fetch a token at a time: a new token
/// may end the one before, and a refresh token may be good for one use alone.
pub trait TokenCache: Send + Sync {
    /// The token, if there is one.
    fn get(&self) -> BoxFuture<'_, Result<Option<CachedToken>, TokenTrouble>>;
    /// Asks for the turn to fetch a token, or for more time in our own.
    fn turn(&self) -> BoxFuture<'_, Result<Turn, TokenTrouble>>;
    /// Keeps a token, and ends our turn.
    fn put(&self, token: CachedToken) -> BoxFuture<'_, Result<(), TokenTrouble>>;
    /// Ends our turn without a token.
    fn end_turn(&self) -> BoxFuture<'_, Result<(), TokenTrouble>>;
    /// Ends our turn, drops the token and notes that consent is needed again.
    fn consent_lost(&self, interrupted: bool) -> BoxFuture<'_, Result<(), TokenTrouble>>;
}

/// Keeps a token in memory, for one process: for tests.
#[derive(Debug, Default)]
pub struct MemoryTokens(std::sync::Mutex<Option<CachedToken>>);

impl MemoryTokens {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<CachedToken>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl TokenCache for MemoryTokens {
    fn get(&self) -> BoxFuture<'_, Result<Option<CachedToken>, TokenTrouble>> {
        let kept = self.lock().clone();
        Box::pin(async move { Ok(kept) })
    }

    fn turn(&self) -> BoxFuture<'_, Result<Turn, TokenTrouble>> {
        Box::pin(async { Ok(Turn::Ours { interrupted: false }) })
    }

    fn put(&self, token: CachedToken) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        *self.lock() = Some(token);
        Box::pin(async { Ok(()) })
    }

    fn end_turn(&self) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        Box::pin(async { Ok(()) })
    }

    fn consent_lost(&self, _interrupted: bool) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        *self.lock() = None;
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_its_end_and_used_nearly_to_it() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let token = |end: Option<&str>| CachedToken {
            token: Secret::new("t".into()),
            made_at: at("2026-11-30T08:00:00Z"),
            expires_at: end.map(at),
            refresh: None,
            scope: Vec::new(),
        };
        let hour = token(Some("2026-11-30T09:00:00Z"));
        for (now, fresh, usable) in [
            ("2026-11-30T08:54:59Z", true, true),
            ("2026-11-30T08:55:00Z", false, true),
            ("2026-11-30T08:59:29Z", false, true),
            ("2026-11-30T08:59:30Z", false, false),
        ] {
            assert_eq!(
                (hour.is_fresh(at(now)), hour.is_usable(at(now))),
                (fresh, usable),
                "{now}"
            );
        }
        let minutes = token(Some("2026-11-30T08:08:00Z"));
        assert!(
            minutes.is_fresh(at("2026-11-30T08:05:59Z")) && !minutes.is_fresh(at("2026-11-30T08:06:00Z"))
        );
        assert!(token(None).is_fresh(at("2036-11-30T08:00:00Z")));
    }
}
