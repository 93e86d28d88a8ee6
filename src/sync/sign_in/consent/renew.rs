//! Keeps consent alive where nobody reads for a while: refresh tokens end when they are not used.

use chrono::TimeDelta;

use super::{MEMORY, store};
use crate::base::Chain;
use crate::sync::connection::{ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::{Error, sign_in::setup};

/// A token older than this is renewed although nobody reads.
const REST: TimeDelta = TimeDelta::hours(12);
/// So many are looked at in one step.
const AT_ONCE: i64 = 50;

impl Engine {
    /// Renews tokens that nobody used for half a day, so that consent does not run out and its loss is noticed; forgets
    /// links that ended long ago. One that fails is tried again in the next step.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn keep_consents(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        store::forget_asked(&mut conn, now - MEMORY).await?;
        setup::forget(&mut conn, now - MEMORY).await?;
        let due = store::due_for_renewal(&mut conn, now - REST, AT_ONCE).await?;
        drop(conn);
        for (tenant, id) in due {
            let mut conn = self.conn().await?;
            let connection = connections::by_id(&mut conn, tenant, id).await?;
            let Some(connection) = connection.filter(|one| one.state == ConnectionState::Published) else {
                continue;
            };
            let live = connection.live;
            let renewed = async {
                let (ready, _) = self.ready(&mut conn, connection, live).await?;
                let tokens = ready.tokens(self);
                let source = self.source(&ready, &mut conn, &tokens).await?;
                drop(conn);
                Ok::<_, Error>(source.sign_in().await?)
            };
            if let Err(error) = renewed.await {
                tracing::warn!(connection.id = %id, error = %Chain(&error), "a token cannot be renewed");
            }
        }
        Ok(())
    }
}
