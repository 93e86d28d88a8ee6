//! Speaks SCIM to one app: requests, pace, and reading what comes back. Knows nothing of accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::Error;
use crate::base::Secret;
use crate::net::{Answer, Method, Net};
use crate::provision::{Dialect, Ending, Pace, QUARANTINE_AFTER};
use crate::scim::{ENTERPRISE, Object};

/// The longest a call to an app may take.
pub(super) const CALL_TIME: Duration = Duration::from_secs(30);
const BODY_CAP: usize = 16 * 1024 * 1024;
/// The largest answer about groups: SCIM has no pages of members, and 100,000 of them with names and links take 20 MiB.
const GROUPS_CAP: usize = 64 * 1024 * 1024;
const HOOK_CAP: usize = 256 * 1024;

/// The endpoint and the core schema of a resource type.
pub(super) fn endpoint(kind: &str) -> &'static str {
    if kind == "Group" { "Groups" } else { "Users" }
}

fn core_schema(kind: &str) -> &'static str {
    if kind == "Group" {
        "urn:ietf:params:scim:schemas:core:2.0:Group"
    } else {
        "urn:ietf:params:scim:schemas:core:2.0:User"
    }
}

/// The attribute that names a resource of this type.
pub(super) fn name_of(kind: &str) -> &'static str {
    if kind == "Group" {
        "displayName"
    } else {
        "userName"
    }
}

/// A resource as it is sent whole, with its `schemas` (RFC 7643 §3).
pub(super) fn whole(kind: &str, object: &Object) -> Value {
    let mut schemas = vec![json!(core_schema(kind))];
    schemas.extend(
        object
            .keys()
            .filter(|key| key.starts_with("urn:"))
            .map(|urn| json!(urn)),
    );
    let mut body = Object::new();
    body.insert("schemas".to_owned(), Value::Array(schemas));
    body.extend(object.iter().map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(body)
}

/// A resource as read from an app: without what is the app's alone, `active` as a boolean.
pub(super) fn read(value: Value) -> Option<Object> {
    let Value::Object(mut object) = value else {
        return None;
    };
    for key in ["id", "meta", "schemas", "groups", "members", "password"] {
        object.remove(key);
    }
    if let Some(Value::String(text)) = object.get("active") {
        let is_active = text.eq_ignore_ascii_case("true");
        object.insert("active".to_owned(), json!(is_active));
    }
    if let Some(manager) = object
        .get_mut(ENTERPRISE)
        .and_then(|extension| extension.get_mut("manager"))
        && let Some(value) = manager.as_str().map(str::to_owned)
    {
        *manager = json!({ "value": value });
    }
    object.retain(|_, value| !value.is_null());
    Some(object)
}

/// One app, for as long as a lease lasts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    net: Net,
    base: Url,
    token: Option<Secret>,
    dialect: &'static Dialect,
    gate: Semaphore,
    gap: Option<Duration>,
    next_start: Mutex<Instant>,
    until: std::sync::Mutex<Instant>,
    is_halted: AtomicBool,
    failures: AtomicU32,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub ending: Ending,
    pub body: bytes::Bytes,
    pub words: String,
}

impl Ended {
    pub(super) fn status(&self) -> Option<u16> {
        match self.ending {
            Ending::Answer(status, _) => Some(status),
            _ => None,
        }
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Client {
    /// A client for the app at `base_url`, to be used until `until`.
    pub(super) fn new(
        net: &Net,
        base_url: &str,
        token: Option<Secret>,
        dialect: &'static Dialect,
        pace: &Pace,
        until: Instant,
    ) -> Result<Self, Error> {
        let mut base = Url::parse(base_url).map_err(|_| Error::Address)?;
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self(Arc::new(Inner {
            net: net.clone(),
            base,
            token,
            dialect,
            gate: Semaphore::new(usize::from(pace.concurrency)),
            gap: pace
                .per_second
                .map(|calls| Duration::from_secs(1) / u32::from(calls.max(1))),
            next_start: Mutex::new(Instant::now()),
            until: std::sync::Mutex::new(until),
            is_halted: AtomicBool::new(false),
            failures: AtomicU32::new(0),
        })))
    }

    /// The dialect.
    pub(super) fn dialect(&self) -> &'static Dialect {
        self.0.dialect
    }

    /// Starts no further call.
    pub(super) fn halt(&self) {
        self.0.is_halted.store(true, Ordering::Relaxed);
    }

    /// Whether no further call is started.
    pub(super) fn is_halted(&self) -> bool {
        self.0.is_halted.load(Ordering::Relaxed)
    }

    /// Counts failures in a row; so many that the app as a whole must be failing end the calls.
    pub(super) fn note(&self, has_failed: bool) {
        if !has_failed {
            self.0.failures.store(0, Ordering::Relaxed);
        } else if self.0.failures.fetch_add(1, Ordering::Relaxed) + 1 >= QUARANTINE_AFTER {
            self.halt();
        }
    }

    /// The lease was lengthened.
    pub(super) fn lengthen(&self, until: Instant) {
        if let Ok(mut held) = self.0.until.lock() {
            *held = until;
        }
    }

    /// Whether a call that starts now ends before the lease does.
    fn fits(&self) -> bool {
        let until = self.0.until.lock().map(|until| *until).ok();
        !self.is_halted() && until.is_some_and(|until| Instant::now() + CALL_TIME < until)
    }

    /// Makes one call, at the app's pace. `None` when it was not started: the lease ends soon, or the app asked for quiet.
    /// `segments` are the path below the base URL; `query` is added.
    pub(super) async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Ended> {
        let _permit = self.0.gate.acquire().await.ok()?;
        self.keep_pace().await;
        if !self.fits() {
            return None;
        }
        let Ok(url) = self.url(segments, query) else {
            return Some(ended(Ending::Impossible, "the app's address cannot be extended"));
        };
        let is_of_groups = segments.first() == Some(&endpoint("Group"));
        let mut request = self
            .0
            .net
            .request(method, url)
            .header("accept", "application/scim+json, application/json")
            .time_out(CALL_TIME)
            .cap(if is_of_groups { GROUPS_CAP } else { BODY_CAP });
        if let Some(token) = &self.0.token {
            request = request.bearer(token);
        }
        if let Some(body) = body {
            request = request.body(self.0.dialect.media_type, body.to_string());
        }
        Some(match request.send().await {
            Ok(answer) => answered(answer),
            Err(error) if error.may_have_arrived() => ended(Ending::Lost, &error.to_string()),
            Err(error) if error.is_transient() => {
                // A connection that broke may have broken after the request was sent.
                let broke = matches!(error, crate::net::Error::Broken { .. });
                ended(
                    if broke { Ending::Lost } else { Ending::NotSent },
                    &error.to_string(),
                )
            }
            Err(error) => ended(Ending::Impossible, &error.to_string()),
        })
    }

    /// Calls an address of the customer's, which is not the app's: neither its token nor its pace. `None` when it was not
    /// started.
    pub(super) async fn hook(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Option<Ended> {
        let _permit = self.0.gate.acquire().await.ok()?;
        if !self.fits() {
            return None;
        }
        Some(call_hook(&self.0.net, url, headers, body).await)
    }

    async fn keep_pace(&self) {
        let Some(gap) = self.0.gap else { return };
        let start = {
            let mut next = self.0.next_start.lock().await;
            let start = (*next).max(Instant::now());
            *next = start + gap;
            start
        };
        self.0
            .net
            .sleeper()
            .sleep(start.saturating_duration_since(Instant::now()))
            .await;
    }

    fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let mut url = self.0.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Address)?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// Calls an address of the customer's, which is no app's: without a token.
pub(super) async fn call_hook(
    net: &Net,
    url: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Ended {
    let Ok(url) = Url::parse(url) else {
        return ended(Ending::Impossible, "the hook's address cannot be used");
    };
    let mut request = net
        .request(Method::POST, url)
        .header("accept", "application/json")
        .time_out(CALL_TIME)
        .cap(HOOK_CAP);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.body("application/json", body).send().await {
        Ok(answer) => answered(answer),
        Err(error) => ended(Ending::NotSent, &error.to_string()),
    }
}

fn ended(ending: Ending, words: &str) -> Ended {
    Ended {
        ending,
        body: bytes::Bytes::new(),
        words: words.to_owned(),
    }
}

fn answered(answer: Answer) -> Ended {
    let words = if answer.is_success() {
        String::new()
    } else {
        crate::provision::words(answer.status, &answer.body)
    };
    Ended {
        ending: Ending::Answer(answer.status, answer.retry_after),
        words,
        body: answer.body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_sent_with_the_schemas_it_uses() {
        let object = read(json!({
            "id": "7", "userName": "a", "active": "True", "groups": [], ENTERPRISE: {"manager": "9"}, "title": null
        }))
        .unwrap();
        assert_eq!(
            whole("User", &object),
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
                "userName": "a", "active": true, ENTERPRISE: {"manager": {"value": "9"}}
            })
        );
    }
}
