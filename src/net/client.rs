//! The client and its requests.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::address::{OnlyPrivate, Resolver, is_public};
use super::answer::retry_after;
use super::{Answer, Error, Refusals, Sleeper};
use crate::base::{Clock, Secret};

/// Longest time for one request, from connecting to the last byte, unless the request says otherwise.
pub const TIME_OUT: Duration = Duration::from_secs(120);
/// Largest answer that is read, unless the request says otherwise.
pub const BODY_CAP: usize = 64 * 1024 * 1024;
const CONNECT_TIME_OUT: Duration = Duration::from_secs(10);
const SILENCE_TIME_OUT: Duration = Duration::from_secs(60);
const MOST_REDIRECTS: usize = 5;

/// The one HTTP client. Cheap to clone; connections are kept and shared.
#[derive(Debug, Clone)]
pub struct Net {
    client: reqwest::Client,
    allow_private: bool,
    clock: Clock,
    sleeper: Sleeper,
    refusals: Option<Refusals>,
    longest: Duration,
}

impl Net {
    /// A client; `allow_private` lets it speak to private networks. `clock` is asked when an answer names a date.
    ///
    /// # Errors
    /// When the TLS set-up of the machine cannot be used.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn new(allow_private: bool, clock: Clock) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("scim-bridge/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls()?)
            .no_proxy()
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .connect_timeout(CONNECT_TIME_OUT)
            .read_timeout(SILENCE_TIME_OUT)
            .redirect(Policy::custom(|attempt| {
                let same = attempt
                    .previous()
                    .last()
                    .is_some_and(|from| from.origin() == attempt.url().origin());
                if same && attempt.previous().len() <= MOST_REDIRECTS {
                    attempt.follow()
                } else {
                    attempt.error("not followed")
                }
            }))
            .build()
            .map_err(|error| Error::Build(error.into()))?;
        Ok(Self {
            client,
            allow_private,
            clock,
            sleeper: Sleeper::real(),
            refusals: None,
            longest: TIME_OUT,
        })
    }

    /// The same client, with at most so much time for each request, whatever the request says.
    #[must_use]
    pub const fn within(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The same client with another way of waiting.
    #[must_use]
    pub fn with_sleeper(mut self, sleeper: Sleeper) -> Self {
        self.sleeper = sleeper;
        self
    }

    /// The same client, with what other sides say when they refuse.
    #[must_use]
    pub fn noting(&self) -> (Self, Refusals) {
        let refusals = Refusals::default();
        let net = Self {
            refusals: Some(refusals.clone()),
            ..self.clone()
        };
        (net, refusals)
    }

    /// Whether private networks may be spoken to.
    pub(super) const fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// How callers wait between requests.
    #[must_use]
    pub const fn sleeper(&self) -> &Sleeper {
        &self.sleeper
    }

    /// A request to be filled and sent.
    pub fn request(&self, method: Method, url: Url) -> Request<'_> {
        Request {
            net: self,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            cap: BODY_CAP,
            time_out: None,
            bad_header: None,
        }
    }

    /// Whether an address may be asked, as far as that can be said without resolving its name.
    ///
    /// # Errors
    /// When it is not http or https, has no host, or is a private address that is not allowed.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::BadAddress);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(Error::BadAddress),
        };
        match literal {
            Some(address) if !self.allow_private && !is_public(address) => {
                Err(Error::Private { host: host_of(url) })
            }
            _ => Ok(()),
        }
    }
}

/// TLS with the machine's trusted certificates. A machine that has none can still speak plain HTTP.
fn tls() -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!("this machine has no trusted certificates: https targets will be refused");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Build(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// A request that is being filled.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    net: &'a Net,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    cap: usize,
    time_out: Option<Duration>,
    bad_header: Option<String>,
}

impl Request<'_> {
    /// Sets a header. A name or value that no header can carry is reported by [`Request::send`].
    pub fn header(self, name: &str, value: &str) -> Self {
        self.set(name, value, false)
    }

    /// Sets a header whose value is never shown.
    pub fn secret_header(self, name: &str, value: &Secret) -> Self {
        self.set(name, value.expose(), true)
    }

    fn set(mut self, name: &str, value: &str, secret: bool) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(key), Ok(mut value)) => {
                value.set_sensitive(secret);
                self.headers.insert(key, value);
            }
            _ => self.bad_header = Some(name.to_owned()),
        }
        self
    }

    /// Signs in with a bearer token (RFC 6750 §2.1).
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("Bearer {}", token.expose());
        self.set(AUTHORIZATION.as_str(), &value, true)
    }

    /// Signs in with user and password (RFC 7617).
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        self.set(AUTHORIZATION.as_str(), &format!("Basic {pair}"), true)
    }

    /// Sets the body and its content type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.set(CONTENT_TYPE.as_str(), content_type, false)
    }

    /// Sets a JSON body.
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Sets a form body.
    pub fn form<'p>(self, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Largest answer to read, in bytes after unzipping.
    pub const fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    /// Longest time from connecting to the last byte of the answer.
    pub const fn time_out(mut self, time: Duration) -> Self {
        self.time_out = Some(time);
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// When there is no whole answer; an answer with an error status is an answer.
    #[tracing::instrument(name = "net.request.send", skip_all, fields(method = %self.method, status, duration_ms))]
    pub async fn send(self) -> Result<Answer, Error> {
        self.run(None).await
    }

    /// Sends it and hands each piece of a successful answer on as it comes, whatever its size; the answer then has no
    /// body. One with an error status is read whole.
    ///
    /// # Errors
    /// When there is no whole answer, or a piece is not taken.
    #[tracing::instrument(name = "net.request.stream", skip_all, fields(method = %self.method, status, duration_ms))]
    pub async fn stream(
        self,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()> + Send,
    ) -> Result<Answer, Error> {
        self.run(Some(&mut take)).await
    }

    async fn run(self, mut take: Option<Sink<'_>>) -> Result<Answer, Error> {
        if let Some(name) = self.bad_header {
            return Err(Error::BadHeader { name });
        }
        self.net.check(&self.url)?;
        let host = host_of(&self.url);
        let started = Instant::now();
        let mut request = self
            .net
            .client
            .request(self.method, self.url)
            .headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let longest = self.net.longest;
        request = request.timeout(self.time_out.map_or(longest, |time| time.min(longest)));
        let mut response = request.send().await.map_err(|error| sort(error, &host))?;
        let status = response.status().as_u16();
        let mut take = take.take().filter(|_| response.status().is_success());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| sort(error, &host))? {
            if let Some(take) = take.as_mut() {
                take(&chunk).map_err(|source| Error::NotTaken { source })?;
                continue;
            }
            if body.len().saturating_add(chunk.len()) > self.cap {
                return Err(Error::TooLarge { host, cap: self.cap });
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        if let Some(refusals) = self.net.refusals.as_ref().filter(|_| status >= 400) {
            refusals.note(status, &headers, &body);
        }
        let span = tracing::Span::current();
        span.record("status", status);
        span.record(
            "duration_ms",
            u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
        Ok(Answer {
            status,
            retry_after: retry_after(&headers, self.net.clock.now()),
            headers,
            body: body.freeze(),
        })
    }
}

/// Who takes the pieces of an answer.
type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send);

/// Sorts what the client reports into what our callers can act on. The address goes, since it may carry a key.
fn sort(error: reqwest::Error, host: &str) -> Error {
    let error = error.without_url();
    let host = host.to_owned();
    if is_private(&error) {
        Error::Private { host }
    } else if error.is_redirect() {
        Error::Redirected { host }
    } else if error.is_builder() {
        Error::BadAddress
    } else if error.is_connect() {
        let source = error.into();
        Error::Connect { host, source }
    } else if error.is_timeout() {
        Error::TimedOut { host }
    } else {
        let source = error.into();
        Error::Broken { host, source }
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<OnlyPrivate>() {
            return true;
        }
        cause = inner.source();
    }
    false
}
