//! What people do with webhooks: make, show, enter a secret, rotate, end.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::sheet::{Counts, WebhookSheet};
use super::store::{self, Stored};
use crate::audit;
use crate::base::{Sealer, Secret, TenantId, digest, random_token};
use crate::connector::{Hook, SecretMaker};
use crate::db::{Conn, Transactional as _};
use crate::sync::Error;
use crate::sync::connection::{Connection, store as connections};
use crate::sync::engine::Engine;

/// The shortest and the longest secret that may be entered, in bytes.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// What is sealed of a webhook.
#[derive(Serialize, Deserialize)]
struct Plain {
    key: String,
    secret: Option<String>,
}

/// What is sealed of a webhook, opened.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub key: Secret,
    pub secret: Option<Secret>,
}

impl Kept {
    fn about(id: Uuid) -> String {
        format!("{id}:webhook")
    }

    /// Opens it.
    pub fn open(sealer: &Sealer, id: Uuid, sealed: &[u8]) -> Result<Self, Error> {
        let opened = sealer.open(&Self::about(id), sealed)?;
        let plain: Plain = serde_json::from_slice(&opened).map_err(Error::Record)?;
        Ok(Self {
            key: Secret::new(plain.key),
            secret: plain.secret.map(Secret::new),
        })
    }

    fn seal(&self, sealer: &Sealer, id: Uuid) -> Result<Vec<u8>, Error> {
        let plain = Plain {
            key: self.key.expose().to_owned(),
            secret: self.secret.as_ref().map(|secret| secret.expose().to_owned()),
        };
        let text = serde_json::to_vec(&plain).map_err(Error::Record)?;
        Ok(sealer.seal(&Self::about(id), &text)?)
    }
}

impl Engine {
    /// The webhook of a connection, if one was made. Its secret is not shown again.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NoWebhooks`], or when the store refuses.
    pub async fn webhook(&self, tenant: TenantId, name: &str) -> Result<Option<WebhookSheet>, Error> {
        let mut conn = self.conn().await?;
        let connection = named(&mut conn, tenant, name).await?;
        let hook = self.hook_of(&connection)?;
        let found = store::of_connection(&mut conn, tenant, connection.id, self.clock.now()).await?;
        self.sheet(&connection, hook, &found, None)
    }

    /// Makes the webhook of a connection, or leaves the one that is there, and enters the secret that the HR system
    /// gave. A secret that we made is shown once: when it is made.
    ///
    /// # Errors
    /// As [`Engine::webhook`], and [`Error::Decision`] for a secret that will not do.
    pub async fn make_webhook(
        &self,
        tenant: TenantId,
        name: &str,
        given: Option<Secret>,
        actor: &str,
    ) -> Result<WebhookSheet, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let connection = locked(conn, tenant, name).await?;
            let hook = self.hook_of(&connection)?;
            if let Some(secret) = &given {
                may_be_given(hook, secret)?;
            }
            let mut found = store::of_connection(conn, tenant, connection.id, now).await?;
            let mut shown = None;
            let standing = found.first_mut().filter(|webhook| webhook.ends_at.is_none());
            match (standing, given) {
                (Some(webhook), Some(secret)) => {
                    let mut kept = Kept::open(&self.sealer, webhook.id, &webhook.sealed)?;
                    kept.secret = Some(secret);
                    webhook.sealed = kept.seal(&self.sealer, webhook.id)?;
                    store::reseal(conn, webhook).await?;
                    self.note_webhook(conn, &connection, "webhook.secret", actor, now)
                        .await?;
                }
                (Some(_), None) => {}
                (None, given) => {
                    let made = self.new_webhook(conn, &connection, hook, given, now).await?;
                    shown = made.1;
                    found.insert(0, made.0);
                    self.note_webhook(conn, &connection, "webhook.make", actor, now)
                        .await?;
                }
            }
            self.sheet(&connection, hook, &found, shown)?
                .ok_or_else(|| unknown(name))
        })
        .await
    }

    /// Gives a connection's webhook a new address and, where we make it, a new secret. The one before is heard for
    /// `keep` longer, so that the HR system can be told without a gap.
    ///
    /// # Errors
    /// As [`Engine::make_webhook`].
    pub async fn rotate_webhook(
        &self,
        tenant: TenantId,
        name: &str,
        keep: TimeDelta,
        actor: &str,
    ) -> Result<WebhookSheet, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let connection = locked(conn, tenant, name).await?;
            let hook = self.hook_of(&connection)?;
            store::end(conn, tenant, connection.id, now + keep).await?;
            let (made, shown) = self.new_webhook(conn, &connection, hook, None, now).await?;
            self.note_webhook(conn, &connection, "webhook.rotate", actor, now)
                .await?;
            let mut found = store::of_connection(conn, tenant, connection.id, now).await?;
            found.retain(|webhook| webhook.id != made.id);
            found.insert(0, made);
            self.sheet(&connection, hook, &found, shown)?
                .ok_or_else(|| unknown(name))
        })
        .await
    }

    /// Ends every webhook of a connection at once.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn end_webhook(&self, tenant: TenantId, name: &str, actor: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let connection = locked(conn, tenant, name).await?;
            store::end(conn, tenant, connection.id, now).await?;
            self.note_webhook(conn, &connection, "webhook.end", actor, now)
                .await
        })
        .await
    }

    fn hook_of(&self, connection: &Connection) -> Result<Hook<'_>, Error> {
        self.catalogue
            .get(&connection.connector)
            .and_then(|manifest| manifest.hook())
            .ok_or_else(|| Error::NoWebhooks(connection.connector.clone()))
    }

    async fn new_webhook(
        &self,
        conn: &mut Conn,
        connection: &Connection,
        hook: Hook<'_>,
        given: Option<Secret>,
        now: DateTime<Utc>,
    ) -> Result<(Stored, Option<Secret>), Error> {
        let made = (hook.secret() == SecretMaker::Made).then(|| Secret::new(random_token()));
        let kept = Kept {
            key: Secret::new(random_token()),
            secret: given.or_else(|| made.clone()),
        };
        let id = Uuid::now_v7();
        let webhook = Stored {
            tenant: connection.tenant,
            id,
            connection: connection.id,
            sealed: kept.seal(&self.sealer, id)?,
            made_at: now,
            ends_at: None,
            counts: Counts::default(),
        };
        store::add(conn, &webhook, &digest(kept.key.expose().as_bytes())).await?;
        Ok((webhook, made))
    }

    fn sheet(
        &self,
        connection: &Connection,
        hook: Hook<'_>,
        found: &[Stored],
        shown: Option<Secret>,
    ) -> Result<Option<WebhookSheet>, Error> {
        let Some(webhook) = found.first().filter(|webhook| webhook.ends_at.is_none()) else {
            return Ok(None);
        };
        let kept = Kept::open(&self.sealer, webhook.id, &webhook.sealed)?;
        Ok(Some(WebhookSheet {
            key: kept.key,
            secret_maker: hook.secret(),
            has_secret: kept.secret.is_some(),
            secret: shown,
            user: hook.user().map(str::to_owned),
            guide: hook.guide().to_owned(),
            reads_one: hook.names_employees() && self.can_read_one(&connection.connector),
            made_at: webhook.made_at,
            earlier_until: found.get(1).and_then(|earlier| earlier.ends_at),
            counts: webhook.counts.clone(),
        }))
    }

    async fn note_webhook(
        &self,
        conn: &mut Conn,
        connection: &Connection,
        action: &str,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let subject = format!("connection:{}", connection.id);
        audit::note(
            conn,
            Some(connection.tenant),
            now,
            actor,
            action,
            &subject,
            json!({}),
        )
        .await?;
        Ok(())
    }
}

fn unknown(name: &str) -> Error {
    Error::Unknown {
        what: "connection",
        name: name.to_owned(),
    }
}

async fn named(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<Connection, Error> {
    connections::by_name(conn, tenant, name)
        .await?
        .ok_or_else(|| unknown(name))
}

async fn locked(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<Connection, Error> {
    connections::by_name_locked(conn, tenant, name)
        .await?
        .ok_or_else(|| unknown(name))
}

fn may_be_given(hook: Hook<'_>, secret: &Secret) -> Result<(), Error> {
    if hook.secret() == SecretMaker::None {
        return Err(Error::Decision(
            "this HR system signs nothing: the address is the only secret, and none can be entered"
                .to_owned(),
        ));
    }
    let text = secret.expose();
    if !SECRET_LENGTH.contains(&text.len()) || text.chars().any(char::is_control) {
        return Err(Error::Decision(format!(
            "the secret must have {} to {} characters and no control characters",
            SECRET_LENGTH.start(),
            SECRET_LENGTH.end()
        )));
    }
    Ok(())
}
