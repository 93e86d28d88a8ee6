//! What tasks work with.

use crate::access::Doorkeeper;
use crate::base::Clock;
use crate::db::Db;

/// What tasks work with; cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The clock that was handed in.
    pub clock: Clock,
    /// Notes when tokens were used.
    pub doorkeeper: Doorkeeper,
}
