//! How far a connection is on its way to its first run: each step with what is done and what is missing.
//!
//! Nothing is stored for it but what the last check found: every answer is in the draft, so whoever leaves in the middle
//! comes back to the same step. The steps, in the order in which people go through them: `connector`, `settings`,
//! `authorise`, `fields`, `mapping`, `scope`, `schedule`, `preview`, `publish`, `first_run`.

mod store;

use serde::Serialize;
use serde_json::{Value, json};

use super::connection::{
    Compiled, Connection, ConnectionFile, ConnectionState, FileProblem, store as connections,
};
use super::engine::Engine;
use super::run::{Run, RunFilter};
use super::{Error, FilterFile};
use crate::base::TenantId;
use crate::connector::{Attributes, CheckStep, FieldView, Manifest};
use crate::db::Conn;
use crate::translate::LineView;

/// So many runs are looked through for the last preview and the last run.
const RUNS: i64 = 20;

/// How far a connection is.
#[derive(Debug, Clone)]
pub struct Onboarding {
    /// The connection.
    pub connection: Connection,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The fields there are, with whether each is read.
    pub fields: Vec<FieldChoice>,
    /// What becomes of them: attribute, expression, policy.
    pub mapping: Vec<Value>,
    /// The address of the HR system, where it is known.
    pub page: Option<String>,
    /// The last run that only planned.
    pub preview: Option<Run>,
    /// The last run that did not.
    pub last_run: Option<Run>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name.
    pub step: &'static str,
    /// Whether there is nothing left to do.
    pub done: bool,
    /// Whether one may go on without it.
    pub optional: bool,
    /// What is there, or what to do.
    pub said: String,
    /// What is wrong, with its place in the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FileProblem>,
}

/// A field and whether it is read.
#[derive(Debug, Clone, Serialize)]
pub struct FieldChoice {
    /// The field.
    #[serde(flatten)]
    pub field: FieldView,
    /// Whether it is read.
    pub chosen: bool,
    /// Of the records that the last check saw, how many have a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled: Option<u64>,
}

/// What is known of a connection while it is being set up.
struct Desk<'a> {
    connection: &'a Connection,
    revision: i32,
    manifest: &'a Manifest,
    file: Option<&'a ConnectionFile>,
    ready: Option<&'a Compiled>,
    problems: Vec<FileProblem>,
    check: Option<store::Found>,
    consent: Option<bool>,
}

impl Engine {
    /// Asks the HR system whether the settings of a connection work, the draft's when there is one, and keeps what was
    /// found. The only call that a draft makes.
    ///
    /// # Errors
    /// [`Error::Unknown`], a file that will not do, or when the store refuses.
    pub async fn check_connection(&self, tenant: TenantId, name: &str) -> Result<Vec<CheckStep>, Error> {
        let connection = self.connection(tenant, name).await?;
        let id = connection.id;
        let mut conn = self.conn().await?;
        let (ready, revision) = self.ready(&mut conn, connection, None).await?;
        let tokens = ready.tokens(self);
        let source = ready.source(self, &mut conn, &tokens).await?;
        // No connection of the pool is held while the HR system is asked.
        drop(conn);
        let steps = source.check().await;
        let found = store::Found {
            revision,
            at: self.clock.now(),
            ok: steps.iter().all(|step| step.ok),
            steps: json!(steps),
        };
        let mut conn = self.conn().await?;
        store::keep(&mut conn, tenant, id, &found).await?;
        Ok(steps)
    }

    /// Asks the HR system for one page, and tells which attributes its records have, by path and without values.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Connector`] when it cannot be read, or when the store refuses.
    pub async fn source_attributes(&self, tenant: TenantId, name: &str) -> Result<Attributes, Error> {
        let connection = self.connection(tenant, name).await?;
        let mut conn = self.conn().await?;
        let (ready, _) = self.ready(&mut conn, connection, None).await?;
        let tokens = ready.tokens(self);
        let source = ready.source(self, &mut conn, &tokens).await?;
        drop(conn);
        Ok(source.attributes().await?)
    }

    /// How far a connection is on its way to its first run. Asks nobody outside.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn onboarding(&self, tenant: TenantId, name: &str) -> Result<Onboarding, Error> {
        let connection = self.connection(tenant, name).await?;
        let mut conn = self.conn().await?;
        let number = connection.draft.or(connection.live).unwrap_or_default();
        let unknown = || Error::Unknown {
            what: "connection",
            name: name.to_owned(),
        };
        let revision = connections::revision(&mut conn, tenant, connection.id, number)
            .await?
            .ok_or_else(unknown)?;
        let manifest = self.catalogue.get(&connection.connector).ok_or_else(unknown)?;
        let (file, mut problems) = match ConnectionFile::from_json(&revision.body) {
            Ok(file) => (Some(file), Vec::new()),
            Err(problems) => (None, problems),
        };
        let ready = match Compiled::of(self, &mut conn, connection.clone(), &revision).await {
            Ok(ready) => Some(ready),
            Err(Error::File(found)) => {
                problems = found;
                None
            }
            Err(error) => return Err(error),
        };
        let consent = match ready.as_ref().filter(|ready| ready.asks_consent()) {
            Some(_) => {
                drop(conn);
                let given = self.consent(tenant, connection.id).await?;
                conn = self.conn().await?;
                Some(given.is_some_and(|consent| consent.lost_at.is_none()))
            }
            None => None,
        };
        let desk = Desk {
            connection: &connection,
            revision: number,
            manifest: ready.as_ref().map_or(manifest, Compiled::manifest),
            file: file.as_ref(),
            ready: ready.as_ref(),
            problems,
            check: store::last(&mut conn, tenant, connection.id).await?,
            consent,
        };
        let (preview, last_run) = self.last_runs(&mut conn, &desk).await?;
        Ok(Onboarding {
            steps: desk.steps(preview.as_ref(), last_run.as_ref()),
            fields: desk.fields(),
            mapping: ready
                .as_ref()
                .map(Compiled::lines)
                .unwrap_or_default()
                .iter()
                .map(sheet)
                .collect(),
            page: file.as_ref().and_then(|file| manifest.page(&file.settings)),
            connection: connection.clone(),
            preview,
            last_run,
        })
    }

    async fn last_runs(&self, conn: &mut Conn, desk: &Desk<'_>) -> Result<(Option<Run>, Option<Run>), Error> {
        let filter = RunFilter {
            connection: Some(desk.connection.id),
            ..RunFilter::default()
        };
        let runs = super::run::store::list(conn, desk.connection.tenant, &filter, RUNS).await?;
        let (previews, real): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.dry_run);
        let preview = previews.into_iter().find(|run| run.revision == desk.revision);
        Ok((preview, real.into_iter().next()))
    }
}

impl Desk<'_> {
    fn steps(&self, preview: Option<&Run>, last: Option<&Run>) -> Vec<Step> {
        let free = |step, done, said: String| Step {
            step,
            done,
            optional: true,
            said,
            problems: Vec::new(),
        };
        vec![
            free("connector", true, self.manifest.name().to_owned()).needed(),
            self.part(
                "settings",
                &["settings", "connector"],
                "every question is answered".to_owned(),
            ),
            self.authorise(),
            self.part("fields", &["fields", "custom", "read"], self.fields_said()),
            self.part("mapping", &["mapping", "group", "authority"], self.mapping_said()),
            self.part("scope", &["filter", "match"], self.scope_said()),
            self.part("schedule", &["schedule"], self.schedule_said()),
            free(
                "preview",
                preview.is_some_and(|run| run.finished_at.is_some()),
                preview.map_or_else(
                    || {
                        format!(
                            "nobody has looked yet: `scim-bridge sync {} --dry-run`",
                            self.connection.name
                        )
                    },
                    |run| format!("the last one is {}", run.state.as_str()),
                ),
            ),
            self.publish(),
            free(
                "first_run",
                last.is_some_and(|run| run.finished_at.is_some()),
                last.map_or_else(
                    || "has not been yet".to_owned(),
                    |run| format!("the last run is {}", run.state.as_str()),
                ),
            )
            .needed(),
        ]
    }

    /// A step that is done when none of its parts of the file has a problem.
    fn part(&self, step: &'static str, parts: &[&str], said: String) -> Step {
        let of = |problem: &&FileProblem| {
            let at = problem.at.as_deref().unwrap_or_default();
            parts.contains(&at.split('.').next().unwrap_or_default())
        };
        let problems: Vec<FileProblem> = self.problems.iter().filter(of).cloned().collect();
        let done = problems.is_empty();
        let wrong = || {
            let told = problems.iter().map(|problem| {
                let at = problem.at.as_deref().unwrap_or_default();
                format!("{at} {}", problem.message)
            });
            told.collect::<Vec<_>>().join("; ")
        };
        Step {
            step,
            done,
            optional: matches!(step, "scope" | "schedule"),
            said: if done { said } else { wrong() },
            problems,
        }
    }

    /// Proven by a check of these very settings.
    fn authorise(&self) -> Step {
        let name = &self.connection.name;
        let fresh = self
            .check
            .as_ref()
            .filter(|found| found.revision == self.revision);
        let (done, said) = match (self.consent, fresh) {
            (Some(false), _) => (
                false,
                format!("somebody must consent: `scim-bridge connection authorize {name}`"),
            ),
            (_, None) => (
                false,
                format!("these settings are not proven yet: `scim-bridge connection check {name}`"),
            ),
            (_, Some(found)) if found.ok => (
                true,
                format!("the HR system answered at {}", found.at.to_rfc3339()),
            ),
            (_, Some(found)) => (false, failed(&found.steps)),
        };
        Step {
            step: "authorise",
            done,
            optional: false,
            said,
            problems: Vec::new(),
        }
    }

    fn fields(&self) -> Vec<FieldChoice> {
        let chosen = self.ready.map(Compiled::optional).unwrap_or_default();
        let steps = self.check.as_ref().map(|found| &found.steps);
        let coverage = |name: &str| {
            let steps = steps?.as_array()?;
            let coverage = steps.iter().find_map(|step| step.get("coverage"))?;
            coverage.get(name)?.as_u64()
        };
        self.manifest
            .fields()
            .into_iter()
            .map(|field| FieldChoice {
                chosen: field.required || chosen.contains(&field.name),
                filled: coverage(&field.name),
                field,
            })
            .collect()
    }

    fn fields_said(&self) -> String {
        let fields = self.fields();
        let chosen = fields.iter().filter(|field| field.chosen).count();
        format!("{chosen} of {} fields are read", fields.len())
    }

    fn mapping_said(&self) -> String {
        let lines = self
            .ready
            .map(|ready| ready.mapping.lines().count())
            .unwrap_or_default();
        format!("{lines} attributes are written")
    }

    fn scope_said(&self) -> String {
        match self.file.map(|file| &file.filter) {
            Some(FilterFile { include: Some(text) }) => format!("who fits {text}"),
            _ => "everybody".to_owned(),
        }
    }

    fn schedule_said(&self) -> String {
        match self.file.and_then(|file| file.schedule.as_ref()) {
            Some(schedule) => json!(schedule).to_string(),
            None => "runs are started by hand".to_owned(),
        }
    }

    fn publish(&self) -> Step {
        let connection = self.connection;
        let done = connection.state == ConnectionState::Published && connection.draft.is_none();
        let said = match (done, connection.state) {
            (true, _) => "these settings are live".to_owned(),
            (false, ConnectionState::Published) => "a newer draft waits".to_owned(),
            (false, _) => format!(
                "nothing is read or written before `scim-bridge connection publish {}`",
                connection.name
            ),
        };
        Step {
            step: "publish",
            done,
            optional: false,
            said,
            problems: Vec::new(),
        }
    }
}

impl Step {
    fn needed(self) -> Self {
        Self {
            optional: false,
            ..self
        }
    }
}

/// What the first step that failed said.
fn failed(steps: &Value) -> String {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = steps
        .iter()
        .find(|step| step.get("ok") == Some(&Value::Bool(false)));
    let part = |name: &str| {
        failed
            .and_then(|step| step.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    format!("{}: {}", part("name"), part("message"))
}

/// What a line writes, for people: attribute, expression and policy.
fn sheet(line: &LineView) -> Value {
    json!({
        "attribute": line.name, "from": line.from, "policy": line.policy, "clear_when_empty": line.clear_when_empty,
    })
}
