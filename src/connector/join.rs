//! What is put beside a record before it is read: records of second lists, elements of its own lists, places of the same
//! answer, the answers of calls made for it.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use serde_json::Value;

use super::Error;
use super::ask::Asker;
use super::condition::{Choice, Fill, Test};
use super::feed::{make, put_beside};
use super::list::{Lists, key_of};
use super::manifest::Written;
use super::path::{Found, Path};
use super::request::{Format, Join, Request};
use super::scope::Scope;
use super::way::{Base, FieldWays};

/// Calls for single records in one read.
const MOST_CALLS: usize = 100_000;

/// The joins that are needed, in the manifest's order.
#[derive(Debug, Default)]
pub(super) struct Joins {
    joins: Vec<Ready>,
    calls: usize,
}

#[derive(Debug)]
struct Ready {
    /// `@name`.
    place: String,
    source: Source,
    choice: Choice,
    only: Vec<Test>,
}

#[derive(Debug)]
enum Source {
    List { name: String, by: Vec<Path> },
    From(Path),
    Answer { at: Path, key: Vec<Path>, by: Vec<Path> },
    Call { request: Box<Request>, records: Path },
}

/// Which joins and lists the fields that are read need.
pub(super) struct Needed {
    pub joins: BTreeSet<String>,
    pub lists: BTreeSet<String>,
    /// Paths in the record that joins use.
    pub paths: Vec<Path>,
}

impl Needed {
    /// Follows the paths of fields and conditions through the joins.
    pub fn of(written: &Written, fields: &[FieldWays], only: &[Test]) -> Self {
        let mut needed = Self {
            joins: BTreeSet::new(),
            lists: BTreeSet::new(),
            paths: Vec::new(),
        };
        let ways = || fields.iter().flat_map(|field| &field.ways);
        for path in ways()
            .flat_map(|way| way.needs())
            .chain(only.iter().map(|test| &test.at))
        {
            needed.path(path.clone());
        }
        for way in ways() {
            if let Base::List { name, .. } = &way.base {
                needed.lists.insert(name.clone());
            }
        }
        // Later joins use earlier ones, so one look from the last to the first is enough.
        for (name, join) in written.join.0.iter().rev() {
            if needed.joins.contains(name) {
                needed.join(join.get_ref());
            }
        }
        needed
    }

    fn path(&mut self, path: Path) {
        if let Some(name) = path.steps().first().and_then(|step| step.strip_prefix('@')) {
            self.joins.insert(name.to_owned());
        }
        self.paths.push(path);
    }

    fn join(&mut self, join: &Join) {
        self.lists.extend(join.list.clone());
        let conditions = join.only.0.iter().map(|condition| &condition.at);
        for path in join
            .by
            .0
            .iter()
            .chain(&join.from)
            .chain(conditions)
            .filter_map(|text| Path::parse(text))
        {
            self.path(path);
        }
        let body = join.body.as_ref().map(Value::to_string);
        let texts = [&join.get, &join.post, &join.xml, &body];
        for text in texts.into_iter().flatten().chain(join.query.values()) {
            for path in names(text)
                .filter(|name| name.starts_with('/'))
                .filter_map(Path::parse)
            {
                self.path(path);
            }
        }
    }
}

/// The names between `{{` and `}}`.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

impl Joins {
    /// Makes those ready that are needed.
    pub fn new(written: &Written, needed: &Needed, fill: Fill<'_>) -> Result<Self, String> {
        let mut joins = Vec::new();
        for (name, join) in written
            .join
            .iter()
            .filter(|(name, _)| needed.joins.contains(*name))
        {
            joins.push(ready(name, join.get_ref(), fill).map_err(|message| format!("{name} {message}"))?);
        }
        Ok(Self { joins, calls: 0 })
    }

    /// Puts everything beside the records of a page. `answer` is the page without them.
    pub async fn prepare(
        &mut self,
        records: &mut [Value],
        answer: &Value,
        lists: &Lists,
        asker: &mut Asker<'_>,
        scope: Scope<'_>,
    ) -> Result<(), Error> {
        let today = scope.now.date_naive();
        for join in &self.joins {
            match &join.source {
                Source::Call { request, records: at } => {
                    let asked: Vec<usize> = records
                        .iter()
                        .enumerate()
                        .filter(|(_, record)| join.only.iter().all(|test| test.holds(record)))
                        .map(|(index, _)| index)
                        .collect();
                    self.calls = self.calls.saturating_add(asked.len());
                    if self.calls > MOST_CALLS {
                        return Err(Error::TooMany {
                            connector: asker.key(),
                            what: "single records to ask for".into(),
                            most: MOST_CALLS,
                        });
                    }
                    let what = format!("{} of an employee", join.place.trim_start_matches('@'));
                    let mut calls = Vec::with_capacity(asked.len());
                    for index in &asked {
                        let scope = Scope {
                            record: records.get(*index),
                            written: false,
                            ..scope
                        };
                        calls.push(make(request, scope, &what, asker)?);
                    }
                    let answers = asker.values(&calls).await?;
                    for (index, answer) in asked.into_iter().zip(answers) {
                        let value = join.in_answer(answer.as_ref(), at, request, today, asker)?;
                        if let Some(record) = records.get_mut(index) {
                            put_beside(record, &join.place, value);
                        }
                    }
                }
                _ => {
                    let index = join.index(answer);
                    for record in records.iter_mut() {
                        let holds = join.only.iter().all(|test| test.holds(record));
                        let value = if holds {
                            join.beside(record, &index, lists, today)
                        } else {
                            Value::Null
                        };
                        put_beside(record, &join.place, value);
                    }
                }
            }
        }
        Ok(())
    }
}

type Index<'v> = HashMap<String, Vec<&'v Value>>;

impl Ready {
    /// The elements of a place in the answer by their key.
    fn index<'v>(&self, answer: &'v Value) -> Index<'v> {
        let mut index = Index::new();
        let Source::Answer { at, key, .. } = &self.source else {
            return index;
        };
        match at.find(answer) {
            Found::Here(Value::Array(items)) => {
                for item in items {
                    if let Some(key) = key_of(key, item) {
                        index.entry(key).or_default().push(item);
                    }
                }
            }
            Found::Here(Value::Object(members)) => {
                index.extend(members.iter().map(|(key, item)| (key.clone(), vec![item])));
            }
            _ => {}
        }
        index
    }

    fn beside(&self, record: &Value, index: &Index<'_>, lists: &Lists, today: NaiveDate) -> Value {
        let elements: Vec<&Value> = match &self.source {
            Source::List { name, by } => match key_of(by, record) {
                Some(key) => lists.get(name, &key).iter().collect(),
                None => Vec::new(),
            },
            Source::From(from) => match from.find(record) {
                Found::Here(Value::Array(items)) => items.iter().collect(),
                Found::Here(one) => vec![one],
                Found::Null | Found::Missing => Vec::new(),
            },
            Source::Answer { by, .. } => key_of(by, record)
                .and_then(|key| index.get(&key).cloned())
                .unwrap_or_default(),
            Source::Call { .. } => Vec::new(),
        };
        self.choice.of(&elements, today).cloned().unwrap_or_default()
    }

    /// What the answer of a call for one record holds.
    fn in_answer(
        &self,
        answer: Option<&Value>,
        at: &Path,
        request: &Request,
        today: NaiveDate,
        asker: &Asker<'_>,
    ) -> Result<Value, Error> {
        let Some(answer) = answer else {
            return Ok(Value::Null);
        };
        match at.find(answer) {
            Found::Here(Value::Array(items)) => {
                let elements: Vec<&Value> = items.iter().collect();
                Ok(self.choice.of(&elements, today).cloned().unwrap_or_default())
            }
            Found::Here(one) => Ok(one.clone()),
            Found::Null => Ok(Value::Null),
            Found::Missing if request.may_lack || request.answer_format() == Format::Xml => Ok(Value::Null),
            Found::Missing => Err(Error::Drift {
                connector: asker.key(),
                field: self.place.clone(),
                path: at.text().to_owned(),
            }),
        }
    }
}

fn ready(name: &str, join: &Join, fill: Fill<'_>) -> Result<Ready, String> {
    let path =
        |text: &str| Path::parse(text).ok_or_else(|| format!("{text:?} is no path: paths start with /"));
    let paths = |texts: &[String]| texts.iter().map(|text| path(text)).collect::<Result<Vec<_>, _>>();
    let by = paths(&join.by.0)?;
    let called = join.get.is_some() || join.post.is_some();
    let source = match (&join.list, &join.from, &join.answer, called) {
        (Some(list), None, None, false) if !by.is_empty() => Source::List {
            name: list.clone(),
            by,
        },
        (None, Some(from), None, false) => Source::From(path(from)?),
        (None, None, Some(at), false) if !by.is_empty() => Source::Answer {
            at: path(at)?,
            key: paths(&join.key.0)?,
            by,
        },
        (None, None, None, true) => Source::Call {
            records: path(join.records.as_deref().unwrap_or_default())?,
            request: Box::new(join.request()),
        },
        _ => return Err("needs one of list with by, from, answer with by, get or post".into()),
    };
    Ok(Ready {
        place: format!("@{name}"),
        source,
        choice: join
            .pick
            .as_ref()
            .map(|pick| Choice::new(pick, fill))
            .transpose()?
            .unwrap_or_default(),
        only: join
            .only
            .0
            .iter()
            .map(|condition| Test::new(condition, fill))
            .collect::<Result<_, _>>()?,
    })
}

/// Whether a join is right in itself.
pub(super) fn problem(name: &str, join: &Join, fill: Fill<'_>) -> Option<String> {
    ready(name, join, fill).err()
}
