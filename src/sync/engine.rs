//! The engine: starts what is due, takes a run, and leads it from step to step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::{Compiled, store as connections};
use super::run::{Progress, Run, RunCause, RunState, store as runs};
use super::{Error, apply, due, inbound, plan, push, read, rekey, schedule, tell, undo};
use crate::base::{Chain, Clock, Sealer};
use crate::connector::Catalogue;
use crate::db::{Conn, Db, PooledConn, Signals, Transactional as _};
use crate::directory::Directory;
use crate::guard::{self, Action, ItemState};
use crate::net::Net;

/// How often a run under way says how far it is, and makes its lease last.
const BEAT: Duration = Duration::from_secs(1);

/// Reads HR systems, plans, guards and applies. Cheap to clone; any number of processes may run one.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) db: Db,
    pub(super) directory: Directory,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) net: Net,
    pub(super) clock: Clock,
    pub(super) sealer: Sealer,
    pub(super) files: Option<PathBuf>,
    pub(super) signals: Signals,
}

impl Engine {
    /// An engine over these parts. `files` is the folder below which connections may name files of the server.
    #[must_use]
    pub fn new(
        db: Db,
        directory: Directory,
        catalogue: Arc<Catalogue>,
        net: Net,
        clock: Clock,
        sealer: Sealer,
        files: Option<PathBuf>,
    ) -> Self {
        let signals = db.signals().clone();
        Self {
            db,
            directory,
            catalogue,
            net,
            clock,
            sealer,
            files,
            signals,
        }
    }

    /// What seals secrets and sensitive data.
    #[must_use]
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The signals of this process.
    #[must_use]
    pub const fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) async fn conn(&self) -> Result<PooledConn, Error> {
        Ok(self.db.conn().await?)
    }

    /// Does what is due: queues runs whose time has come, then takes one run that waits, or that a killed process
    /// left, and leads it until it rests. Returns whether there was anything to do.
    ///
    /// # Errors
    /// When the database cannot be reached. What goes wrong in a run is kept with the run.
    pub async fn tick(&self) -> Result<bool, Error> {
        let started = self.start_due().await?;
        Ok(self.lead_next().await? || started)
    }

    /// Takes one run that waits, or that a killed process left, and leads it until it rests. Returns whether there was
    /// one.
    ///
    /// # Errors
    /// When the database cannot be reached. What goes wrong in a run is kept with the run.
    pub async fn lead_next(&self) -> Result<bool, Error> {
        let owner = Uuid::now_v7();
        let taken = {
            let mut conn = self.conn().await?;
            runs::take(&mut conn, owner, self.clock.now()).await?
        };
        let found = taken.is_some();
        if let Some(run) = taken {
            self.lead(run, owner).await;
        }
        Ok(found)
    }

    /// Deletes what killed processes left in staging, and what no run of pushed records needs any more.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn sweep(&self) -> Result<(), Error> {
        let mut conn = self.conn().await?;
        push::store::sweep(&mut conn, self.clock.now()).await?;
        Ok(read::store::sweep(&mut conn).await?)
    }

    /// Queues runs whose scheduled time or due date has come, and those of what SCIM clients wrote.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn start_due(&self) -> Result<bool, Error> {
        let scheduled = schedule::start_scheduled(self).await?;
        let dated = due::start_dated(self).await?;
        let written = inbound::start_written(self).await?;
        Ok(scheduled || dated || written)
    }

    #[tracing::instrument(name = "sync.run.lead", skip_all, fields(run.id = %run.id, connection.id = %run.connection))]
    async fn lead(&self, run: Run, owner: Uuid) {
        let started = Instant::now();
        let mut job = Job {
            engine: self,
            run,
            owner,
            beaten: Instant::now(),
        };
        let end = job.steps().await;
        let duration_ms = started.elapsed().as_millis();
        match end {
            Ok(()) => tracing::info!(state = job.run.state.as_str(), duration_ms, "the run rests"),
            Err(Error::LeaseLost) => tracing::warn!("another process has the run now"),
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %Chain(&error), "the run goes on when the database is back");
            }
            Err(error) => job.fail(&error).await,
        }
    }
}

/// One run in the hands of this process.
pub(super) struct Job<'a> {
    pub engine: &'a Engine,
    pub run: Run,
    pub owner: Uuid,
    beaten: Instant,
}

impl<'a> Job<'a> {
    /// Something that only looks, by a run that is none.
    pub fn looking(engine: &'a Engine, run: Run) -> Self {
        Self {
            engine,
            run,
            owner: Uuid::nil(),
            beaten: Instant::now(),
        }
    }
}

impl Job<'_> {
    pub async fn conn(&self) -> Result<PooledConn, Error> {
        self.engine.conn().await
    }

    async fn steps(&mut self) -> Result<(), Error> {
        let live = self.settings().await?;
        let is_undo = self.run.cause == RunCause::Undo;
        loop {
            let moves = self.run.cause == RunCause::Rekey;
            match self.run.state {
                RunState::Planning if moves => rekey::plan(self).await?,
                RunState::Applying if moves => rekey::apply(self, &live).await?,
                RunState::Reading => read::read(self, &live).await?,
                RunState::Planning if is_undo => undo::plan(self, &live).await?,
                RunState::Applying if is_undo => undo::apply(self).await?,
                RunState::Planning => plan::plan(self, &live).await?,
                RunState::Applying => apply::apply(self, &live).await?,
                _ => return Ok(()),
            }
        }
    }

    /// The settings revision that the run was started with.
    async fn settings(&self) -> Result<Compiled, Error> {
        let mut conn = self.conn().await?;
        let missing = || Error::Unknown {
            what: "connection",
            name: self.run.connection.to_string(),
        };
        let connection = connections::by_id(&mut conn, self.run.tenant, self.run.connection)
            .await?
            .ok_or_else(missing)?;
        let revision =
            connections::revision(&mut conn, self.run.tenant, self.run.connection, self.run.revision)
                .await?
                .ok_or_else(missing)?;
        let conn = &mut *conn;
        if self.run.cause.is_cut() {
            return Compiled::without_secrets(self.engine, conn, connection, revision).await;
        }
        Compiled::of(self.engine, conn, connection, &revision).await
    }

    /// Says how far the step is and makes the lease last, at most once a second.
    pub async fn beat(&mut self, progress: Value) -> Result<(), Error> {
        if self.beaten.elapsed() < BEAT {
            return Ok(());
        }
        self.run.progress = progress;
        self.beaten = Instant::now();
        let mut conn = self.conn().await?;
        let renewed = runs::renew(&mut conn, &self.run, self.owner, &self.run.progress).await?;
        verdict_of(renewed)
    }

    /// Makes sure, in an open transaction, that the run is still ours and wanted.
    pub async fn hold(&self, conn: &mut Conn) -> Result<(), Error> {
        verdict_of(runs::hold_lease(conn, &self.run, self.owner).await?)
    }

    /// Goes on to `state`, written with all the run has by now.
    pub async fn enter(&mut self, conn: &mut Conn, state: RunState) -> Result<(), Error> {
        self.run.state = state;
        if state.is_at_rest() && state != RunState::AwaitingApproval {
            self.run.finished_at = Some(self.engine.clock.now());
        }
        if runs::save(conn, &self.run, self.owner).await? {
            tell::tell(conn, &self.run, self.engine.clock.now()).await
        } else {
            Err(Error::LeaseLost)
        }
    }

    async fn fail(&mut self, error: &Error) {
        let stopped_in = self.run.state;
        let state = match error {
            Error::Cancelled => RunState::Cancelled,
            _ => RunState::Failed,
        };
        let progress = Progress::of(&self.run, None, self.engine.clock.now());
        self.run.progress = json!({
            "step": state.as_str(), "stopped_in": stopped_in.as_str(), "percent": progress.percent,
            "done": progress.done, "of": progress.of,
        });
        if state == RunState::Failed {
            tracing::error!(error = %Chain(error), "the run failed");
            self.run.error = Some(error.as_json());
        }
        let saved = async {
            let mut conn = self.conn().await?;
            if stopped_in == RunState::Applying {
                // What is staged is kept: the run may be resumed.
                self.count_applied(&mut conn).await?;
                return self.enter(&mut conn, state).await;
            }
            let (tenant, run, now) = (self.run.tenant, self.run.id.uuid(), self.engine.clock.now());
            conn.transaction(async |conn| {
                self.enter(conn, state).await?;
                guard::withdraw(conn, tenant, &[run], now).await?;
                Ok::<(), Error>(read::store::clear(conn, &self.run).await?)
            })
            .await
        };
        if let Err(error) = saved.await {
            tracing::error!(error = %Chain(&error), "the end of the run could not be written");
        }
    }
}

impl Job<'_> {
    /// Notes how much of a plan was applied that is not applied to its end.
    async fn count_applied(&mut self, conn: &mut Conn) -> Result<(), Error> {
        let Some(plan) = self.run.plan else { return Ok(()) };
        let mut sums: BTreeMap<&str, i64> = [("applied", 0), ("refused", 0), ("left", 0)].into();
        for (action, state, count) in guard::item_counts(conn, self.run.tenant, plan).await? {
            let word = match state {
                ItemState::Applied if !matches!(action, Action::Skip | Action::Hold | Action::Conflict) => {
                    "applied"
                }
                ItemState::Refused => "refused",
                ItemState::Planned => "left",
                _ => continue,
            };
            *sums.entry(word).or_default() += count;
        }
        if let Some(counts) = self.run.counts.as_object_mut() {
            counts.extend(
                sums.into_iter()
                    .map(|(word, count)| (word.to_owned(), count.into())),
            );
        }
        Ok(())
    }
}

const fn verdict_of(lease: Option<bool>) -> Result<(), Error> {
    match lease {
        None => Err(Error::LeaseLost),
        Some(true) => Err(Error::Cancelled),
        Some(false) => Ok(()),
    }
}
