//! What an admin does to one user: suspend it, and lift what holds it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::engine::Engine;
use super::{Error, removal};
use crate::audit;
use crate::base::{PersonId, ResourceId, TenantId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::Cause;
use crate::identity::store as people;
use crate::notice::{self, EventKind, NewEvent};

/// What a release lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Nothing: nobody held it.
    Nothing,
    /// Holds on a user who is there.
    Holds,
    /// A deletion: the next run may make the user again.
    Deletion,
}

fn unknown(id: ResourceId) -> Error {
    Error::Unknown {
        what: "user",
        name: id.to_string(),
    }
}

impl Engine {
    /// Disables a user in the admins' name: only an admin lifts that.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    #[tracing::instrument(name = "sync.user.suspend", skip_all, fields(resource.id = %id))]
    pub async fn suspend_user(
        &self,
        tenant: TenantId,
        id: ResourceId,
        (token, actor): (TokenId, &str),
        reason: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let stored = self.directory.load(conn, tenant, &[id]).await?.remove(&id);
            let stored = stored
                .filter(|stored| stored.kind == "User")
                .ok_or_else(|| unknown(id))?;
            let was_active = stored.active != Some(false);
            let text = |name: &str| stored.object.get(name).and_then(Value::as_str);
            let suspended = NewEvent {
                kind: EventKind::PersonDeactivated,
                key: format!("by_hand/{id}/{}", now.timestamp()),
                connection: None,
                app: None,
                entity: None,
                person: stored.person,
                detail: json!({
                    "user": id, "name": text("displayName").or_else(|| text("userName")), "user_name": text("userName"),
                }),
            };
            self.hold_disabled(conn, tenant, stored, &Cause::admin(token, now))
                .await?;
            let detail = json!({ "reason": reason });
            let subject = format!("user:{id}");
            audit::note(conn, Some(tenant), now, actor, "user.suspend", &subject, detail).await?;
            if was_active {
                notice::raise(conn, tenant, &suspended, now).await?;
            }
            Ok::<_, Error>(())
        })
        .await?;
        self.signals.changed();
        Ok(())
    }

    /// Lifts the hold of `party` on a user (`hr`, `admin`, `client:<id>`, `app:<id>`), or all holds. What HR holds is
    /// held again by the next run while HR says so. Named by the id of a person, or of a user that a client or an admin
    /// deleted, it lifts the deletion: the next run makes the user again, if HR still has the person.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    #[tracing::instrument(name = "sync.user.release", skip_all, fields(resource.id = %id))]
    pub async fn release_user(
        &self,
        tenant: TenantId,
        id: ResourceId,
        party: Option<&str>,
        (token, actor): (TokenId, &str),
    ) -> Result<Released, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let released = conn
            .transaction(async |conn| {
                let cause = Cause::admin(token, now);
                let kept = removal::call_off(conn, tenant, id, now).await?;
                let released = match self.deleted_person(conn, tenant, id).await? {
                    Some(person) => {
                        self.directory.lift_tombstones(conn, tenant, &[person]).await?;
                        people::forget_user(conn, tenant, person, now).await?;
                        Released::Deletion
                    }
                    None => match self.directory.lift(conn, (tenant, id), party, &cause).await {
                        Ok(is_lifted) if is_lifted || kept => Released::Holds,
                        Ok(_) => Released::Nothing,
                        Err(crate::directory::Error::NotFound) => return Err(unknown(id)),
                        Err(error) => return Err(error.into()),
                    },
                };
                let lifts_admins = matches!(party, None | Some("admin"));
                if lifts_admins && released == Released::Holds {
                    self.forget_ending(conn, tenant, id, now).await?;
                }
                if released != Released::Nothing {
                    let detail = json!({ "party": party });
                    let subject = format!("user:{id}");
                    audit::note(conn, Some(tenant), now, actor, "user.release", &subject, detail).await?;
                }
                Ok::<_, Error>(released)
            })
            .await?;
        self.signals.changed();
        Ok(released)
    }

    /// With the admins' hold goes what they ended by hand.
    async fn forget_ending(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        id: ResourceId,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let stored = self.directory.load(conn, tenant, &[id]).await?.remove(&id);
        if let Some(person) = stored.and_then(|stored| stored.person) {
            people::set_ending(conn, tenant, person, None, now).await?;
        }
        Ok(())
    }

    /// The person whose deleted user `id` was, or who `id` is.
    async fn deleted_person(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        id: ResourceId,
    ) -> Result<Option<PersonId>, Error> {
        if let Some(stone) = self.directory.tombstone_of(conn, tenant, id).await? {
            return Ok(Some(stone.person));
        }
        let person = PersonId::from(id.uuid());
        let stones = self.directory.tombstones(conn, tenant, &[person]).await?;
        Ok(stones.contains_key(&person).then_some(person))
    }
}
