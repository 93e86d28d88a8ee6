//! The access token that an HR system gave, kept for all processes.

use futures_util::future::BoxFuture;
use tracing::warn;

use super::store;
use crate::base::{Chain, ConnectionId, Sealer, Secret, TenantId};
use crate::connector::{CachedToken, TokenCache};
use crate::db::Db;
use crate::sync::Error;

/// The store's place for a connection's token. What goes wrong here costs one more login and is only logged.
#[derive(Debug)]
pub(in crate::sync) struct StoredToken {
    db: Db,
    sealer: Sealer,
    tenant: TenantId,
    connection: ConnectionId,
}

impl StoredToken {
    /// The place for the token of one connection.
    pub(super) const fn new(db: Db, sealer: Sealer, tenant: TenantId, connection: ConnectionId) -> Self {
        Self {
            db,
            sealer,
            tenant,
            connection,
        }
    }

    fn about(&self) -> String {
        format!("{}:vendor_token", self.connection)
    }

    async fn read(&self) -> Result<Option<CachedToken>, Error> {
        let mut conn = self.db.conn().await?;
        let row = store::vendor_token(&mut conn, self.tenant, self.connection).await?;
        row.map(|(sealed, expires_at)| {
            let token = self.sealer.open(&self.about(), &sealed)?;
            Ok(CachedToken {
                token: Secret::new(String::from_utf8_lossy(&token).into_owned()),
                expires_at,
            })
        })
        .transpose()
    }

    async fn write(&self, token: CachedToken) -> Result<(), Error> {
        let sealed = self.sealer.seal(&self.about(), token.token.expose().as_bytes())?;
        let mut conn = self.db.conn().await?;
        store::keep_vendor_token(&mut conn, self.tenant, self.connection, &sealed, token.expires_at).await?;
        Ok(())
    }

    async fn drop_it(&self) -> Result<(), Error> {
        let mut conn = self.db.conn().await?;
        store::forget_vendor_token(&mut conn, self.tenant, self.connection).await?;
        Ok(())
    }
}

impl TokenCache for StoredToken {
    fn get(&self) -> BoxFuture<'_, Option<CachedToken>> {
        Box::pin(async move {
            self.read().await.unwrap_or_else(|error| {
                warn!(connection.id = %self.connection, error = %Chain(&error), "the vendor's token cannot be read");
                None
            })
        })
    }

    fn put(&self, token: CachedToken) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.write(token).await {
                warn!(connection.id = %self.connection, error = %Chain(&error), "the vendor's token cannot be kept");
            }
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.drop_it().await {
                warn!(connection.id = %self.connection, error = %Chain(&error), "the vendor's token cannot be dropped");
            }
        })
    }
}
