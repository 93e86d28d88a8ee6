//! What tasks work with.

use std::sync::Arc;

use crate::access::Doorkeeper;
use crate::base::Clock;
use crate::connector::Catalogue;
use crate::db::Db;
use crate::delivery;
use crate::directory::Directory;
use crate::net::Net;
use crate::notice;
use crate::sync::Engine;

/// What tasks work with; cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The clock that was handed in.
    pub clock: Clock,
    /// The HR systems we can read.
    pub catalogue: Arc<Catalogue>,
    /// The HTTP client.
    pub net: Net,
    /// Connections and their runs.
    pub sync: Engine,
    /// Brings apps up to date.
    pub delivery: delivery::Engine,
    /// Tells people and programs what happened.
    pub notice: notice::Engine,
    /// Notes when tokens were used.
    pub doorkeeper: Doorkeeper,
    /// The SCIM store, which remembers the tenants' schemas.
    pub directory: Directory,
}
