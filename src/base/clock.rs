//! The clock is handed in: the machine's, or in tests a file that holds the current instant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Why a clock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadClock {
    /// The file cannot be read.
    #[error("the clock file {path} cannot be read")]
    Unreadable {
        /// The file named by `SCIM_BRIDGE_CLOCK`.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no RFC 3339 instant.
    #[error("the clock file {path} does not hold an RFC 3339 instant such as 2026-12-01T08:00:00Z")]
    NoInstant {
        /// The file named by `SCIM_BRIDGE_CLOCK`.
        path: PathBuf,
    },
}

/// Tells the current instant. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    File(Arc<Path>),
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that reads `path` each time it is asked (tests only).
    ///
    /// # Errors
    /// When the file cannot be read now or holds no instant.
    pub fn file(path: &Path) -> Result<Self, BadClock> {
        read(path)?;
        Ok(Self(Source::File(Arc::from(path))))
    }

    /// Now, in UTC. A clock file that became unreadable is reported, and the machine's clock answers.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => system_now(),
            Source::File(path) => read(path).unwrap_or_else(|error| {
                tracing::error!(error = %error, "the clock file is gone; the machine's clock is used");
                system_now()
            }),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

fn read(path: &Path) -> Result<DateTime<Utc>, BadClock> {
    let text = std::fs::read_to_string(path).map_err(|source| BadClock::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    DateTime::parse_from_rfc3339(text.trim())
        .map(|instant| instant.with_timezone(&Utc))
        .map_err(|_| BadClock::NoInstant {
            path: path.to_owned(),
        })
}
