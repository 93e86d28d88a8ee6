//! Reviews: records of which nobody but a human can say whose they are.

use serde_json::json;

use super::Error;
use super::engine::Engine;
use crate::audit;
use crate::base::{ConnectionId, ReviewId, TenantId};
use crate::db::Transactional as _;
use crate::identity::store::{self, ReviewRow};
use crate::identity::{self, Decision};

impl Engine {
    /// Up to `limit` reviews, newest first.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn reviews(
        &self,
        tenant: TenantId,
        connection: Option<ConnectionId>,
        state: Option<&str>,
        before: Option<ReviewId>,
        limit: i64,
    ) -> Result<Vec<ReviewRow>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::reviews(&mut conn, tenant, connection, state, before, limit).await?)
    }

    /// Decides a review and queues a run that acts on it.
    ///
    /// # Errors
    /// [`Error::Unknown`] without such an open review, [`Error::Decision`] when the person is no candidate, or when
    /// the store refuses.
    #[tracing::instrument(name = "sync.review.decide", skip_all, fields(review.id = %id))]
    pub async fn decide_review(
        &self,
        tenant: TenantId,
        id: ReviewId,
        decision: Decision,
        actor: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let review = store::decide(conn, tenant, id, decision, actor, now)
                .await
                .map_err(|error| match error {
                    identity::Error::NoReview => Error::Unknown {
                        what: "open review",
                        name: id.to_string(),
                    },
                    identity::Error::NoCandidate => Error::Decision(error.to_string()),
                    error => error.into(),
                })?;
            let subject = format!("review:{id}");
            let detail = json!({ "decision": decision });
            audit::note(conn, Some(tenant), now, actor, "review.decide", &subject, detail).await?;
            self.start_decided(conn, tenant, review.connection, actor).await
        })
        .await?;
        self.signals.run_waits();
        Ok(())
    }
}
