//! Asking an HR system: signed in, in its pace, repeated when that can help, its errors understood.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::auth::{Badge, Desk, TokenCache};
use super::fill::Filler;
use super::manifest::{ErrorWords, Meaning, Pace};
use super::path::Path;
use super::setting::Settings;
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
    pace: Option<Pace>,
    sent: VecDeque<Instant>,
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
            pace: manifest.pace(),
            sent: VecDeque::new(),
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

    /// Asks and reads JSON.
    pub async fn json(&mut self, call: &Call) -> Result<(Value, Answer), Error> {
        let mut try_number = 1;
        loop {
            let answer = self.answer(call, &mut try_number).await?;
            let value: Value = serde_json::from_slice(&answer.body).map_err(|source| Error::Unreadable {
                connector: self.key(),
                page: call.page,
                source,
            })?;
            let ok = self.words.ok.as_deref().and_then(Path::parse);
            if ok.is_some_and(|path| path.find(&value).value() == Some(&Value::Bool(false))) {
                let error = self.understand(&answer, call);
                if self.pause(&error, &mut try_number).await {
                    continue;
                }
                return Err(error);
            }
            return Ok((value, answer));
        }
    }

    /// Asks until there is an answer with status 2xx, or no hope.
    pub async fn answer(&mut self, call: &Call, try_number: &mut u32) -> Result<Answer, Error> {
        let mut renewed = false;
        loop {
            let badge = self.desk.badge().await?;
            self.keep_pace().await;
            let error = match self.send(call, &badge).await {
                Ok(answer) if answer.is_success() => {
                    self.desk.rotate(&answer).await?;
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

    /// Waits until the manifest's pace allows another request.
    async fn keep_pace(&mut self) {
        let Some(pace) = self.pace else { return };
        let window = Duration::from_secs(pace.per_seconds.into());
        let most = usize::try_from(pace.requests).unwrap_or(usize::MAX).max(1);
        if self.sent.len() >= most
            && let Some(oldest) = self.sent.pop_front()
        {
            let free = oldest + window;
            let now = Instant::now();
            if free > now {
                self.net.sleeper().sleep(free - now).await;
            }
        }
        self.sent.push_back(Instant::now());
    }

    /// What an answer that is no success means: the manifest's word for its code first, its status else.
    fn understand(&self, answer: &Answer, call: &Call) -> Error {
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let code = body.as_ref().and_then(|body| {
            let path = Path::parse(self.words.code.as_deref()?)?;
            match path.find(body).value()? {
                Value::String(code) => Some(code.clone()),
                Value::Number(code) => Some(code.to_string()),
                _ => None,
            }
        });
        let known = code
            .as_deref()
            .and_then(|code| self.words.words.get(code))
            .copied();
        let meaning = known.unwrap_or(match answer.status {
            401 => Meaning::Credentials,
            403 => Meaning::Forbidden,
            404 | 410 => Meaning::NotFound,
            408 | 429 | 500 | 502 | 503 | 504 => Meaning::Busy,
            _ => Meaning::Refused,
        });
        let (connector, what, status) = (self.key(), call.what.clone(), answer.status);
        // A code is shown only when it looks like one: never a sentence that might name a person.
        let code = code.filter(|code| code.len() <= 80 && code.chars().all(|c| c.is_ascii_graphic()));
        match meaning {
            Meaning::Credentials => Error::Credentials {
                connector,
                status,
                code: code.map(|code| format!(", {code}")).unwrap_or_default(),
            },
            Meaning::Forbidden => Error::Forbidden {
                connector,
                what,
                status,
            },
            Meaning::NotFound => Error::NotFound {
                connector,
                what,
                status,
            },
            Meaning::NotReady => Error::NotReady {
                connector,
                code: code.unwrap_or_default(),
            },
            Meaning::Busy => Error::Busy {
                connector,
                status,
                retry_after: answer.retry_after,
            },
            Meaning::Refused => {
                let code = code.map(|code| format!(", {code}")).unwrap_or_default();
                Error::Refused {
                    connector,
                    what,
                    status,
                    code,
                }
            }
        }
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
