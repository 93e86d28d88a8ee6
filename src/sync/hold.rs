//! Holds: values that wait for a human; those of connections are written to the user here.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use super::connection::{Compiled, store as connections};
use super::engine::Engine;
use crate::audit;
use crate::base::{ConnectionId, HoldId, TenantId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::{Cause, Put};
use crate::guard::{self, Decision, Hold};
use crate::translate;

impl Engine {
    /// Up to `limit` holds of the tenant, oldest first: of connections and of apps.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn holds(
        &self,
        tenant: TenantId,
        state: Option<&str>,
        owner: Option<Uuid>,
        after: Option<HoldId>,
        limit: i64,
    ) -> Result<Vec<Hold>, Error> {
        let mut conn = self.conn().await?;
        Ok(guard::holds(&mut conn, tenant, state, owner, after, limit).await?)
    }

    /// Decides a hold. Of a connection, and approved, HR's value is written to the user in the same transaction; of an
    /// app, delivery looks at the account again.
    ///
    /// # Errors
    /// [`guard::Error::Unknown`], [`guard::Error::NotWaiting`], or when the store refuses.
    #[tracing::instrument(name = "sync.hold.decide", skip_all, fields(hold.id = %id))]
    pub async fn decide_hold(
        &self,
        tenant: TenantId,
        id: HoldId,
        decision: Decision,
        token: TokenId,
        actor: &str,
    ) -> Result<Hold, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let decided = conn
            .transaction(async |conn| {
                let hold = guard::decide_hold(conn, tenant, id, decision, actor, now).await?;
                if decision == Decision::Approve && hold.asked.app.is_none() {
                    self.release(conn, tenant, &hold, &Cause::admin(token, now))
                        .await?;
                }
                let action = match decision {
                    Decision::Approve => "hold.approve",
                    Decision::Reject => "hold.reject",
                };
                let subject = format!("hold:{id}");
                audit::note(conn, Some(tenant), now, actor, action, &subject, json!({})).await?;
                Ok::<_, Error>(hold)
            })
            .await?;
        self.signals.changed();
        self.signals.accounts_wait();
        Ok(decided)
    }

    /// Writes an approved value to its user.
    async fn release(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        hold: &Hold,
        cause: &Cause,
    ) -> Result<(), Error> {
        let connection = ConnectionId::from(hold.asked.owner);
        let Some(connection) = connections::by_id(conn, tenant, connection).await? else {
            return Ok(());
        };
        let number = connection.live.or(connection.draft).unwrap_or_default();
        let revision = connections::revision(conn, tenant, connection.id, number).await?;
        let (Some(revision), Some(user)) = (revision, hold.asked.resource) else {
            return Ok(());
        };
        let live = Compiled::of(self, conn, connection, &revision).await?;
        let Some(mut stored) = self.directory.load(conn, tenant, &[user]).await?.remove(&user) else {
            return Ok(());
        };
        let nothing = Value::Null;
        translate::release(
            &live.mapping,
            &mut stored.object,
            hold.asked.old.as_ref().unwrap_or(&nothing),
            hold.asked.new.as_ref().unwrap_or(&nothing),
        );
        let put = Put {
            id: Some(user),
            kind: stored.kind,
            object: stored.object,
            external_id: None,
            person: None,
            expected: None,
            disabled_by: stored.disabled_by,
        };
        self.directory.put(conn, tenant, put, cause).await?;
        Ok(())
    }
}
