//! A clock that stands still until it is set.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use scim_bridge::base::Clock;

/// A clock file. Stands still until it is set. Begins at 2026-12-01 08:00 UTC, a Tuesday.
#[derive(Debug)]
pub struct TestClock {
    pub path: PathBuf,
}

impl TestClock {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("scim-bridge-clock-{}", uuid::Uuid::now_v7()));
        let clock = Self { path };
        clock.set("2026-12-01T08:00:00Z");
        clock
    }

    /// Sets the clock to an RFC 3339 instant.
    pub fn set(&self, instant: &str) {
        // Renamed into place: whoever reads at this moment sees the old instant or the new one.
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, instant).unwrap();
        std::fs::rename(&fresh, &self.path).unwrap();
    }

    pub fn now(&self) -> DateTime<Utc> {
        Clock::file(&self.path).unwrap().now()
    }

    pub fn advance(&self, by: TimeDelta) {
        self.set(&(self.now() + by).to_rfc3339());
    }
}

impl Drop for TestClock {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
