//! Ending somebody's access by hand, on a day or at once, and calling that off.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::Error;
use super::engine::Engine;
use crate::audit;
use crate::base::{PersonId, ResourceId, TenantId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::{Cause, Put, Stored};
use crate::identity::store as people;
use crate::lifecycle::{Ending, State};
use crate::provision;

/// An order to end somebody's access.
#[derive(Debug, Clone, Default)]
pub struct EndOrder {
    /// The last day with access, by the clock of the person's zone; none: at once.
    pub on: Option<NaiveDate>,
    /// Kept with the person and in the audit trail.
    pub reason: String,
    /// What apps had against it, when somebody insisted; kept in the audit trail.
    pub overruled: Vec<Value>,
}

/// What an order came to.
#[derive(Debug, Clone)]
pub struct Ended {
    /// When the access ends.
    pub at: DateTime<Utc>,
    /// The last day with access.
    pub last_day: NaiveDate,
}

impl Engine {
    /// Ends the access of a person from HR: on a day, as if HR had named it and no policy lengthened it; or at once, in
    /// the admins' name, whatever any app's policy says. A later employment is not meant. What HR says stays stored, so
    /// that calling it off brings everything back.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Decision`] for a user whom no HR system knows, or when the store refuses.
    #[tracing::instrument(name = "sync.user.terminate", skip_all, fields(resource.id = %id))]
    pub async fn terminate_user(
        &self,
        tenant: TenantId,
        id: ResourceId,
        (token, actor): (TokenId, &str),
        order: &EndOrder,
    ) -> Result<Ended, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let ended = conn
            .transaction(async |conn| {
                let (stored, person) = self.person_of(conn, tenant, id).await?;
                let ending = ending_of(conn, tenant, person, order.on, now).await?;
                let mut kept = serde_json::to_value(&ending).map_err(Error::Record)?;
                if let Some(kept) = kept.as_object_mut() {
                    kept.insert("reason".to_owned(), json!(order.reason));
                    kept.insert("by".to_owned(), json!(actor));
                    kept.insert("since".to_owned(), json!(now));
                }
                people::set_ending(conn, tenant, person, Some(&kept), now).await?;
                if ending.at <= now {
                    self.hold_disabled(conn, tenant, stored, &Cause::admin(token, now))
                        .await?;
                }
                let mut detail =
                    json!({ "reason": order.reason, "last_day": ending.last_day, "at": ending.at });
                if let Some(detail) = detail.as_object_mut().filter(|_| !order.overruled.is_empty()) {
                    detail.insert("overruled".to_owned(), json!(order.overruled));
                }
                let subject = format!("user:{id}");
                audit::note(conn, Some(tenant), now, actor, "user.terminate", &subject, detail).await?;
                Ok::<_, Error>(Ended {
                    at: ending.at,
                    last_day: ending.last_day,
                })
            })
            .await?;
        self.signals.changed();
        Ok(ended)
    }

    /// Calls off what was ended by hand: the admins' hold is lifted, and the next look goes by HR again. Returns whether
    /// there was anything.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Decision`] for a user whom no HR system knows, or when the store refuses.
    #[tracing::instrument(name = "sync.user.keep", skip_all, fields(resource.id = %id))]
    pub async fn cancel_termination(
        &self,
        tenant: TenantId,
        id: ResourceId,
        (token, actor): (TokenId, &str),
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let found = conn
            .transaction(async |conn| {
                let (_, person) = self.person_of(conn, tenant, id).await?;
                if !people::set_ending(conn, tenant, person, None, now).await? {
                    return Ok(false);
                }
                let cause = Cause::admin(token, now);
                for party in ["admin", "hr"] {
                    self.directory
                        .lift(conn, (tenant, id), Some(party), &cause)
                        .await?;
                }
                let subject = format!("user:{id}");
                audit::note(
                    conn,
                    Some(tenant),
                    now,
                    actor,
                    "user.terminate.cancel",
                    &subject,
                    Value::Null,
                )
                .await?;
                Ok::<_, Error>(true)
            })
            .await?;
        self.signals.changed();
        Ok(found)
    }

    async fn person_of(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        id: ResourceId,
    ) -> Result<(Stored, PersonId), Error> {
        let stored = self.directory.load(conn, tenant, &[id]).await?.remove(&id);
        let stored = stored
            .filter(|stored| stored.kind == "User")
            .ok_or_else(|| Error::Unknown {
                what: "user",
                name: id.to_string(),
            })?;
        let person = stored.person.ok_or_else(|| {
            Error::Decision(
                "no HR system knows this user, so that there is no employment to end: suspend or remove it"
                    .to_owned(),
            )
        })?;
        Ok((stored, person))
    }

    /// Disables a user in the admins' name.
    pub(super) async fn hold_disabled(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        stored: Stored,
        cause: &Cause,
    ) -> Result<(), Error> {
        let put = Put {
            id: Some(stored.id),
            kind: stored.kind,
            object: stored.object,
            external_id: None,
            person: None,
            expected: None,
            disabled_by: vec!["admin".to_owned()],
        };
        self.directory.put(conn, tenant, put, cause).await?;
        Ok(())
    }
}

/// When it ends: by the zone of the employment that leads.
async fn ending_of(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
    on: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<Ending, Error> {
    let facts = provision::employments(conn, tenant, &[person])
        .await?
        .remove(&person);
    let facts = facts.unwrap_or_default();
    let zone = facts.leading_zone(now);
    let verdict = facts.judge(&facts.policy, None, now);
    let to_start = verdict
        .filter(|verdict| verdict.state == State::PreHire)
        .and_then(|verdict| verdict.first_day);
    let at_once = Ending::at_once(now, zone, to_start);
    Ok(match on {
        Some(day) => Some(Ending::on(day, zone))
            .filter(|ending| ending.at > now)
            .unwrap_or(at_once),
        None => at_once,
    })
}
