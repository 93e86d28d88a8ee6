//! Tells who a bearer token belongs to, mostly without asking the database.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::jwt::{Grant, Signer};
use super::pace::Pace;
use super::{Error, Profile, Rate, Scope, Scopes, store};
use crate::base::{ClientId, Clock, ConnectionId, Sealer, TenantId, TokenId, digest, same};
use crate::db::Db;

/// The channel on which processes tell each other that a token was revoked or a client changed.
pub const ACCESS_CHANNEL: &str = "bridge_access";
/// How long a token is believed without being looked up again, should a notification get lost.
const BELIEVED: Duration = Duration::from_secs(5);
/// The most tokens that are remembered at a time.
const REMEMBERED: usize = 10_000;
/// The longest bearer token that is looked at.
const LONGEST: usize = 4096;
/// How often the last use of a token is noted, in seconds.
const NOTE_EVERY: i64 = 60;

/// A client of a tenant, let in by a token. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose data it sees.
    pub tenant: TenantId,
    /// Which client it is.
    pub client: ClientId,
    /// By which token it came in.
    pub token: TokenId,
    /// What the token opens.
    pub scopes: Scopes,
    /// What is particular about the client.
    pub profile: Arc<Profile>,
    /// The connection that it writes into; none is the directory.
    pub connection: Option<ConnectionId>,
}

impl Caller {
    /// Whether it may do what needs `scope`.
    #[must_use]
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    /// The name under which its deeds are noted in the audit trail.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("token:{}", self.token)
    }
}

/// Who runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// By which token.
    pub token: TokenId,
}

impl Operator {
    /// The name under which its deeds are noted in the audit trail.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("operator:{}", self.token)
    }
}

/// Who a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A client of a tenant.
    Caller(Caller),
    /// The operator.
    Operator(Operator),
}

/// Why a token does not open the door.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// Unknown, ended or revoked; which of them is not told.
    #[error("the token is unknown, ended or revoked")]
    Token,
    /// It has asked too often.
    #[error("the token asks faster than its client may")]
    TooFast {
        /// After how many seconds it may ask again.
        wait: u32,
    },
    /// It cannot be told now.
    #[error("tokens cannot be looked up")]
    Unavailable(#[from] Error),
}

/// Tells who a bearer token belongs to. Cheap to clone.
#[derive(Clone)]
pub struct Doorkeeper(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    signer: Signer,
    known: RwLock<HashMap<Vec<u8>, Arc<Entry>>>,
    /// How fast the tokens ask whose clients have a rate.
    paces: Mutex<HashMap<TokenId, Arc<Pace>>>,
    generation: AtomicU64,
}

struct Entry {
    identity: Identity,
    token: TokenId,
    expires_at: Option<DateTime<Utc>>,
    pace: Option<(Rate, Arc<Pace>)>,
    looked_up: Instant,
    stale: AtomicBool,
    /// Seconds since 1970.
    used: AtomicI64,
    noted: AtomicI64,
}

impl fmt::Debug for Doorkeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doorkeeper")
    }
}

impl Doorkeeper {
    /// A doorkeeper who remembers nothing yet.
    #[must_use]
    pub fn new(db: Db, clock: Clock, sealer: &Sealer) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            signer: Signer::new(sealer),
            known: RwLock::default(),
            paces: Mutex::default(),
            generation: AtomicU64::default(),
        }))
    }

    /// Who `bearer` belongs to: a token, or a short-lived one that [`Doorkeeper::grant`] gave for it.
    ///
    /// # Errors
    /// When nobody, when it asks faster than its client's profile allows, or when it cannot be told.
    pub async fn identify(&self, bearer: &str) -> Result<Identity, Denied> {
        if bearer.is_empty() || bearer.len() > LONGEST {
            return Err(Denied::Token);
        }
        let now = self.0.clock.now();
        let stands_for = if bearer.starts_with("eyJ") {
            Some(self.0.signer.read(bearer, now).ok_or(Denied::Token)?)
        } else {
            None
        };
        let key = match stands_for {
            Some(token) => token.uuid().as_bytes().to_vec(),
            None => digest(bearer.as_bytes()),
        };
        let entry = match self.remembered(&key) {
            Some(entry) => entry,
            None => self.look_up(key, stands_for).await?,
        };
        if entry.expires_at.is_some_and(|end| end <= now) {
            return Err(Denied::Token);
        }
        entry.used.store(now.timestamp(), Ordering::Relaxed);
        if let Some((rate, pace)) = &entry.pace {
            pace.admit(*rate, now).map_err(|wait| Denied::TooFast { wait })?;
        }
        Ok(entry.identity.clone())
    }

    fn remembered(&self, key: &[u8]) -> Option<Arc<Entry>> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(key)
            .filter(|entry| entry.looked_up.elapsed() < BELIEVED && !entry.stale.load(Ordering::Relaxed))
            .cloned()
    }

    async fn look_up(&self, key: Vec<u8>, stands_for: Option<TokenId>) -> Result<Arc<Entry>, Denied> {
        let mut conn = self.0.db.conn().await.map_err(Error::from)?;
        let stored = match stands_for {
            Some(id) => store::by_id(&mut conn, id).await,
            None => store::by_hash(&mut conn, &key).await,
        }
        .map_err(Error::from)?
        .filter(|stored| stands_for.is_some() || same(&stored.hash, &key))
        .filter(|stored| stored.revoked_at.is_none())
        .ok_or(Denied::Token)?;
        let identity = match (stored.tenant, stored.client) {
            (Some(tenant), Some(client)) => Identity::Caller(Caller {
                tenant,
                client,
                token: stored.id,
                scopes: stored.scopes,
                profile: Arc::new(stored.profile),
                connection: stored.connection,
            }),
            (None, None) => Identity::Operator(Operator { token: stored.id }),
            _ => return Err(Denied::Token),
        };
        let pace = match &identity {
            Identity::Caller(caller) => caller.profile.rate.map(|rate| (rate, self.pace(caller.token))),
            Identity::Operator(_) => None,
        };
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let (used, noted) = known.get(&key).map_or((0, 0), |entry| {
            (
                entry.used.load(Ordering::Relaxed),
                entry.noted.load(Ordering::Relaxed),
            )
        });
        let entry = Arc::new(Entry {
            identity,
            pace,
            token: stored.id,
            expires_at: stored.expires_at,
            looked_up: Instant::now(),
            stale: AtomicBool::new(false),
            used: AtomicI64::new(used),
            noted: AtomicI64::new(noted),
        });
        known.insert(key, Arc::clone(&entry));
        Ok(entry)
    }

    /// The bucket of a token, which its short-lived ones share.
    fn pace(&self, token: TokenId) -> Arc<Pace> {
        let mut paces = self.0.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= REMEMBERED {
            paces.clear();
        }
        Arc::clone(paces.entry(token).or_default())
    }

    /// A short-lived token for a client that shows the id and the secret of a token of its tenant
    /// (client credentials, RFC 6749 §4.4).
    ///
    /// # Errors
    /// When they do not belong together, or the token opens nothing of a tenant's.
    pub async fn grant(&self, client_id: &str, client_secret: &str) -> Result<(Grant, Caller), Denied> {
        // A short-lived token must not prolong itself.
        if client_secret.starts_with("eyJ") {
            return Err(Denied::Token);
        }
        let Identity::Caller(caller) = self.identify(client_secret).await? else {
            return Err(Denied::Token);
        };
        if !same(
            caller.token.to_string().as_bytes(),
            client_id.to_lowercase().as_bytes(),
        ) {
            return Err(Denied::Token);
        }
        let grant = self
            .0
            .signer
            .sign(caller.token, self.0.clock.now())
            .ok_or(Denied::Token)?;
        Ok((grant, caller))
    }

    /// How often everything was forgotten: what others remember beside the tokens goes with them.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Relaxed)
    }

    /// Believes nothing any more without looking it up: a token was revoked or a client changed, here or in another
    /// process.
    pub fn forget(&self) {
        self.0.generation.fetch_add(1, Ordering::Relaxed);
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        for entry in known.values() {
            entry.stale.store(true, Ordering::Relaxed);
        }
    }

    /// Writes down when tokens were last used, at most once a minute for each; returns how many.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn note_use(&self) -> Result<usize, Error> {
        let fresh: Vec<(TokenId, DateTime<Utc>)> = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            known
                .values()
                .filter_map(|entry| {
                    let used = entry.used.load(Ordering::Relaxed);
                    let due = used.saturating_sub(entry.noted.load(Ordering::Relaxed)) >= NOTE_EVERY;
                    due.then(|| {
                        entry.noted.store(used, Ordering::Relaxed);
                        DateTime::from_timestamp(used, 0).map(|at| (entry.token, at))
                    })
                    .flatten()
                })
                .collect()
        };
        if !fresh.is_empty() {
            let mut conn = self.0.db.conn().await?;
            store::note_use(&mut conn, &fresh).await?;
        }
        Ok(fresh.len())
    }
}
