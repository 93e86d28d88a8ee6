//! The database, wherever it is: `DATABASE_URL`, or the embedded cluster.

use super::Error;
use crate::config::{Config, MAX_CONNECTIONS};
use crate::db::embedded::{Cluster, Role};
use crate::db::{self, Db, Settings};

/// An open, migrated database, and the cluster behind it if it is our own.
#[derive(Debug)]
pub struct Database {
    /// The pool.
    pub db: Db,
    cluster: Option<Cluster>,
}

impl Database {
    /// Opens the database for a server or a command, and migrates it.
    ///
    /// # Errors
    /// When it cannot be reached, does not run, or cannot be migrated.
    pub async fn open(config: &Config, role: Role) -> Result<Self, Error> {
        let (url, cluster) = match &config.database_url {
            Some(url) => (url.expose().to_owned(), None),
            None => {
                let cluster = Cluster::open(&config.embedded(), role)
                    .await
                    .map_err(db::Error::from)?;
                (cluster.url(), Some(cluster))
            }
        };
        let settings = Settings {
            url,
            direct_url: config
                .database_direct_url
                .as_ref()
                .map(|url| url.expose().to_owned()),
            size: MAX_CONNECTIONS,
        };
        let opened = match Db::open(&settings) {
            Ok(db) => ready(&db).await.map(|()| db),
            Err(error) => Err(error),
        };
        match opened {
            Ok(db) => Ok(Self { db, cluster }),
            Err(error) => {
                if let Some(cluster) = cluster {
                    close(cluster).await;
                }
                Err(error.into())
            }
        }
    }

    /// Ends the use of the database. The embedded cluster is stopped if nobody else uses it.
    pub async fn close(self) {
        drop(self.db);
        if let Some(cluster) = self.cluster {
            close(cluster).await;
        }
    }
}

async fn ready(db: &Db) -> Result<(), db::Error> {
    db::migrate(db).await?;
    db::check_pooler(db).await
}

async fn close(cluster: Cluster) {
    if let Err(error) = cluster.close().await {
        tracing::error!(error = %crate::base::Chain(&error), "the embedded Postgres was not stopped");
    }
}
