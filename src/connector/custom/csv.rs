//! Employees from a file: handed in, fetched from an address, or below the server's folder for files.

use std::collections::HashMap;
use std::path::{Component, Path as FilePath, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::table::{Row, Table, read};
use crate::base::Secret;
use crate::connector::Error;
use crate::connector::ask::{Asker, Call};
use crate::connector::map::Mapper;
use crate::connector::path::Path;
use crate::connector::source::{Reader, Source};
use crate::connector::way::{Base, FieldWays, What};
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
    /// Which columns are read, and where they are.
    columns: Vec<(String, usize)>,
    /// How many rows have each id.
    ids: HashMap<String, u32>,
    id_column: Option<usize>,
    next: usize,
    nameless: u64,
    fields: Vec<(&'static str, bool)>,
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
        Ok(open.page())
    }

    async fn bytes(&self) -> Result<Bytes, Error> {
        let settings = self.source.settings;
        if let Some(upload) = &self.source.upload {
            return Ok(upload.clone());
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
            url: asker.rebase(url),
            query: Vec::new(),
            headers,
            body: None,
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
        for path in ways.iter().flat_map(|field| &field.ways).flat_map(paths) {
            let name = path.text();
            if !columns.iter().any(|(known, _)| known == name) {
                columns.push((name.to_owned(), column(&table, name)?));
            }
        }
        let id_column = id_path(&ways)
            .and_then(|path| columns.iter().find(|(name, _)| name == path.text()))
            .map(|(_, index)| *index);
        let mut ids: HashMap<String, u32> = HashMap::new();
        for id in table.rows.iter().filter_map(|row| row.cells.get(id_column?)) {
            let count = ids.entry(id.clone()).or_default();
            *count = count.saturating_add(1);
        }
        let fields = ways.iter().map(|field| (field.field.name, false)).collect();
        let today = self.source.clock.now().date_naive();
        let mapper = Mapper {
            fields: ways,
            lists: HashMap::new(),
            today,
        };
        Ok(Open {
            mapper,
            table,
            columns,
            ids,
            id_column,
            next: 0,
            nameless: 0,
            fields,
        })
    }
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

fn id_path(ways: &[FieldWays]) -> Option<&Path> {
    let field = ways.iter().find(|field| field.field.name == "source_id")?;
    match &field.ways.first()?.what {
        What::Text(path, _) => Some(path),
        _ => None,
    }
}

fn paths(way: &crate::connector::way::Way) -> Vec<&Path> {
    debug_assert!(matches!(way.base, Base::Record), "a file has only columns");
    crate::connector::pull::paths(way)
}

impl Open {
    fn page(&mut self) -> Option<Page> {
        let rows = self.table.rows.get(self.next..).filter(|rows| !rows.is_empty())?;
        let rows = rows.get(..ROWS_PER_PAGE).unwrap_or(rows);
        let mut page = Page::default();
        for row in rows {
            match self.row(row) {
                Ok(record) => {
                    let mapped = self.mapper.map(&record);
                    note_seen(&mut self.fields, &self.mapper, &record);
                    match mapped.employee {
                        Ok(employee) => page.employees.push(employee),
                        Err(mut problem) => {
                            problem.message = format!("line {}: {}", row.line, problem.message);
                            self.nameless = self
                                .nameless
                                .saturating_add(u64::from(problem.source_id.is_none()));
                            page.problems.push(problem);
                        }
                    }
                }
                Err(problem) => {
                    self.nameless = self
                        .nameless
                        .saturating_add(u64::from(problem.source_id.is_none()));
                    page.problems.push(problem);
                }
            }
        }
        self.next = self.next.saturating_add(rows.len());
        Some(page)
    }

    /// A row as a record, unless it has too few or too many cells, or shares its id with another.
    fn row(&self, row: &Row) -> Result<Value, Problem> {
        let (have, need) = (row.cells.len(), self.table.header.len());
        let id = self
            .id_column
            .and_then(|index| row.cells.get(index))
            .filter(|id| !id.trim().is_empty());
        let problem = |message: String| Problem {
            source_id: id.cloned(),
            field: "source_id".into(),
            message,
        };
        if have != need {
            return Err(problem(format!(
                "line {}: {have} cells, the header has {need}",
                row.line
            )));
        }
        let times = id.and_then(|id| self.ids.get(id)).copied().unwrap_or(1);
        if times > 1 {
            return Err(problem(format!("line {}: {times} rows have this id", row.line)));
        }
        let members: Map<String, Value> = self
            .columns
            .iter()
            .filter_map(|(name, index)| Some((name.clone(), Value::from(row.cells.get(*index)?.as_str()))))
            .collect();
        Ok(Value::Object(members))
    }
}

/// Notes which fields have a value in some row.
fn note_seen(fields: &mut [(&'static str, bool)], mapper: &Mapper, record: &Value) {
    for ((_, seen), field) in fields
        .iter_mut()
        .zip(&mapper.fields)
        .filter(|((_, seen), _)| !seen)
    {
        *seen = field.ways.iter().flat_map(paths).any(|path| {
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
        self.open
            .as_ref()
            .and_then(|open| u64::try_from(open.table.rows.len()).ok())
    }

    fn absent(&self) -> Vec<&'static str> {
        match &self.open {
            Some(open) if !open.table.rows.is_empty() => open
                .fields
                .iter()
                .filter(|(_, seen)| !seen)
                .map(|(name, _)| *name)
                .collect(),
            _ => Vec::new(),
        }
    }
}
