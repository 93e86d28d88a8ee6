//! What is kept back of a connection: look, and let go.

use serde_json::json;

use super::Error;
use super::connection::store as connections;
use super::engine::Engine;
use super::plan::store as planning;
use crate::audit;
use crate::base::{PlanId, TenantId};
use crate::db::Transactional as _;
use crate::guard::{self, KeptBack};

impl Engine {
    /// Up to `limit` parts that are kept back of a connection, by subject and path, after one of them.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn kept_back(
        &self,
        tenant: TenantId,
        name: &str,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<KeptBack>, Error> {
        let connection = self.connection(tenant, name).await?;
        let mut conn = self.conn().await?;
        let owner = (tenant, connection.id.uuid());
        Ok(guard::kept_back(&mut conn, owner, after, limit).await?)
    }

    /// Keeps subjects, what a plan decided, or everything back no longer; the people are looked at again at once, those
    /// who are not there yet by the next read. Returns how many parts.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    #[tracing::instrument(name = "sync.kept.release", skip_all)]
    pub async fn release_kept(
        &self,
        tenant: TenantId,
        name: &str,
        (subjects, plan, all): (&[String], Option<PlanId>, bool),
        actor: &str,
    ) -> Result<usize, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let released = conn
            .transaction(async |conn| {
                let connection = connections::by_name_locked(conn, tenant, name)
                    .await?
                    .ok_or_else(|| Error::Unknown {
                        what: "connection",
                        name: name.to_owned(),
                    })?;
                let owner = (tenant, connection.id.uuid());
                let (count, people) = guard::release_kept(conn, owner, subjects, plan, all).await?;
                planning::look_now(conn, tenant, &people, now).await?;
                let subject = format!("connection:{}", connection.id);
                let detail = json!({ "parts": count, "plan": plan, "all": all });
                audit::note(conn, Some(tenant), now, actor, "kept.release", &subject, detail).await?;
                Ok::<_, Error>(count)
            })
            .await?;
        self.signals.run_waits();
        Ok(released)
    }
}
