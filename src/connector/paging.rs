//! Pages: how the next one is asked for, and how the end is proven.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Error;
use super::ask::Call;
use super::manifest::Place;
use super::path::{Found, Path, put};
use crate::net::HeaderMap;

const MOST_PAGES: u32 = 100_000;

/// How a list is cut into pages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Paging {
    /// Everything in one answer.
    #[default]
    None,
    /// Numbered pages. The end: the last page by the number at `pages`, else as many records as `count` of the list says,
    /// else an empty page.
    Page {
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
        #[serde(default = "one")]
        first: u64,
        pages: Option<String>,
    },
    /// A number of records to pass over. The end: as many as `count` of the list says, else an empty page.
    Offset {
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
    },
    /// A mark from the answer before. The end: null or empty; with `may_lack` also its absence.
    Cursor {
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
        read: String,
        #[serde(default)]
        may_lack: bool,
    },
    /// The whole next address: at `read`, or in the `Link` header (RFC 8288). The end: its absence.
    Link { read: Option<String> },
}

const fn one() -> u64 {
    1
}

/// Where a walk through the pages stands.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    paging: &'a Paging,
    connector: &'a str,
    /// The number of the page to be read, from 1.
    pub page: u32,
    passed: u64,
    marks: HashSet<String>,
    next: Next,
    closed: bool,
}

#[derive(Debug)]
enum Next {
    First,
    Mark(String),
    Address(Url),
}

impl<'a> Walk<'a> {
    pub fn new(connector: &'a str, paging: &'a Paging) -> Self {
        Self {
            paging,
            connector,
            page: 1,
            passed: 0,
            marks: HashSet::new(),
            next: Next::First,
            closed: false,
        }
    }

    /// Whether the last page was read.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Makes `call` ask for the page to be read.
    pub fn aim(&self, call: &mut Call) {
        let (send, place, value) = match (self.paging, &self.next) {
            (_, Next::Address(url)) => {
                call.url = url.clone();
                call.query.clear();
                return;
            }
            (
                Paging::Page {
                    send, place, first, ..
                },
                _,
            ) => {
                let number = first.saturating_add(u64::from(self.page.saturating_sub(1)));
                (send, *place, Value::from(number))
            }
            (Paging::Offset { send, place }, _) => (send, *place, Value::from(self.passed)),
            (Paging::Cursor { send, place, .. }, Next::Mark(mark)) => {
                (send, *place, Value::from(mark.as_str()))
            }
            _ => return,
        };
        match place {
            Place::Query => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                call.query.push((send.clone(), text));
            }
            Place::Body => {
                let body = call.body.get_or_insert(Value::Null);
                if let Some(path) = Path::parse(send) {
                    put(body, &path, value);
                }
            }
        }
    }

    /// Takes note of a page of `records` and finds the next one, or the end. `total` is the source's count.
    pub fn turn(
        &mut self,
        answer: &Value,
        headers: &HeaderMap,
        asked: &Url,
        records: usize,
        total: Option<u64>,
    ) -> Result<(), Error> {
        self.passed = self
            .passed
            .saturating_add(u64::try_from(records).unwrap_or(u64::MAX));
        let page = self.page;
        self.closed = match self.paging {
            Paging::None => true,
            Paging::Page { .. } | Paging::Offset { .. } => {
                let end = match (self.pages(answer), total) {
                    (Some(pages), _) => Some(u64::from(page) >= pages),
                    (None, Some(total)) => Some(self.passed >= total),
                    (None, None) => None,
                };
                match end {
                    Some(end) => self.closes_at(end, records)?,
                    None => records == 0,
                }
            }
            Paging::Cursor { read, may_lack, .. } => self.turn_mark(read, *may_lack, answer)?,
            Paging::Link { read } => {
                let link = match read {
                    Some(read) => find(read, answer).value().and_then(Value::as_str),
                    None => headers
                        .get("link")
                        .and_then(|value| value.to_str().ok())
                        .and_then(next_link),
                };
                self.turn_link(link, asked)?
            }
        };
        self.page = self.page.saturating_add(1);
        if self.page > MOST_PAGES {
            return Err(self.looping());
        }
        Ok(())
    }

    fn closes_at(&self, end: bool, records: usize) -> Result<bool, Error> {
        if records == 0 && !end {
            return Err(Error::EndsEarly {
                connector: self.connector.to_owned(),
                page: self.page,
            });
        }
        Ok(end)
    }

    /// How many pages the answer says there are.
    fn pages(&self, answer: &Value) -> Option<u64> {
        match self.paging {
            Paging::Page {
                pages: Some(pages), ..
            } => count_at(pages, answer),
            _ => None,
        }
    }

    fn turn_mark(&mut self, read: &str, may_lack: bool, answer: &Value) -> Result<bool, Error> {
        let mark = match find(read, answer) {
            Found::Null => return Ok(true),
            Found::Missing if may_lack => return Ok(true),
            Found::Missing => return Err(self.drift("next page", read)),
            Found::Here(Value::String(mark)) if mark.is_empty() => return Ok(true),
            Found::Here(Value::String(mark)) => mark.clone(),
            Found::Here(Value::Number(mark)) => mark.to_string(),
            Found::Here(_) => return Err(self.drift("next page", read)),
        };
        if !self.marks.insert(mark.clone()) {
            return Err(self.looping());
        }
        self.next = Next::Mark(mark);
        Ok(false)
    }

    fn turn_link(&mut self, link: Option<&str>, asked: &Url) -> Result<bool, Error> {
        let Some(link) = link.filter(|link| !link.is_empty()) else {
            return Ok(true);
        };
        let away = || Error::LeadsAway {
            connector: self.connector.to_owned(),
            page: self.page,
        };
        let next = asked.join(link).map_err(|_| away())?;
        if next == *asked || !self.marks.insert(next.to_string()) {
            return Err(self.looping());
        }
        self.next = Next::Address(next);
        Ok(false)
    }

    /// The error for pages that do not come to an end.
    pub fn looping(&self) -> Error {
        Error::Looping {
            connector: self.connector.to_owned(),
            page: self.page,
        }
    }

    fn drift(&self, field: &str, path: &str) -> Error {
        Error::Drift {
            connector: self.connector.to_owned(),
            field: field.to_owned(),
            path: path.to_owned(),
        }
    }
}

fn find<'v>(path: &str, answer: &'v Value) -> Found<'v> {
    Path::parse(path).map_or(Found::Missing, |path| path.find(answer))
}

/// A count at a path: a number, or a text of digits.
pub(super) fn count_at(path: &str, answer: &Value) -> Option<u64> {
    match find(path, answer).value()? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The address with `rel="next"` in a `Link` header (RFC 8288 §3).
fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split(' ')
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(address)
    })
}
