//! What handlers work with.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::scim::Standings;
use super::{Metrics, Pages};
use crate::access::Doorkeeper;
use crate::base::{Clock, Sealer};
use crate::connector::Catalogue;
use crate::db::Db;
use crate::directory::Directory;
use crate::net::Net;
use crate::sync::Engine;

/// What handlers work with; one per process, cheap to clone, got as `web::Data<State>`.
#[derive(Debug, Clone)]
pub struct State {
    /// The database.
    pub db: Db,
    /// The clock that was handed in.
    pub clock: Clock,
    /// Seals secrets.
    pub sealer: Sealer,
    /// The SCIM store.
    pub directory: Directory,
    /// The HR systems we can read.
    pub catalogue: Arc<Catalogue>,
    /// The HTTP client, for what a request asks at once of an HR system or an app.
    pub net: Net,
    /// Connections and their runs.
    pub sync: Engine,
    /// Knows whose a token is.
    pub doorkeeper: Doorkeeper,
    /// What writing requests must heed, by tenant.
    pub standings: Arc<Standings>,
    /// How the outside reaches us, without a slash at the end.
    pub public_url: Arc<Url>,
    /// Whether that was configured; if not, the address that a request came in by is as good.
    pub public_url_is_set: bool,
    /// How long a SCIM request may take until its answer begins.
    pub request_limit: Duration,
    /// What pages for people without an account are made with.
    pub pages: Arc<Pages>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl State {
    /// The public address of a path that starts with a slash.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}
