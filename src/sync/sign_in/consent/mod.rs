//! Consent: asked for by a link, finished by the vendor's answer, kept alive, and noticed when it is lost.

mod client;
mod renew;
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub use client::{OAuthClient, keep_oauth_client, oauth_client, remove_oauth_client};

use crate::audit;
use crate::base::{ConnectionId, Secret, TenantId, digest, random_token};
use crate::connector::Source;
use crate::db::{Conn, Transactional as _};
use crate::sync::connection::{Compiled, Connection, ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::sign_in::StoredToken;
use crate::sync::{Error, sign_in::setup};

/// How long somebody has to consent.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// So long it is remembered that an answer came or the time ran out, to say so.
const MEMORY: TimeDelta = TimeDelta::days(7);

/// How consent to a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// When it was given last.
    pub given_at: DateTime<Utc>,
    /// Who had asked for it.
    pub given_by: String,
    /// When the HR system first refused to renew: it must be given again.
    pub lost_at: Option<DateTime<Utc>>,
    /// Whether it was lost after a renewal that broke off.
    pub interrupted: bool,
}

/// A link by which somebody consents.
#[derive(Debug)]
pub struct ConsentAsked {
    /// The vendor's address.
    pub link: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// What came of an answer of the vendor.
#[derive(Debug)]
pub enum ConsentAnswered {
    /// Consent is given and the token is kept.
    Given {
        /// To which connection.
        connection: Connection,
        /// Whether a setup link had led there.
        by_setup_link: bool,
    },
    /// Somebody said no, or the vendor did.
    Denied {
        /// The vendor's code (RFC 6749 §4.1.2.1).
        code: String,
    },
    /// The answer came before.
    Used,
    /// Too late.
    Expired,
    /// Nobody asked.
    Unknown,
}

/// What the vendor sent back (RFC 6749 §4.1.2).
#[derive(Debug)]
pub enum VendorAnswer {
    /// A code to be changed into a token.
    Code(Secret),
    /// An error code.
    Error(String),
}

impl Engine {
    /// Asks for consent to a connection: the draft's settings when there is one, else the live ones. The answer comes to
    /// `redirect`, within a day; with `publishes` these settings go live when it is yes.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Connector`] when it is not connected by consent, or when the store refuses.
    #[tracing::instrument(name = "sync.consent.ask", skip_all)]
    pub async fn ask_consent(
        &self,
        tenant: TenantId,
        name: &str,
        (redirect, publishes): (&str, bool),
        actor: &str,
    ) -> Result<ConsentAsked, Error> {
        let mut conn = self.conn().await?;
        let connection = connections::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| Error::Unknown {
                what: "connection",
                name: name.to_owned(),
            })?;
        self.ask_consent_to(&mut conn, connection, (redirect, publishes), actor, None)
            .await
    }

    pub(in crate::sync) async fn ask_consent_to(
        &self,
        conn: &mut Conn,
        connection: Connection,
        (redirect, publishes): (&str, bool),
        actor: &str,
        setup_link: Option<Vec<u8>>,
    ) -> Result<ConsentAsked, Error> {
        let (tenant, id) = (connection.tenant, connection.id);
        let (ready, revision) = self.ready(conn, connection, None).await?;
        let tokens = ready.tokens(self);
        let state = random_token();
        let asked = self
            .source(&ready, conn, &tokens)
            .await?
            .consent_link(&state, redirect)?;
        let verifier = asked.verifier.as_ref();
        let sealed = verifier
            .map(|verifier| {
                self.sealer
                    .seal(&verifier_about(id), verifier.expose().as_bytes())
            })
            .transpose()?;
        let now = self.clock.now();
        let expires_at = now + PATIENCE;
        let request = store::Asked {
            tenant,
            connection: id,
            revision,
            redirect: redirect.to_owned(),
            sealed,
            setup_link,
            publishes,
            asked_by: actor.to_owned(),
        };
        store::ask(conn, &digest(state.as_bytes()), &request, now, expires_at).await?;
        Ok(ConsentAsked {
            link: asked.address.into(),
            expires_at,
        })
    }

    async fn source<'a>(
        &'a self,
        ready: &'a Compiled,
        conn: &mut Conn,
        tokens: &'a StoredToken,
    ) -> Result<Source<'a>, Error> {
        ready.source(self, conn, tokens).await
    }

    /// The settings of a revision, ready; of the draft or else the live one when none is named.
    pub(in crate::sync) async fn ready(
        &self,
        conn: &mut Conn,
        connection: Connection,
        revision: Option<i32>,
    ) -> Result<(Compiled, i32), Error> {
        let unknown = || Error::Unknown {
            what: "revision of connection",
            name: connection.name.clone(),
        };
        let number = revision
            .or(connection.draft)
            .or(connection.live)
            .ok_or_else(unknown)?;
        let found = connections::revision(conn, connection.tenant, connection.id, number).await?;
        let found = found.ok_or_else(unknown)?;
        Ok((Compiled::of(self, conn, connection, &found).await?, number))
    }

    /// Finishes what the vendor answered to `state`: each answer once.
    ///
    /// # Errors
    /// [`Error::Connector`] when the vendor does not change the code into a token, or when the store refuses.
    #[tracing::instrument(name = "sync.consent.answer", skip_all)]
    pub async fn answer_consent(&self, state: &str, answer: VendorAnswer) -> Result<ConsentAnswered, Error> {
        let now = self.clock.now();
        let state_digest = digest(state.as_bytes());
        let mut conn = self.conn().await?;
        let Some(asked) = store::take(&mut conn, &state_digest, now).await? else {
            return Ok(match store::was_used(&mut conn, &state_digest).await? {
                Some(true) => ConsentAnswered::Used,
                Some(false) => ConsentAnswered::Expired,
                None => ConsentAnswered::Unknown,
            });
        };
        let code = match answer {
            VendorAnswer::Code(code) => code,
            VendorAnswer::Error(code) => {
                let detail = json!({ "code": code });
                self.note_consent(&mut conn, &asked, "consent.deny", detail)
                    .await?;
                return Ok(ConsentAnswered::Denied { code });
            }
        };
        let connection = connections::by_id(&mut conn, asked.tenant, asked.connection)
            .await?
            .ok_or_else(|| Error::Unknown {
                what: "connection",
                name: asked.connection.to_string(),
            })?;
        let (ready, _) = self
            .ready(&mut conn, connection.clone(), Some(asked.revision))
            .await?;
        let verifier = self.open_verifier(&asked)?;
        let tokens = ready.tokens(self);
        let source = self.source(&ready, &mut conn, &tokens).await?;
        // No connection of the pool is held while the vendor is asked.
        drop(conn);
        source.redeem(&code, &asked.redirect, verifier.as_ref()).await?;
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            store::give(conn, &asked, now).await?;
            if let Some(link) = &asked.setup_link {
                setup::end(conn, link, now).await?;
            }
            self.note_consent(conn, &asked, "consent.give", json!({})).await?;
            if asked.publishes && connection.draft == Some(asked.revision) {
                self.publish_in(conn, asked.tenant, &connection.name, &asked.asked_by)
                    .await?;
                return Ok(());
            }
            self.start_again(conn, &asked).await
        })
        .await?;
        self.signals.run_waits();
        Ok(ConsentAnswered::Given {
            connection,
            by_setup_link: asked.setup_link.is_some(),
        })
    }

    /// Lets a connection that works, and has consent again, read at once.
    async fn start_again(&self, conn: &mut Conn, asked: &store::Asked) -> Result<(), Error> {
        let Some(connection) = connections::by_id(conn, asked.tenant, asked.connection).await? else {
            return Ok(());
        };
        let (ConnectionState::Published, Some(live)) = (connection.state, connection.live) else {
            return Ok(());
        };
        let (ready, _) = self.ready(conn, connection, Some(live)).await?;
        self.start_connected(conn, &ready, live, &asked.asked_by).await
    }

    fn open_verifier(&self, asked: &store::Asked) -> Result<Option<Secret>, Error> {
        let open = |sealed: &Vec<u8>| {
            let text = self.sealer.open(&verifier_about(asked.connection), sealed)?;
            Ok(Secret::new(String::from_utf8_lossy(&text).into_owned()))
        };
        asked.sealed.as_ref().map(open).transpose()
    }

    async fn note_consent(
        &self,
        conn: &mut Conn,
        asked: &store::Asked,
        action: &str,
        detail: serde_json::Value,
    ) -> Result<(), Error> {
        let subject = format!("connection:{}", asked.connection);
        let now = self.clock.now();
        audit::note(
            conn,
            Some(asked.tenant),
            now,
            &asked.asked_by,
            action,
            &subject,
            detail,
        )
        .await?;
        Ok(())
    }

    /// How consent to a connection stands; `None`: it was never given.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn consent(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<Option<Consent>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::consent(&mut conn, tenant, connection).await?)
    }

    /// The connections of a tenant that need consent again.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn lost_consents(&self, tenant: TenantId) -> Result<Vec<ConnectionId>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::lost(&mut conn, tenant).await?)
    }

    /// How many connections of all tenants need consent again.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn count_lost_consents(&self) -> Result<i64, Error> {
        let mut conn = self.conn().await?;
        Ok(store::count_lost(&mut conn).await?)
    }
}

fn verifier_about(connection: ConnectionId) -> String {
    format!("{connection}:consent_verifier")
}
