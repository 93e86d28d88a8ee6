//! The pool of connections.

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{BuildError, Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};

/// One connection, or one open transaction on it.
pub type Conn = AsyncPgConnection;
/// A connection lent by the pool.
pub type PooledConn = Object<AsyncPgConnection>;

/// Why the database cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool cannot be made.
    #[error("the connection pool cannot be made")]
    Build(#[from] BuildError),
    /// No connection came in time, or the server refused.
    #[error("no connection to the database")]
    Connect(#[from] PoolError),
}

/// The database: cheap to clone, shared by all.
#[derive(Clone)]
pub struct Db {
    pool: Pool<AsyncPgConnection>,
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
    /// When the pool's settings are refused.
    pub fn connect(url: &str, size: usize) -> Result<Self, Error> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        Ok(Self {
            pool: Pool::builder(manager).max_size(size).build()?,
        })
    }

    /// A connection; waits for one when all are lent.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn conn(&self) -> Result<PooledConn, Error> {
        Ok(self.pool.get().await?)
    }
}
