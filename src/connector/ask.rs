//! Asking an HR system: signed in, in its pace, repeated when that can help, its errors understood.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::auth::{Auth, Badge, CachedToken, SendCredentials, TokenCache};
use super::manifest::{ErrorWords, Meaning, Pace};
use super::path::Path;
use super::setting::{BASE_URL, Settings};
use super::template::{BadTemplate, fill, fill_json};
use super::{Error, Manifest};
use crate::base::{Clock, Secret, wait_before};
use crate::net::{Answer, BODY_CAP, Method, Net};

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
    settings: &'a Settings,
    net: &'a Net,
    clock: &'a Clock,
    tokens: &'a dyn TokenCache,
    words: &'a ErrorWords,
    badge: Option<Badge>,
    pace: Option<Pace>,
    sent: VecDeque<Instant>,
    base: Option<Url>,
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
            settings,
            net,
            clock,
            tokens,
            words: manifest.error_words(),
            badge: None,
            pace: manifest.pace(),
            sent: VecDeque::new(),
            base: settings.text(BASE_URL).and_then(|text| Url::parse(text).ok()),
        }
    }

    /// Key of the connector, for errors.
    pub fn key(&self) -> String {
        self.manifest.key().to_owned()
    }

    /// Fills a manifest's text with this connection's settings.
    pub fn fill(&self, text: &str) -> Result<String, Error> {
        fill(text, &|name| self.manifest.put_in(self.settings, name)).map_err(lacking)
    }

    /// Fills a manifest's body with this connection's settings.
    pub fn fill_json(&self, body: &Value) -> Result<Value, Error> {
        fill_json(body, &|name| self.manifest.put_in(self.settings, name)).map_err(lacking)
    }

    /// A manifest's address with settings put in and `base_url` applied.
    pub fn url(&self, text: &str) -> Result<Url, Error> {
        let filled = self.fill(text)?;
        let url = Url::parse(&filled).map_err(|_| Error::Setting {
            setting: "url".into(),
            message: "does not make an address".into(),
        })?;
        Ok(self.rebase(url))
    }

    /// Puts scheme, host and port of `base_url` in place of an address's own.
    pub fn rebase(&self, mut url: Url) -> Url {
        if let Some(base) = &self.base {
            let done = url.set_scheme(base.scheme()).is_ok()
                && url.set_host(base.host_str()).is_ok()
                && url.set_port(base.port()).is_ok();
            if !done {
                let mut own = base.clone();
                own.set_path(url.path());
                own.set_query(url.query());
                return own;
            }
        }
        url
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
            let badge = self.badge().await?;
            self.keep_pace().await;
            let error = match self.send(call, &badge).await {
                Ok(answer) if answer.is_success() => {
                    self.rotate(&answer).await;
                    return Ok(answer);
                }
                Ok(answer) => {
                    let error = self.understand(&answer, call);
                    let refused = matches!(answer.status, 401 | 403) && self.manifest.auth().has_token();
                    if refused && !renewed {
                        renewed = true;
                        self.badge = None;
                        self.tokens.forget().await;
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
        if let Badge::Query(name, value) = badge {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        let mut request = self.net.request(call.method.clone(), url).cap(call.cap);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
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
            Meaning::Credentials => Error::Credentials { connector, status },
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

    /// What signs requests in; logs in when there is no living token.
    pub async fn badge(&mut self) -> Result<Badge, Error> {
        if let Some(badge) = &self.badge {
            return Ok(badge.clone());
        }
        let secret = |asker: &Self, text: &str| asker.fill(text).map(Secret::new);
        let badge = match self.manifest.auth() {
            Auth::None => Badge::None,
            Auth::Header { name, value } => Badge::Header(name.clone(), secret(self, value)?),
            Auth::Query { name, value } => Badge::Query(name.clone(), secret(self, value)?),
            Auth::Basic { user, password } => Badge::Basic(self.fill(user)?, secret(self, password)?),
            Auth::Bearer { token } => Badge::Bearer(secret(self, token)?),
            Auth::ClientCredentials { .. } | Auth::Session { .. } => {
                let kept = self
                    .tokens
                    .get()
                    .await
                    .filter(|kept| kept.lives(self.clock.now()));
                let token = match kept {
                    Some(kept) => kept,
                    None => {
                        let fresh = Box::pin(self.log_in()).await?;
                        self.tokens.put(fresh.clone()).await;
                        fresh
                    }
                };
                Badge::Bearer(token.token)
            }
        };
        self.badge = Some(badge.clone());
        Ok(badge)
    }

    async fn log_in(&mut self) -> Result<CachedToken, Error> {
        let manifest = self.manifest;
        match manifest.auth() {
            Auth::Session {
                post,
                body,
                read,
                lives_seconds,
                ..
            } => {
                let call = self.login_call(post, Some(self.fill_json(body)?))?;
                let answer = self.knock(&call, None).await?;
                self.token_in(&answer, read, Some(*lives_seconds), &call)
            }
            Auth::ClientCredentials {
                token,
                id,
                secret,
                scope,
                send,
                extra,
            } => {
                let call = self.login_call(token, None)?;
                let (id, secret) = (self.fill(id)?, self.fill(secret)?);
                let mut pairs = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
                if let Some(scope) = scope {
                    pairs.push(("scope".into(), self.fill(scope)?));
                }
                for (name, value) in extra {
                    pairs.push((name.clone(), self.fill(value)?));
                }
                let basic = match send {
                    SendCredentials::Basic => Some((id, Secret::new(secret))),
                    SendCredentials::Form => {
                        pairs.push(("client_id".into(), id));
                        pairs.push(("client_secret".into(), secret));
                        None
                    }
                };
                let answer = self.knock(&call, Some((pairs, basic))).await?;
                self.token_in(&answer, "/access_token", None, &call)
            }
            _ => Err(Error::Setting {
                setting: "auth".into(),
                message: "has no login".into(),
            }),
        }
    }

    fn login_call(&self, address: &str, body: Option<Value>) -> Result<Call, Error> {
        Ok(Call {
            method: Method::POST,
            url: self.url(address)?,
            query: Vec::new(),
            headers: vec![("accept".into(), "application/json".into())],
            body,
            what: "a token".into(),
            page: 1,
            cap: BODY_CAP,
        })
    }

    /// Sends a login, with patience but without a badge.
    async fn knock(&mut self, call: &Call, form: Option<Form>) -> Result<Answer, Error> {
        let mut try_number = 1;
        loop {
            self.keep_pace().await;
            let mut request = self.net.request(call.method.clone(), call.address());
            for (name, value) in &call.headers {
                request = request.header(name, value);
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            if let Some((pairs, basic)) = &form {
                request = request.form(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                if let Some((user, password)) = basic {
                    request = request.basic(user, password);
                }
            }
            let error = match request.send().await {
                Ok(answer) if answer.is_success() => return Ok(answer),
                // RFC 6749 §5.2: wrong client credentials may be answered with 400 or 401.
                Ok(answer) if matches!(answer.status, 400 | 401 | 403) => Error::Credentials {
                    connector: self.key(),
                    status: answer.status,
                },
                Ok(answer) => self.understand(&answer, call),
                Err(source) => Error::Unreachable {
                    connector: self.key(),
                    source,
                },
            };
            if !self.pause(&error, &mut try_number).await {
                return Err(error);
            }
        }
    }

    fn token_in(
        &self,
        answer: &Answer,
        read: &str,
        lives: Option<u32>,
        call: &Call,
    ) -> Result<CachedToken, Error> {
        let body: Value = serde_json::from_slice(&answer.body).map_err(|source| Error::Unreadable {
            connector: self.key(),
            page: call.page,
            source,
        })?;
        let ok = self.words.ok.as_deref().and_then(Path::parse);
        if ok.is_some_and(|path| path.find(&body).value() == Some(&Value::Bool(false))) {
            return Err(Error::Credentials {
                connector: self.key(),
                status: answer.status,
            });
        }
        let token = Path::parse(read)
            .and_then(|path| path.find(&body).value()?.as_str().map(str::to_owned))
            .filter(|token| !token.is_empty())
            .ok_or_else(|| Error::Drift {
                connector: self.key(),
                field: "token".into(),
                path: read.to_owned(),
            })?;
        let seconds = body
            .get("expires_in")
            .and_then(Value::as_i64)
            .or(lives.map(i64::from));
        let expires_at = seconds
            .and_then(TimeDelta::try_seconds)
            .and_then(|life| self.clock.now().checked_add_signed(life));
        Ok(CachedToken {
            token: Secret::new(token),
            expires_at,
        })
    }

    /// Takes the next token out of an answer, where the HR system rotates them.
    async fn rotate(&mut self, answer: &Answer) {
        if !self.manifest.auth().rotates() {
            return;
        }
        let next = answer
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        let Some(next) = next.filter(|next| !next.is_empty()) else {
            return;
        };
        if matches!(&self.badge, Some(Badge::Bearer(now)) if now.expose() == next) {
            return;
        }
        let token = Secret::new(next.to_owned());
        let expires_at = match self.manifest.auth() {
            Auth::Session { lives_seconds, .. } => self
                .clock
                .now()
                .checked_add_signed(TimeDelta::seconds((*lives_seconds).into())),
            _ => None,
        };
        self.badge = Some(Badge::Bearer(token.clone()));
        self.tokens.put(CachedToken { token, expires_at }).await;
    }
}

type Form = (Vec<(String, String)>, Option<(String, Secret)>);

fn lacking(bad: BadTemplate) -> Error {
    match bad {
        BadTemplate::Open => Error::Setting {
            setting: "manifest".into(),
            message: "has {{ without }}".into(),
        },
        BadTemplate::Unknown(setting) => Error::Setting {
            setting,
            message: "is missing".into(),
        },
    }
}

/// A byte of chance, for jitter.
fn dice() -> u8 {
    uuid::Uuid::now_v7()
        .as_bytes()
        .last()
        .copied()
        .unwrap_or_default()
}
