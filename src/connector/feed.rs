//! One list, page after page, for each of its parents.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Error;
use super::ask::{Asker, Call};
use super::paging::{Walk, count_at};
use super::path::{Found, Path};
use super::request::{Format, Request};
use super::scope::Scope;
use crate::net::{BODY_CAP, Method};

/// Where the parent of a list stands in its records.
pub(super) const EACH: &str = "@each";

/// A list that is being read.
pub(super) struct Feed {
    request: Request,
    what: String,
    connector: String,
    records: Path,
    parents: Vec<Parent>,
    at: usize,
    walk: Walk,
    turn: Option<Turn>,
    extra: Extra,
}

/// What a list is read for.
#[derive(Debug, Clone, Default)]
pub(super) struct Parent {
    pub record: Option<Value>,
    /// Whether it stands in the manifest.
    pub written: bool,
}

/// What is sent besides what the manifest says of the list.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    pub query: Vec<(String, String)>,
    pub body: Option<(Path, Value)>,
    /// An address in place of the first page's.
    pub start: Option<String>,
}

impl Extra {
    /// Puts it into a call.
    pub fn add_to(&self, call: &mut Call) {
        call.query.extend(self.query.iter().cloned());
        if let Some((path, value)) = &self.body {
            super::path::put(call.body.get_or_insert(Value::Null), path, value.clone());
        }
    }
}

/// A page that was read, and what is needed to find the next one.
struct Turn {
    body: Value,
    headers: crate::net::HeaderMap,
    asked: url::Url,
    records: usize,
    total: Option<u64>,
}

/// The records of one page.
pub(super) struct Sheet {
    pub items: Vec<Value>,
    /// The answer without its records.
    pub body: Value,
    /// How many the HR system says there are for this parent.
    pub total: Option<u64>,
    /// Number of the page, from 1.
    pub page: u32,
    /// Number of the parent, from 0.
    pub parent: usize,
    /// The parent's record.
    pub each: Option<Value>,
    /// The server's time.
    pub served: Option<DateTime<Utc>>,
}

impl Feed {
    pub fn new(
        connector: &str,
        what: &str,
        request: Request,
        parents: Vec<Parent>,
        extra: Extra,
    ) -> Result<Self, Error> {
        let text = request.records.clone().unwrap_or_default();
        let records = Path::parse(&text).ok_or_else(|| Error::Drift {
            connector: connector.to_owned(),
            field: "records".into(),
            path: text,
        })?;
        let walk = Walk::new(connector, request.page.clone().unwrap_or_default());
        Ok(Self {
            request,
            what: what.to_owned(),
            connector: connector.to_owned(),
            records,
            parents,
            at: 0,
            walk,
            turn: None,
            extra,
        })
    }

    /// The page at which it stands leads back to records already read.
    pub fn looping(&self) -> Error {
        self.walk.looping()
    }

    /// Asks for the next page; `None` when the last one of the last parent was read.
    pub async fn next(&mut self, asker: &mut Asker<'_>, scope: Scope<'_>) -> Result<Option<Sheet>, Error> {
        if let Some(turn) = self.turn.take() {
            self.walk
                .turn(&turn.body, &turn.headers, &turn.asked, turn.records, turn.total)?;
            if self.walk.is_closed() {
                self.at = self.at.saturating_add(1);
                self.walk = Walk::new(&self.connector, self.request.page.clone().unwrap_or_default());
            }
        }
        let Some(parent) = self.parents.get(self.at).cloned() else {
            return Ok(None);
        };
        let call = self.call(asker, scope, &parent)?;
        let answer = asker.value(&call).await?;
        let (mut body, headers) = match answer {
            Some((body, answer)) => (body, answer.headers),
            None => (Value::Null, crate::net::HeaderMap::new()),
        };
        let served = headers
            .get("date")
            .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
            .map(|date| date.with_timezone(&Utc));
        let total = self
            .request
            .count
            .as_deref()
            .and_then(|place| count_at(place, &body, &headers));
        let items = self.take(&mut body)?;
        let sheet = Sheet {
            body: body.clone(),
            total,
            page: self.walk.page,
            parent: self.at,
            each: parent.record,
            served,
            items,
        };
        self.turn = Some(Turn {
            body,
            headers,
            asked: call.address(),
            records: sheet.items.len(),
            total,
        });
        Ok(Some(sheet))
    }

    fn call(&self, asker: &Asker<'_>, scope: Scope<'_>, parent: &Parent) -> Result<Call, Error> {
        let page = self.walk.placed();
        let scope = Scope {
            page: page.as_deref(),
            record: parent.record.as_ref().or(scope.record),
            written: parent.written || (parent.record.is_none() && scope.written),
            ..scope
        };
        let mut call = make(&self.request, scope, &self.what, asker)?;
        self.extra.add_to(&mut call);
        let home = call.url.clone();
        if let (Some(start), true) = (&self.extra.start, self.walk.page == 1) {
            call.url = url::Url::parse(start).map_err(|_| self.walk.leads_away())?;
            call.query.clear();
        }
        call.page = self.walk.page;
        self.walk.aim(&mut call);
        call.url = asker.filler().rebase(call.url);
        if call.url.origin() != home.origin() {
            return Err(self.walk.leads_away());
        }
        Ok(call)
    }

    /// Moves the records out of the answer, so that they are not copied.
    fn take(&self, body: &mut Value) -> Result<Vec<Value>, Error> {
        if body.is_null() && self.request.empty_on_any() {
            return Ok(Vec::new());
        }
        match self.records.find(body) {
            Found::Here(Value::Array(_)) => Ok(take_list(body, &self.records)),
            Found::Here(Value::Object(_)) if self.request.one_will_do => {
                Ok(vec![take_one(body, &self.records)])
            }
            Found::Here(Value::Object(_)) if self.request.answer_format() == Format::Xml => {
                Ok(vec![take_one(body, &self.records)])
            }
            Found::Here(Value::String(text))
                if text.is_empty() && self.request.answer_format() == Format::Xml =>
            {
                Ok(Vec::new())
            }
            Found::Missing | Found::Null if self.request.may_lack => Ok(Vec::new()),
            _ => Err(Error::Drift {
                connector: self.connector.clone(),
                field: "records".into(),
                path: self.records.text().to_owned(),
            }),
        }
    }
}

/// Makes a call of a request's words.
pub(super) fn make(
    request: &Request,
    scope: Scope<'_>,
    what: &str,
    asker: &Asker<'_>,
) -> Result<Call, Error> {
    let method = if request.post.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let address = request.post.as_ref().or(request.get.as_ref());
    let format = request.answer_format();
    let mut headers = entries(&request.headers, scope)?;
    let has = |headers: &[(String, String)], wanted: &str| {
        headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if !has(&headers, "accept") {
        headers.push(("accept".into(), format.accept().into()));
    }
    let text = request.xml.as_deref().map(|xml| scope.xml(xml)).transpose()?;
    if text.is_some() && !has(&headers, "content-type") {
        headers.push(("content-type".into(), "text/xml; charset=utf-8".into()));
    }
    Ok(Call {
        method,
        url: asker
            .filler()
            .rebase(scope.address(address.map(String::as_str).unwrap_or_default())?),
        query: entries(&request.query, scope)?,
        headers,
        body: request.body.as_ref().map(|body| scope.json(body)).transpose()?,
        text,
        format,
        empty_on: request.empty_on.clone(),
        what: what.to_owned(),
        page: 1,
        cap: BODY_CAP,
    })
}

/// Entries with their texts filled, without those that need a setting that is not answered.
fn entries(
    entries: &std::collections::BTreeMap<String, String>,
    scope: Scope<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let mut filled = Vec::new();
    for (name, text) in entries {
        if let Some(value) = scope.optional(text)? {
            filled.push((name.clone(), value));
        }
    }
    Ok(filled)
}

fn place<'v>(body: &'v mut Value, path: &Path) -> Option<&'v mut Value> {
    let mut here = body;
    for step in path.steps() {
        here = match here {
            Value::Object(members) => members.get_mut(step)?,
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(here)
}

fn take_list(body: &mut Value, records: &Path) -> Vec<Value> {
    match place(body, records).map(std::mem::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn take_one(body: &mut Value, records: &Path) -> Value {
    place(body, records).map(std::mem::take).unwrap_or_default()
}

/// Puts something beside a record.
pub(super) fn put_beside(record: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = record {
        members.insert(name.to_owned(), value);
    }
}

/// Parents that are written in the manifest.
pub(super) fn written_parents(
    parents: &[std::collections::BTreeMap<String, String>],
    scope: Scope<'_>,
) -> Result<Vec<Parent>, Error> {
    parents
        .iter()
        .map(|parent| {
            let mut members = Map::new();
            for (name, text) in parent {
                members.insert(name.clone(), Value::String(scope.text(text)?));
            }
            Ok(Parent {
                record: Some(Value::Object(members)),
                written: true,
            })
        })
        .collect()
}
