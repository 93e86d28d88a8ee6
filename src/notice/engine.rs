//! The engine: decides who is told, and tells.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lettre::Address;
use serde_json::Value;
use uuid::Uuid;

use super::mail::{Failure, MailServer, Session, compose};
use super::place::place;
use super::store::outbox::{self, Leased};
use super::store::{event, words};
use super::{Error, Said, built_in, route, webhook};
use crate::base::{Clock, Sealer, wait_before};
use crate::db::{Db, Transactional as _};
use crate::net::Net;

/// Mails of one dialogue.
const MAILS: i64 = 20;
/// So long a mail is this process's alone, in seconds: longer than a dialogue about twenty may take to reach it.
const LEASE: f64 = 600.0;
/// So long while it is handed over.
const HANDING_LEASE: f64 = 120.0;
/// A mail that the server does not take for so long is given up.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(72);
/// Events are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(90);
/// Events forgotten in one statement.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

/// Tells people and programs. Cheap to clone; any number may run on one database.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) db: Db,
    pub(super) net: Net,
    pub(super) clock: Clock,
    pub(super) sealer: Sealer,
    mail: Option<Arc<MailServer>>,
    pub(super) owner: Uuid,
}

impl Engine {
    /// An engine over these parts. Without a mail server, mails are kept as `unsent`.
    #[must_use]
    pub fn new(db: Db, net: Net, clock: Clock, sealer: Sealer, mail: Option<MailServer>) -> Self {
        Self {
            db,
            net,
            clock,
            sealer,
            mail: mail.map(Arc::new),
            owner: Uuid::now_v7(),
        }
    }

    /// Decides who is told of new events. Returns whether there were any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn route(&self) -> Result<bool, Error> {
        let mut conn = self.db.conn().await?;
        let routed = conn
            .transaction(async |conn| route::route(conn, self.mail.is_some(), self.clock.now()).await)
            .await?;
        Ok(routed > 0)
    }

    /// Forgets old events with what was sent of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<bool, Error> {
        let mut conn = self.db.conn().await?;
        let gone = event::forget(&mut conn, self.clock.now() - KEPT, FORGOTTEN_AT_ONCE).await?;
        Ok(gone > 0)
    }

    /// Sends mails that are due. Returns whether there were any.
    ///
    /// # Errors
    /// When the database fails. What the mail server says is kept with the mail.
    pub async fn send_mails(&self) -> Result<bool, Error> {
        let Some(server) = &self.mail else {
            return Ok(false);
        };
        let mut conn = self.db.conn().await?;
        let now = self.clock.now();
        let mails = outbox::lease_mails(&mut conn, self.owner, now, LEASE, MAILS).await?;
        drop(conn);
        if mails.is_empty() {
            return Ok(false);
        }
        let mut session = None;
        let mut mails = mails.into_iter();
        for mail in mails.by_ref() {
            if let Err(failure) = self.send(server, &mail, &mut session).await? {
                let is_gone = matches!(failure, Failure::Gone(_));
                self.end(&mail, &failure).await?;
                if is_gone {
                    // The server does not answer: the others need not try.
                    break;
                }
            }
        }
        let words = "the mail server does not answer".to_owned();
        for mail in mails {
            self.end(&mail, &Failure::Gone(words.clone())).await?;
        }
        if let Some(session) = session {
            session.end().await;
        }
        Ok(true)
    }

    /// Makes the calls that are due. Returns whether there were any.
    ///
    /// # Errors
    /// When the database fails. What the other side answers is kept with the call.
    pub async fn send_calls(&self) -> Result<bool, Error> {
        webhook::send_calls(self).await
    }

    /// Sends one mail; a dialogue that can go on stays in `session`.
    #[tracing::instrument(name = "notice.mail.send", skip_all, fields(message.id = %mail.id, attempt = mail.attempts))]
    async fn send(
        &self,
        server: &MailServer,
        mail: &Leased,
        session: &mut Option<Session>,
    ) -> Result<Result<(), Failure>, Error> {
        let (text, to) = match self.text_of(server, mail).await? {
            Ok(ready) => ready,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut open = match session.take() {
            Some(open) => open,
            None => match server.connect().await {
                Ok(open) => open,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        if let Err(failure) = open.offer(&server.from().email, &to).await {
            if open.forget().await {
                *session = Some(open);
            }
            return Ok(Err(failure));
        }
        let mut conn = self.db.conn().await?;
        if !outbox::begin_handing(&mut conn, mail, self.owner, HANDING_LEASE).await? {
            // Dropping the dialogue in the middle of a text sends nothing (RFC 5321 §4.1.1.10).
            return Ok(Ok(()));
        }
        drop(conn);
        let handed = open.hand_over(&text).await;
        if let Err(failure) = handed {
            if !matches!(failure, Failure::Unknown(_)) && open.forget().await {
                *session = Some(open);
            }
            return Ok(Err(failure));
        }
        *session = Some(open);
        let mut conn = self.db.conn().await?;
        let (now, whose) = (self.clock.now(), (mail.tenant, mail.id, self.owner));
        outbox::end(&mut conn, whose, ("sent", ""), now, now).await?;
        tracing::info!("a mail was sent");
        Ok(Ok(()))
    }

    async fn text_of(
        &self,
        server: &MailServer,
        mail: &Leased,
    ) -> Result<Result<(Vec<u8>, Address), Failure>, Error> {
        let refused = |words: &str| Ok(Err(Failure::Refused(words.to_owned())));
        if mail.escalated && !self.is_still_waiting(mail).await? {
            return refused(WITHDRAWN);
        }
        let Ok(to) = mail.address.parse::<Address>() else {
            return refused("the address is no mail address");
        };
        let said = match self.say(mail).await {
            Ok(said) => said,
            // Another version of the program raised it, and may tell of it.
            Err(error @ Error::UnknownKind) => return Ok(Err(Failure::Later(error.to_string()))),
            Err(Error::Words(error)) => return refused(&format!("the template cannot be filled: {error}")),
            Err(error) => return Err(error),
        };
        match compose(server, mail.id, &to, &said, self.clock.now()) {
            Some(text) => Ok(Ok((text, to))),
            None => refused("the mail cannot be put together"),
        }
    }

    async fn is_still_waiting(&self, mail: &Leased) -> Result<bool, Error> {
        let plan = mail.values.get("plan").and_then(Value::as_str);
        let Some(plan) = plan.and_then(|plan| Uuid::try_parse(plan).ok()) else {
            return Ok(true);
        };
        let mut conn = self.db.conn().await?;
        Ok(outbox::still_waits(&mut conn, mail.tenant, plan).await?)
    }

    /// What is said of an event, in a tenant's own words where it has some.
    async fn say(&self, mail: &Leased) -> Result<Said, Error> {
        let kind = mail.kind.ok_or(Error::UnknownKind)?;
        let own = {
            let mut conn = self.db.conn().await?;
            words::own_words(&mut conn, mail.tenant, kind, mail.language).await?
        };
        let mut values = mail.values.clone();
        let link = place(kind, &values);
        if let Some(values) = values.as_object_mut() {
            values.insert("link".to_owned(), link.into());
            values.insert("escalated".to_owned(), mail.escalated.into());
        }
        own.unwrap_or_else(|| built_in(kind, mail.language))
            .say(&values, mail.language)
    }

    /// Keeps what came of a mail that was not sent.
    async fn end(&self, mail: &Leased, failure: &Failure) -> Result<(), Error> {
        let now = self.clock.now();
        let attempt = u32::try_from(mail.attempts).unwrap_or(1);
        let again = later(now, wait_before(attempt.saturating_add(5), None, dice(mail.id)));
        let old = now - mail.created_at > GIVEN_UP_AFTER;
        let state = match failure {
            Failure::Refused(words) if words == WITHDRAWN => "withdrawn",
            Failure::Refused(_) => "failed",
            Failure::Gone(_) | Failure::Later(_) if old => "failed",
            Failure::Unknown(_) if mail.at_most_once => "unknown",
            Failure::Gone(_) | Failure::Later(_) | Failure::Unknown(_) => "waiting",
        };
        tracing::warn!(message.id = %mail.id, state, "a mail was not sent");
        let mut conn = self.db.conn().await?;
        let whose = (mail.tenant, mail.id, self.owner);
        outbox::end(&mut conn, whose, (state, failure.words()), again, now).await?;
        Ok(())
    }
}

/// What is said of a reminder that nobody needs any more.
const WITHDRAWN: &str = "it was decided meanwhile";

pub(super) fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(now)
}

/// An evenly spread byte that differs from message to message.
pub(super) fn dice(id: Uuid) -> u8 {
    id.as_bytes().last().copied().unwrap_or_default()
}
