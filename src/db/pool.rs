//! The pool of connections, and single connections beside it.

use std::sync::{Arc, Mutex, PoisonError};

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt as _;

use super::target::Target;
use super::{Error, Signals};

/// One connection, or one open transaction on it.
pub type Conn = AsyncPgConnection;
/// A connection lent by the pool.
pub type PooledConn = Object<AsyncPgConnection>;

/// Where the database is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `DATABASE_URL`, or the embedded cluster's address.
    pub url: String,
    /// `SCIM_BRIDGE_DATABASE_DIRECT_URL`: set when `url` leads through a transaction pooler.
    pub direct_url: Option<String>,
    /// The most connections of the pool.
    pub size: usize,
}

/// The database: cheap to clone, shared by all.
#[derive(Clone)]
pub struct Db {
    pool: Pool<AsyncPgConnection>,
    /// Every pool of this process, to be counted.
    pools: Arc<Mutex<Vec<Pool<AsyncPgConnection>>>>,
    target: Arc<Target>,
    direct: Arc<Target>,
    signals: Signals,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.pool.status())
    }
}

impl Db {
    /// A pool of at most `size` connections to `url`. Connects when first asked.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn connect(url: &str, size: usize) -> Result<Self, Error> {
        Self::open(&Settings {
            url: url.to_owned(),
            direct_url: None,
            size,
        })
    }

    /// A pool as `settings` say. Connects when first asked.
    /// Connections live on the runtime that opened the database, whichever thread asked for one.
    ///
    /// # Errors
    /// When an address or its certificates cannot be read.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let target = Arc::new(Target::parse(&settings.url)?);
        let direct = match &settings.direct_url {
            Some(url) => Arc::new(Target::parse(url)?),
            None => Arc::clone(&target),
        };
        let pool = pool(&target, settings.size)?;
        Ok(Self {
            pools: Arc::new(Mutex::new(vec![pool.clone()])),
            pool,
            target,
            direct,
            signals: Signals::default(),
        })
    }

    /// The same database, through a pool of at most `size` connections that live on the calling thread's runtime:
    /// for threads that serve requests, whose queries then never wait for another thread to be woken.
    /// Must end with that runtime.
    ///
    /// # Errors
    /// When the pool cannot be made.
    pub fn on_this_thread(&self, size: usize) -> Result<Self, Error> {
        let target = Arc::new(self.target.at_home_here());
        let pool = pool(&target, size)?;
        self.pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(pool.clone());
        Ok(Self {
            pool,
            target,
            ..self.clone()
        })
    }

    /// A connection; waits for one when all are lent.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn conn(&self) -> Result<PooledConn, Error> {
        Ok(self.pool.get().await?)
    }

    /// A connection beside the pool and around any transaction pooler, for LISTEN, session locks and migrations.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn direct(&self) -> Result<Conn, Error> {
        Ok(self.direct.connect().await?)
    }

    /// A connection that is made as the pool's are, but belongs to nobody else.
    pub(super) async fn unpooled(&self) -> Result<Conn, Error> {
        Ok(self.target.connect().await?)
    }

    /// The signals of this process.
    #[must_use]
    pub const fn signals(&self) -> &Signals {
        &self.signals
    }

    /// How many connections the pools of this process hold, and how many of them are lent.
    #[must_use]
    pub fn lent(&self) -> (usize, usize) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools
            .iter()
            .map(Pool::status)
            .fold((0, 0), |(held, lent), status| {
                (
                    held.saturating_add(status.size),
                    lent.saturating_add(status.size.saturating_sub(status.available)),
                )
            })
    }
}

fn pool(target: &Arc<Target>, size: usize) -> Result<Pool<AsyncPgConnection>, Error> {
    let target = Arc::clone(target);
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let target = Arc::clone(&target);
        async move { target.connect().await }.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    Ok(Pool::builder(manager).max_size(size).build()?)
}
