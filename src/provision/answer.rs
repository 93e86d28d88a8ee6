//! What an app's answer means for the call, the account and the app: the retry state machine. Pure.

use std::time::Duration;

/// What kind of call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// POST of something new.
    Create,
    /// PATCH or PUT of something that is there.
    Change,
    /// DELETE.
    Delete,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this status and `Retry-After`.
    Answer(u16, Option<Duration>),
    /// Nothing reached the app.
    NotSent,
    /// The app may have acted; no answer came.
    Lost,
    /// It cannot be sent to this address at all.
    Impossible,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// It is done.
    Done,
    /// Something with the same name is there: look it up, and adopt it if the rules agree (RFC 7644 §3.3).
    Taken,
    /// What should be changed is not there: look it up again.
    Gone,
    /// The app as a whole asks to be left alone.
    Throttled(Option<Duration>),
    /// Whether it happened is unknown: look before repeating.
    Unknown,
    /// It certainly did not happen, and the same call may succeed later.
    Later,
    /// The app no longer accepts who we are: nothing will succeed before somebody acts.
    Unauthorised,
    /// It will not succeed unless something changes.
    Refused,
}

/// Reads the ending of a call.
#[must_use]
pub const fn sense(deed: Deed, ending: Ending) -> Sense {
    match ending {
        Ending::NotSent => Sense::Later,
        Ending::Lost => Sense::Unknown,
        Ending::Impossible => Sense::Refused,
        Ending::Answer(status, asked) => match (status, deed) {
            (200..=299, _) => Sense::Done,
            (404 | 410, Deed::Delete) => Sense::Done,
            (404 | 410, Deed::Change) => Sense::Gone,
            (409, Deed::Create) => Sense::Taken,
            (401, _) => Sense::Unauthorised,
            (429, _) => Sense::Throttled(asked),
            (503, _) if asked.is_some() => Sense::Throttled(asked),
            (408 | 425 | 500..=599, _) => Sense::Unknown,
            _ => Sense::Refused,
        },
    }
}

/// Failures in a row after which the app counts as failing as a whole.
pub const QUARANTINE_AFTER: u32 = 10;

/// The app's own words, shortened, on one line, with what looks like a secret taken out.
#[must_use]
pub fn words(status: u16, body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = |key: &str| {
        parsed
            .as_ref()
            .and_then(|value| value.get(key))
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
    };
    let detail = text("detail")
        .or_else(|| text("message"))
        .or_else(|| text("error_description"))
        .or_else(|| text("error"))
        .unwrap_or_else(|| {
            let raw = String::from_utf8_lossy(body);
            if raw.trim_start().starts_with('<') {
                String::new()
            } else {
                raw.into_owned()
            }
        });
    let kind = text("scimType")
        .map(|kind| format!(" {kind}"))
        .unwrap_or_default();
    let detail = tidy(&detail);
    if detail.is_empty() {
        format!("{status}{kind}")
    } else {
        format!("{status}{kind}: {detail}")
    }
}

const LONGEST: usize = 300;

fn tidy(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_secret = bare.len() >= 32
            && bare
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.=+/".contains(c))
            && uuid::Uuid::try_parse(bare).is_err()
            && !bare.starts_with("urn:");
        if is_secret { "…" } else { word }
    });
    let mut out = String::new();
    for word in words {
        if out.chars().count() + word.chars().count() > LONGEST {
            out.push('…');
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_one_sense() {
        let wait = Some(Duration::from_secs(7));
        for (deed, ending, expected) in [
            (Deed::Create, Ending::Answer(201, None), Sense::Done),
            (Deed::Create, Ending::Answer(409, None), Sense::Taken),
            (Deed::Create, Ending::Answer(404, None), Sense::Refused),
            (Deed::Create, Ending::Answer(500, None), Sense::Unknown),
            (Deed::Create, Ending::Lost, Sense::Unknown),
            (Deed::Create, Ending::NotSent, Sense::Later),
            (Deed::Change, Ending::Answer(204, None), Sense::Done),
            (Deed::Change, Ending::Answer(404, None), Sense::Gone),
            (Deed::Change, Ending::Answer(409, None), Sense::Refused),
            (Deed::Change, Ending::Answer(400, None), Sense::Refused),
            (Deed::Delete, Ending::Answer(404, None), Sense::Done),
            (Deed::Change, Ending::Answer(429, wait), Sense::Throttled(wait)),
            (Deed::Change, Ending::Answer(503, wait), Sense::Throttled(wait)),
            (Deed::Change, Ending::Answer(503, None), Sense::Unknown),
            (Deed::Change, Ending::Answer(401, None), Sense::Unauthorised),
            (Deed::Change, Ending::Answer(403, None), Sense::Refused),
        ] {
            assert_eq!(sense(deed, ending), expected, "{deed:?} {ending:?}");
        }
    }

    #[test]
    fn the_apps_words_are_short_and_hold_no_token() {
        let body = br#"{"scimType":"invalidValue","detail":"title is too\n long"}"#;
        assert_eq!(words(400, body), "400 invalidValue: title is too long");
        assert_eq!(words(502, b"<html>bad gateway</html>"), "502");
        let body = format!("{{\"detail\":\"token {} is bad\"}}", "a".repeat(40));
        assert_eq!(words(400, body.as_bytes()), "400: token … is bad");
        assert!(words(400, "word ".repeat(500).as_bytes()).chars().count() < 320);
    }
}
