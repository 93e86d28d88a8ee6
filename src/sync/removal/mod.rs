//! Removing a user by hand, at once or after a notice.

mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub use store::Planned;

use super::Error;
use super::engine::Engine;
use crate::audit;
use crate::base::{ResourceId, TenantId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::{Cause, Error as DirectoryError, Expected};
use crate::notice::{self, EventKind, NewEvent};
use crate::provision::addressee;
use crate::scim::Object;

/// How many removals are carried out in one step.
const BATCH: i64 = 20;
/// The longest notice.
const LONGEST: TimeDelta = TimeDelta::days(366);

impl Engine {
    /// Removes a user, its memberships and its place as manager: at once, or when `after` has passed, of which the user is
    /// told. A person from HR stays removed until somebody releases it. What apps do with their accounts, their
    /// `deprovision.missing` says.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Decision`] for a notice that is too long, or when the store refuses.
    #[tracing::instrument(name = "sync.user.remove", skip_all, fields(resource.id = %id))]
    pub async fn remove_user(
        &self,
        tenant: TenantId,
        id: ResourceId,
        (token, actor): (TokenId, &str),
        after: Option<TimeDelta>,
        reason: &str,
    ) -> Result<DateTime<Utc>, Error> {
        let now = self.clock.now();
        let after = after.unwrap_or_default();
        if after > LONGEST {
            return Err(Error::Decision("a notice is at most a year".to_owned()));
        }
        let planned = Planned {
            tenant,
            user: id,
            at: now + after,
            reason: reason.to_owned(),
            actor: actor.to_owned(),
            token,
        };
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let stored = self.directory.load(conn, tenant, &[id]).await?.remove(&id);
            let stored = stored
                .filter(|stored| stored.kind == "User")
                .ok_or_else(|| Error::Unknown {
                    what: "user",
                    name: id.to_string(),
                })?;
            if planned.at <= now {
                call_off(conn, tenant, id, now).await?;
                return self.carry_out(conn, &planned, now).await;
            }
            call_off(conn, tenant, id, now).await?;
            store::plan(conn, &planned, now).await?;
            let event = NewEvent {
                kind: EventKind::DeletionNotice,
                key: key(id, planned.at),
                connection: None,
                app: None,
                entity: None,
                person: stored.person,
                detail: told(&stored.object, &planned),
            };
            notice::raise(conn, tenant, &event, now).await?;
            let detail = json!({ "reason": reason, "at": planned.at });
            let subject = format!("user:{id}");
            audit::note(
                conn,
                Some(tenant),
                now,
                actor,
                "user.remove.plan",
                &subject,
                detail,
            )
            .await?;
            Ok::<_, Error>(())
        })
        .await?;
        self.signals.changed();
        Ok(planned.at)
    }

    /// Carries out removals whose notice has passed. Returns whether there were any.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn carry_out_removals(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let done = conn
            .transaction(async |conn| {
                let due = store::take_due(conn, now, BATCH).await?;
                for planned in &due {
                    self.carry_out(conn, planned, now).await?;
                }
                Ok::<_, Error>(!due.is_empty())
            })
            .await?;
        if done {
            self.signals.changed();
        }
        Ok(done)
    }

    async fn carry_out(&self, conn: &mut Conn, planned: &Planned, now: DateTime<Utc>) -> Result<(), Error> {
        let target = (planned.tenant, planned.user, "User");
        let cause = Cause::admin(planned.token, now);
        match self.directory.delete(conn, target, &Expected::Any, &cause).await {
            // Somebody else removed it meanwhile.
            Err(DirectoryError::NotFound) => return Ok(()),
            done => done?,
        }
        let subject = format!("user:{}", planned.user);
        let detail = json!({ "reason": planned.reason });
        let (tenant, actor) = (Some(planned.tenant), planned.actor.as_str());
        audit::note(conn, tenant, now, actor, "user.remove", &subject, detail).await?;
        Ok(())
    }
}

/// What the notice's text needs.
fn told(user: &Object, planned: &Planned) -> serde_json::Value {
    let mut detail = addressee(user, false);
    detail.insert("user".to_owned(), json!(planned.user));
    detail.insert("on".to_owned(), json!(planned.at.format("%Y-%m-%d").to_string()));
    serde_json::Value::Object(detail)
}

fn key(id: ResourceId, at: DateTime<Utc>) -> String {
    format!("{id}/{}", at.timestamp_micros())
}

/// Forgets a planned removal, and withdraws the notice of it that was not sent yet. Returns whether there was one.
pub(super) async fn call_off(
    conn: &mut Conn,
    tenant: TenantId,
    id: ResourceId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let planned = store::forget(conn, tenant, id).await?;
    if let Some(at) = planned {
        notice::withdraw(conn, tenant, EventKind::DeletionNotice, &[key(id, at)], now).await?;
    }
    Ok(planned.is_some())
}
