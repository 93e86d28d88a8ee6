//! Asking an HR system: signed in, in its pace, repeated when that can help, its errors understood.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::auth::{Badge, Desk, TokenCache};
use super::decode::decode;
use super::fill::Filler;
use super::manifest::ErrorWords;
use super::pace::Pacer;
use super::request::Format;
use super::setting::Settings;
use super::verdict::{has_failed, understand};
use super::{Error, Manifest};
use crate::base::{Clock, wait_before};
use crate::net::{Answer, Method, Net};

/// How often one request is tried.
const MOST_TRIES: u32 = 6;
/// A longer wait is left to the next run.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// One request, before it is signed in.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub method: Method,
    pub url: Url,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
    /// A body that is no JSON.
    pub text: Option<String>,
    /// How the answer is written.
    pub format: Format,
    /// Statuses that mean that there is nothing.
    pub empty_on: Vec<u16>,
    /// What is asked for, in errors.
    pub what: String,
    /// Page, in errors.
    pub page: u32,
    /// Largest answer, in bytes.
    pub cap: usize,
}

impl Call {
    pub fn address(&self) -> Url {
        let mut url = self.url.clone();
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

/// Asks on behalf of one connection.
pub(super) struct Asker<'a> {
    manifest: &'a Manifest,
    net: &'a Net,
    words: &'a ErrorWords,
    desk: Desk<'a>,
    filler: Filler<'a>,
    pacer: Pacer,
    clock: &'a Clock,
}

impl<'a> Asker<'a> {
    pub fn new(
        manifest: &'a Manifest,
        settings: &'a Settings,
        net: &'a Net,
        clock: &'a Clock,
        tokens: &'a dyn TokenCache,
    ) -> Self {
        Self {
            manifest,
            net,
            words: manifest.error_words(),
            desk: Desk::new(manifest, settings, net, clock, tokens),
            filler: Filler::new(manifest, settings),
            pacer: Pacer::new(manifest.paces()),
            clock,
        }
    }

    /// Key of the connector, for errors.
    pub fn key(&self) -> String {
        self.manifest.key().to_owned()
    }

    /// Puts this connection's settings in.
    pub const fn filler(&self) -> &Filler<'a> {
        &self.filler
    }

    /// Gets a token where one is needed; else sees that the settings are there.
    pub async fn sign_in(&mut self) -> Result<(), Error> {
        self.desk.badge().await.map(|_| ())
    }

    /// Asks and reads the answer; `None` when it means that there is nothing.
    pub async fn value(&mut self, call: &Call) -> Result<Option<(Value, Answer)>, Error> {
        let mut try_number = 1;
        let mut renewed = false;
        loop {
            let answer = match self.answer(call, &mut try_number).await {
                Ok(answer) => answer,
                Err(Error::Nothing { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            match self.read(call, &answer) {
                Ok(value) => return Ok(value.map(|value| (value, answer))),
                // Some refuse a token with an answer that only looks successful.
                Err(Error::Credentials { .. }) if !renewed && self.desk.drop_token(401) => renewed = true,
                Err(error) => {
                    if !self.pause(&error, &mut try_number).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Asks several calls, some of them at the same time; what does not succeed at once is asked again with patience.
    pub async fn values(&mut self, calls: &[Call]) -> Result<Vec<Option<Value>>, Error> {
        let mut all = Vec::with_capacity(calls.len());
        let at_once = if self.desk.rotates() {
            1
        } else {
            self.pacer.at_once()
        };
        for some in calls.chunks(at_once) {
            let badge = self.desk.badge().await?;
            for _ in some {
                self.keep_pace().await;
            }
            let this = &*self;
            let answers =
                futures_util::future::join_all(some.iter().map(|call| this.send(call, &badge))).await;
            for (call, answer) in some.iter().zip(answers) {
                if let Ok(answer) = &answer {
                    self.pacer.note(answer, self.clock.now());
                }
                let quick = answer
                    .ok()
                    .filter(|answer| answer.is_success() || call.empty_on.contains(&answer.status))
                    .and_then(|answer| self.read(call, &answer).ok());
                all.push(match quick {
                    Some(value) => value,
                    None => self.value(call).await?.map(|(value, _)| value),
                });
            }
        }
        Ok(all)
    }

    /// What stands in an answer; `None` when it means that there is nothing.
    fn read(&self, call: &Call, answer: &Answer) -> Result<Option<Value>, Error> {
        if call.empty_on.contains(&answer.status) {
            return Ok(None);
        }
        let value = decode(call.format, &answer.body).map_err(|source| Error::Unreadable {
            connector: self.key(),
            page: call.page,
            format: call.format.name(),
            source,
        })?;
        if has_failed(self.words, &value) {
            return match self.understand(answer, call) {
                Error::Nothing { .. } => Ok(None),
                error => Err(error),
            };
        }
        Ok(Some(value))
    }

    /// Asks until there is an answer with status 2xx, or no hope.
    pub async fn answer(&mut self, call: &Call, try_number: &mut u32) -> Result<Answer, Error> {
        let mut renewed = false;
        loop {
            let badge = self.desk.badge().await?;
            self.keep_pace().await;
            let error = match self.send(call, &badge).await {
                Ok(answer) if answer.is_success() || call.empty_on.contains(&answer.status) => {
                    self.desk.rotate(&answer).await?;
                    self.pacer.note(&answer, self.clock.now());
                    return Ok(answer);
                }
                Ok(answer) => {
                    let error = self.understand(&answer, call);
                    let status = match error {
                        Error::Credentials { .. } => 401,
                        _ => answer.status,
                    };
                    if !renewed && self.desk.drop_token(status) {
                        renewed = true;
                        continue;
                    }
                    error
                }
                Err(source) => Error::Unreachable {
                    connector: self.key(),
                    source,
                },
            };
            if !self.pause(&error, try_number).await {
                return Err(error);
            }
        }
    }

    async fn send(&self, call: &Call, badge: &Badge) -> Result<Answer, crate::net::Error> {
        let mut url = call.address();
        badge.address(&mut url);
        let mut request = self.net.request(call.method.clone(), url).cap(call.cap);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let signed = badge.body(call.body.as_ref());
        if let Some(body) = signed.as_ref().or(call.body.as_ref()) {
            request = request.json(body);
        }
        if let Some(text) = &call.text {
            let kind = call
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            let kind = kind.map_or("text/xml", |(_, kind)| kind);
            request = match badge.envelope(text) {
                Some(signed) => request.body(kind, signed.expose().to_owned()),
                None => request.body(kind, text.clone()),
            };
        }
        badge.sign(request).send().await
    }

    /// Waits before the next try. `false`: there will be none.
    async fn pause(&self, error: &Error, try_number: &mut u32) -> bool {
        let repeatable = match error {
            Error::Busy { .. } => true,
            Error::Unreachable { source, .. } => source.is_transient(),
            _ => false,
        };
        let wait = wait_before(*try_number, error.retry_after(), dice());
        if !repeatable || *try_number >= MOST_TRIES || wait > LONGEST_WAIT {
            return false;
        }
        tracing::warn!(
            connector = self.manifest.key(),
            attempt = *try_number,
            "an HR system is asked again"
        );
        *try_number = try_number.saturating_add(1);
        self.net.sleeper().sleep(wait).await;
        true
    }

    /// Waits until the pace allows another request.
    async fn keep_pace(&mut self) {
        let wait = self.pacer.delay();
        if !wait.is_zero() {
            self.net.sleeper().sleep(wait).await;
        }
        self.pacer.sent();
    }

    /// What an answer that is no success means.
    fn understand(&self, answer: &Answer, call: &Call) -> Error {
        let wait = answer
            .retry_after
            .or_else(|| self.pacer.reset(answer, self.clock.now()));
        understand(
            self.words,
            answer,
            call.format,
            self.key(),
            call.what.clone(),
            wait,
        )
    }
}

/// A byte of chance, for jitter.
pub(super) fn dice() -> u8 {
    uuid::Uuid::now_v7()
        .as_bytes()
        .last()
        .copied()
        .unwrap_or_default()
}
