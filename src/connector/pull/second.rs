//! What is read before the employees: second lists, the parents for which a list is read, reports that are made on demand.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::{Aim, ManifestReader};
use crate::connector::Error;
use crate::connector::condition::{Test, filled};
use crate::connector::feed::{EACH, Extra, Feed, Parent, make, put_beside, written_parents};
use crate::connector::list::Lists;
use crate::connector::map::plain;
use crate::connector::path::Path;
use crate::connector::request::{Each, Employees, Report, Request};
use crate::connector::scope::Scope;

/// Records of second lists in one read.
const MOST_LISTED: usize = 2_000_000;

/// The second lists read so far.
#[derive(Default)]
pub(super) struct Loaded {
    pub lists: Lists,
    /// Records in their order, of lists that others are read for.
    pub raw: HashMap<String, Vec<Value>>,
    done: BTreeSet<String>,
    count: usize,
}

/// How many records of a second list came for a parent, and how many the HR system counts. One that is short would empty the
/// fields that are joined from it.
#[derive(Default)]
struct Counted {
    parent: usize,
    came: u64,
    total: Option<u64>,
}

impl Counted {
    fn add(
        &mut self,
        connector: &str,
        list: &str,
        parent: usize,
        came: usize,
        total: Option<u64>,
    ) -> Result<(), Error> {
        if parent != self.parent {
            self.end(connector, list)?;
            *self = Self {
                parent,
                ..Self::default()
            };
        }
        self.came = self.came.saturating_add(u64::try_from(came).unwrap_or(u64::MAX));
        self.total = total.or(self.total);
        Ok(())
    }

    fn end(&self, connector: &str, list: &str) -> Result<(), Error> {
        match self.total {
            Some(total) if total != self.came => Err(Error::Short {
                connector: connector.to_owned(),
                what: format!("the list {list}"),
                total,
                came: self.came,
            }),
            _ => Ok(()),
        }
    }
}

impl ManifestReader<'_> {
    /// The labels of the account's own fields by their key, when a field that is read asks for them and its label is said.
    pub(super) async fn labels(
        &mut self,
        employees: &Employees,
        loaded: &mut Loaded,
    ) -> Result<HashMap<String, String>, Error> {
        let manifest = self.manifest;
        let Some(labels) = &manifest.written.labels else {
            return Ok(HashMap::new());
        };
        let put_in = |name: &str| manifest.put_in(self.settings, name);
        let answered = |label: &String| matches!(filled(label, &put_in), Ok(Some(_)));
        let asked = employees.map.iter().any(|(name, rules)| {
            let mut labels = rules.get_ref().0.iter().filter_map(|rule| rule.label.as_ref());
            (name == "custom" || labels.any(answered)) && self.wanted(employees, name)
        });
        if !asked {
            return Ok(HashMap::new());
        }
        self.load(&labels.list, loaded).await?;
        let at = self.pointer(&labels.at)?;
        let label = |record: &Value| plain(at.find(record).value()?).ok();
        let all = loaded.lists.all(&labels.list);
        Ok(all
            .filter_map(|(key, record)| Some((key.to_owned(), label(record)?)))
            .collect())
    }

    /// The parents for which a list is read.
    pub(super) async fn parents(
        &mut self,
        request: &Request,
        loaded: &mut Loaded,
        report: Option<&Report>,
    ) -> Result<Vec<Parent>, Error> {
        if let (Aim::One(_), Some(employees)) = (&self.aim, &self.manifest.written.employees) {
            let record = employees
                .each
                .is_some()
                .then(|| serde_json::json!({"name": "one"}));
            return Ok(vec![Parent {
                record,
                written: true,
            }]);
        }
        match &request.each {
            None => {
                let record = match report {
                    Some(report) => Some(self.report(report).await?),
                    None => None,
                };
                Ok(vec![Parent {
                    record,
                    written: false,
                }])
            }
            Some(Each::Written(parents)) => written_parents(parents, self.scope(None)),
            Some(Each::List(name)) => {
                self.load(name, loaded).await?;
                let records = loaded.raw.get(name).cloned().unwrap_or_default();
                Ok(records
                    .into_iter()
                    .map(|record| Parent {
                        record: Some(record),
                        written: false,
                    })
                    .collect())
            }
        }
    }

    /// Reads a second list and those it is read for, unless it was read before.
    pub(super) async fn load(&mut self, name: &str, loaded: &mut Loaded) -> Result<(), Error> {
        let mut order = vec![name.to_owned()];
        while let Some(Some(Each::List(parent))) = order
            .last()
            .and_then(|name| self.manifest.written.lists.get(name))
            .map(|list| &list.each)
        {
            if order.contains(parent) {
                return Err(self.drift("lists", parent));
            }
            order.push(parent.clone());
        }
        for name in order.iter().rev() {
            if loaded.done.insert(name.clone()) {
                self.load_one(name, loaded).await?;
            }
        }
        Ok(())
    }

    async fn load_one(&mut self, name: &str, loaded: &mut Loaded) -> Result<(), Error> {
        let manifest = self.manifest;
        let Some(list) = manifest.written.lists.get(name) else {
            return Err(self.drift("lists", name));
        };
        let keys: Vec<Path> = list
            .key
            .0
            .iter()
            .map(|key| self.pointer(key))
            .collect::<Result<_, _>>()?;
        let request = list.request();
        let parents = match &request.each {
            None => vec![Parent::default()],
            Some(Each::Written(parents)) => written_parents(parents, self.scope(None))?,
            Some(Each::List(parent)) => loaded
                .raw
                .get(parent)
                .into_iter()
                .flatten()
                .map(|record| Parent {
                    record: Some(record.clone()),
                    written: false,
                })
                .collect(),
        };
        let settings = self.settings;
        let only: Vec<Test> = request
            .only
            .0
            .iter()
            .map(|one| Test::new(one, &|name| manifest.put_in(settings, name)))
            .collect::<Result<_, _>>()
            .map_err(|message| Error::Setting {
                setting: name.to_owned(),
                message,
            })?;
        let is_parent = manifest.has_children(name);
        let mut feed = Feed::new(
            manifest.key(),
            &format!("the list {name}"),
            request,
            parents,
            Extra::default(),
        )?;
        let mut last: Option<(usize, Value)> = None;
        let mut counted = Counted::default();
        loop {
            let scope = Scope::new(manifest, settings, self.now);
            let Some(sheet) = feed.next(&mut self.asker, scope).await? else {
                return counted.end(manifest.key(), name);
            };
            counted.add(manifest.key(), name, sheet.parent, sheet.items.len(), sheet.total)?;
            let first = sheet.items.first().map(|item| (sheet.parent, item.clone()));
            if first.is_some() && first == last {
                return Err(feed.looping());
            }
            last = first;
            loaded.count = loaded.count.saturating_add(sheet.items.len());
            if loaded.count > MOST_LISTED {
                return Err(Error::TooMany {
                    connector: manifest.key().to_owned(),
                    what: "records in second lists".into(),
                    most: MOST_LISTED,
                });
            }
            for mut item in sheet.items {
                if let Some(each) = &sheet.each {
                    put_beside(&mut item, EACH, each.clone());
                }
                if only.iter().all(|test| test.holds(&item)) {
                    if is_parent {
                        loaded.raw.entry(name.to_owned()).or_default().push(item.clone());
                    }
                    loaded.lists.add(name, &keys, item);
                }
            }
        }
    }

    /// Has a report made, and waits until it is ready.
    async fn report(&mut self, report: &Report) -> Result<Value, Error> {
        let what = "the report";
        let test = |condition| Test::new(condition, &|_| None).map_err(|_| self.drift("report", "ready"));
        let ready = test(&report.ready)?;
        let failed = report.failed.as_ref().map(test).transpose()?;
        let start = make(&report.request(), self.scope(None), what, &self.asker)?;
        let mut answer = self
            .asker
            .value(&start)
            .await?
            .map(|(value, _)| value)
            .unwrap_or_default();
        let poll = Request {
            get: Some(report.poll.clone()),
            headers: report.headers.clone(),
            format: report.format,
            ..Request::default()
        };
        let started = answer.clone();
        let every = report.every_seconds.max(1);
        for _ in 0..=report.within_seconds / every {
            if ready.holds(&answer) {
                return Ok(merged(started, answer));
            }
            if failed.as_ref().is_some_and(|failed| failed.holds(&answer)) {
                break;
            }
            self.sleeper.sleep(Duration::from_secs(every.into())).await;
            let known = merged(started.clone(), answer);
            let scope = Scope {
                record: Some(&known),
                ..self.scope(None)
            };
            let call = make(&poll, scope, what, &self.asker)?;
            answer = self
                .asker
                .value(&call)
                .await?
                .map(|(value, _)| value)
                .unwrap_or_default();
        }
        Err(Error::NotReady {
            connector: self.manifest.key().to_owned(),
            code: "report".into(),
        })
    }
}

/// Members of both, those of `newer` first.
fn merged(older: Value, newer: Value) -> Value {
    match (older, newer) {
        (Value::Object(mut members), Value::Object(more)) => {
            members.extend(more);
            Value::Object(members)
        }
        (_, newer) => newer,
    }
}
