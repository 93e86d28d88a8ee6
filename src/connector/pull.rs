//! Reads the employees of an HR system as its manifest says, and proves the end of the read.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::ask::Asker;
use super::condition::{Fill, Test};
use super::feed::{EACH, Extra, Feed, Sheet, make, put_beside};
use super::join::{Joins, Needed};
use super::map::{Mapper, plain};
use super::paging::located;
use super::path::{Found, Path};
use super::request::{Changes, Employees, Format, Request};
use super::scope::{Mark, Scope};
use super::select::asked_fields;
use super::source::{Reader, Source};
use super::tally::Tally;
use super::way::{FieldWays, Paths, ready};
use super::{Error, Manifest, Settings};
use crate::base::Clock;
use crate::hr::{Employee, Page, field};
use crate::net::HeaderMap;

mod attributes;
mod second;

pub use attributes::{Attribute, Attributes};

use second::Loaded;

/// More people than this in a feed of ids: a complete read costs less.
const MOST_NAMED: usize = 5_000;
/// People of a feed that are read before a page is given.
const NAMED_AT_A_TIME: usize = 50;

/// What is read.
#[derive(Debug, Clone)]
pub(super) enum Aim {
    /// Everybody.
    All,
    /// What changed since then.
    Changes(Mark),
    /// One employee.
    One(String),
}

/// Reads one connection by its manifest.
pub(super) struct ManifestReader<'a> {
    manifest: &'a Manifest,
    settings: &'a Settings,
    chosen: &'a [String],
    now: DateTime<Utc>,
    sleeper: crate::net::Sleeper,
    asker: Asker<'a>,
    aim: Aim,
    open: Option<Open<'a>>,
    tally: Tally,
    mark: Option<Mark>,
}

/// What is known once the read has begun.
struct Open<'a> {
    employees: &'a Employees,
    mapper: Mapper,
    joins: Joins,
    only: Vec<Test>,
    feed: Feed,
    /// People that a feed of changes named, still to be read.
    named: Option<VecDeque<String>>,
    /// How one of them is read.
    one: Option<Request>,
    /// What asks for the fields that are read.
    asked: Extra,
}

impl<'a> ManifestReader<'a> {
    pub fn new(source: Source<'a>, aim: Aim) -> Self {
        let Source {
            manifest,
            settings,
            chosen,
            net,
            clock,
            tokens,
            ..
        } = source;
        let clock: &Clock = clock;
        Self {
            manifest,
            settings,
            chosen,
            now: clock.now(),
            sleeper: net.sleeper().clone(),
            asker: Asker::new(manifest, settings, net, clock, tokens),
            aim,
            open: None,
            tally: Tally::default(),
            mark: None,
        }
    }

    /// Gets a token where one is needed; else sees that the settings are there.
    pub async fn sign_in(&mut self) -> Result<(), Error> {
        self.asker.sign_in().await
    }

    /// What names in requests stand for.
    fn scope<'s>(&'s self, since: Option<&'s Mark>) -> Scope<'s> {
        let id = match &self.aim {
            Aim::One(id) => Some(id.as_str()),
            _ => None,
        };
        Scope {
            since,
            id,
            ..Scope::new(self.manifest, self.settings, self.now)
        }
    }

    /// Makes the rules ready, loads the lists they join, and prepares the request.
    async fn open(&mut self) -> Result<Open<'a>, Error> {
        let Some(employees) = &self.manifest.written.employees else {
            return Err(self.drift("records", "employees"));
        };
        let mut loaded = Loaded::default();
        let labels = self.labels(employees, &mut loaded).await?;
        let manifest = self.manifest;
        let made = self.make_ready(employees, &labels)?;
        let Made {
            fields,
            only,
            needed,
            joins,
        } = made;
        let request = self.request(employees);
        for name in &needed.lists {
            self.load(name, &mut loaded).await?;
        }
        let parents = self
            .parents(&request, &mut loaded, employees.report.as_ref())
            .await?;
        let mut extra = asked_fields(employees.select.as_ref(), &needed.paths);
        let asked = extra.clone();
        let changes = matches!(self.aim, Aim::Changes(_))
            .then_some(employees.changes.as_ref())
            .flatten();
        if let (
            Aim::Changes(Mark::Token(token)),
            Some(Changes {
                get: None,
                post: None,
                ..
            }),
        ) = (&self.aim, changes)
        {
            extra.start = Some(token.clone());
        }
        let feed = Feed::new(manifest.key(), "the employees", request, parents, extra)?;
        self.tally = Tally::new(&fields);
        if matches!(self.aim, Aim::All) {
            self.first_token(employees).await?;
        }
        Ok(Open {
            employees,
            mapper: Mapper {
                fields,
                lists: loaded.lists,
                labels,
                single: employees.format == Some(Format::Xml),
                today: self.now.date_naive(),
            },
            joins,
            only,
            feed,
            named: changes
                .filter(|changes| changes.ids.is_some())
                .map(|_| VecDeque::new()),
            one: employees.one.as_ref().map(super::request::One::request),
            asked,
        })
    }

    /// Makes rules, conditions and joins ready.
    fn make_ready(&self, employees: &Employees, labels: &HashMap<String, String>) -> Result<Made, Error> {
        let value = |name: &str| match name.strip_prefix("label:") {
            Some(label) => labels
                .iter()
                .find(|(_, known)| *known == label)
                .map(|(key, _)| key.clone()),
            None => self.manifest.put_in(self.settings, name),
        };
        let wrong = |message: String| Error::Setting {
            setting: "manifest".into(),
            message,
        };
        let fields = self.fields(employees, &value)?;
        let only: Vec<Test> = self
            .request(employees)
            .only
            .0
            .iter()
            .map(|condition| Test::new(condition, &value))
            .collect::<Result<_, _>>()
            .map_err(wrong)?;
        let needed = Needed::of(&self.manifest.written, &fields, &only);
        let joins = Joins::new(&self.manifest.written, &needed, &value).map_err(wrong)?;
        Ok(Made {
            fields,
            only,
            needed,
            joins,
        })
    }

    /// The request by which this read lists employees.
    fn request(&self, employees: &Employees) -> Request {
        let list = Request {
            one_will_do: false,
            ..employees.request()
        };
        match (&self.aim, &employees.changes, &employees.one) {
            (Aim::Changes(_), Some(changes), _) => Request {
                one_will_do: false,
                ..list.changed_by(&changes.request())
            },
            (Aim::One(_), _, Some(one)) => Request {
                each: None,
                only: if one.only.0.is_empty() {
                    list.only
                } else {
                    one.only.clone()
                },
                format: one.format.or(list.format),
                headers: one.headers.clone().into_iter().chain(list.headers).collect(),
                ..one.request()
            },
            _ => list,
        }
    }

    fn wanted(&self, employees: &Employees, name: &str) -> bool {
        employees.required.iter().any(|known| known == name) || self.chosen.iter().any(|known| known == name)
    }

    fn fields(&self, employees: &Employees, fill: Fill<'_>) -> Result<Vec<FieldWays>, Error> {
        let mut fields = Vec::new();
        for (name, rules) in employees
            .map
            .iter()
            .filter(|(name, _)| self.wanted(employees, name))
        {
            let known = field(name).ok_or_else(|| self.drift(name, name))?;
            let ready =
                ready(known, rules.get_ref(), Paths::Pointers, fill).map_err(|message| Error::Setting {
                    setting: name.to_owned(),
                    message,
                })?;
            let needed = employees.required.iter().any(|known| known == name);
            if needed || !ready.ways.is_empty() {
                fields.push(ready);
            }
        }
        // The id first, so that every later problem can name its record.
        fields.sort_by_key(|field| field.field.name != "source_id");
        Ok(fields)
    }

    /// Gets what changes will be asked from, before everybody is read.
    async fn first_token(&mut self, employees: &Employees) -> Result<(), Error> {
        let Some(Changes {
            token: Some(token),
            start: Some(start),
            format,
            headers,
            ..
        }) = &employees.changes
        else {
            return Ok(());
        };
        let request = Request {
            get: Some(start.clone()),
            headers: employees
                .headers
                .clone()
                .into_iter()
                .chain(headers.clone())
                .collect(),
            format: *format,
            ..Request::default()
        };
        let call = make(&request, self.scope(None), "the changes", &self.asker)?;
        let answer = self.asker.value(&call).await?;
        self.mark = answer.and_then(|(body, answer)| token_at(token, &body, &answer.headers));
        Ok(())
    }

    fn pointer(&self, text: &str) -> Result<Path, Error> {
        Path::parse(text).ok_or_else(|| self.drift("records", text))
    }

    fn drift(&self, field: &str, path: &str) -> Error {
        Error::Drift {
            connector: self.manifest.key().into(),
            field: field.into(),
            path: path.into(),
        }
    }

    async fn read_page(&mut self) -> Result<Option<Page>, Error> {
        if self.open.is_none() {
            self.open = Some(self.open().await?);
        }
        let Some(mut open) = self.open.take() else {
            return Ok(None);
        };
        let page = self.read_open(&mut open).await;
        self.open = Some(open);
        page
    }

    async fn read_open(&mut self, open: &mut Open<'a>) -> Result<Option<Page>, Error> {
        let Some(mut sheet) = self.next_sheet(open).await? else {
            return self.next_named(open).await;
        };
        self.note_mark(open, &sheet);
        if open.named.is_some() {
            self.note_named(open, &sheet)?;
            return Ok(Some(Page::default()));
        }
        let (number, parent, came) = (sheet.page, sheet.parent, sheet.items.len());
        self.tally.count(parent, sheet.total);
        let mut items = self.prepared(open, &mut sheet).await?;
        self.keep_employees(open, &mut items)?;
        let repeats = open.employees.repeats;
        let (page, fresh) = self.tally.take(&open.mapper, &items, parent, repeats);
        if came > 0 && !items.is_empty() && !fresh && !repeats {
            return Err(open.feed.looping());
        }
        let employees = open.employees;
        let watched = |name: &str| {
            matches!(name, "source_id" | "status")
                || (employees.every_key && employees.required.iter().any(|known| known == name))
        };
        self.tally
            .judge(self.manifest, &open.mapper, &watched, &page, number)?;
        Ok(Some(page))
    }

    /// Leaves out records that are no employees. That none is one because what tells it is gone is a change of the HR system.
    fn keep_employees(&mut self, open: &Open<'a>, items: &mut Vec<Value>) -> Result<(), Error> {
        let all = items.len();
        let gone = |test: &&Test| {
            let lacks = |item: &Value| test.at.find(item) == Found::Missing;
            !items.is_empty() && items.iter().all(|item| lacks(item) && !test.holds(item))
        };
        if let Some(test) = open.only.iter().find(gone) {
            return Err(self.drift("only", test.at.text()));
        }
        items.retain(|item| open.only.iter().all(|test| test.holds(item)));
        self.tally.pass_over(all.saturating_sub(items.len()));
        Ok(())
    }

    async fn next_sheet(&mut self, open: &mut Open<'a>) -> Result<Option<Sheet>, Error> {
        let aim = self.aim.clone();
        let since = match &aim {
            Aim::Changes(mark) => Some(earlier(mark, open.employees)),
            _ => None,
        };
        let scope = Scope {
            since: since.as_ref(),
            id: match &aim {
                Aim::One(id) => Some(id),
                _ => None,
            },
            ..Scope::new(self.manifest, self.settings, self.now)
        };
        open.feed.next(&mut self.asker, scope).await
    }

    /// The records of a page with everything that is put beside them.
    async fn prepared(&mut self, open: &mut Open<'a>, sheet: &mut Sheet) -> Result<Vec<Value>, Error> {
        let mut items = std::mem::take(&mut sheet.items);
        if let (Some(each), Some(_)) = (&sheet.each, &open.employees.each) {
            for item in &mut items {
                put_beside(item, EACH, each.clone());
            }
        }
        let scope = Scope::new(self.manifest, self.settings, self.now);
        open.joins
            .prepare(
                &mut items,
                &sheet.body,
                &open.mapper.lists,
                &mut self.asker,
                scope,
            )
            .await?;
        Ok(items)
    }

    /// Takes note of how far the read came.
    fn note_mark(&mut self, open: &Open<'a>, sheet: &Sheet) {
        let Some(changes) = &open.employees.changes else {
            return;
        };
        match &changes.token {
            Some(place) => {
                if matches!(self.aim, Aim::Changes(_))
                    && let Some(token) = token_at(place, &sheet.body, &HeaderMap::new())
                {
                    self.mark = Some(token);
                }
            }
            None => {
                let at = sheet.served.unwrap_or(self.now);
                self.mark.get_or_insert(Mark::Moment(at));
            }
        }
    }

    /// Takes note of the people that a feed of changes names.
    fn note_named(&self, open: &mut Open<'a>, sheet: &Sheet) -> Result<(), Error> {
        let ids = open
            .employees
            .changes
            .as_ref()
            .and_then(|changes| changes.ids.as_deref());
        let at = self.pointer(ids.unwrap_or_default())?;
        let Some(named) = &mut open.named else {
            return Ok(());
        };
        for item in &sheet.items {
            let id = at
                .find(item)
                .value()
                .and_then(|id| plain(id).ok())
                .filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| self.drift("changes", at.text()))?;
            if !named.contains(&id) {
                named.push_back(id);
            }
        }
        if named.len() > MOST_NAMED {
            return Err(Error::Expired {
                connector: self.manifest.key().to_owned(),
                what: "more people than are worth reading singly".into(),
                status: 200,
            });
        }
        Ok(())
    }

    /// Reads some of the people that a feed of changes named.
    async fn next_named(&mut self, open: &mut Open<'a>) -> Result<Option<Page>, Error> {
        let (Some(named), Some(one)) = (&mut open.named, open.one.clone()) else {
            return Ok(None);
        };
        if named.is_empty() {
            return Ok(None);
        }
        let some: Vec<String> = named.drain(..named.len().min(NAMED_AT_A_TIME)).collect();
        let mut page = Page::default();
        for id in some {
            let scope = Scope {
                id: Some(&id),
                ..self.scope(None)
            };
            let mut call = make(&one, scope, "an employee", &self.asker)?;
            open.asked.add_to(&mut call);
            let answer = match self.asker.value(&call).await {
                Ok(answer) => answer.map(|(value, _)| value),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            let Some(body) = answer else { continue };
            let items = one_or_many(&body, &self.pointer(one.records.as_deref().unwrap_or_default())?);
            let mut sheet = Sheet {
                items,
                body,
                total: None,
                page: 1,
                parent: 0,
                each: open
                    .employees
                    .each
                    .is_some()
                    .then(|| serde_json::json!({"name": "one"})),
                served: None,
            };
            let mut items = self.prepared(open, &mut sheet).await?;
            items.retain(|item| open.only.iter().all(|test| test.holds(item)));
            let (read, _) = self.tally.take(&open.mapper, &items, 0, true);
            page.employees.extend(read.employees);
            page.problems.extend(read.problems);
        }
        Ok(Some(page))
    }

    /// Reads the one employee that is aimed at.
    pub async fn one(mut self) -> Result<Option<Employee>, Error> {
        let Aim::One(id) = self.aim.clone() else {
            return Ok(None);
        };
        let mut found = None;
        loop {
            match self.read_page().await {
                Ok(Some(page)) => {
                    if let Some(problem) = page.problems.into_iter().next() {
                        return Err(Error::Record {
                            field: problem.field,
                            message: problem.message,
                        });
                    }
                    found = found.or(page
                        .employees
                        .into_iter()
                        .find(|employee| employee.source_id == id));
                }
                Ok(None) => return Ok(found),
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a manifest's words were made into.
struct Made {
    fields: Vec<FieldWays>,
    only: Vec<Test>,
    needed: Needed,
    joins: Joins,
}

/// From where changes are asked: a little earlier than the last read came, since clocks and indexes lag.
fn earlier(mark: &Mark, employees: &Employees) -> Mark {
    let overlap = employees
        .changes
        .as_ref()
        .map_or(0, |changes| changes.overlap_minutes);
    match mark {
        Mark::Moment(at) => Mark::Moment(
            at.checked_sub_signed(TimeDelta::minutes(overlap.into()))
                .unwrap_or(*at),
        ),
        token => token.clone(),
    }
}

fn token_at(place: &str, body: &Value, headers: &HeaderMap) -> Option<Mark> {
    let token = plain(&located(place, body, headers)?).ok()?;
    (!token.is_empty()).then_some(Mark::Token(token))
}

fn one_or_many(body: &Value, records: &Path) -> Vec<Value> {
    match records.find(body).value() {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

impl Reader for ManifestReader<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Error>> {
        Box::pin(self.read_page())
    }

    fn doubt(&self) -> Option<String> {
        match self.aim {
            Aim::All => self.tally.doubt(),
            _ => Some("it was asked only for some".into()),
        }
    }

    fn expected(&self) -> Option<u64> {
        self.tally.expected()
    }

    fn absent(&self) -> Vec<&'static str> {
        self.tally.absent()
    }

    fn mark(&self) -> Option<Mark> {
        self.mark.clone()
    }
}
