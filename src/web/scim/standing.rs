//! What a tenant's admins have decided that every writing request must heed: who is frozen, and whose word counts for
//! users who come from HR. Remembered like tokens, for at most 5 seconds, and forgotten with them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::super::State;
use super::refusal::Refusal;
use crate::access::Caller;
use crate::base::TenantId;
use crate::directory::Authorities;
use crate::guard::{self, Frozen};

/// How long it is believed without being looked up again, should a notification get lost.
const BELIEVED: Duration = Duration::from_secs(5);
/// The most tenants that are remembered at a time.
const REMEMBERED: usize = 10_000;

/// How a tenant stands.
#[derive(Debug)]
pub struct Standing {
    /// Whose word counts.
    pub authorities: Arc<Authorities>,
    frozen: Vec<Frozen>,
}

impl Standing {
    /// Why the caller may not write: it, or the whole tenant, is frozen.
    fn why_frozen(&self, caller: &Caller) -> Option<&Frozen> {
        let owners = [caller.client.uuid(), caller.tenant.uuid()];
        self.frozen.iter().find(|one| owners.contains(&one.owner))
    }
}

/// How each tenant stands, as last looked up.
#[derive(Debug, Default)]
pub struct Standings(RwLock<HashMap<TenantId, Known>>);

#[derive(Debug)]
struct Known {
    looked_up: Instant,
    generation: u64,
    standing: Arc<Standing>,
}

impl Standings {
    fn remembered(&self, tenant: TenantId, generation: u64) -> Option<Arc<Standing>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&tenant)
            .filter(|known| known.generation == generation && known.looked_up.elapsed() < BELIEVED)
            .map(|known| Arc::clone(&known.standing))
    }

    fn remember(&self, tenant: TenantId, generation: u64, standing: &Arc<Standing>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let one = Known {
            looked_up: Instant::now(),
            generation,
            standing: Arc::clone(standing),
        };
        known.insert(tenant, one);
    }
}

/// How the caller's tenant stands, unless the caller is frozen.
///
/// The answer to a frozen client is 403: unlike 429 and 503 it does not promise that waiting helps. Okta shows it at the
/// task that failed; Entra tries the object again in later cycles.
pub async fn may_write(state: &State, caller: &Caller) -> Result<Arc<Standing>, Refusal> {
    let generation = state.doorkeeper.generation();
    let standing = match state.standings.remembered(caller.tenant, generation) {
        Some(standing) => standing,
        None => {
            let mut conn = state.db.conn().await?;
            let frozen = guard::all_frozen(&mut conn, caller.tenant).await?;
            let authorities = Arc::new(state.sync.authorities(&mut conn, caller.tenant).await?);
            drop(conn);
            let standing = Arc::new(Standing { authorities, frozen });
            state.standings.remember(caller.tenant, generation, &standing);
            standing
        }
    };
    match standing.why_frozen(caller) {
        None => Ok(standing),
        Some(frozen) => Err(Refusal::frozen(frozen, caller)),
    }
}
