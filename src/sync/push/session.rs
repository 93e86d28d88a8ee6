//! Sessions: open, take pages, commit, abort.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::record::{Manner, RecordError, Shape, parse};
use super::store;
use crate::audit;
use crate::base::{ConnectionId, PushSessionId, RunId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::sync::Error;
use crate::sync::connection::{Compiled, Connection, ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::run::{Run, RunCause, store as runs};

/// For how long a session waits for its caller.
const PATIENCE: Duration = Duration::hours(24);
/// The most sessions of a connection that are open at a time.
const MOST_OPEN: i64 = 5;
/// The most records of a page.
const MOST_RECORDS: usize = 1_000;
/// The highest page number.
const MOST_PAGES: i32 = 10_000;
/// The most bytes that a session keeps, sealed.
const MOST_BYTES: i64 = 4 * 1024 * 1024 * 1024;

/// Whether a session has everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// It has everybody: who is not in it is missing.
    Complete,
    /// It has some: of all others it says nothing.
    Changes,
}

impl SessionKind {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Changes => "changes",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        if word == "complete" {
            Self::Complete
        } else {
            Self::Changes
        }
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It takes pages.
    Open,
    /// A run reads it, or has.
    Committed,
    /// Its caller gave it up.
    Aborted,
    /// Nobody touched it for a day.
    Expired,
}

impl SessionState {
    /// The word in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        match word {
            "open" => Self::Open,
            "committed" => Self::Committed,
            "aborted" => Self::Aborted,
            _ => Self::Expired,
        }
    }
}

/// A session as it stands.
#[derive(Debug, Clone)]
pub struct PushSession {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: PushSessionId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Whether it has everybody.
    pub kind: SessionKind,
    /// How far it is.
    pub state: SessionState,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: String,
    /// When it is over unless somebody touches it.
    pub expires_at: DateTime<Utc>,
    /// The run that reads it.
    pub run: Option<RunId>,
    /// How many pages it holds.
    pub pages: i64,
    /// The highest number among them.
    pub last_page: i64,
    /// How many records they have.
    pub records: i64,
    /// How many bytes they are, sealed.
    pub bytes: i64,
}

/// What became of a page.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// How many records it had.
    pub records: usize,
    /// What could not be read of them. Such a record counts as there, and is not written; one without an id makes the
    /// read partial. The page may be sent again.
    pub errors: Vec<RecordError>,
}

fn unknown(what: &'static str, name: &dyn std::fmt::Display) -> Error {
    Error::Unknown {
        what,
        name: name.to_string(),
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::Push(message.into())
}

/// What a page's content is bound to.
pub(super) fn about(session: PushSessionId) -> String {
    format!("{session}/push_page")
}

impl Engine {
    /// Opens a session of a published connection of connector `push`.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::NotPushed`], [`Error::ConnectionState`], [`Error::Push`] when too many are open, or
    /// when the store refuses.
    #[tracing::instrument(name = "sync.push.open", skip_all)]
    pub async fn open_push(
        &self,
        tenant: TenantId,
        name: &str,
        kind: SessionKind,
        actor: &str,
    ) -> Result<PushSession, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let connection = self.pushed(conn, tenant, name).await?;
            if store::count_open(conn, tenant, connection.id, now).await? >= MOST_OPEN {
                return Err(refused(format!(
                    "{MOST_OPEN} sessions of {name} are open: commit or abort one of them"
                )));
            }
            let session = PushSession {
                tenant,
                id: PushSessionId::new(),
                connection: connection.id,
                kind,
                state: SessionState::Open,
                created_at: now,
                created_by: actor.to_owned(),
                expires_at: now + PATIENCE,
                run: None,
                pages: 0,
                last_page: 0,
                records: 0,
                bytes: 0,
            };
            store::open(conn, &session).await?;
            Ok(session)
        })
        .await
    }

    /// The connection, its row locked, if records may be pushed into it now.
    async fn pushed(&self, conn: &mut Conn, tenant: TenantId, name: &str) -> Result<Connection, Error> {
        let connection = connections::by_name_locked(conn, tenant, name)
            .await?
            .ok_or_else(|| unknown("connection", &name))?;
        let manifest = self.catalogue.get(&connection.connector);
        if !manifest.is_some_and(crate::connector::Manifest::is_pushed) {
            return Err(Error::NotPushed(name.to_owned()));
        }
        if connection.state != ConnectionState::Published {
            return Err(Error::ConnectionState {
                name: name.to_owned(),
                state: connection.state.as_str(),
                remedy: "publish it first: `scim-bridge connection publish NAME`",
            });
        }
        Ok(connection)
    }

    /// A session with what it holds.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn push_session(
        &self,
        tenant: TenantId,
        name: &str,
        id: PushSessionId,
    ) -> Result<PushSession, Error> {
        let mut conn = self.conn().await?;
        let connection = connections::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown("connection", &name))?;
        store::session(&mut conn, tenant, id)
            .await?
            .filter(|session| session.connection == connection.id)
            .ok_or_else(|| unknown("session", &id))
    }

    /// Up to `limit` sessions of a connection, newest first.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn push_sessions(
        &self,
        tenant: TenantId,
        name: &str,
        before: Option<PushSessionId>,
        limit: i64,
    ) -> Result<Vec<PushSession>, Error> {
        let mut conn = self.conn().await?;
        let connection = connections::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown("connection", &name))?;
        Ok(store::sessions(&mut conn, tenant, connection.id, before, limit).await?)
    }

    /// The session, its row locked, if it still takes something.
    async fn open_session(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        connection: ConnectionId,
        id: PushSessionId,
    ) -> Result<PushSession, Error> {
        let session = store::session_locked(conn, tenant, id)
            .await?
            .filter(|session| session.connection == connection)
            .ok_or_else(|| unknown("session", &id))?;
        let is_over = session.state == SessionState::Open && session.expires_at <= self.clock.now();
        match session.state {
            SessionState::Open if !is_over => Ok(session),
            SessionState::Open | SessionState::Expired => Err(refused(
                "the session has expired: open another and send all pages again",
            )),
            state => Err(refused(format!("the session is {}", state.as_str()))),
        }
    }

    /// Keeps a page of a session; the same number again takes its place.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Push`] when the session is over or full, [`Error::PushPage`] when the page is none, or
    /// when the store refuses.
    #[tracing::instrument(name = "sync.push.page", skip_all, fields(session.id = %id, page = number, bytes = body.len()))]
    pub async fn push_page(
        &self,
        tenant: TenantId,
        name: &str,
        (id, number): (PushSessionId, i32),
        shape: Shape,
        body: &[u8],
    ) -> Result<Accepted, Error> {
        if !(1..=MOST_PAGES).contains(&number) {
            return Err(Error::PushPage(format!(
                "pages have numbers from 1 to {MOST_PAGES}"
            )));
        }
        let mut conn = self.conn().await?;
        let (connection, chosen) = self.manner(&mut conn, tenant, name).await?;
        let kind = self.directory.kind(&mut conn, tenant, "User").await?;
        let manner = Manner {
            kind: &kind,
            chosen: &chosen,
        };
        let parsed = parse(shape, body, MOST_RECORDS, &manner).map_err(Error::PushPage)?;
        let content = json!({ "employees": parsed.page.employees, "problems": parsed.page.problems });
        let content = serde_json::to_vec(&content).map_err(Error::Record)?;
        let sealed = self.sealer.seal(&about(id), &content)?;
        drop(content);
        let size = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let counts = (size(parsed.records), size(parsed.errors.len()));
        conn.transaction(async |conn| {
            let mut session = self.open_session(conn, tenant, connection.id, id).await?;
            let bytes = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
            if session.bytes.saturating_add(bytes) > MOST_BYTES {
                return Err(refused(format!("a session keeps at most {MOST_BYTES} bytes")));
            }
            session.expires_at = self.clock.now() + PATIENCE;
            Ok::<_, Error>(store::put_page(conn, &session, number, &sealed, counts).await?)
        })
        .await?;
        Ok(Accepted {
            records: parsed.records,
            errors: parsed.errors,
        })
    }

    /// The connection, and which optional fields it reads.
    async fn manner(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        name: &str,
    ) -> Result<(Connection, Vec<String>), Error> {
        let connection = connections::by_name(conn, tenant, name)
            .await?
            .ok_or_else(|| unknown("connection", &name))?;
        let live = connection.live.unwrap_or_default();
        let revision = connections::revision(conn, tenant, connection.id, live)
            .await?
            .ok_or_else(|| unknown("connection", &name))?;
        let live = Compiled::of(self, conn, connection.clone(), &revision).await?;
        Ok((connection, live.optional().to_vec()))
    }

    /// Commits a session: a run reads it. `pages`: how many the caller sent, when it says so.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Push`] when the session is over, pages are missing, or the connection is at rest, or
    /// when the store refuses.
    #[tracing::instrument(name = "sync.push.commit", skip_all, fields(session.id = %id))]
    pub async fn commit_push(
        &self,
        tenant: TenantId,
        name: &str,
        id: PushSessionId,
        pages: Option<i64>,
        actor: &str,
    ) -> Result<Run, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                let connection = self.pushed(conn, tenant, name).await?;
                let session = match self.open_session(conn, tenant, connection.id, id).await {
                    Ok(session) => session,
                    // Asked again by a caller who did not hear the answer.
                    Err(error) => return self.committed(conn, (tenant, connection.id), id).await?.ok_or(error),
                };
                if session.pages == 0 {
                    return Err(refused(
                        "no page arrived: a session that is committed has at least one, if need be an empty one",
                    ));
                }
                if session.pages != session.last_page || pages.is_some_and(|pages| pages != session.pages) {
                    return Err(refused(format!(
                        "{} pages arrived, the highest has number {}: send what is missing and commit again",
                        session.pages, session.last_page
                    )));
                }
                let new = runs::NewRun {
                    tenant,
                    connection: connection.id,
                    dry_run: false,
                    cause: RunCause::Pushed,
                    actor,
                    revision: connection.live.unwrap_or_default(),
                };
                let run = runs::queue(conn, &new, now).await?;
                store::end(conn, &session, SessionState::Committed, Some(run)).await?;
                let subject = format!("connection:{}", connection.id);
                let detail = json!({
                    "session": id, "kind": session.kind, "pages": session.pages, "records": session.records, "run": run,
                });
                audit::note(conn, Some(tenant), now, actor, "connection.push", &subject, detail).await?;
                runs::run(conn, tenant, run).await?.ok_or_else(|| unknown("run", &run))
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }

    /// The run of a session that was committed before.
    async fn committed(
        &self,
        conn: &mut Conn,
        (tenant, connection): (TenantId, ConnectionId),
        id: PushSessionId,
    ) -> Result<Option<Run>, Error> {
        let Some(run) = store::session(conn, tenant, id)
            .await?
            .filter(|session| session.connection == connection)
            .and_then(|session| session.run)
        else {
            return Ok(None);
        };
        Ok(runs::run(conn, tenant, run).await?)
    }

    /// Gives a session up: nothing of it counts, its pages are deleted.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Push`] when it is over, or when the store refuses.
    pub async fn abort_push(&self, tenant: TenantId, name: &str, id: PushSessionId) -> Result<(), Error> {
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let connection = connections::by_name(conn, tenant, name)
                .await?
                .ok_or_else(|| unknown("connection", &name))?;
            let session = self.open_session(conn, tenant, connection.id, id).await?;
            Ok::<_, Error>(store::end(conn, &session, SessionState::Aborted, None).await?)
        })
        .await
    }
}
