//! Pages: how the next one is asked for, and how the end is proven.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Error;
use super::ask::Call;
use super::path::{Found, Path, put};
use super::request::Place;
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
    /// else `more` is false, else an empty page.
    Page {
        #[serde(default)]
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
        #[serde(default = "one")]
        first: u64,
        pages: Option<String>,
        more: Option<String>,
    },
    /// A number of records to pass over. The end: as many as `count` of the list says, else `more` is false, else an empty
    /// page.
    Offset {
        #[serde(default)]
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
        more: Option<String>,
    },
    /// A mark from the answer before. The end: null or empty, or `more` is false; with `may_lack` also its absence.
    Cursor {
        #[serde(default)]
        send: String,
        #[serde(default, rename = "in")]
        place: Place,
        read: String,
        #[serde(default)]
        may_lack: bool,
        more: Option<String>,
    },
    /// The whole next address: at `read`, or in the `Link` header (RFC 8288). The end: its absence.
    Link {
        read: Option<String>,
        /// Whether what the next address lacks of the first one's query is put in again.
        #[serde(default)]
        keep_query: bool,
        /// Whether only the query of the next address is taken.
        #[serde(default)]
        query_only: bool,
    },
}

const fn one() -> u64 {
    1
}

/// Where a walk through the pages stands.
#[derive(Debug)]
pub(super) struct Walk {
    paging: Paging,
    connector: String,
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

impl Walk {
    pub fn new(connector: &str, paging: Paging) -> Self {
        Self {
            paging,
            connector: connector.to_owned(),
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

    /// What `{{ page }}` stands for, where the page is asked for in the request's texts.
    pub fn placed(&self) -> Option<String> {
        let (place, value) = self.value()?;
        (place == Place::Template).then(|| text(&value))
    }

    /// Where the page is asked for, and by what.
    fn value(&self) -> Option<(Place, Value)> {
        match (&self.paging, &self.next) {
            (_, Next::Address(_)) | (Paging::None | Paging::Link { .. }, _) => None,
            (Paging::Page { place, first, .. }, _) => {
                let number = first.saturating_add(u64::from(self.page.saturating_sub(1)));
                Some((*place, Value::from(number)))
            }
            (Paging::Offset { place, .. }, _) => Some((*place, Value::from(self.passed))),
            (Paging::Cursor { place, .. }, Next::Mark(mark)) => Some((*place, Value::from(mark.as_str()))),
            (
                Paging::Cursor {
                    place: Place::Template,
                    ..
                },
                _,
            ) => Some((Place::Template, Value::from(""))),
            (Paging::Cursor { .. }, _) => None,
        }
    }

    /// Makes `call` ask for the page to be read.
    pub fn aim(&self, call: &mut Call) {
        if let Next::Address(url) = &self.next {
            self.aim_at(url, call);
            return;
        }
        let Some((place, value)) = self.value() else {
            return;
        };
        let send = match &self.paging {
            Paging::Page { send, .. } | Paging::Offset { send, .. } | Paging::Cursor { send, .. } => send,
            Paging::None | Paging::Link { .. } => return,
        };
        match place {
            Place::Query => call.query.push((send.clone(), text(&value))),
            Place::Body => {
                let body = call.body.get_or_insert(Value::Null);
                if let Some(path) = Path::parse(send) {
                    put(body, &path, value);
                }
            }
            Place::Template => {}
        }
    }

    fn aim_at(&self, url: &Url, call: &mut Call) {
        let (keep_query, query_only) = match &self.paging {
            Paging::Link {
                keep_query,
                query_only,
                ..
            } => (*keep_query, *query_only),
            _ => (false, false),
        };
        let first = call.address();
        call.query.clear();
        call.url = if query_only { first.clone() } else { url.clone() };
        call.url.set_query(url.query());
        if keep_query {
            let has: HashSet<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
            let lacking = first
                .query_pairs()
                .filter(|(name, _)| !has.contains(name.as_ref()));
            call.query = lacking
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
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
        let said = self.no_more(answer, headers);
        self.closed = match self.paging.clone() {
            Paging::None => true,
            _ if said == Some(true) => true,
            Paging::Page { .. } | Paging::Offset { .. } => {
                let end = match (self.pages(answer, headers), total) {
                    (Some(pages), _) => Some(u64::from(page) >= pages),
                    (None, Some(total)) => Some(self.passed >= total),
                    (None, None) => said,
                };
                match end {
                    Some(end) => self.closes_at(end, records)?,
                    None => records == 0,
                }
            }
            Paging::Cursor { read, may_lack, .. } => self.turn_mark(&read, may_lack, answer, headers)?,
            Paging::Link { read: Some(read), .. } => {
                let link = match located(&read, answer, headers) {
                    Some(Value::String(link)) => Some(link),
                    _ => None,
                };
                self.turn_link(link.as_deref(), asked)?
            }
            Paging::Link { read: None, .. } => {
                let lines = headers
                    .get_all("link")
                    .iter()
                    .filter_map(|line| line.to_str().ok());
                let link = lines.filter_map(next_link).next();
                self.turn_link(link, asked)?
            }
        };
        self.page = self.page.saturating_add(1);
        if self.page > MOST_PAGES {
            return Err(self.looping());
        }
        Ok(())
    }

    /// Whether the answer says that there are no more pages.
    fn no_more(&self, answer: &Value, headers: &HeaderMap) -> Option<bool> {
        let (Paging::Page { more: Some(more), .. }
        | Paging::Offset { more: Some(more), .. }
        | Paging::Cursor { more: Some(more), .. }) = &self.paging
        else {
            return None;
        };
        match located(more, answer, headers)? {
            Value::Bool(more) => Some(!more),
            Value::String(text) => Some(!matches!(
                text.trim().to_ascii_lowercase().as_str(),
                "true" | "1" | "yes"
            )),
            Value::Number(number) => Some(number.as_f64() == Some(0.0)),
            _ => None,
        }
    }

    fn closes_at(&self, end: bool, records: usize) -> Result<bool, Error> {
        if records == 0 && !end {
            return Err(Error::EndsEarly {
                connector: self.connector.clone(),
                page: self.page,
            });
        }
        Ok(end)
    }

    /// How many pages the answer says there are.
    fn pages(&self, answer: &Value, headers: &HeaderMap) -> Option<u64> {
        match &self.paging {
            Paging::Page {
                pages: Some(pages), ..
            } => count_at(pages, answer, headers),
            _ => None,
        }
    }

    fn turn_mark(
        &mut self,
        read: &str,
        may_lack: bool,
        answer: &Value,
        headers: &HeaderMap,
    ) -> Result<bool, Error> {
        let mark = match read.strip_prefix(HEADER) {
            Some(_) => located(read, answer, headers),
            None => match find(read, answer) {
                Found::Missing if !may_lack => return Err(self.drift("next page", read)),
                found => found.value().cloned(),
            },
        };
        let mark = match mark {
            None => return Ok(true),
            Some(Value::String(mark)) if mark.is_empty() => return Ok(true),
            Some(Value::String(mark)) => mark,
            Some(Value::Number(mark)) => mark.to_string(),
            Some(_) => return Err(self.drift("next page", read)),
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
        let next = asked.join(link).map_err(|_| self.leads_away())?;
        if next == *asked || !self.marks.insert(next.to_string()) {
            return Err(self.looping());
        }
        self.next = Next::Address(next);
        Ok(false)
    }

    /// The error for a page on another host.
    pub fn leads_away(&self) -> Error {
        Error::LeadsAway {
            connector: self.connector.clone(),
            page: self.page,
        }
    }

    /// The error for pages that do not come to an end.
    pub fn looping(&self) -> Error {
        Error::Looping {
            connector: self.connector.clone(),
            page: self.page,
        }
    }

    fn drift(&self, field: &str, path: &str) -> Error {
        Error::Drift {
            connector: self.connector.clone(),
            field: field.to_owned(),
            path: path.to_owned(),
        }
    }
}

fn find<'v>(path: &str, answer: &'v Value) -> Found<'v> {
    Path::parse(path).map_or(Found::Missing, |path| path.find(answer))
}

/// A place that starts so is the name of a header.
const HEADER: &str = "header:";

/// What is at a place of an answer: a path in its body, or a header.
pub(super) fn located(place: &str, answer: &Value, headers: &HeaderMap) -> Option<Value> {
    match place.strip_prefix(HEADER) {
        Some(name) => headers
            .get(name.trim())
            .and_then(|value| value.to_str().ok())
            .map(|text| Value::String(text.trim().to_owned())),
        None => find(place, answer).value().cloned(),
    }
}

/// Whether a text is a place of an answer.
pub(super) fn is_place(text: &str) -> bool {
    text.strip_prefix(HEADER)
        .map_or_else(|| Path::parse(text).is_some(), |name| !name.trim().is_empty())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A count at a place: a number, or a text of digits. Some write `57.0`.
pub(super) fn count_at(place: &str, answer: &Value, headers: &HeaderMap) -> Option<u64> {
    match located(place, answer, headers)? {
        Value::Number(number) => number.as_u64().or_else(|| whole(&number.to_string())),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim())),
        _ => None,
    }
}

fn whole(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.')?;
    rest.chars().all(|c| c == '0').then(|| whole.parse().ok())?
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
