//! What an answer that is no success means: the manifest's word for its code first, then for its status, else the status.

use std::time::Duration;

use serde_json::Value;

use super::Error;
use super::condition::Test;
use super::manifest::{ErrorWords, Meaning};
use super::map::plain;
use super::path::Path;
use super::request::Format;
use crate::net::Answer;

/// Whether an answer that looks successful is none.
pub(super) fn has_failed(words: &ErrorWords, body: &Value) -> bool {
    words
        .failed
        .as_ref()
        .and_then(|failed| Test::new(failed, &|_| None).ok())
        .is_some_and(|test| test.holds(body))
}

/// The error that an answer means. `wait` is how long it asks us to wait.
pub(super) fn understand(
    words: &ErrorWords,
    answer: &Answer,
    format: Format,
    connector: String,
    what: String,
    wait: Option<Duration>,
) -> Error {
    let body = super::decode::decode(format, &answer.body).ok();
    let codes: Vec<String> = body.iter().flat_map(|body| codes(words, body, format)).collect();
    let by_code = codes.iter().find_map(|code| word(words, code));
    let known = by_code.or_else(|| word(words, &answer.status.to_string()));
    let meaning = known.unwrap_or(match answer.status {
        401 => Meaning::Credentials,
        403 => Meaning::Forbidden,
        404 => Meaning::NotFound,
        410 => Meaning::Expired,
        408 | 429 | 500 | 502 | 503 | 504 => Meaning::Busy,
        _ => Meaning::Refused,
    });
    let status = answer.status;
    // A code is shown only when it looks like one: never a sentence that might name a person.
    let code = codes
        .into_iter()
        .find(|code| code.len() <= 80 && code.chars().all(|c| c.is_ascii_graphic()));
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
        Meaning::Expired => Error::Expired {
            connector,
            what,
            status,
        },
        Meaning::Empty => Error::Nothing { connector, what },
        Meaning::NotReady => Error::NotReady {
            connector,
            code: code.unwrap_or_default(),
        },
        Meaning::Busy => Error::Busy {
            connector,
            status,
            retry_after: wait,
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

fn codes(words: &ErrorWords, body: &Value, format: Format) -> Vec<String> {
    let code = |text: &String| {
        let code = plain(Path::parse(text)?.find(body).value()?).ok()?;
        let code = match (format, code.rsplit_once(':')) {
            // A fault code has the prefix of a namespace, which the other side may choose (SOAP 1.1, section 4.4.1).
            (Format::Xml, Some((prefix, local))) if !prefix.contains(' ') => local.to_owned(),
            _ => code,
        };
        Some(code).filter(|code| !code.is_empty())
    };
    words.code.0.iter().filter_map(code).collect()
}

/// The word for a code; a key that ends in `*` stands for every code that begins so.
fn word(words: &ErrorWords, code: &str) -> Option<Meaning> {
    let exact = words.words.get(code);
    let begins = || {
        let fits = |(key, _): &(&String, &Meaning)| {
            key.strip_suffix('*').is_some_and(|start| code.starts_with(start))
        };
        words.words.iter().find(fits).map(|(_, meaning)| meaning)
    };
    exact.or_else(begins).copied()
}
