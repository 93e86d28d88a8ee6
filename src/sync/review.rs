//! Reviews: records of which nobody but a human can say whose they are.

use serde_json::json;

use super::Error;
use super::engine::Engine;
use crate::audit;
use crate::base::{ConnectionId, ReviewId, TenantId};
use crate::db::Transactional as _;
use crate::identity::store::{self, Names, ReviewRow};
use crate::identity::{self, Decision};

/// The most reviews that one bulk decision takes.
const MOST: i64 = 500;

/// One answer for many reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkDecision {
    /// Of each review all records are its only candidate; reviews with none or several are left open.
    Candidate,
    /// Of each review all records are one human whom nobody knew.
    OnePerson,
    /// Each record is a human of its own.
    Separate,
}

impl BulkDecision {
    fn of(self, review: &ReviewRow) -> Option<Decision> {
        match (self, review.candidates.as_slice()) {
            (Self::Candidate, [person]) => Some(Decision::Person(*person)),
            (Self::Candidate, _) => None,
            (Self::OnePerson, _) => Some(Decision::OnePerson),
            (Self::Separate, _) => Some(Decision::Separate),
        }
    }
}

/// What a bulk decision did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// Reviews that were decided.
    pub decided: Vec<ReviewId>,
    /// Reviews that the answer does not fit; they are open still.
    pub left: Vec<ReviewId>,
    /// There are more: the same order again takes them.
    pub more: bool,
}

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

    /// The names of those whom reviews are about.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn review_names(&self, tenant: TenantId, reviews: &[ReviewRow]) -> Result<Names, Error> {
        let mut conn = self.conn().await?;
        Ok(store::names(&mut conn, tenant, reviews).await?)
    }

    /// Decides many open reviews alike, at most 500 at once: those of `ids`, or without ids all of the connection. One
    /// run for each connection acts on them.
    ///
    /// # Errors
    /// When the store refuses.
    #[tracing::instrument(name = "sync.review.decide_many", skip_all)]
    pub async fn decide_reviews(
        &self,
        tenant: TenantId,
        connection: Option<ConnectionId>,
        ids: &[ReviewId],
        decision: BulkDecision,
        actor: &str,
    ) -> Result<Decided, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let done = conn
            .transaction(async |conn| {
                let open = store::open_reviews(conn, tenant, connection, ids, MOST + 1).await?;
                let most = usize::try_from(MOST).unwrap_or(usize::MAX);
                let mut done = Decided {
                    more: open.len() > most,
                    ..Decided::default()
                };
                let mut connections = Vec::new();
                for review in open.iter().take(most) {
                    let Some(answer) = decision.of(review) else {
                        done.left.push(review.id);
                        continue;
                    };
                    store::decide(conn, tenant, review.id, answer, actor, now).await?;
                    let subject = format!("review:{}", review.id);
                    let detail = json!({ "decision": answer, "bulk": true });
                    audit::note(conn, Some(tenant), now, actor, "review.decide", &subject, detail).await?;
                    done.decided.push(review.id);
                    connections.push(review.connection);
                }
                connections.sort_unstable();
                connections.dedup();
                for connection in connections {
                    self.start_decided(conn, tenant, connection, actor).await?;
                }
                Ok::<_, Error>(done)
            })
            .await?;
        self.signals.run_waits();
        Ok(done)
    }

    /// Takes a decision back: the review is open again, its records belong to whom they belonged before, and a run acts
    /// on that.
    ///
    /// # Errors
    /// [`Error::Unknown`] without such a decided review or when the same question is open again, or when the store
    /// refuses.
    #[tracing::instrument(name = "sync.review.reopen", skip_all, fields(review.id = %id))]
    pub async fn reopen_review(&self, tenant: TenantId, id: ReviewId, actor: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let review = store::reopen(conn, tenant, id, now)
                .await
                .map_err(|error| match error {
                    identity::Error::NoReview => Error::Unknown {
                        what: "decided review",
                        name: id.to_string(),
                    },
                    error => error.into(),
                })?;
            let subject = format!("review:{id}");
            let detail = json!({ "decision": review.decision });
            audit::note(conn, Some(tenant), now, actor, "review.reopen", &subject, detail).await?;
            self.start_decided(conn, tenant, review.connection, actor).await
        })
        .await?;
        self.signals.run_waits();
        Ok(())
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
