//! Waiting, so that tests do not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Waits, or in tests notes how long it would have waited.
#[derive(Debug, Clone, Default)]
pub struct Sleeper(Option<Arc<Mutex<Vec<Duration>>>>);

impl Sleeper {
    /// Really waits.
    #[must_use]
    pub const fn real() -> Self {
        Self(None)
    }

    /// Returns at once and remembers the wait (tests only).
    #[must_use]
    pub fn noting() -> Self {
        Self(Some(Arc::default()))
    }

    /// Waits for `time`.
    pub async fn sleep(&self, time: Duration) {
        match &self.0 {
            None => tokio::time::sleep(time).await,
            Some(noted) => {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(time);
                tokio::task::yield_now().await;
            }
        }
    }

    /// The waits that were noted, in order.
    #[must_use]
    pub fn noted(&self) -> Vec<Duration> {
        self.0
            .as_ref()
            .map(|noted| noted.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }
}
