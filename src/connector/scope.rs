//! What `{{ }}` stands for in a request: settings, the moment of the read, the page, the record for which it is made.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::map::plain;
use super::path::Path;
use super::template::{BadTemplate, fill, fill_json};
use super::{Error, Manifest, Settings};

/// How far a read came: what the next one asks changes from. Kept when the run that read it was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The HR system's time when the read began.
    Moment(DateTime<Utc>),
    /// What the HR system gave at its end.
    Token(String),
}

/// Where a value is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    /// A value of its own.
    Plain,
    /// An address: whatever does not come from settings or the manifest is percent-encoded (RFC 3986 §2.1).
    Address,
    /// XML text.
    Xml,
}

/// What the names in a request's texts stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub manifest: &'s Manifest,
    pub settings: &'s Settings,
    /// When the read began: the same on every page.
    pub now: DateTime<Utc>,
    pub since: Option<&'s Mark>,
    pub id: Option<&'s str>,
    pub page: Option<&'s str>,
    /// The record for which the request is made.
    pub record: Option<&'s Value>,
    /// Whether that record stands in the manifest.
    pub written: bool,
}

impl<'s> Scope<'s> {
    /// Settings and the moment of the read.
    pub const fn new(manifest: &'s Manifest, settings: &'s Settings, now: DateTime<Utc>) -> Self {
        Self {
            manifest,
            settings,
            now,
            since: None,
            id: None,
            page: None,
            record: None,
            written: false,
        }
    }

    /// A text for a query, a header or JSON; `None` when it needs an optional setting that is not answered.
    pub fn optional(&self, text: &str) -> Result<Option<String>, Error> {
        match fill(text, &|name| self.value(name, Into::Plain)) {
            Ok(text) => Ok(Some(text)),
            Err(BadTemplate::Unknown(name)) if self.manifest.may_lack(&name) => Ok(None),
            Err(bad) => Err(self.lacking(bad)),
        }
    }

    /// A text that must be complete.
    pub fn text(&self, text: &str) -> Result<String, Error> {
        fill(text, &|name| self.value(name, Into::Plain)).map_err(|bad| self.lacking(bad))
    }

    /// JSON with its texts filled.
    pub fn json(&self, body: &Value) -> Result<Value, Error> {
        fill_json(body, &|name| self.value(name, Into::Plain)).map_err(|bad| self.lacking(bad))
    }

    /// XML with its places filled.
    pub fn xml(&self, text: &str) -> Result<String, Error> {
        fill(text, &|name| self.value(name, Into::Xml)).map_err(|bad| self.lacking(bad))
    }

    /// An address.
    pub fn address(&self, text: &str) -> Result<url::Url, Error> {
        let filled = fill(text, &|name| self.value(name, Into::Address)).map_err(|bad| self.lacking(bad))?;
        url::Url::parse(&filled).map_err(|_| Error::Setting {
            setting: "url".into(),
            message: "does not make an address".into(),
        })
    }

    fn value(&self, name: &str, into: Into) -> Option<String> {
        let (text, foreign) = self.found(name)?;
        Some(match into {
            Into::Plain => text,
            Into::Address if foreign => percent_encoded(&text),
            Into::Address => text,
            Into::Xml => quick_xml::escape::escape(&text).into_owned(),
        })
    }

    /// What a name stands for, and whether that comes from elsewhere than settings and manifest.
    fn found(&self, name: &str) -> Option<(String, bool)> {
        if name.starts_with('/') {
            let text = plain(Path::parse(name)?.find(self.record?).value()?).ok()?;
            return Some((text, !self.written)).filter(|(text, _)| self.written || !text.is_empty());
        }
        if self.manifest.has_setting(name) {
            return self
                .manifest
                .put_in(self.settings, name)
                .map(|text| (text, false));
        }
        let (word, format) = name
            .split_once(':')
            .map_or((name, None), |(word, format)| (word, Some(format)));
        match word.trim() {
            "id" => return self.id.map(|id| (id.to_owned(), true)),
            "page" => return self.page.map(|page| (page.to_owned(), true)),
            "now" => return Some((moment(self.now, format)?, true)),
            "since" => {
                return match self.since? {
                    Mark::Moment(at) => Some((moment(*at, format)?, true)),
                    Mark::Token(token) => Some((token.clone(), true)),
                };
            }
            _ => {}
        }
        let days = TimeDelta::try_days(days_from_today(word)?)?;
        let day = self.now.checked_add_signed(days)?;
        Some((written(day, format.unwrap_or("%Y-%m-%d"))?, true))
    }

    fn lacking(&self, bad: BadTemplate) -> Error {
        match bad {
            BadTemplate::Unknown(name) if name.starts_with('/') => Error::Drift {
                connector: self.manifest.key().to_owned(),
                field: "an address".into(),
                path: name,
            },
            BadTemplate::Unknown(setting) => Error::Setting {
                setting,
                message: "is missing".into(),
            },
            BadTemplate::Open => Error::Setting {
                setting: "manifest".into(),
                message: "has {{ without }}".into(),
            },
        }
    }
}

/// The days that `today`, `today + 60` or `today - 30` lies from today.
pub(super) fn days_from_today(word: &str) -> Option<i64> {
    let rest = word.trim().strip_prefix("today")?.trim();
    if rest.is_empty() {
        return Some(0);
    }
    let (sign, number) = match rest.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    number
        .trim()
        .parse::<u16>()
        .ok()
        .map(|days| i64::from(days) * sign)
}

/// Whether a name in a request's text is none of a setting.
pub(super) fn is_reserved(name: &str) -> bool {
    let word = name.split_once(':').map_or(name, |(word, _)| word).trim();
    name.starts_with('/')
        || matches!(word, "id" | "page" | "now" | "since" | "label")
        || days_from_today(word).is_some()
}

fn moment(at: DateTime<Utc>, format: Option<&str>) -> Option<String> {
    written(at, format.unwrap_or("%Y-%m-%dT%H:%M:%SZ"))
}

/// Writes a moment; `None` when the format is wrong.
fn written(at: DateTime<Utc>, format: &str) -> Option<String> {
    use std::fmt::Write as _;
    let mut text = String::new();
    write!(text, "{}", at.format(format)).ok()?;
    Some(text)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_today() {
        let cases = [
            ("today", Some(0)),
            ("today + 60", Some(60)),
            ("today-30", Some(-30)),
            ("todays", None),
            ("to", None),
        ];
        for (word, days) in cases {
            assert_eq!(days_from_today(word), days, "{word}");
        }
        assert!(is_reserved("/a/b") && is_reserved("now:%s") && !is_reserved("host"));
    }

    #[test]
    fn foreign_text_cannot_leave_its_place_in_an_address() {
        assert_eq!(percent_encoded("a/../b?c=d&é%"), "a%2F..%2Fb%3Fc%3Dd%26%C3%A9%25");
    }

    #[test]
    fn moments_are_written_as_asked() {
        let at = DateTime::from_timestamp(1_795_341_600, 0).unwrap();
        assert_eq!(moment(at, None).unwrap(), "2026-11-22T10:00:00Z");
        assert_eq!(moment(at, Some("%s")).unwrap(), "1795341600");
        assert_eq!(moment(at, Some("%Q")), None);
    }
}
