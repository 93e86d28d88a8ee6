//! Freezing: an app, a connection, a writing client or a whole tenant has no effect before a human lifts it.
//!
//! *Owns:* `frozen`, `cap_use`. The sequencer counts in `cap_use` what clients did, after their commits, so that no row
//! is touched by every write; a client over its cap is frozen then. It may overshoot by what was under way.

mod caps;
mod store;

pub use caps::{CapAction, CapUse, over};
pub use store::{all_frozen, cap_uses, forget_uses, freeze, frozen, thaw};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Something that may have no effect now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The app, connection or client, or the tenant by its own id.
    pub owner: Uuid,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in words.
    pub reason: String,
    /// Who did it.
    pub by: String,
}
