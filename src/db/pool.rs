//! The pool of connections, and single connections beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use futures_util::FutureExt as _;

use super::target::Target;
use super::{Error, Signals};

/// How long somebody waits for a connection of the pool.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

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
    target: Arc<Target>,
    direct: Arc<Target>,
    signals: Signals,
    statements: Arc<AtomicU64>,
}

/// Counts the statements of a connection.
struct Counting(Arc<AtomicU64>);

impl Instrumentation for Counting {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
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
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let pooled = Arc::clone(&target);
        let statements = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&statements);
        config.custom_setup = Box::new(move |_| {
            let (target, counted) = (Arc::clone(&pooled), Arc::clone(&counted));
            async move {
                let mut conn = target.connect().await?;
                conn.set_instrumentation(Counting(counted));
                Ok(conn)
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        Ok(Self {
            pool: Pool::builder(manager).max_size(settings.size).build()?,
            target,
            direct,
            signals: Signals::default(),
            statements,
        })
    }

    /// A connection; waits for one when all are lent, but not for ever.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn conn(&self) -> Result<PooledConn, Error> {
        match tokio::time::timeout(LONGEST_WAIT, self.pool.get()).await {
            Ok(lent) => Ok(lent?),
            Err(_) => Err(Error::Exhausted {
                seconds: LONGEST_WAIT.as_secs(),
            }),
        }
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

    /// How many statements have been sent through the pool, those that begin and end transactions included.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How many connections the pool holds, and how many of them are lent.
    #[must_use]
    pub fn lent(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.size.saturating_sub(status.available))
    }
}
