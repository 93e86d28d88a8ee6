//! The registry of each tenant, mostly without asking the database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::store;
use crate::base::TenantId;
use crate::db::Conn;
use crate::directory::{Directory, Error};
use crate::scim::{Registry, ResourceType};

/// The channel on which processes tell each other that definitions changed.
pub const SCHEMA_CHANNEL: &str = "bridge_schema";
/// How long a registry is believed without being looked up again, should a notification get lost.
const BELIEVED: Duration = Duration::from_secs(15);
/// The most tenants that are remembered at a time. Most of them share the registry of the program.
const REMEMBERED: usize = 10_000;

/// What this process remembers of the tenants' registries.
#[derive(Debug, Default)]
pub(in crate::directory) struct Registries {
    known: RwLock<HashMap<TenantId, Known>>,
    /// Counts the changes heard of; what was looked up before the last one is not believed.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Known {
    registry: Arc<Registry>,
    looked_up: Instant,
    changes: u64,
}

impl Registries {
    fn get(&self, tenant: TenantId) -> Option<Arc<Registry>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&tenant)
            .filter(|one| {
                one.looked_up.elapsed() < BELIEVED && one.changes == self.changes.load(Ordering::SeqCst)
            })
            .map(|one| Arc::clone(&one.registry))
    }

    fn keep(&self, tenant: TenantId, registry: &Arc<Registry>, changes: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let entry = Known {
            registry: Arc::clone(registry),
            looked_up: Instant::now(),
            changes,
        };
        known.insert(tenant, entry);
    }
}

impl Directory {
    /// The tenant's registry, if it was looked up in the last seconds. Costs no allocation.
    #[must_use]
    pub fn known_registry(&self, tenant: TenantId) -> Option<Arc<Registry>> {
        self.registries.get(tenant)
    }

    /// The tenant's registry: what comes with the program, and its own definitions. One statement, if it was not
    /// looked up in the last seconds.
    ///
    /// # Errors
    /// When the database failed, or what it holds is not usable.
    pub async fn registry(&self, conn: &mut Conn, tenant: TenantId) -> Result<Arc<Registry>, Error> {
        if let Some(known) = self.registries.get(tenant) {
            return Ok(known);
        }
        let changes = self.registries.changes.load(Ordering::SeqCst);
        let own = store::definitions(conn, tenant).await?;
        let registry = if own.schemas.is_empty() && own.kinds.is_empty() {
            Registry::builtin()
        } else {
            Arc::new(Registry::builtin().with(&own.schemas, &own.kinds)?)
        };
        self.registries.keep(tenant, &registry, changes);
        Ok(registry)
    }

    /// The resource type of this name, as the tenant has it.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], and as [`Directory::registry`].
    pub async fn kind(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        name: &str,
    ) -> Result<Arc<ResourceType>, Error> {
        let registry = self.registry(conn, tenant).await?;
        registry
            .kind(name)
            .cloned()
            .ok_or_else(|| Error::UnknownKind(name.to_owned()))
    }

    /// Believes no registry any more without looking it up: definitions changed, here or in another process.
    pub fn forget_registries(&self) {
        self.registries.changes.fetch_add(1, Ordering::SeqCst);
    }
}
