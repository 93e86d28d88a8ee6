//! Employees from a file: handed in, fetched from an address, or below the server's folder for files.

use std::collections::HashMap;
use std::path::{Component, Path as FilePath, PathBuf};

use bytes::Bytes;
use csv::StringRecord;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::table::{Rows, Table, read};
use crate::base::Secret;
use crate::connector::Error;
use crate::connector::ask::{Asker, Call};
use crate::connector::map::Mapper;
use crate::connector::request::Format;
use crate::connector::source::{Reader, Source};
use crate::hr::{Page, Problem};
use crate::net::Method;

/// The largest file.
const FILE_CAP: usize = 256 * 1024 * 1024;
const ROWS_PER_PAGE: usize = 500;

/// Reads a file.
pub(in crate::connector) struct CsvReader<'a> {
    source: Source<'a>,
    open: Option<Open>,
}

struct Open {
    mapper: Mapper,
    table: Table,
    rows: Rows,
    /// Which columns are read, and where they are.
    columns: Vec<(String, usize)>,
    /// The ids that more than one row has, with how many.
    doubles: HashMap<String, u32>,
    count: u64,
    nameless: u64,
    /// The fields, each with whether some row had a value.
    seen: Vec<(&'static str, bool)>,
}

impl<'a> CsvReader<'a> {
    pub fn new(source: Source<'a>) -> Self {
        Self { source, open: None }
    }

    async fn read_page(&mut self) -> Result<Option<Page>, Error> {
        if self.open.is_none() {
            let bytes = self.bytes().await?;
            self.open = Some(self.open(&bytes)?);
        }
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        open.page()
    }

    async fn bytes(&self) -> Result<Bytes, Error> {
        let settings = self.source.settings;
        if let Some(upload) = &self.source.upload {
            return Ok(upload.clone());
        }
        if self.source.manifest.fetches_files() {
            return super::sftp::fetch(settings, self.source.net, FILE_CAP).await;
        }
        if let Some(url) = settings.text("url") {
            return self.fetch(url).await;
        }
        match settings.text("server_path") {
            Some(path) => below(self.source.files, FilePath::new(path)).await,
            None => Err(Error::NoFile),
        }
    }

    async fn fetch(&self, url: &str) -> Result<Bytes, Error> {
        let Source {
            manifest,
            settings,
            net,
            clock,
            tokens,
            ..
        } = &self.source;
        let mut asker = Asker::new(manifest, settings, net, clock, *tokens);
        let mut headers = Vec::new();
        let basic = || {
            use base64::Engine as _;
            let pair = format!(
                "{}:{}",
                settings.text("user")?,
                settings.text("password").unwrap_or_default()
            );
            Some(format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(pair)
            ))
        };
        let bearer = settings
            .secrets
            .get("token")
            .map(Secret::expose)
            .map(|token| format!("Bearer {token}"));
        if let Some(sign) = bearer.or_else(basic) {
            headers.push(("authorization".to_owned(), sign));
        }
        let url = url::Url::parse(url).map_err(|_| Error::Setting {
            setting: "url".into(),
            message: "is no address".into(),
        })?;
        let call = Call {
            method: Method::GET,
            url: asker.filler().rebase(url),
            query: Vec::new(),
            headers,
            body: None,
            text: None,
            format: Format::Csv,
            empty_on: Vec::new(),
            what: "the file".into(),
            page: 1,
            cap: FILE_CAP,
        };
        let mut try_number = 1;
        Ok(asker.answer(&call, &mut try_number).await?.body)
    }

    fn open(&self, bytes: &[u8]) -> Result<Open, Error> {
        let table = read(bytes, self.source.settings)?;
        let ways = self
            .source
            .fields
            .map(|fields| fields.ways.clone())
            .unwrap_or_default();
        let mut columns: Vec<(String, usize)> = Vec::new();
        for path in ways
            .iter()
            .flat_map(|field| &field.ways)
            .flat_map(|way| way.needs())
        {
            let name = path.text();
            if !columns.iter().any(|(known, _)| known == name) {
                columns.push((name.to_owned(), column(&table, name)?));
            }
        }
        let seen = ways.iter().map(|field| (field.field.name, false)).collect();
        let today = self.source.clock.now().date_naive();
        let mapper = Mapper {
            fields: ways,
            today,
            ..Mapper::default()
        };
        let (count, doubles) = count(&table, &columns, &mapper)?;
        let rows = table.rows()?;
        Ok(Open {
            mapper,
            table,
            rows,
            columns,
            doubles,
            count,
            nameless: 0,
            seen,
        })
    }
}

/// How many rows there are, and which ids more than one of them has.
fn count(
    table: &Table,
    columns: &[(String, usize)],
    mapper: &Mapper,
) -> Result<(u64, HashMap<String, u32>), Error> {
    let (mut rows, mut row, mut count) = (table.rows()?, StringRecord::new(), 0_u64);
    let mut ids: HashMap<String, u32> = HashMap::new();
    while rows.next(&mut row)? {
        count = count.saturating_add(1);
        if let Some(id) = mapper.id(&record(&row, columns)) {
            let times = ids.entry(id).or_default();
            *times = times.saturating_add(1);
        }
    }
    ids.retain(|_, times| *times > 1);
    Ok((count, ids))
}

/// The columns of a row that are read.
fn record(row: &StringRecord, columns: &[(String, usize)]) -> Value {
    let cells = columns
        .iter()
        .filter_map(|(name, index)| Some((name.clone(), Value::from(row.get(*index)?))));
    Value::Object(cells.collect::<Map<String, Value>>())
}

fn column(table: &Table, name: &str) -> Result<usize, Error> {
    let mut at = table
        .header
        .iter()
        .enumerate()
        .filter(|(_, known)| known.as_str() == name.trim());
    match (at.next(), at.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(Error::BadFile {
            message: format!("it has two columns {name}"),
        }),
        (None, _) => Err(Error::NoColumn {
            column: name.to_owned(),
            available: table.header.join(", "),
        }),
    }
}

impl Open {
    fn page(&mut self) -> Result<Option<Page>, Error> {
        let (mut page, mut row, mut read) = (Page::default(), StringRecord::new(), 0_usize);
        while read < ROWS_PER_PAGE && self.rows.next(&mut row)? {
            read = read.saturating_add(1);
            let record = record(&row, &self.columns);
            let employee = match self.wrong(&row, &record) {
                Some(problem) => Err(problem),
                None => {
                    note_seen(&mut self.seen, &self.mapper, &record);
                    self.mapper.map(&record).employee
                }
            };
            match employee {
                Ok(employee) => page.employees.push(employee),
                Err(mut problem) => {
                    let line = row.position().map_or(0, csv::Position::line);
                    problem.message = format!("line {line}: {}", problem.message);
                    self.nameless = self
                        .nameless
                        .saturating_add(u64::from(problem.source_id.is_none()));
                    page.problems.push(problem);
                }
            }
        }
        Ok((read > 0).then_some(page))
    }

    /// A row with too few or too many cells, or with the id of another, is nobody's.
    fn wrong(&self, row: &StringRecord, record: &Value) -> Option<Problem> {
        let id = self.mapper.id(record);
        let (have, need) = (row.len(), self.table.header.len());
        let message = if have != need {
            format!("{have} cells, the header has {need}")
        } else {
            let times = id.as_ref().and_then(|id| self.doubles.get(id))?;
            format!("{times} rows have this id")
        };
        Some(Problem {
            source_id: id,
            field: "source_id".into(),
            message,
        })
    }
}

/// Notes which fields have a value in some row.
fn note_seen(fields: &mut [(&'static str, bool)], mapper: &Mapper, record: &Value) {
    for ((_, seen), field) in fields
        .iter_mut()
        .zip(&mapper.fields)
        .filter(|((_, seen), _)| !seen)
    {
        *seen = field.ways.iter().flat_map(|way| way.needs()).any(|path| {
            path.find(record)
                .value()
                .and_then(Value::as_str)
                .is_some_and(|text| !text.trim().is_empty())
        });
    }
}

/// Reads a file below a folder. Neither `..` nor a symbolic link leads out of it.
async fn below(folder: Option<&FilePath>, path: &FilePath) -> Result<Bytes, Error> {
    let folder = folder.ok_or(Error::Outside)?.to_owned();
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.as_os_str().is_empty() {
        return Err(Error::Outside);
    }
    let wanted: PathBuf = folder.join(path);
    let file = |source| Error::File { source };
    let home = tokio::fs::canonicalize(&folder).await.map_err(file)?;
    let real = tokio::fs::canonicalize(&wanted).await.map_err(file)?;
    if !real.starts_with(&home) {
        return Err(Error::Outside);
    }
    let about = tokio::fs::metadata(&real).await.map_err(file)?;
    if !about.is_file() {
        return Err(Error::Outside);
    }
    if about.len() > u64::try_from(FILE_CAP).unwrap_or(u64::MAX) {
        return Err(Error::BadFile {
            message: format!("it is larger than {FILE_CAP} bytes"),
        });
    }
    tokio::fs::read(&real).await.map(Bytes::from).map_err(file)
}

impl Reader for CsvReader<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Error>> {
        Box::pin(self.read_page())
    }

    fn doubt(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        if let Some(cut) = open.table.cut {
            return Some(cut.to_owned());
        }
        (open.nameless > 0).then(|| format!("{} rows have no id", open.nameless))
    }

    fn expected(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.count)
    }

    fn absent(&self) -> Vec<&'static str> {
        match &self.open {
            Some(open) if open.count > 0 => open
                .seen
                .iter()
                .filter(|(_, seen)| !seen)
                .map(|(name, _)| *name)
                .collect(),
            _ => Vec::new(),
        }
    }
}
