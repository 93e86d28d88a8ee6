//! Reads the employees of an HR system as its manifest says, and proves the end of the read.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::ask::{Asker, Call};
use super::manifest::{Employees, List, Place};
use super::map::{Mapper, plain};
use super::paging::{Paging, Walk, count_at};
use super::path::{Found, Path, put};
use super::source::{Reader, Source};
use super::way::{Base, FieldWays, Paths, What, ready};
use super::{Error, Manifest, Settings};
use crate::base::Clock;
use crate::hr::{Page, Problem, field};
use crate::net::{BODY_CAP, Method};

/// Reads one connection by its manifest.
pub(super) struct ManifestReader<'a> {
    manifest: &'a Manifest,
    settings: &'a Settings,
    chosen: &'a [String],
    clock: &'a Clock,
    asker: Asker<'a>,
    walk: Walk<'a>,
    open: Option<Open<'a>>,
    tally: Tally,
}

/// What is known once the read has begun.
struct Open<'a> {
    employees: &'a Employees,
    mapper: Mapper,
    call: Call,
    records: Path,
}

/// What has been seen so far.
#[derive(Default)]
struct Tally {
    seen: HashSet<u64>,
    nameless: u64,
    again: u64,
    expected: Option<u64>,
    /// Fields that no record so far has had; `None` before the first record.
    absent: Option<u64>,
    names: Vec<&'static str>,
}

impl<'a> ManifestReader<'a> {
    pub fn new(source: Source<'a>) -> Self {
        let Source {
            manifest,
            settings,
            chosen,
            net,
            clock,
            tokens,
            ..
        } = source;
        let paging = manifest
            .written
            .employees
            .as_ref()
            .map_or(&Paging::None, |employees| &employees.page);
        Self {
            manifest,
            settings,
            chosen,
            clock,
            asker: Asker::new(manifest, settings, net, clock, tokens),
            walk: Walk::new(manifest.key(), paging),
            open: None,
            tally: Tally::default(),
        }
    }

    /// Gets a token where one is needed; else sees that the settings are there.
    pub async fn sign_in(&mut self) -> Result<(), Error> {
        self.asker.sign_in().await
    }

    /// Makes the rules ready, loads the lists they join, and prepares the request.
    async fn open(&mut self) -> Result<Open<'a>, Error> {
        let Some(employees) = &self.manifest.written.employees else {
            return Err(self.drift("records", "employees"));
        };
        let fields = self.fields(employees)?;
        let lists = self.lists(&fields).await?;
        let mut call = self.call(
            "the employees",
            (employees.get.as_ref(), employees.post.as_ref()),
            employees.query.iter(),
            employees.headers.iter(),
            employees.body.as_ref(),
        )?;
        ask_for(employees, &fields, &mut call);
        let records = self.pointer(&employees.records)?;
        let today = self.clock.now().date_naive();
        self.tally.names = fields.iter().map(|field| field.field.name).collect();
        Ok(Open {
            employees,
            mapper: Mapper { fields, lists, today },
            call,
            records,
        })
    }

    fn fields(&self, employees: &Employees) -> Result<Vec<FieldWays>, Error> {
        let wanted = |name: &str| {
            employees.required.iter().any(|known| known == name)
                || self.chosen.iter().any(|known| known == name)
        };
        let value = |name: &str| self.manifest.put_in(self.settings, name);
        let mut fields = Vec::new();
        for (name, rules) in employees.map.iter().filter(|(name, _)| wanted(name)) {
            let known = field(name).ok_or_else(|| self.drift(name, name))?;
            let ready =
                ready(known, rules.get_ref(), Paths::Pointers, &value).map_err(|message| Error::Setting {
                    setting: name.to_owned(),
                    message,
                })?;
            fields.push(ready);
        }
        // The id first, so that every later problem can name its record.
        fields.sort_by_key(|field| field.field.name != "source_id");
        Ok(fields)
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

    fn call<'t>(
        &self,
        what: &str,
        (get, post): (Option<&String>, Option<&String>),
        query: impl Iterator<Item = (&'t String, &'t String)>,
        headers: impl Iterator<Item = (&'t String, &'t String)>,
        body: Option<&Value>,
    ) -> Result<Call, Error> {
        let method = if post.is_some() { Method::POST } else { Method::GET };
        let address = post.or(get).map(String::as_str).unwrap_or_default();
        let fill = |(name, value): (&String, &String)| Ok((name.clone(), self.asker.filler().fill(value)?));
        let mut headers: Vec<(String, String)> = headers.map(fill).collect::<Result<_, Error>>()?;
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("accept"))
        {
            headers.push(("accept".into(), "application/json".into()));
        }
        Ok(Call {
            method,
            url: self.asker.filler().url(address)?,
            query: query.map(fill).collect::<Result<_, Error>>()?,
            headers,
            body: body.map(|body| self.asker.filler().fill_json(body)).transpose()?,
            what: what.to_owned(),
            page: 1,
            cap: BODY_CAP,
        })
    }

    async fn lists(
        &mut self,
        fields: &[FieldWays],
    ) -> Result<HashMap<String, HashMap<String, Value>>, Error> {
        let mut lists = HashMap::new();
        let manifest = self.manifest;
        for (name, list) in manifest.written.lists.iter() {
            let used = fields
                .iter()
                .flat_map(|field| &field.ways)
                .any(|way| matches!(&way.base, Base::List { name: used, .. } if used == name));
            if used {
                lists.insert(name.to_owned(), self.list(name, list).await?);
            }
        }
        Ok(lists)
    }

    /// Reads a whole second list, by its key.
    async fn list(&mut self, name: &str, list: &'a List) -> Result<HashMap<String, Value>, Error> {
        let call = self.call(
            &format!("the list {name}"),
            (list.get.as_ref(), list.post.as_ref()),
            list.query.iter(),
            list.headers.iter(),
            list.body.as_ref(),
        )?;
        let (records, key) = (self.pointer(&list.records)?, self.pointer(&list.key)?);
        let mut walk = Walk::new(self.manifest.key(), &list.page);
        let mut all = HashMap::new();
        while !walk.is_closed() {
            let (items, total, turned) =
                fetch(&mut self.asker, &walk, &call, &records, list.count.as_deref()).await?;
            walk.turn(&turned.body, &turned.headers, &turned.asked, items.len(), total)?;
            let before = all.len();
            let some = !items.is_empty();
            for item in items {
                if let Some(key) = key.find(&item).value().and_then(|key| plain(key).ok()) {
                    all.insert(key, item);
                }
            }
            if some && all.len() == before {
                return Err(walk.looping());
            }
        }
        Ok(all)
    }

    async fn read_page(&mut self) -> Result<Option<Page>, Error> {
        if self.walk.is_closed() {
            return Ok(None);
        }
        if self.open.is_none() {
            self.open = Some(self.open().await?);
        }
        let Some(open) = &self.open else { return Ok(None) };
        let count = open.employees.count.as_deref();
        let (items, total, turned) =
            fetch(&mut self.asker, &self.walk, &open.call, &open.records, count).await?;
        let number = self.walk.page;
        self.tally.expected = total.or(self.tally.expected);
        let page = take(&mut self.tally, &open.mapper, &items);
        if !items.is_empty() && page.employees.is_empty() && page.problems.is_empty() {
            return Err(self.walk.looping());
        }
        self.tally.judge(self.manifest, open, &page, number)?;
        self.walk
            .turn(&turned.body, &turned.headers, &turned.asked, items.len(), total)?;
        Ok(Some(page))
    }
}

/// What the walk needs of an answer.
struct Turned {
    body: Value,
    headers: crate::net::HeaderMap,
    asked: url::Url,
}

/// Asks for the page at which `walk` stands: its records, and the source's count.
async fn fetch(
    asker: &mut Asker<'_>,
    walk: &Walk<'_>,
    call: &Call,
    records: &Path,
    count: Option<&str>,
) -> Result<(Vec<Value>, Option<u64>, Turned), Error> {
    let mut call = call.clone();
    let home = call.url.clone();
    call.page = walk.page;
    walk.aim(&mut call);
    call.url = asker.filler().rebase(call.url);
    if call.url.origin() != home.origin() {
        return Err(Error::LeadsAway {
            connector: asker.key(),
            page: walk.page,
        });
    }
    let (mut body, answer) = asker.json(&call).await?;
    // An answer without its count is read to an empty page instead.
    let total = count.and_then(|path| count_at(path, &body));
    let Found::Here(Value::Array(_)) = records.find(&body) else {
        return Err(Error::Drift {
            connector: asker.key(),
            field: "records".into(),
            path: records.text().to_owned(),
        });
    };
    let items = take_list(&mut body, records);
    Ok((
        items,
        total,
        Turned {
            body,
            headers: answer.headers,
            asked: call.address(),
        },
    ))
}

/// Moves the list out of the answer, so that it is not copied.
fn take_list(body: &mut Value, records: &Path) -> Vec<Value> {
    let mut here = Some(body);
    for step in records.steps() {
        here = match here {
            Some(Value::Object(members)) => members.get_mut(step),
            Some(Value::Array(items)) => step.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
    }
    match here.map(std::mem::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Reads the records of a page; those that came before are passed over and counted.
fn take(tally: &mut Tally, mapper: &Mapper, items: &[Value]) -> Page {
    let mut page = Page::default();
    for item in items {
        let mapped = mapper.map(item);
        tally.absent = Some(
            tally
                .absent
                .map_or(mapped.missing, |absent| absent & mapped.missing),
        );
        let id = match &mapped.employee {
            Ok(employee) => Some(employee.source_id.as_str()),
            Err(problem) => problem.source_id.as_deref(),
        };
        match id {
            None => tally.nameless = tally.nameless.saturating_add(1),
            Some(id) if !tally.seen.insert(hash(id)) => {
                tally.again = tally.again.saturating_add(1);
                continue;
            }
            Some(_) => {}
        }
        match mapped.employee {
            Ok(employee) => page.employees.push(employee),
            Err(problem) => page.problems.push(problem),
        }
    }
    page
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

impl Tally {
    /// Refuses a page that shows that the HR system's records have another shape than we know.
    fn judge(&self, manifest: &Manifest, open: &Open<'_>, page: &Page, number: u32) -> Result<(), Error> {
        let connector = || manifest.key().to_owned();
        let watched = |name: &str| {
            matches!(name, "source_id" | "status")
                || (open.employees.every_key && open.employees.required.iter().any(|known| known == name))
        };
        if let Some(name) = self.absent().into_iter().find(|name| watched(name)) {
            let path = open
                .mapper
                .fields
                .iter()
                .find(|field| field.field.name == name)
                .map(first_path);
            return Err(Error::Drift {
                connector: connector(),
                field: name.to_owned(),
                path: path.unwrap_or_default(),
            });
        }
        let Some(first) = page.problems.first() else {
            return Ok(());
        };
        let Problem { field, message, .. } = first;
        let all_alike = page.employees.is_empty()
            && page.problems.len() > 1
            && page
                .problems
                .iter()
                .all(|other| other.field == *field && other.message == *message);
        if all_alike {
            let (field, message) = (field.clone(), message.clone());
            return Err(Error::AllUnreadable {
                connector: connector(),
                page: number,
                field,
                message,
            });
        }
        Ok(())
    }

    fn absent(&self) -> Vec<&'static str> {
        let Some(absent) = self.absent else {
            return Vec::new();
        };
        self.names
            .iter()
            .enumerate()
            .filter(|(index, _)| {
                u32::try_from(*index)
                    .ok()
                    .and_then(|index| absent.checked_shr(index))
                    .unwrap_or(0)
                    & 1
                    == 1
            })
            .map(|(_, name)| *name)
            .collect()
    }

    fn doubt(&self) -> Option<String> {
        let read = u64::try_from(self.seen.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.nameless);
        if self.nameless > 0 {
            return Some(format!("{} records have no id", self.nameless));
        }
        if self.again > 0 {
            return Some(format!(
                "{} records came twice: the list moved while it was read",
                self.again
            ));
        }
        match self.expected {
            Some(expected) if expected != read => {
                Some(format!("the HR system counts {expected} records, {read} came"))
            }
            _ => None,
        }
    }
}

/// The path shown when a field is missing.
fn first_path(field: &FieldWays) -> String {
    let path = field.ways.first().map(|way| match (&way.base, &way.what) {
        (Base::Pick { from, .. }, _) => from.text(),
        (Base::List { by, .. }, _) => by.text(),
        (_, What::Text(path, _) | What::Date(path, _) | What::Manager(path, _)) => path.text(),
        (_, What::Status(path, _) | What::AllCustom(path)) => path.text(),
        (_, What::Accounts { from: Some(path), .. }) => path.text(),
        (_, What::Parts(parts) | What::Accounts { parts, .. }) => {
            parts.first().map(|(_, path)| path.text()).unwrap_or_default()
        }
        (_, What::Custom(keys)) => keys.first().map(|(_, path)| path.text()).unwrap_or_default(),
    });
    path.unwrap_or_default().to_owned()
}

/// Asks only for the fields that are read, where the API allows it. A rule that searches among all fields needs them all.
fn ask_for(employees: &Employees, fields: &[FieldWays], call: &mut Call) {
    let Some(select) = &employees.select else { return };
    let Some(below) = Path::parse(&select.below) else {
        return;
    };
    let mut names: Vec<&str> = Vec::new();
    for path in fields.iter().flat_map(|field| &field.ways).flat_map(paths) {
        let rest = path.steps().strip_prefix(below.steps());
        match rest.map(<[String]>::first) {
            Some(Some(name)) if !names.contains(&name.as_str()) => names.push(name),
            Some(Some(_)) => {}
            Some(None) => return,
            None => {}
        }
    }
    match select.place {
        Place::Query => {
            call.query
                .extend(names.iter().map(|name| (select.send.clone(), (*name).to_owned())));
        }
        Place::Body => {
            if let Some(path) = Path::parse(&select.send) {
                put(call.body.get_or_insert(Value::Null), &path, Value::from(names));
            }
        }
    }
}

/// The paths of a way that start at the record.
pub(super) fn paths(way: &super::way::Way) -> Vec<&Path> {
    match &way.base {
        Base::Pick { from, .. } => return vec![from],
        Base::List { by, .. } => return vec![by],
        Base::Record => {}
    }
    match &way.what {
        What::Text(path, _) | What::Date(path, _) | What::Manager(path, _) => vec![path],
        What::Status(path, _) | What::AllCustom(path) => vec![path],
        What::Accounts { from: Some(path), .. } => vec![path],
        What::Parts(parts) | What::Accounts { parts, .. } => parts.iter().map(|(_, path)| path).collect(),
        What::Custom(keys) => keys.iter().map(|(_, path)| path).collect(),
    }
}

impl Reader for ManifestReader<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Error>> {
        Box::pin(self.read_page())
    }

    fn doubt(&self) -> Option<String> {
        self.tally.doubt()
    }

    fn expected(&self) -> Option<u64> {
        self.tally.expected
    }

    fn absent(&self) -> Vec<&'static str> {
        self.tally.absent()
    }
}
