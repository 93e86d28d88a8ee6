//! A revision made ready for runs: every expression compiled, every setting checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;

use serde_json::{Map, Value};

use super::entity::{self, Entity};
use super::reading::Reading;
use super::{Connection, ConnectionFile, FileProblem, Revision, secrets, store};
use crate::base::digest;
use crate::connector::{Catalogue, CsvFields, Manifest, Mark, Pull, SettingProblem, Settings, Source};
use crate::db::Conn;
use crate::expression::{Expression, Fields, Truth};
use crate::hr::Employee;
use crate::provision::{self, Approvals};
use crate::scim::{Authority, ResourceType, Rule};
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::sign_in::{StoredToken, oauth_client};
use crate::translate::{LineView, Mapping, UserNames};

/// A connection's settings, ready for a run.
#[derive(Debug)]
pub(in crate::sync) struct Compiled {
    /// The connection.
    pub connection: Connection,
    /// Its file.
    pub file: ConnectionFile,
    /// Who is in; none: everybody.
    pub filter: Option<Expression>,
    /// How a person becomes a user.
    pub mapping: Mapping,
    /// Which held values need no human.
    pub approvals: Approvals,
    /// The legal entities that differ.
    pub entities: Vec<Entity>,
    /// What gives userNames, where the mapping does not.
    pub user_names: Option<UserNames>,
    /// Whose word counts for each attribute.
    pub authority: Authority,
    /// Over all that decides what becomes of a record.
    pub rules_digest: Vec<u8>,
    /// Whether a read can prove that it saw everybody.
    pub provable: bool,
    manifest: Manifest,
    settings: Settings,
    fields: Option<CsvFields>,
    reading: Reading,
    sealed_custom: Vec<String>,
    files: Option<PathBuf>,
}

/// The parts of a file that decide what becomes of a record. Credentials, schedule and guard do not.
const RULES: &[&str] = &[
    "connector",
    "fields",
    "custom",
    "match",
    "filter",
    "mapping",
    "approve",
    "entity",
    "user_name",
    "group",
    "read",
    "lifecycle",
    "authority",
];

impl Compiled {
    /// Makes a stored revision ready.
    pub(in crate::sync) async fn of(
        engine: &Engine,
        conn: &mut Conn,
        connection: Connection,
        revision: &Revision,
    ) -> Result<Self, Error> {
        let secrets = secrets::open(&engine.sealer, connection.id, revision)?;
        let file = ConnectionFile::from_json(&revision.body).map_err(Error::File)?;
        let tenant = connection.tenant.to_string();
        let kind = engine.directory.kind(conn, connection.tenant, "User").await?;
        let mut ready = Self::compile(
            (&engine.catalogue, &kind),
            connection,
            file,
            &revision.body,
            &secrets,
        )?;
        ready.take_operators_client(engine, conn).await?;
        ready.files = engine.files.as_ref().map(|folder| folder.join(tenant));
        Ok(ready)
    }

    /// The same of a connection whose secrets were destroyed: it calls nobody.
    pub(in crate::sync) async fn without_secrets(
        engine: &Engine,
        conn: &mut Conn,
        connection: Connection,
        mut revision: Revision,
    ) -> Result<Self, Error> {
        revision.sealed = None;
        if let Some(manifest) = engine.catalogue.get(&connection.connector)
            && let Some(settings) = revision.body.get_mut("settings").and_then(Value::as_object_mut)
        {
            for name in manifest.secret_settings() {
                settings.insert(name.to_owned(), "destroyed".into());
            }
        }
        Self::of(engine, conn, connection, &revision).await
    }

    /// Where nothing else is said, the vendor knows us by the operator's client.
    async fn take_operators_client(&mut self, engine: &Engine, conn: &mut Conn) -> Result<(), Error> {
        if self.manifest.wants_client(&self.settings)
            && let Some(client) = oauth_client(conn, &engine.sealer, self.manifest.key()).await?
            && client.base_url.as_deref() == self.settings.text("base_url")
        {
            self.settings.set_client(client.id, client.secret);
        }
        Ok(())
    }

    /// Makes a file ready.
    ///
    /// # Errors
    /// All problems of the file.
    pub(super) fn compile(
        (catalogue, kind): (&Catalogue, &Arc<ResourceType>),
        connection: Connection,
        file: ConnectionFile,
        body: &Value,
        secrets: &Map<String, Value>,
    ) -> Result<Self, Error> {
        let Some(manifest) = catalogue.get(&file.connector) else {
            return Err(Error::File(vec![unknown_connector(catalogue, &file.connector)]));
        };
        let mut problems = Vec::new();
        let whole = secrets::put_back(body, secrets, true);
        let settings = manifest
            .check_settings(whole.get("settings").unwrap_or(&Value::Null))
            .map_err(|found| problems.extend(of_settings("settings", found)));
        let fields = fields(manifest, &file).map_err(|found| problems.extend(found));
        let fitted = match (&settings, &file.fields) {
            (Ok(settings), Some(given)) if manifest.is_generic() => Some(manifest.fit(settings, given)),
            _ => None,
        };
        let fitted = match fitted.transpose() {
            Ok(fitted) => fitted,
            Err(found) => {
                problems.extend(of_settings("fields", found));
                None
            }
        };
        let manifest = fitted.as_ref().unwrap_or(manifest);
        let widened = match (!file.custom.is_empty()).then(|| manifest.with_own(&file.custom)) {
            Some(Ok(widened)) => Some(widened),
            Some(Err(found)) => {
                problems.extend(of_settings("custom", found));
                None
            }
            None => None,
        };
        let manifest = widened.as_ref().unwrap_or(manifest);
        let filter = filter(&file).map_err(|found| problems.push(found));
        lacks_address(manifest, &file, &mut problems);
        let settled = entity::settle(kind, &file).map_err(|found| problems.extend(found));
        let approvals = Approvals::compile(&file.approve)
            .map_err(|found| problems.extend(found.into_iter().map(of_provision)))
            .unwrap_or_default();
        let authority = settled.as_ref().ok().map_or_else(
            || Some(Authority::default()),
            |settled| {
                let own = settled.entities.iter().flat_map(Entity::paths);
                let paths = settled.mapping.paths().into_iter().chain(own);
                let rules = file.authority.compile(kind, paths);
                rules.map_err(|found| problems.extend(found)).ok()
            },
        );
        if let Some(Err(message)) = file.schedule.as_ref().map(super::ScheduleFile::compile) {
            problems.push(FileProblem::at("schedule", message));
        }
        for (limit, message) in file.guard.problems() {
            problems.push(FileProblem::at(&format!("guard.{limit}"), message));
        }
        let reading = Reading::of(manifest, &file, &mut problems);
        let settled = settled.map(|settled| settled.without(&reading.unread));
        let fields = fields.map(|fields| fields.map(|fields| reading.columns(&fields)));
        problems.extend(
            file.notify
                .problems()
                .into_iter()
                .map(|(at, message)| FileProblem::at(&at, message)),
        );
        problems.extend(
            file.invite
                .problems()
                .into_iter()
                .map(|problem| FileProblem::at(&problem.at, problem.message)),
        );
        match (settings, fields, filter, settled, authority) {
            (Ok(settings), Ok(fields), Ok(filter), Ok(settled), Some(authority)) if problems.is_empty() => {
                Ok(Self {
                    connection,
                    filter,
                    approvals,
                    mapping: settled.mapping,
                    entities: settled.entities,
                    user_names: settled.user_names,
                    authority,
                    rules_digest: rules_digest(body),
                    provable: manifest.is_complete_read_provable(),
                    manifest: manifest.clone(),
                    settings,
                    fields,
                    reading,
                    sealed_custom: sealed_custom(&file),
                    files: None,
                    file,
                })
            }
            _ => Err(Error::File(problems)),
        }
    }

    /// Whether an employee is in.
    pub(in crate::sync) fn includes(&self, employee: &Employee) -> Truth {
        entity::includes(self.filter.as_ref(), &self.entities, employee)
    }

    /// The lines for an employee: those of the connection, or of its legal entity.
    pub(in crate::sync) fn mapping_of(&self, employee: Option<&Employee>) -> &Mapping {
        entity::mapping_of(&self.mapping, &self.entities, employee)
    }

    /// The lines of the connection, as people read them.
    pub(in crate::sync) fn lines(&self) -> Vec<LineView> {
        entity::lines_shown(&self.mapping, None, self.user_names.as_ref())
    }

    /// The employees with the zones of their entities, where the source gives none.
    pub(in crate::sync) fn zoned(&self, employees: &[Employee]) -> Vec<Employee> {
        entity::zoned(&self.entities, employees)
    }

    /// What runs leave alone of a user: what clients wrote and may keep, or where HR is not asked any more.
    pub(in crate::sync) fn kept<'a>(&'a self, writers: &'a BTreeMap<String, String>) -> Vec<&'a str> {
        self.authority
            .having(Rule::Client)
            .chain(self.mapping.unread())
            .filter(|path| writers.contains_key(*path))
            .collect()
    }

    /// Whether SCIM clients write the records, so that they are read from the directory.
    pub(in crate::sync) fn is_written(&self) -> bool {
        self.manifest.is_written()
    }

    /// The connector, with what this connection adds to it.
    pub(in crate::sync) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Names of the account's own fields that are sealed.
    pub(in crate::sync) fn sealed_custom(&self) -> &[String] {
        &self.sealed_custom
    }

    /// Whether a caller uploads the records.
    pub(in crate::sync) fn is_pushed(&self) -> bool {
        self.manifest.is_pushed()
    }

    /// The optional fields that are read.
    pub(in crate::sync) fn optional(&self) -> &[String] {
        &self.reading.optional
    }

    /// Fields of which nothing is kept, because nobody chose to read them.
    pub(in crate::sync) fn unread(&self) -> &[String] {
        &self.reading.unread
    }

    /// Whether it is connected by somebody's consent.
    pub(in crate::sync) fn asks_consent(&self) -> bool {
        self.manifest.asks_consent(&self.settings)
    }

    /// Where the HR system's access token is kept.
    pub(in crate::sync) fn tokens(&self, engine: &Engine) -> StoredToken {
        StoredToken::new(engine, self.connection.tenant, self.connection.id)
    }

    /// Whether the next run reads a file that somebody hands in.
    pub(in crate::sync) fn wants_upload(&self) -> bool {
        wants_upload(&self.manifest, &self.file)
    }

    /// The source, ready to be read or checked.
    pub(in crate::sync) async fn source<'a>(
        &'a self,
        engine: &'a Engine,
        conn: &mut Conn,
        tokens: &'a StoredToken,
    ) -> Result<Source<'a>, Error> {
        let upload = if self.wants_upload() {
            match store::upload(conn, self.connection.tenant, self.connection.id).await? {
                Some(sealed) => Some(
                    engine
                        .sealer
                        .open(&upload_about(&self.connection), &sealed)?
                        .into(),
                ),
                None => {
                    return Err(Error::NothingToRead(format!(
                        "no file was handed in for connection {}: run `scim-bridge sync {}` where the file is, or PUT it to /api/v1/connections/{}/upload",
                        self.connection.name, self.connection.name, self.connection.name
                    )));
                }
            }
        } else {
            None
        };
        Ok(Source {
            manifest: &self.manifest,
            settings: &self.settings,
            fields: self.fields.as_ref(),
            chosen: &self.reading.optional,
            upload,
            files: self.files.as_deref(),
            net: &engine.net,
            clock: &engine.clock,
            tokens,
        })
    }

    /// The pages of a new read.
    pub(in crate::sync) async fn pull<'a>(
        &'a self,
        engine: &'a Engine,
        conn: &mut Conn,
        tokens: &'a StoredToken,
    ) -> Result<Pull<'a>, Error> {
        Ok(self.source(engine, conn, tokens).await?.pull())
    }

    /// The pages of a read of those who changed since then.
    pub(in crate::sync) async fn pull_changes<'a>(
        &'a self,
        engine: &'a Engine,
        conn: &mut Conn,
        tokens: &'a StoredToken,
        since: Mark,
    ) -> Result<Pull<'a>, Error> {
        Ok(self.source(engine, conn, tokens).await?.pull_changes(since))
    }

    /// Whether the HR system can tell who changed.
    pub(in crate::sync) fn reads_changes(&self) -> bool {
        self.manifest.reads_changes()
    }

    /// How long a complete read serves.
    pub(in crate::sync) fn complete_every(&self) -> Duration {
        self.file.schedule.clone().unwrap_or_default().complete_every()
    }
}

/// What a sealed upload is bound to.
pub(super) fn upload_about(connection: &Connection) -> String {
    format!("{}:upload", connection.id)
}

/// Whether runs read a file that somebody hands in: a file connector without an address of its own.
pub(super) fn wants_upload(manifest: &Manifest, file: &ConnectionFile) -> bool {
    manifest.reads_files()
        && !manifest.fetches_files()
        && !file.settings.contains_key("url")
        && !file.settings.contains_key("server_path")
}

fn unknown_connector(catalogue: &Catalogue, key: &str) -> FileProblem {
    let known: Vec<&str> = catalogue.iter().map(Manifest::key).collect();
    FileProblem::at(
        "connector",
        format!("there is no connector {key:?}; there are {}", known.join(", ")),
    )
}

fn of_provision(problem: provision::Problem) -> FileProblem {
    FileProblem {
        at: Some(problem.at.replace('[', ".").replace(']', "")),
        line: Some(problem.line).filter(|line| *line > 0),
        column: Some(problem.column).filter(|column| *column > 0),
        message: problem.message,
    }
}

fn of_settings(part: &str, found: Vec<SettingProblem>) -> impl Iterator<Item = FileProblem> {
    let part = part.to_owned();
    found
        .into_iter()
        .map(move |problem| FileProblem::at(&format!("{part}.{}", problem.setting), problem.message))
}

fn fields(manifest: &Manifest, file: &ConnectionFile) -> Result<Option<CsvFields>, Vec<FileProblem>> {
    match (&file.fields, manifest.reads_files()) {
        (Some(_), false) if manifest.is_generic() => Ok(None),
        (None, false) if manifest.is_generic() => Err(vec![FileProblem::at(
            "fields",
            "is missing: it names where each field stands in a record, such as source_id = \"/id\"",
        )]),
        (Some(fields), true) => CsvFields::parse(fields)
            .map(Some)
            .map_err(|found| of_settings("fields", found).collect()),
        (None, true) => Err(vec![FileProblem::at(
            "fields",
            "is missing: it names the column of each field, such as source_id = \"EmployeeKey\"",
        )]),
        (Some(_), false) => Err(vec![FileProblem::at(
            "fields",
            format!(
                "connector {} names its fields itself: leave [fields] out",
                manifest.key()
            ),
        )]),
        (None, false) => Ok(None),
    }
}

/// Without an address no account can be made: a file that has no column for it is refused before anything is read.
fn lacks_address(manifest: &Manifest, file: &ConnectionFile, problems: &mut Vec<FileProblem>) {
    let names_fields = manifest.reads_files() || manifest.is_generic();
    let lacks = |fields: &Value| fields.is_object() && fields.get("work_email").is_none();
    let is_needed = entity::required(file).iter().any(|name| name == "work_email");
    if names_fields && is_needed && file.fields.as_ref().is_some_and(lacks) {
        problems.push(FileProblem::at(
            "fields",
            "work_email is missing: without it no account can be made. Name where it stands; or let IT give the address: \
             emails = \"client\" in [authority], and [user_name] for the userName",
        ));
    }
}

fn filter(file: &ConnectionFile) -> Result<Option<Expression>, FileProblem> {
    file.filter
        .include
        .as_deref()
        .map(|text| Expression::parse(text, &Fields::employee()))
        .transpose()
        .map_err(|error| FileProblem {
            at: Some("filter.include".to_owned()),
            line: Some(error.line),
            column: Some(error.column),
            message: error.message,
        })
}

fn sealed_custom(file: &ConnectionFile) -> Vec<String> {
    let own = file.custom.iter().filter(|(_, field)| field.sensitive);
    own.map(|(name, _)| name.clone()).collect()
}

fn rules_digest(body: &Value) -> Vec<u8> {
    let rules: Map<String, Value> = RULES
        .iter()
        .filter_map(|part| body.get(*part).map(|value| ((*part).to_owned(), value.clone())))
        .collect();
    digest(Value::Object(rules).to_string().as_bytes())
}
