//! What people do with connections: apply, show, compare, publish, pause, roll back, check, hand in a file.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::compile::{Compiled, upload_about, wants_upload};
use super::{
    Connection, ConnectionFile, ConnectionState, FileProblem, Revision, ScheduleFile, secrets, store,
};
use crate::audit;
use crate::base::{ConnectionId, TenantId, UploadId, digest};
use crate::db::{Conn, QueryError, Transactional as _};
use crate::directory::Authorities;
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::run::{RunCause, store as runs};

/// What applying a file did.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The connection as it stands.
    pub connection: Connection,
    /// The revision that holds the file.
    pub revision: i32,
    /// Whether it is a new one.
    pub changed: bool,
}

/// One value that differs between two revisions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingDifference {
    /// Where, as a path: `settings.base_url`.
    pub path: String,
    /// In the live revision.
    pub before: Option<Value>,
    /// In the draft.
    pub after: Option<Value>,
}

fn unknown(name: &str) -> Error {
    Error::Unknown {
        what: "connection",
        name: name.to_owned(),
    }
}

impl Engine {
    /// The connection of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn connection(&self, tenant: TenantId, name: &str) -> Result<Connection, Error> {
        let mut conn = self.conn().await?;
        store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))
    }

    /// The connection of that id.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> Result<Connection, Error> {
        let mut conn = self.conn().await?;
        store::by_id(&mut conn, tenant, id)
            .await?
            .ok_or_else(|| unknown(&id.to_string()))
    }

    /// Up to `limit` connections after that name.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn connections(
        &self,
        tenant: TenantId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Connection>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::list(&mut conn, tenant, after, limit).await?)
    }

    /// The file of a revision in its JSON form, with placeholders where secrets are. `draft`: the draft when there
    /// is one, else the live revision.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn connection_file(
        &self,
        tenant: TenantId,
        name: &str,
        draft: bool,
    ) -> Result<(Connection, Option<Value>), Error> {
        let mut conn = self.conn().await?;
        let connection = store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        let number = if draft {
            connection.draft.or(connection.live)
        } else {
            connection.live
        };
        let revision = self.revision(&mut conn, &connection, number).await?;
        let shown = revision
            .map(|revision| self.shown(&connection, &revision))
            .transpose()?;
        Ok((connection, shown))
    }

    fn shown(&self, connection: &Connection, revision: &Revision) -> Result<Value, Error> {
        let sealed = secrets::open(&self.sealer, connection.id, revision)?;
        Ok(secrets::put_back(&revision.body, &sealed, false))
    }

    async fn revision(
        &self,
        conn: &mut Conn,
        connection: &Connection,
        number: Option<i32>,
    ) -> Result<Option<Revision>, Error> {
        match number {
            Some(number) => Ok(store::revision(conn, connection.tenant, connection.id, number).await?),
            None => Ok(None),
        }
    }

    /// The latest revisions of a connection, newest first, without secrets.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn revisions(&self, tenant: TenantId, name: &str) -> Result<Vec<Revision>, Error> {
        let mut conn = self.conn().await?;
        let connection = store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        Ok(store::revisions(&mut conn, tenant, connection.id).await?)
    }

    /// Keeps a file as the connection's draft; makes the connection when there is none of that name. The same file
    /// again changes nothing. `incomplete`: settings may be unanswered, for a setup link to ask; before that nothing works.
    ///
    /// # Errors
    /// [`Error::File`] with every problem, or when the store refuses.
    #[tracing::instrument(name = "sync.connection.apply", skip_all)]
    pub async fn apply_file(
        &self,
        tenant: TenantId,
        name: &str,
        body: Value,
        actor: &str,
        incomplete: bool,
    ) -> Result<Applied, Error> {
        let file = ConnectionFile::from_json(&body).map_err(Error::File)?;
        if file.name != name {
            return Err(Error::OtherName {
                file: file.name,
                path: name.to_owned(),
            });
        }
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            self.keep_draft(conn, tenant, file, body, (actor, incomplete))
                .await
        })
        .await
    }

    async fn keep_draft(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        file: ConnectionFile,
        mut body: Value,
        (actor, incomplete): (&str, bool),
    ) -> Result<Applied, Error> {
        let now = self.clock.now();
        let manifest = self.catalogue.get(&file.connector);
        let given = manifest
            .map(|manifest| secrets::take(&mut body, manifest))
            .unwrap_or_default();
        let name = file.name.clone();
        // An unusable file makes no connection: the transaction ends with it.
        store::create(conn, tenant, &name, &file.connector, now).await?;
        let mut connection = store::by_name_locked(conn, tenant, &name)
            .await?
            .ok_or_else(|| unknown(&name))?;
        let latest = self
            .revision(conn, &connection, connection.draft.or(connection.live))
            .await?;
        let secrets = match &latest {
            Some(latest) if latest.body.get("connector") == body.get("connector") => {
                let earlier = secrets::open(&self.sealer, connection.id, latest)?;
                secrets::carry_over(given, &earlier, &latest.body, &body)
            }
            _ => given,
        };
        connection.connector.clone_from(&file.connector);
        let kind = self.directory.kind(conn, tenant, "User").await?;
        let tools = (&*self.catalogue, &kind);
        match Compiled::compile(tools, connection.clone(), file, &body, &secrets) {
            Err(Error::File(problems)) if incomplete => {
                let wrong = problems
                    .into_iter()
                    .filter(|problem| !is_open(problem, &body, &secrets));
                let wrong: Vec<FileProblem> = wrong.collect();
                if !wrong.is_empty() {
                    return Err(Error::File(wrong));
                }
            }
            done => drop(done?),
        }
        let digest = self.digest_of(&body, &secrets);
        if let Some(latest) = latest.filter(|latest| latest.digest == digest) {
            return Ok(Applied {
                connection,
                revision: latest.number,
                changed: false,
            });
        }
        let revision = Revision {
            number: 0,
            sealed: secrets::seal(&self.sealer, connection.id, &secrets)?,
            body,
            digest,
            created_at: now,
            created_by: actor.to_owned(),
        };
        let number = store::add_revision(conn, tenant, connection.id, &revision).await?;
        connection.draft = Some(number);
        store::set(conn, &connection).await?;
        self.note(
            conn,
            &connection,
            actor,
            "connection.apply",
            json!({ "revision": number }),
        )
        .await?;
        Ok(Applied {
            connection,
            revision: number,
            changed: true,
        })
    }

    fn digest_of(&self, body: &Value, secrets: &Map<String, Value>) -> Vec<u8> {
        let mut bytes = digest(body.to_string().as_bytes());
        bytes.extend(
            self.sealer
                .fingerprint(Value::Object(secrets.clone()).to_string().as_bytes()),
        );
        digest(&bytes)
    }

    pub(in crate::sync) async fn note(
        &self,
        conn: &mut Conn,
        connection: &Connection,
        actor: &str,
        action: &str,
        detail: Value,
    ) -> Result<(), Error> {
        let subject = format!("connection:{}", connection.id);
        let now = self.clock.now();
        audit::note(
            conn,
            Some(connection.tenant),
            now,
            actor,
            action,
            &subject,
            detail,
        )
        .await?;
        Ok(())
    }

    /// Checks a file as if it were applied, without keeping anything.
    ///
    /// # Errors
    /// [`Error::File`] with every problem.
    pub async fn check_file(&self, tenant: TenantId, body: &Value) -> Result<(), Error> {
        let file = ConnectionFile::from_json(body).map_err(Error::File)?;
        let mut body = body.clone();
        let secrets = self
            .catalogue
            .get(&file.connector)
            .map(|manifest| secrets::take(&mut body, manifest))
            .unwrap_or_default();
        let connection = Connection {
            tenant,
            id: ConnectionId::new(),
            name: file.name.clone(),
            connector: file.connector.clone(),
            state: ConnectionState::Draft,
            live: None,
            draft: None,
            next_run_at: None,
            created_at: self.clock.now(),
        };
        let mut conn = self.conn().await?;
        let kind = self.directory.kind(&mut conn, tenant, "User").await?;
        Compiled::compile((&self.catalogue, &kind), connection, file, &body, &secrets).map(|_| ())
    }

    /// Makes the draft live, or lets a paused connection work again. With a schedule, a run is queued at once.
    ///
    /// # Errors
    /// [`Error::ConnectionState`] when there is nothing to publish, or when the store refuses.
    #[tracing::instrument(name = "sync.connection.publish", skip_all)]
    pub async fn publish(&self, tenant: TenantId, name: &str, actor: &str) -> Result<Connection, Error> {
        let mut conn = self.conn().await?;
        let published = conn
            .transaction(async |conn| self.publish_in(conn, tenant, name, actor).await)
            .await?;
        self.signals.run_waits();
        Ok(published)
    }

    /// The same in the caller's transaction, who says afterwards that a run waits.
    pub(in crate::sync) async fn publish_in(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        name: &str,
        actor: &str,
    ) -> Result<Connection, Error> {
        let mut connection = store::by_name_locked(conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        let number = connection.draft.or(connection.live);
        if connection.draft.is_none() && connection.state == ConnectionState::Published {
            return Ok(connection);
        }
        connection.draft = None;
        self.go_live(conn, &mut connection, number, actor, "connection.publish")
            .await?;
        Ok(connection)
    }

    /// Whose word counts for the users of each connection of a tenant: what the door of SCIM clients heeds.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn authorities(&self, conn: &mut Conn, tenant: TenantId) -> Result<Authorities, QueryError> {
        let stored = store::authorities(conn, tenant).await?;
        Ok(stored
            .into_iter()
            .map(|(id, name, rules)| (id, name, serde_json::from_value(rules).unwrap_or_default()))
            .collect())
    }

    /// Makes a revision live, and queues its first run where there is a schedule. The caller holds the row.
    pub(in crate::sync) async fn go_live(
        &self,
        conn: &mut Conn,
        connection: &mut Connection,
        number: Option<i32>,
        actor: &str,
        action: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let revision =
            self.revision(conn, connection, number)
                .await?
                .ok_or_else(|| Error::ConnectionState {
                    name: connection.name.clone(),
                    state: connection.state.as_str(),
                    remedy: "apply a file first",
                })?;
        let ready = Compiled::of(self, conn, connection.clone(), &revision).await?;
        connection.live = Some(revision.number);
        connection.state = ConnectionState::Published;
        let schedule = ready.file.schedule.as_ref().map(ScheduleFile::compile);
        connection.next_run_at = match &schedule {
            Some(Ok(schedule)) => schedule.next(connection.id, None, now),
            _ => None,
        };
        store::set(conn, connection).await?;
        store::set_authority(conn, connection, &json!(ready.authority)).await?;
        let detail = json!({ "revision": revision.number });
        self.note(conn, connection, actor, action, detail).await?;
        self.start_connected(conn, &ready, revision.number, actor).await
    }

    /// Notes that a connection works from now on, and queues its first run when it has a schedule and there is something
    /// to read.
    pub(in crate::sync) async fn start_connected(
        &self,
        conn: &mut Conn,
        ready: &Compiled,
        revision: i32,
        actor: &str,
    ) -> Result<(), Error> {
        let (tenant, connection, now) = (ready.connection.tenant, ready.connection.id, self.clock.now());
        let schedule = ready.file.schedule.as_ref();
        let stale_after = schedule.map(ScheduleFile::stale_after);
        store::note_connected(conn, tenant, connection, now, stale_after).await?;
        let readable = !ready.wants_upload() || store::has_upload(conn, tenant, connection).await?;
        if schedule.is_some() && readable {
            let run = runs::NewRun {
                tenant,
                connection,
                dry_run: false,
                cause: RunCause::Publish,
                actor,
                revision,
            };
            runs::queue(conn, &run, now).await?;
        }
        Ok(())
    }

    /// Lets a connection make no more calls. Runs that wait are cancelled, one that reads or plans is asked to stop.
    ///
    /// # Errors
    /// [`Error::ConnectionState`] when it was never published, or when the store refuses.
    pub async fn pause(&self, tenant: TenantId, name: &str, actor: &str) -> Result<Connection, Error> {
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let mut connection = store::by_name_locked(conn, tenant, name)
                .await?
                .ok_or_else(|| unknown(name))?;
            if connection.state == ConnectionState::Draft {
                return Err(Error::ConnectionState {
                    name: name.to_owned(),
                    state: "draft",
                    remedy: "a draft makes no calls; there is nothing to pause",
                });
            }
            connection.state = ConnectionState::Paused;
            connection.next_run_at = None;
            store::set(conn, &connection).await?;
            runs::cancel_all(conn, tenant, connection.id, self.clock.now()).await?;
            self.note(conn, &connection, actor, "connection.pause", json!({}))
                .await?;
            Ok(connection)
        })
        .await
    }

    /// Makes an earlier revision live again: `to`, or the one before the live one. A draft stays.
    ///
    /// # Errors
    /// [`Error::Unknown`] without such a revision, or when the store refuses.
    pub async fn roll_back(
        &self,
        tenant: TenantId,
        name: &str,
        to: Option<i32>,
        actor: &str,
    ) -> Result<Connection, Error> {
        let mut conn = self.conn().await?;
        let connection = conn
            .transaction(async |conn| {
                let mut connection = store::by_name_locked(conn, tenant, name)
                    .await?
                    .ok_or_else(|| unknown(name))?;
                let number = to.or(connection.live.map(|live| live.saturating_sub(1)));
                if self.revision(conn, &connection, number).await?.is_none() {
                    return Err(Error::Unknown {
                        what: "earlier revision of connection",
                        name: name.to_owned(),
                    });
                }
                self.go_live(conn, &mut connection, number, actor, "connection.rollback")
                    .await?;
                Ok(connection)
            })
            .await?;
        self.signals.run_waits();
        Ok(connection)
    }

    /// What the draft would change, secrets as placeholders; empty without a draft.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn connection_diff(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Vec<SettingDifference>, Error> {
        let mut conn = self.conn().await?;
        let connection = store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        let Some(draft) = self.revision(&mut conn, &connection, connection.draft).await? else {
            return Ok(Vec::new());
        };
        let live = self.revision(&mut conn, &connection, connection.live).await?;
        let new_secrets = secrets::open(&self.sealer, connection.id, &draft)?;
        let old_secrets = live
            .as_ref()
            .map(|live| secrets::open(&self.sealer, connection.id, live))
            .transpose()?
            .unwrap_or_default();
        let after = secrets::put_back(&draft.body, &new_secrets, false);
        let before = live
            .as_ref()
            .map(|live| secrets::put_back(&live.body, &old_secrets, false));
        let mut found = Vec::new();
        compare("", before.as_ref(), Some(&after), &mut found);
        for (name, secret) in &new_secrets {
            if old_secrets.get(name).is_some_and(|old| old != secret) {
                found.push(SettingDifference {
                    path: format!("settings.{name}"),
                    before: Some(secrets::PLACEHOLDER.into()),
                    after: Some("sealed, and another".into()),
                });
            }
        }
        Ok(found)
    }

    /// Keeps a file for the next run, sealed, in place of the one before.
    ///
    /// # Errors
    /// [`Error::ConnectionState`] when the connection reads no handed-in file, or when the store refuses.
    #[tracing::instrument(name = "sync.upload.keep", skip_all, fields(bytes = file.len()))]
    pub async fn keep_upload(
        &self,
        tenant: TenantId,
        name: &str,
        file: Bytes,
        actor: &str,
    ) -> Result<UploadId, Error> {
        let mut conn = self.conn().await?;
        let connection = store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        let number = connection.draft.or(connection.live);
        let revision = self.revision(&mut conn, &connection, number).await?;
        let takes = revision
            .and_then(|revision| ConnectionFile::from_json(&revision.body).ok())
            .zip(self.catalogue.get(&connection.connector))
            .is_some_and(|(file, manifest)| wants_upload(manifest, &file));
        if !takes {
            return Err(Error::ConnectionState {
                name: name.to_owned(),
                state: connection.state.as_str(),
                remedy: "it reads its HR system by itself and takes no file",
            });
        }
        let sealed = self.sealer.seal(&upload_about(&connection), &file)?;
        drop(file);
        let upload = UploadId::new();
        conn.transaction(async |conn| {
            store::keep_upload(conn, tenant, connection.id, upload, &sealed, self.clock.now()).await?;
            let detail = json!({ "upload": upload, "bytes": sealed.len() });
            self.note(conn, &connection, actor, "connection.upload", detail)
                .await
        })
        .await?;
        Ok(upload)
    }
}

/// Whether a problem is only that a setting is not answered.
fn is_open(problem: &FileProblem, body: &Value, secrets: &Map<String, Value>) -> bool {
    let name = problem.at.as_deref().and_then(|at| at.strip_prefix("settings."));
    name.is_some_and(|name| {
        let given = body.get("settings").and_then(|settings| settings.get(name));
        given.or_else(|| secrets.get(name)).is_none()
    })
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<SettingDifference>) {
    if before == after {
        return;
    }
    let empty = Map::new();
    match (before, after) {
        (Some(Value::Object(_)) | None, Some(Value::Object(_))) | (Some(Value::Object(_)), None) => {
            let old = before.and_then(Value::as_object).unwrap_or(&empty);
            let new = after.and_then(Value::as_object).unwrap_or(&empty);
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(&path, old.get(name), new.get(name), found);
            }
        }
        _ => found.push(SettingDifference {
            path: path.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

/// A problem without a place.
impl From<String> for FileProblem {
    fn from(message: String) -> Self {
        Self {
            at: None,
            line: None,
            column: None,
            message,
        }
    }
}
