//! From a delivery to the employees that it asks us to look at.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::super::Manifest;
use super::super::map::Mapper;
use super::super::path::Path;
use super::super::template::fill;
use super::super::way::{Paths, ready};
use super::proof::{Scheme, basic, is_one_of};
use super::{Challenge, Encoding, Hash, KeyForm, SecretMaker, Verify, Webhooks};
use crate::base::{Secret, digest};
use crate::hr::field;

/// How far the time of sending may be off. Standard Webhooks and Lucca both name five minutes.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// More employees than this in one delivery are as good as all.
const MOST_LOOKS: usize = 100;
/// The longest id that is believed, in bytes.
const LONGEST_ID: usize = 255;
/// The longest challenge that is given back, in bytes.
const LONGEST_CHALLENGE: usize = 4096;

/// A request to a webhook's address.
pub struct Delivery<'a> {
    /// The query as sent.
    pub query: &'a str,
    /// Gives a header by name, in any case.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body as sent.
    pub body: &'a [u8],
    /// Whether it was posted; else it can only be a challenge.
    pub is_post: bool,
}

/// What is given back to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// `text/plain` or `application/json`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// Why a delivery is refused. The text is shown to the connection's owner, never to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The HR system's secret has not been entered.
    #[error("no secret has been entered: set it with `scim-bridge connection webhook NAME --secret`")]
    NoSecret,
    /// The signature is not there.
    #[error("the delivery has no signature")]
    Unsigned,
    /// The signature is another's.
    #[error("the signature does not fit the secret")]
    Forged,
    /// The time of sending is missing or cannot be read.
    #[error("the delivery does not say when it was sent")]
    Timeless,
    /// It is too old, or from the future.
    #[error("the delivery was sent more than five minutes ago, or a clock is wrong")]
    Stale,
}

/// Whom to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Nobody: the events mean nothing to us, or the body only tried whether we answer.
    Nobody,
    /// These employees, by source id.
    These(Vec<String>),
    /// All of them.
    All,
}

/// A delivery that proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whom to look at.
    pub whom: Whom,
    /// Tells this delivery from others, where the HR system lets us.
    pub replay_key: Option<Vec<u8>>,
    /// The body is no JSON.
    pub unreadable: bool,
}

/// The webhook of a connector.
#[derive(Clone, Copy)]
pub struct Hook<'a> {
    words: &'a Webhooks,
}

impl Manifest {
    /// How its webhooks are read, where it has some.
    #[must_use]
    pub fn hook(&self) -> Option<Hook<'_>> {
        self.written.webhooks.as_ref().map(|words| Hook { words })
    }
}

impl Hook<'_> {
    /// Who makes the secret.
    #[must_use]
    pub const fn secret(&self) -> SecretMaker {
        self.words.secret
    }

    /// What to do in the HR system.
    #[must_use]
    pub fn guide(&self) -> &str {
        self.words.guide.trim()
    }

    /// Whether deliveries say whom they are about.
    #[must_use]
    pub const fn names_employees(&self) -> bool {
        self.words.employee.is_some()
    }

    /// The status that the HR system wants for a good delivery.
    #[must_use]
    pub const fn thanks(&self) -> u16 {
        self.words.answer.0
    }

    /// The user's name of basic auth, where that is how deliveries prove themselves.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.words.verify {
            Verify::Basic { user } => Some(user.as_deref().unwrap_or("scim-bridge")),
            _ => None,
        }
    }

    /// What to give back, when the request only asks whether the address is ours.
    #[must_use]
    pub fn challenge(&self, delivery: &Delivery<'_>) -> Option<Echo> {
        let challenge = self.words.challenge.as_ref()?;
        let value = challenge
            .value(delivery)
            .filter(|value| value.len() <= LONGEST_CHALLENGE)?;
        Some(match &challenge.json {
            None => Echo {
                content_type: "text/plain; charset=utf-8",
                body: value,
            },
            Some(member) => Echo {
                content_type: "application/json",
                body: serde_json::json!({ member: value }).to_string(),
            },
        })
    }

    /// Is it genuine, and whom does it ask us to look at? Any of the secrets will do.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn hear(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[Secret],
        now: DateTime<Utc>,
    ) -> Result<Heard, Refusal> {
        if self.words.secret != SecretMaker::None && secrets.is_empty() {
            return Err(Refusal::NoSecret);
        }
        let body: Option<Value> = serde_json::from_slice(delivery.body).ok();
        let seen = Seen {
            delivery,
            body: body.as_ref().unwrap_or(&Value::Null),
        };
        let timestamp = self.timestamp(&seen);
        let id = self.id(&seen);
        self.prove(&seen, secrets, timestamp.as_deref(), id.as_deref())?;
        if self.is_timed() {
            let sent = instant(timestamp.as_deref().unwrap_or_default()).ok_or(Refusal::Timeless)?;
            if (now - sent).abs() > WINDOW {
                return Err(Refusal::Stale);
            }
        }
        Ok(Heard {
            whom: body.as_ref().map_or(Whom::Nobody, |body| self.whom(&seen, body)),
            replay_key: replay_key(id.as_deref(), timestamp.as_deref(), delivery.body),
            unreadable: body.is_none(),
        })
    }

    const fn is_standard(&self) -> bool {
        matches!(self.words.verify, Verify::Standard {})
    }

    const fn is_timed(&self) -> bool {
        self.is_standard() || self.words.timestamp.is_some()
    }

    fn timestamp(&self, seen: &Seen<'_>) -> Option<String> {
        match &self.words.timestamp {
            Some(place) => seen.text(place),
            None if self.is_standard() => seen.standard("timestamp"),
            None => None,
        }
    }

    fn id(&self, seen: &Seen<'_>) -> Option<String> {
        match &self.words.id {
            Some(place) => seen.text(place),
            None if self.is_standard() => seen.standard("id"),
            None => None,
        }
    }

    fn prove(
        &self,
        seen: &Seen<'_>,
        secrets: &[Secret],
        timestamp: Option<&str>,
        id: Option<&str>,
    ) -> Result<(), Refusal> {
        let proven = match &self.words.verify {
            Verify::Url {} => true,
            Verify::Token { at, prefix } => {
                let tokens = self.tokens(seen, at)?;
                tokens.iter().all(|token| {
                    let bare = prefix
                        .as_deref()
                        .and_then(|prefix| token.strip_prefix(prefix))
                        .unwrap_or(token);
                    is_one_of(bare, secrets)
                })
            }
            Verify::Basic { .. } => {
                let header = seen.header("authorization").ok_or(Refusal::Unsigned)?;
                let (user, password) = basic(&header).ok_or(Refusal::Unsigned)?;
                Some(user.as_str()) == self.user() && is_one_of(&password, secrets)
            }
            Verify::Hmac {
                header,
                hash,
                encoding,
                prefix,
                over,
                key,
            } => {
                let scheme = Scheme {
                    hash: *hash,
                    encoding: *encoding,
                    prefix: prefix.as_deref().unwrap_or_default(),
                    key: *key,
                };
                let signature = seen.header(header).ok_or(Refusal::Unsigned)?;
                let template = over.as_deref().unwrap_or("{{ body }}");
                let message = message(template, seen.delivery.body, timestamp, id)?;
                scheme.proves(&signature, &message, secrets)
            }
            Verify::Standard {} => {
                let scheme = Scheme {
                    hash: Hash::Sha256,
                    encoding: Encoding::Base64,
                    prefix: "v1,",
                    key: KeyForm::Base64,
                };
                let signature = seen.standard("signature").ok_or(Refusal::Unsigned)?;
                let template = "{{ id }}.{{ timestamp }}.{{ body }}";
                let message = message(template, seen.delivery.body, timestamp, id)?;
                scheme.proves(&signature, &message, secrets)
            }
        };
        if proven { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// The texts at the place that holds the secret: one, or one per event.
    fn tokens(&self, seen: &Seen<'_>, at: &str) -> Result<Vec<String>, Refusal> {
        if !at.starts_with('/') || self.words.each.is_none() {
            return Ok(vec![seen.text(at).ok_or(Refusal::Unsigned)?]);
        }
        let events = self.events(seen.body);
        if events.is_empty() {
            return Err(Refusal::Unsigned);
        }
        events
            .into_iter()
            .map(|event| text_at(event, at).ok_or(Refusal::Unsigned))
            .collect()
    }

    fn events<'v>(&self, body: &'v Value) -> Vec<&'v Value> {
        let Some(each) = &self.words.each else {
            return vec![body];
        };
        let found = Path::parse(each).and_then(|path| path.find(body).value());
        found
            .and_then(Value::as_array)
            .map(|events| events.iter().collect())
            .unwrap_or_default()
    }

    fn whom(&self, seen: &Seen<'_>, body: &Value) -> Whom {
        let events = self
            .events(body)
            .into_iter()
            .filter(|event| self.concerns(seen, event));
        let mut ids: Vec<String> = Vec::new();
        let mut some = false;
        let reader = self.reader();
        for event in events {
            some = true;
            let id = reader.as_ref().and_then(|reader| reader.id(event));
            let Some(id) = id.filter(|id| id.len() <= LONGEST_ID) else {
                return Whom::All;
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
            if ids.len() > MOST_LOOKS {
                return Whom::All;
            }
        }
        if some { Whom::These(ids) } else { Whom::Nobody }
    }

    fn concerns(&self, seen: &Seen<'_>, event: &Value) -> bool {
        let Some(place) = &self.words.event else {
            return true;
        };
        let name = if place.starts_with('/') {
            text_at(event, place)
        } else {
            seen.header(place)
        };
        let Some(name) = name else { return false };
        self.words.events.is_empty()
            || self
                .words
                .events
                .iter()
                .any(|known| match known.strip_suffix('*') {
                    Some(start) => name.starts_with(start),
                    None => name == *known,
                })
    }

    fn reader(&self) -> Option<Mapper> {
        let rules = self.words.employee.as_ref()?;
        let fields = vec![ready(field("source_id")?, rules.get_ref(), Paths::Pointers, &|_| None).ok()?];
        Some(Mapper {
            fields,
            today: DateTime::<Utc>::UNIX_EPOCH.date_naive(),
            ..Mapper::default()
        })
    }
}

impl Challenge {
    fn value(&self, delivery: &Delivery<'_>) -> Option<String> {
        let in_query = self.query.as_ref().and_then(|name| {
            url::form_urlencoded::parse(delivery.query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        });
        in_query.or_else(|| (delivery.header)(self.header.as_deref()?))
    }
}

/// A delivery whose body was looked into.
struct Seen<'a> {
    delivery: &'a Delivery<'a>,
    body: &'a Value,
}

impl Seen<'_> {
    fn header(&self, name: &str) -> Option<String> {
        (self.delivery.header)(name).filter(|value| !value.is_empty())
    }

    /// What is at a place.
    fn text(&self, place: &str) -> Option<String> {
        if place.starts_with('/') {
            text_at(self.body, place)
        } else {
            self.header(place)
        }
    }

    /// A header of Standard Webhooks, or as Svix named it before.
    fn standard(&self, name: &str) -> Option<String> {
        self.header(&format!("webhook-{name}"))
            .or_else(|| self.header(&format!("svix-{name}")))
    }
}

fn text_at(root: &Value, pointer: &str) -> Option<String> {
    match Path::parse(pointer)?.find(root).value()? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What is signed, with the body's bytes as they came.
fn message(
    template: &str,
    body: &[u8],
    timestamp: Option<&str>,
    id: Option<&str>,
) -> Result<Vec<u8>, Refusal> {
    let mut message = Vec::with_capacity(body.len().saturating_add(64));
    for (index, part) in template.split("{{ body }}").enumerate() {
        if index > 0 {
            message.extend_from_slice(body);
        }
        let text = fill(part, &|name| match name {
            "timestamp" => timestamp.map(str::to_owned),
            "id" => id.map(str::to_owned),
            _ => None,
        });
        message.extend_from_slice(text.map_err(|_| Refusal::Timeless)?.as_bytes());
    }
    Ok(message)
}

/// Unix seconds, unix milliseconds, or RFC 3339.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<i64>() {
        Ok(number) if number.abs() < 100_000_000_000 => DateTime::from_timestamp(number, 0),
        Ok(number) => DateTime::from_timestamp_millis(number),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|instant| instant.with_timezone(&Utc)),
    }
}

fn replay_key(id: Option<&str>, timestamp: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    let known = match (id, timestamp) {
        (Some(id), _) => id.as_bytes().to_vec(),
        (None, Some(timestamp)) => [timestamp.as_bytes(), b"\n", body].concat(),
        (None, None) => return None,
    };
    Some(digest(&known))
}

/// Whether a template of what is signed has only known names, and the body exactly as it came.
pub(in crate::connector) fn check_over(over: &str) -> Result<(), String> {
    if !over.contains("{{ body }}") {
        return Err("over needs {{ body }}, written with one blank".into());
    }
    let known = |name: &str| matches!(name, "body" | "timestamp" | "id").then(String::new);
    fill(over, &known)
        .map(|_| ())
        .map_err(|_| "over may only have {{ body }}, {{ timestamp }} and {{ id }}".to_owned())
}
