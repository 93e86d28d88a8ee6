//! The desk where a badge is fetched: keys put in their place, tokens kept, renewed ahead of time and shared.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::badge::{Badge, Mark, shown};
use super::oauth::{Proof, Server};
use super::token::{CachedToken, TokenCache, TokenTrouble, Turn};
use super::words::{Auth, Encode, Grant, OAuth, Session, Show};
use super::{jwt, xml};
use crate::base::{Clock, Secret, digest, wait_before};
use crate::connector::ask::dice;
use crate::connector::fill::Filler;
use crate::connector::path::Path;
use crate::connector::verdict::has_failed;
use crate::connector::{Error, Manifest, Settings};
use crate::net::{Answer, Method, Net, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest time for one request for a token.
const TIME_OUT: Duration = Duration::from_secs(30);
/// How often one token is asked for.
const MOST_TRIES: u32 = 4;
/// A longer wait is left to the next run.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often, and how long each time, another process is waited for.
const MOST_LOOKS: u32 = 480;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Largest answer with a token, in bytes.
const CAP: usize = 1024 * 1024;

/// Signs in on behalf of one connection.
pub(in crate::connector) struct Desk<'a> {
    manifest: &'a Manifest,
    auth: Option<&'a Auth>,
    filler: Filler<'a>,
    net: &'a Net,
    clock: &'a Clock,
    tokens: &'a dyn TokenCache,
    held: Option<(Badge, Option<CachedToken>)>,
    /// A token that was refused, though it seemed to live.
    refused: Option<Secret>,
}

impl<'a> Desk<'a> {
    pub fn new(
        manifest: &'a Manifest,
        settings: &'a Settings,
        net: &'a Net,
        clock: &'a Clock,
        tokens: &'a dyn TokenCache,
    ) -> Self {
        Self {
            manifest,
            auth: manifest.auth().chosen(settings),
            filler: Filler::new(manifest, settings),
            net,
            clock,
            tokens,
            held: None,
            refused: None,
        }
    }

    /// What signs the next request in. Signs in first where there is no living token.
    pub async fn badge(&mut self) -> Result<Badge, Error> {
        let now = self.clock.now();
        if let Some((badge, token)) = &self.held
            && token.as_ref().is_none_or(|token| token.is_fresh(now))
        {
            return Ok(badge.clone());
        }
        let auth = self.auth()?;
        let headers = self.filler.entries(self.manifest.headers())?;
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        let (mark, token) = match auth {
            Auth::Session(session) => self.with_token(&session.show).await?,
            Auth::Oauth2(oauth) => self.with_token(&oauth.show).await?,
            fixed => (self.fixed(fixed)?, None),
        };
        let badge = Badge::new(mark, headers);
        if !matches!(auth, Auth::Jwt { .. }) {
            self.held = Some((badge.clone(), token));
        }
        Ok(badge)
    }

    fn auth(&self) -> Result<&'a Auth, Error> {
        self.auth.ok_or_else(|| Error::Setting {
            setting: match self.manifest.auth() {
                Auth::Choice { by, .. } => by.clone(),
                _ => "auth".into(),
            },
            message: "is missing: it chooses how to sign in".into(),
        })
    }

    /// Whether a new token may help after a refusal with `status`. The token that was refused is not used again.
    pub fn drop_token(&mut self, status: u16) -> bool {
        let helps = match self.auth {
            Some(Auth::Session(_)) => matches!(status, 401 | 403),
            Some(Auth::Oauth2(_)) => status == 401,
            _ => false,
        };
        if helps {
            self.refused = self
                .held
                .take()
                .and_then(|(_, token)| token)
                .map(|token| token.token);
        }
        helps
    }

    fn fixed(&self, auth: &Auth) -> Result<Mark, Error> {
        let secret = |text: &str| self.filler.fill(text).map(Secret::new);
        Ok(match auth {
            Auth::Header {
                name,
                prefix,
                value,
                encode,
            } => {
                let mut value = self.filler.fill(value)?;
                if *encode == Some(Encode::Base64) {
                    value = STANDARD.encode(value);
                }
                Mark::Header(
                    name.clone(),
                    Secret::new(format!("{}{value}", self.filler.fill(prefix)?)),
                )
            }
            Auth::Query { name, value } => Mark::Query(name.clone(), secret(value)?),
            Auth::Body { at, value } => {
                let path = Path::parse(at).ok_or_else(|| drift(&self.filler, "key", at))?;
                Mark::Body(path, secret(value)?)
            }
            Auth::Basic { user, password } => Mark::Basic(self.filler.fill(user)?, secret(password)?),
            Auth::Bearer { token } => Mark::Bearer(secret(token)?),
            Auth::Wsse { user, password } => {
                Mark::Soap(xml::username_token(&self.filler.fill(user)?, &secret(password)?))
            }
            Auth::Jwt {
                show,
                key,
                claims,
                time_claim,
            } => {
                let mut said: Map<String, Value> = self
                    .filler
                    .entries(claims)?
                    .into_iter()
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect();
                let now = self.clock.now();
                match time_claim {
                    Some(name) => {
                        said.insert(name.clone(), now.timestamp().into());
                    }
                    None => jwt::stamp(&mut said, now),
                }
                shown(&self.filler, show, &jwt::signed(&self.filler, key, &said)?)?
            }
            Auth::None | Auth::Session(_) | Auth::Oauth2(_) | Auth::Choice { .. } => Mark::None,
        })
    }

    async fn with_token(&mut self, show: &Show) -> Result<(Mark, Option<CachedToken>), Error> {
        let token = self.token().await?;
        Ok((shown(&self.filler, show, &token.token)?, Some(token)))
    }

    /// A living token: the kept one, or one that we fetch while nobody else does.
    async fn token(&mut self) -> Result<CachedToken, Error> {
        let scope = self.scope()?;
        for _ in 0..MOST_LOOKS {
            let now = self.clock.now();
            let kept = self.kept(&scope).await?;
            let usable = kept
                .clone()
                .filter(|kept| self.is_good(kept) && kept.is_usable(now));
            if let Some(fresh) = usable.clone().filter(|kept| kept.is_fresh(now)) {
                return Ok(fresh);
            }
            match (self.tokens.turn().await.map_err(trouble)?, usable) {
                (Turn::Ours { interrupted }, usable) => {
                    return self.renew(&scope, interrupted, usable).await;
                }
                (Turn::Theirs, Some(usable)) => return Ok(usable),
                (Turn::Theirs, None) => self.net.sleeper().sleep(LOOK_EVERY).await,
            }
        }
        Err(self.busy())
    }

    async fn kept(&self, scope: &[u8]) -> Result<Option<CachedToken>, Error> {
        let kept = self.tokens.get().await.map_err(trouble)?;
        Ok(kept.filter(|kept| kept.scope == scope))
    }

    fn is_good(&self, kept: &CachedToken) -> bool {
        self.refused.as_ref() != Some(&kept.token)
    }

    /// Our turn: looks once more, since somebody may have just finished, then fetches a token.
    async fn renew(
        &mut self,
        scope: &[u8],
        interrupted: bool,
        usable: Option<CachedToken>,
    ) -> Result<CachedToken, Error> {
        let kept = match self.kept(scope).await {
            Ok(kept) => kept,
            Err(error) => {
                self.end_turn().await;
                return Err(error);
            }
        };
        let now = self.clock.now();
        if let Some(fresh) = kept
            .clone()
            .filter(|kept| self.is_good(kept) && kept.is_fresh(now))
        {
            self.end_turn().await;
            return Ok(fresh);
        }
        if interrupted {
            tracing::warn!(
                connector = self.manifest.key(),
                "a sign-in was begun and never finished: a token that was good for one use may be lost"
            );
        }
        let had = kept.is_some();
        match self.log_in(kept.and_then(|kept| kept.refresh)).await {
            Ok(mut token) => {
                token.scope = scope.to_vec();
                self.keep(&token).await?;
                self.refused = None;
                Ok(token)
            }
            Err(Error::Consent { connector, .. }) if had => {
                self.tokens.consent_lost(interrupted).await.map_err(trouble)?;
                Err(Error::Consent {
                    connector,
                    interrupted,
                })
            }
            Err(error) => {
                self.end_turn().await;
                match usable {
                    Some(usable) if error.is_transient() => Ok(usable),
                    _ => Err(error),
                }
            }
        }
    }

    /// Keeps a token, with patience: the one before may have ended with it, and its refresh token be good for one use.
    async fn keep(&self, token: &CachedToken) -> Result<(), Error> {
        let mut try_number = 1;
        loop {
            match self.tokens.put(token.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if try_number >= MOST_TRIES => return Err(trouble(error)),
                Err(_) => {
                    self.net
                        .sleeper()
                        .sleep(wait_before(try_number, None, dice()))
                        .await
                }
            }
            try_number = try_number.saturating_add(1);
        }
    }

    async fn end_turn(&self) {
        if let Err(error) = self.tokens.end_turn().await {
            tracing::warn!(connector = self.manifest.key(), error = %crate::base::Chain(&error), "a turn to sign in cannot be ended: it lapses by itself");
        }
    }

    async fn log_in(&self, refresh: Option<Secret>) -> Result<CachedToken, Error> {
        match self.auth()? {
            Auth::Session(session) => self.session(session).await,
            Auth::Oauth2(oauth) => self.oauth(oauth, refresh).await,
            _ => Err(drift(&self.filler, "token", "auth")),
        }
    }

    async fn session(&self, session: &'a Session) -> Result<CachedToken, Error> {
        let answer = self.knock(|| self.login_request(session)).await?;
        let said = match &session.read_header {
            Some(name) => answer.header(name).map(str::to_owned),
            None => {
                let body = self.body_of(&answer)?;
                let path = session.read.as_deref().and_then(Path::parse);
                path.and_then(|path| path.find(&body).value()?.as_str().map(str::to_owned))
            }
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = self.token_of(said, &answer, &body)?;
        let now = self.clock.now();
        let at = |path: &str| Path::parse(path).and_then(|path| path.find(&body).value().cloned());
        let expires_at = at(&session.expires_in)
            .and_then(|seconds| in_seconds(&seconds, now))
            .or_else(|| moment(&at(session.expires_at.as_deref()?)?))
            .or_else(|| jwt::end_of(token.expose()))
            .or_else(|| lives(session.lives_seconds, now));
        Ok(CachedToken {
            token,
            made_at: now,
            expires_at,
            refresh: None,
            scope: Vec::new(),
        })
    }

    fn login_request(&self, session: &Session) -> Result<Request<'a>, Error> {
        let (method, address) = match (&session.get, &session.post) {
            (Some(address), _) => (Method::GET, address),
            (None, address) => (Method::POST, address.as_ref().unwrap_or(&NO_ADDRESS)),
        };
        let mut url = self.filler.url(address)?;
        let query = self.filler.entries(&session.query)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.net.request(method, url).header("accept", "application/json");
        if let Some(body) = &session.body {
            request = request.json(&self.filler.fill_json(body)?);
        }
        if let Some(form) = &session.form {
            let form = self.filler.entries(form)?;
            request = request.form(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        for (name, value) in self.filler.entries(&session.headers)? {
            request = request.secret_header(&name, &Secret::new(value));
        }
        Ok(request)
    }

    async fn oauth(&self, oauth: &'a OAuth, kept: Option<Secret>) -> Result<CachedToken, Error> {
        let refresh = match (kept, oauth.grant, &oauth.refresh) {
            (Some(kept), ..) => Some(kept),
            (None, Grant::RefreshToken, Some(text)) => Some(Secret::new(self.filler.fill(text)?)),
            _ => None,
        };
        let proof = match (&refresh, oauth.grant) {
            (Some(refresh), _) => Proof::Refresh(refresh),
            (None, Grant::AuthorizationCode) => {
                return Err(Error::Consent {
                    connector: self.filler.key(),
                    interrupted: false,
                });
            }
            (None, _) => Proof::None,
        };
        let mut token = self.exchange(oauth, &proof).await?;
        // RFC 6749 §6: no new refresh token means that the old one stays good.
        token.refresh = token.refresh.or(refresh);
        Ok(token)
    }

    /// Changes a proof into a token at the authorization server.
    async fn exchange(&self, oauth: &'a OAuth, proof: &Proof<'_>) -> Result<CachedToken, Error> {
        let server = Server {
            filler: &self.filler,
            oauth,
            clock: self.clock,
        };
        let consented = matches!(proof, Proof::Refresh(_)) && oauth.grant == Grant::AuthorizationCode;
        let answer = self.knock(|| server.request(self.net, &server.ask(proof)?)).await;
        let answer = match answer {
            Err(Error::Credentials { code, .. }) if consented && code == ", invalid_grant" => {
                return Err(Error::Consent {
                    connector: self.filler.key(),
                    interrupted: false,
                });
            }
            other => other?,
        };
        let body = self.body_of(&answer)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let token = self.token_of(text("access_token"), &answer, &body)?;
        let now = self.clock.now();
        let expires_at = body
            .get("expires_in")
            .and_then(|seconds| in_seconds(seconds, now))
            .or_else(|| jwt::end_of(token.expose()))
            .or_else(|| lives(oauth.lives_seconds, now));
        Ok(CachedToken {
            token,
            made_at: now,
            expires_at,
            refresh: text("refresh_token")
                .filter(|text| !text.is_empty())
                .map(Secret::new),
            scope: Vec::new(),
        })
    }

    /// The authorization server where somebody consents.
    pub(super) fn server(&self) -> Result<Server<'a, '_>, Error> {
        match self.auth()? {
            Auth::Oauth2(oauth) if oauth.grant == Grant::AuthorizationCode => Ok(Server {
                filler: &self.filler,
                oauth,
                clock: self.clock,
            }),
            _ => Err(self.no_consent()),
        }
    }

    pub(super) fn no_consent(&self) -> Error {
        Error::NoConsentAsked {
            connector: self.filler.key(),
        }
    }

    /// Changes what came of somebody's consent into a token, in our turn, and keeps it.
    pub(super) async fn redeem(&mut self, proof: &Proof<'_>) -> Result<(), Error> {
        let oauth = self.server()?.oauth;
        let scope = self.scope()?;
        for _ in 0..MOST_LOOKS {
            match self.tokens.turn().await.map_err(trouble)? {
                Turn::Theirs => self.net.sleeper().sleep(LOOK_EVERY).await,
                Turn::Ours { .. } => {
                    return match self.exchange(oauth, proof).await {
                        Ok(mut token) => {
                            token.scope = scope;
                            self.keep(&token).await
                        }
                        Err(error) => {
                            self.end_turn().await;
                            Err(error)
                        }
                    };
                }
            }
        }
        Err(self.busy())
    }

    fn busy(&self) -> Error {
        Error::SignInBusy {
            connector: self.filler.key(),
        }
    }

    /// The token that an answer brought; one that looks successful without a token refused us.
    fn token_of(&self, said: Option<String>, answer: &Answer, body: &Value) -> Result<Secret, Error> {
        let refused = has_failed(self.manifest.error_words(), body);
        let said = said.unwrap_or_default();
        let token = said.strip_prefix("Bearer ").unwrap_or(&said).trim();
        if refused || token.is_empty() {
            return Err(Error::Credentials {
                connector: self.filler.key(),
                status: answer.status,
                code: code_of(answer).unwrap_or_else(|| ", no token came".into()),
            });
        }
        Ok(Secret::new(token.to_owned()))
    }

    fn body_of(&self, answer: &Answer) -> Result<Value, Error> {
        serde_json::from_slice(&answer.body).map_err(|source| Error::Unreadable {
            connector: self.filler.key(),
            page: 1,
            format: "JSON",
            source: source.into(),
        })
    }

    /// Asks for a token, with patience. The request is made anew for each try: what it proves may be good for one use.
    async fn knock(&self, request: impl Fn() -> Result<Request<'a>, Error>) -> Result<Answer, Error> {
        let mut try_number = 1;
        loop {
            let error = match request()?.cap(CAP).time_out(TIME_OUT).send().await {
                Ok(answer) if answer.is_success() => return Ok(answer),
                Ok(answer) => self.understand(&answer),
                Err(source) => Error::Unreachable {
                    connector: self.filler.key(),
                    source,
                },
            };
            let wait = wait_before(try_number, error.retry_after(), dice());
            if !error.is_transient() || try_number >= MOST_TRIES || wait > LONGEST_WAIT {
                return Err(error);
            }
            tracing::warn!(
                connector = self.manifest.key(),
                attempt = try_number,
                "a token is asked for again"
            );
            try_number = try_number.saturating_add(1);
            // Our turn must not lapse while we wait; if it did, another process asks now.
            if self.tokens.turn().await.map_err(trouble)? == Turn::Theirs {
                return Err(self.busy());
            }
            self.net.sleeper().sleep(wait).await;
        }
    }

    /// What an answer that is no success means (RFC 6749 §5.2: wrong credentials may be answered with 400 or 401).
    fn understand(&self, answer: &Answer) -> Error {
        let (connector, status) = (self.filler.key(), answer.status);
        let code = code_of(answer).unwrap_or_default();
        match status {
            408 | 429 | 500..=599 => Error::Busy {
                connector,
                status,
                retry_after: answer.retry_after,
            },
            404 | 410 => Error::NotFound {
                connector,
                what: "a token".into(),
                status,
            },
            400 | 401 | 403 => Error::Credentials {
                connector,
                status,
                code,
            },
            _ => Error::Refused {
                connector,
                what: "a token".into(),
                status,
                code,
            },
        }
    }

    /// Whether answers may bring the next token: then one request follows the other.
    pub fn rotates(&self) -> bool {
        matches!(self.auth, Some(Auth::Session(session)) if session.rotates)
    }

    /// Takes the next token out of an answer, where the HR system rotates them.
    pub async fn rotate(&mut self, answer: &Answer) -> Result<(), Error> {
        let Some(Auth::Session(session)) = self.auth else {
            return Ok(());
        };
        if !session.rotates {
            return Ok(());
        }
        let said = answer
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let Some(next) = said.map(str::trim).filter(|next| !next.is_empty()) else {
            return Ok(());
        };
        if let Some((_, Some(token))) = &self.held
            && token.token.expose() == next
        {
            return Ok(());
        }
        let now = self.clock.now();
        let token = CachedToken {
            token: Secret::new(next.to_owned()),
            made_at: now,
            expires_at: jwt::end_of(next).or_else(|| lives(session.lives_seconds, now)),
            refresh: None,
            scope: self.scope()?,
        };
        self.tokens.put(token.clone()).await.map_err(trouble)?;
        let mark = shown(&self.filler, &session.show, &token.token)?;
        if let Some((badge, held)) = &mut self.held {
            *badge = badge.remade(mark);
            *held = Some(token);
        }
        Ok(())
    }

    /// Digest of the credentials that a token is asked for with.
    fn scope(&self) -> Result<Vec<u8>, Error> {
        let mut all = String::new();
        for text in self.auth()?.credentials() {
            all.push_str(&self.filler.optional(text)?.unwrap_or_default());
            all.push('\u{0}');
        }
        all.push_str(self.filler.base().map_or("", url::Url::as_str));
        Ok(digest(all.as_bytes()))
    }
}

/// For a login without an address, which no manifest passes that was checked.
static NO_ADDRESS: String = String::new();

fn drift(filler: &Filler<'_>, field: &str, path: &str) -> Error {
    Error::Drift {
        connector: filler.key(),
        field: field.to_owned(),
        path: path.to_owned(),
    }
}

fn trouble(source: TokenTrouble) -> Error {
    Error::TokenStore { source }
}

/// `error` of a token endpoint (RFC 6749 §5.2) with a leading comma, when it looks like a code: never a sentence.
fn code_of(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let code = body.get("error")?.as_str()?;
    let plain = code.len() <= 60
        && code
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    plain.then(|| format!(", {code}"))
}

/// A number of seconds from now, written as a number or a text.
fn in_seconds(value: &Value, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    now.checked_add_signed(TimeDelta::try_seconds(seconds)?)
}

/// A moment: an ISO date-time, or Unix seconds.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => DateTime::from_timestamp(number.as_i64()?, 0),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn lives(seconds: Option<u32>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    now.checked_add_signed(TimeDelta::seconds(seconds?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ends_are_read_as_numbers_texts_and_dates() {
        let now = "2026-11-30T08:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let end = Some(now + TimeDelta::seconds(3599));
        assert_eq!(in_seconds(&json!(3599), now), end);
        assert_eq!(in_seconds(&json!("3599"), now), end);
        assert_eq!(in_seconds(&json!("soon"), now), None);
        assert_eq!(in_seconds(&json!(i64::MAX), now), None);
        assert_eq!(moment(&json!("2026-11-30T09:00:00.000+01:00")), Some(now));
        assert_eq!(moment(&json!(now.timestamp())), Some(now));
        assert_eq!(moment(&json!(null)), None);
    }
}
