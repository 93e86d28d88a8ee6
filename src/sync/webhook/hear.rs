//! A delivery: heard, counted, and turned into looks.

use chrono::TimeDelta;

use super::operate::Kept;
use super::store::{self, Found};
use crate::base::digest;
use crate::connector::{Delivery, Echo, Heard, Refusal, Whom};
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::engine::Engine;

/// How long a delivery is remembered. The HR systems that name their deliveries repeat them for some days at most.
const MEMORY: TimeDelta = TimeDelta::days(7);
/// A single employee is looked at at once, and again no sooner than after so many seconds.
pub(super) const SINGLE: (f64, f64) = (0.0, 10.0);
/// All are read after so many seconds, in which more may be told, and again no sooner than after so many.
pub(super) const ALL: (f64, f64) = (5.0, 900.0);
/// The same where an HR system can be asked for changes alone.
pub(super) const CHANGES: (f64, f64) = (5.0, 60.0);
/// The random last part of an address has so many characters.
const KEY_LENGTH: usize = 43;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Looked,
    Ignored,
    Repeated,
    Unreadable,
    Refused,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
        }
    }
}

/// How a request to a webhook's address is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// There is no such address.
    Unknown,
    /// It asked whether the address is ours.
    Echo(Echo),
    /// It was not posted, and is no challenge.
    OnlyPost,
    /// It is genuine.
    Thanks {
        /// The status that the HR system wants.
        status: u16,
        /// `looked`, `ignored`, `repeated` or `unreadable`.
        outcome: &'static str,
    },
    /// It did not prove itself.
    Refused,
}

impl Engine {
    /// Hears a delivery at the address that ends in `key`.
    ///
    /// # Errors
    /// When the store refuses.
    #[tracing::instrument(name = "sync.webhook.hear", skip_all)]
    pub async fn hear(&self, key: &str, delivery: &Delivery<'_>) -> Result<Answered, Error> {
        if key.len() != KEY_LENGTH {
            return Ok(Answered::Unknown);
        }
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let Some(found) = store::by_key(&mut conn, &digest(key.as_bytes()), now).await? else {
            return Ok(Answered::Unknown);
        };
        let Some(hook) = self
            .catalogue
            .get(&found.connector)
            .and_then(|manifest| manifest.hook())
        else {
            return Ok(Answered::Unknown);
        };
        if let Some(echo) = hook.challenge(delivery) {
            return Ok(Answered::Echo(echo));
        }
        if !delivery.is_post {
            return Ok(Answered::OnlyPost);
        }
        let kept = Kept::open(&self.sealer, found.id, &found.sealed)?;
        let secrets: Vec<_> = kept.secret.into_iter().collect();
        match hook.hear(delivery, &secrets, now) {
            Err(refusal) => {
                drop(conn);
                self.refuse(&found, refusal).await?;
                Ok(Answered::Refused)
            }
            Ok(heard) => {
                drop(conn);
                let outcome = self.look(&found, heard).await?;
                Ok(Answered::Thanks {
                    status: hook.thanks(),
                    outcome: outcome.as_str(),
                })
            }
        }
    }

    async fn refuse(&self, found: &Found, refusal: Refusal) -> Result<(), Error> {
        tracing::warn!(connection.id = %found.connection, reason = %refusal, "a webhook's delivery was refused");
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let why = refusal.to_string();
        Ok(store::count(&mut conn, found, Outcome::Refused, Some(&why), now).await?)
    }

    /// Counts a genuine delivery and asks for its looks, in one commit.
    async fn look(&self, found: &Found, heard: Heard) -> Result<Outcome, Error> {
        let now = self.clock.now();
        let (ids, pace) = match heard.whom {
            Whom::Nobody => (Vec::new(), SINGLE),
            Whom::These(ids) if self.can_read_one(&found.connector) => (ids, SINGLE),
            Whom::These(_) | Whom::All => (vec![String::new()], self.pace_of_all(&found.connector)),
        };
        let mut conn = self.conn().await?;
        let outcome = conn
            .transaction(async |conn| {
                let is_new = match &heard.replay_key {
                    Some(key) => store::note_delivery(conn, found, key, now + MEMORY).await?,
                    None => true,
                };
                let (outcome, failure) = if !is_new {
                    (Outcome::Repeated, None)
                } else if heard.unreadable {
                    (Outcome::Unreadable, Some("the body is no JSON"))
                } else if ids.is_empty() || !found.published {
                    (Outcome::Ignored, None)
                } else {
                    store::ask(conn, found.tenant, found.connection, &ids, now, pace).await?;
                    (Outcome::Looked, None)
                };
                store::count(conn, found, outcome, failure, now).await?;
                Ok::<_, Error>(outcome)
            })
            .await?;
        if outcome == Outcome::Looked {
            self.signals.look_wanted();
        }
        Ok(outcome)
    }

    /// Whether a connector's employees can be read one by one.
    pub(super) fn can_read_one(&self, connector: &str) -> bool {
        self.catalogue
            .get(connector)
            .is_some_and(crate::connector::Manifest::reads_one)
    }

    /// How soon and how often all are read because of webhooks.
    pub(super) fn pace_of_all(&self, connector: &str) -> (f64, f64) {
        let changes = self
            .catalogue
            .get(connector)
            .is_some_and(crate::connector::Manifest::reads_changes);
        if changes { CHANGES } else { ALL }
    }
}
