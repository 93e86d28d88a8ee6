//! The token that an HR system gave, sealed, kept for all processes.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::store::{self, SealedToken, Seat};
use crate::base::{Clock, ConnectionId, Sealer, Secret, TenantId};
use crate::connector::{CachedToken, TokenCache, TokenTrouble, Turn};
use crate::db::Db;
use crate::sync::Error;
use crate::sync::engine::Engine;

/// One connection's place for its token, as one reader holds it.
#[derive(Debug)]
pub(in crate::sync) struct StoredToken {
    db: Db,
    sealer: Sealer,
    clock: Clock,
    seat: Seat,
    signing_in: AtomicBool,
}

impl StoredToken {
    /// The place for the token of one connection.
    pub(in crate::sync) fn new(engine: &Engine, tenant: TenantId, connection: ConnectionId) -> Self {
        Self {
            db: engine.db.clone(),
            sealer: engine.sealer.clone(),
            clock: engine.clock.clone(),
            seat: Seat {
                tenant,
                connection,
                holder: Uuid::now_v7(),
            },
            signing_in: AtomicBool::new(false),
        }
    }

    /// Whether the HR system is being asked for a token by this reader.
    pub(in crate::sync) fn is_signing_in(&self) -> bool {
        self.signing_in.load(Ordering::Relaxed)
    }

    fn about(&self, what: &str) -> String {
        format!("{}:{what}", self.seat.connection)
    }

    fn open(&self, what: &str, sealed: &[u8]) -> Result<Secret, Error> {
        let text = self.sealer.open(&self.about(what), sealed)?;
        Ok(Secret::new(String::from_utf8_lossy(&text).into_owned()))
    }

    fn seal(&self, what: &str, secret: &Secret) -> Result<Vec<u8>, Error> {
        Ok(self.sealer.seal(&self.about(what), secret.expose().as_bytes())?)
    }

    async fn read(&self) -> Result<Option<CachedToken>, Error> {
        let mut conn = self.db.conn().await?;
        let Some(kept) = store::token(&mut conn, self.seat.tenant, self.seat.connection).await? else {
            return Ok(None);
        };
        let refresh = kept
            .refresh
            .map(|sealed| self.open(REFRESH, &sealed))
            .transpose()?;
        Ok(Some(CachedToken {
            token: self.open(TOKEN, &kept.token)?,
            made_at: kept.made_at.unwrap_or_default(),
            expires_at: kept.expires_at,
            refresh,
            scope: kept
                .scope
                .and_then(|sealed| self.sealer.open(&self.about(SCOPE), &sealed).ok())
                .unwrap_or_default(),
        }))
    }

    async fn write(&self, token: CachedToken) -> Result<(), Error> {
        let refresh = token.refresh.as_ref();
        let sealed = SealedToken {
            token: self.seal(TOKEN, &token.token)?,
            expires_at: token.expires_at,
            made_at: Some(token.made_at),
            refresh: refresh.map(|secret| self.seal(REFRESH, secret)).transpose()?,
            // A digest of what may be a short password: kept open, it could be guessed.
            scope: Some(self.sealer.seal(&self.about(SCOPE), &token.scope)?),
        };
        let mut conn = self.db.conn().await?;
        store::keep_token(&mut conn, self.seat, &sealed, token.made_at).await?;
        Ok(())
    }

    async fn lose(&self, interrupted: bool) -> Result<(), Error> {
        let mut conn = self.db.conn().await?;
        if store::lose_consent(&mut conn, self.seat, self.clock.now(), interrupted).await? {
            tracing::error!(
                connection.id = %self.seat.connection,
                interrupted,
                "an HR system withdrew its consent, or it ran out: it must be given again"
            );
        }
        Ok(())
    }
}

const TOKEN: &str = "vendor_token";
const REFRESH: &str = "vendor_refresh";
const SCOPE: &str = "vendor_scope";

fn trouble(error: impl Into<Error>) -> TokenTrouble {
    TokenTrouble(Box::new(error.into()))
}

impl TokenCache for StoredToken {
    fn get(&self) -> BoxFuture<'_, Result<Option<CachedToken>, TokenTrouble>> {
        Box::pin(async move { self.read().await.map_err(trouble) })
    }

    fn turn(&self) -> BoxFuture<'_, Result<Turn, TokenTrouble>> {
        Box::pin(async move {
            let mut conn = self.db.conn().await.map_err(trouble)?;
            let taken = store::take_turn(&mut conn, self.seat).await.map_err(trouble)?;
            self.signing_in.store(taken.is_some(), Ordering::Relaxed);
            Ok(taken.map_or(Turn::Theirs, |interrupted| Turn::Ours { interrupted }))
        })
    }

    fn put(&self, token: CachedToken) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        Box::pin(async move { self.write(token).await.map_err(trouble) })
    }

    fn end_turn(&self) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        Box::pin(async move {
            let mut conn = self.db.conn().await.map_err(trouble)?;
            let ended = store::end_turn(&mut conn, self.seat).await.map_err(trouble);
            self.signing_in.store(false, Ordering::Relaxed);
            ended
        })
    }

    fn consent_lost(&self, interrupted: bool) -> BoxFuture<'_, Result<(), TokenTrouble>> {
        Box::pin(async move { self.lose(interrupted).await.map_err(trouble) })
    }
}
