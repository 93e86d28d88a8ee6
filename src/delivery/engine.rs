//! The engine: dispatch, lease an app, and batch after batch until nothing is left for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::client::Client;
use super::compare::{Compared, compare};
use super::contact::{Visit, visit};
use super::dispatch::dispatch;
use super::invite::invite_created;
use super::prepare::{Plan, Share, prepare};
use super::record::{Health, record};
use super::send::{Desk, Report};
use super::store::{self, Leased};
use super::{Error, LEASE_TIME, propose, told};
use crate::base::{Chain, Clock, Sealer};
use crate::db::{Db, Transactional as _};
use crate::directory::Directory;
use crate::net::Net;
use crate::provision::{self, Dialect, Mode, Rules, Sense, Settings};

/// Accounts looked at in one batch.
const BATCH: i64 = 300;
/// While fewer calls than this are under way or waiting, the next batch is prepared.
const LOW_WATER: usize = 300;
/// Answers written in one transaction at most.
const RECORDED_AT_ONCE: usize = 300;
/// Answers for which a write is worth while, as long as others are to come.
const WORTH_A_WRITE: usize = 150;
/// After so long an app is given back even if more is to be done: others wait, and a stop is noticed.
const SLICE: Duration = Duration::from_secs(20);
/// How long an app is left alone that could not be worked on for a reason that may pass.
const ASIDE: TimeDelta = TimeDelta::seconds(5);
/// Groups wait until no call about a user is under way: then their members have ids.
const USERS_ONLY: i16 = 6;
const ALL: i16 = i16::MAX;

/// Whether there was something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// Yes; call again at once.
    Something,
    /// No.
    Nothing,
}

/// Brings apps up to date. Cheap to clone; any number may run on one database.
#[derive(Debug, Clone)]
pub struct Engine {
    db: Db,
    directory: Directory,
    net: Net,
    clock: Clock,
    sealer: Sealer,
    owner: Uuid,
}

/// Whether the app takes PATCH: what it said of itself, or else what its dialect says.
pub(super) fn can_patch(capabilities: Option<&Value>, dialect: &Dialect) -> bool {
    capabilities
        .and_then(|found| found.get("patch")?.as_bool())
        .unwrap_or(dialect.patch)
}

impl Engine {
    /// An engine of its own name for leases.
    #[must_use]
    pub fn new(db: Db, directory: Directory, net: Net, clock: Clock, sealer: Sealer) -> Self {
        Self {
            db,
            directory,
            net,
            clock,
            sealer,
            owner: Uuid::now_v7(),
        }
    }

    /// Does what is due: applies approved plans, dispatches changes, works one app for a while.
    ///
    /// # Errors
    /// When the database fails. What an app answers is never an error.
    pub async fn tick(&self) -> Result<Worked, Error> {
        let dispatched = self.dispatch().await?;
        let pushed = self.push().await?;
        Ok(if dispatched || pushed {
            Worked::Something
        } else {
            Worked::Nothing
        })
    }

    /// Applies approved plans and turns changes into looks. Returns whether there was anything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dispatch(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let approved = propose::apply_approved(&self.db, &self.directory, now).await?;
        Ok(dispatch(&self.db, now).await? || approved)
    }

    /// Works one app for a while, if one has something to do that is due.
    ///
    /// # Errors
    /// When the database fails. What an app answers is never an error.
    pub async fn push(&self) -> Result<bool, Error> {
        let begun = Instant::now();
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        let Some(leased) = store::lease_app(&mut conn, self.owner, now, LEASE_TIME).await? else {
            return Ok(false);
        };
        drop(conn);
        let done = match self.work(&leased, begun + LEASE_TIME).await {
            Err(error) if !matches!(error, Error::LeaseLost) => self.set_aside(&leased, &error).await,
            done => done,
        };
        if matches!(done, Err(Error::LeaseLost)) {
            tracing::warn!(app.id = %leased.app, "the lease of an app was lost");
            return Ok(true);
        }
        let mut conn = self.db.conn().await?;
        store::release(&mut conn, &leased).await?;
        done.map(|()| true)
    }

    /// What goes wrong with one app keeps nobody from the others: it is left alone for a while, and says why if that lies
    /// in the app itself.
    async fn set_aside(&self, leased: &Leased, error: &Error) -> Result<(), Error> {
        tracing::error!(app.id = %leased.app, error = %Chain(error), "an app could not be worked on");
        if error.is_lasting() {
            return self.give_up(leased, &mut Health::of(leased), &error.said()).await;
        }
        let until = self.clock.now() + ASIDE;
        let mut conn = self.db.conn().await?;
        store::leave_alone(&mut conn, leased, until).await
    }

    #[tracing::instrument(name = "delivery.app.work", skip_all, fields(app.id = %leased.app, epoch = leased.epoch))]
    async fn work(&self, leased: &Leased, until: Instant) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        let revision = provision::revision(&mut conn, leased.tenant, leased.app, leased.revision).await?;
        let token = revision.token(&self.sealer, leased.tenant, leased.app);
        let hook_secret = revision.hook_secret(&self.sealer, leased.tenant, leased.app);
        conn.transaction::<_, Error, _>(async |conn| {
            store::renew(conn, leased, LEASE_TIME).await?;
            store::adopt_orphans(conn, leased, now).await
        })
        .await?;
        let registry = self.directory.registry(&mut conn, leased.tenant).await?;
        drop(conn);
        let user = registry
            .kind("User")
            .ok_or_else(|| crate::directory::Error::UnknownKind("User".to_owned()))?;
        let mut health = Health::of(leased);
        let (rules, token) = match (Rules::compile(revision.settings, user), token) {
            (Ok(rules), Ok(token)) => (rules, token),
            (Err(problems), _) => {
                let said = problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; ");
                return self
                    .give_up(
                        leased,
                        &mut health,
                        &format!("the settings are not usable: {said}"),
                    )
                    .await;
            }
            (_, Err(error)) => return self.give_up(leased, &mut health, &error.to_string()).await,
        };
        let settings = rules.settings();
        let dialect = Dialect::named(&settings.dialect).ok_or(Error::Address)?;
        let client = Client::new(
            &self.net,
            &settings.base_url,
            token,
            dialect,
            &settings.pace,
            until,
        )?;
        let mut capabilities = leased.capabilities.clone();
        if !leased.is_matched {
            match visit(&self.db, &self.clock, leased, &client, &rules).await? {
                Visit::Done(found) => capabilities = Some(found),
                Visit::Stopped(sense, words) => {
                    return self.stopped(leased, &mut health, sense, &words).await;
                }
            }
        }
        let can_patch = can_patch(capabilities.as_ref(), dialect);
        let desk = Desk {
            by: Arc::new(settings.matching.by.clone()),
            unique: Arc::new(settings.matching.unique()),
            hook_secret: hook_secret?,
            client,
            registry: Arc::clone(&registry),
            can_patch,
            clock: self.clock.clone(),
        };
        let plan = Plan {
            at: (leased.tenant, leased.app),
            name: &leased.name,
            mode: leased.mode,
            rules: &rules,
            directory: &self.directory,
            registry: &registry,
            can_patch,
        };
        if leased.mode == Mode::Live {
            let now = self.clock.now();
            let mut conn = self.db.conn().await?;
            conn.transaction::<_, Error, _>(async |conn| {
                store::renew(conn, leased, LEASE_TIME).await?;
                propose::judge_links(conn, plan, now).await
            })
            .await?;
        }
        if leased.is_to_compare {
            match compare(&self.db, &self.clock, leased, &desk.client, plan).await? {
                Compared::Done => {}
                Compared::Stopped(sense, words) => {
                    return self.stopped(leased, &mut health, sense, &words).await;
                }
            }
        }
        self.batches(leased, plan, &desk, &mut health).await
    }

    async fn give_up(&self, leased: &Leased, health: &mut Health, words: &str) -> Result<(), Error> {
        health.unusable(words, self.clock.now());
        self.write(leased, None, Vec::new(), health).await
    }

    async fn stopped(
        &self,
        leased: &Leased,
        health: &mut Health,
        sense: Sense,
        words: &str,
    ) -> Result<(), Error> {
        health.stopped(sense, words, self.clock.now());
        self.write(leased, None, Vec::new(), health).await
    }

    /// Prepares, sends and records until nothing is left. Calls go on while the next batch is prepared and the last one
    /// is recorded; a kill or an error drops the calls, and their intents tell what was under way.
    async fn batches(
        &self,
        leased: &Leased,
        plan: Plan<'_>,
        desk: &Desk,
        health: &mut Health,
    ) -> Result<(), Error> {
        let mut calls: JoinSet<Report> = JoinSet::new();
        let mut ended: Vec<Report> = Vec::new();
        let mut is_dry = false;
        let end = Instant::now() + SLICE;
        loop {
            let is_over = Instant::now() >= end;
            if !is_dry && !is_over && !desk.client.is_halted() && calls.len() < LOW_WATER {
                // A failing app is probed with one call; if that succeeds, the rest follows.
                let is_probing = health.trouble.is_some();
                let share = Share {
                    limit: if is_probing { 1 } else { BATCH },
                    least_urgent: if calls.is_empty() { ALL } else { USERS_ONLY },
                };
                if !is_probing || calls.is_empty() {
                    let until = Instant::now() + LEASE_TIME;
                    let mut conn = self.db.conn().await?;
                    let now = self.clock.now();
                    let prepared = conn
                        .transaction::<_, Error, _>(async |conn| {
                            prepare(conn, leased, plan, share, now).await
                        })
                        .await?;
                    desk.client.lengthen(until);
                    is_dry = prepared.looked_at == 0;
                    for job in prepared.jobs {
                        calls.spawn(desk.clone().carry_out(job));
                    }
                    if prepared.looked_at > 0 && calls.len() < LOW_WATER && !is_probing {
                        continue;
                    }
                }
            }
            match calls.join_next().await {
                Some(Ok(report)) => ended.push(report),
                Some(Err(error)) => tracing::error!(error = %error, "a call ended without a report"),
                None => {}
            }
            while ended.len() < RECORDED_AT_ONCE {
                match calls.try_join_next() {
                    Some(Ok(report)) => ended.push(report),
                    Some(Err(error)) => tracing::error!(error = %error, "a call ended without a report"),
                    None => break,
                }
            }
            if ended.len() >= WORTH_A_WRITE || calls.is_empty() {
                let batch = std::mem::take(&mut ended);
                let had_some = !batch.is_empty();
                self.write(leased, Some(plan.rules.settings()), batch, health)
                    .await?;
                if health.is_paused() {
                    desk.client.halt();
                }
                is_dry &= !had_some;
            }
            if calls.is_empty() && ended.is_empty() && (desk.client.is_halted() || is_over || is_dry) {
                if is_dry && !desk.client.is_halted() && self.release_waiting(leased).await? {
                    is_dry = false;
                    continue;
                }
                return Ok(());
            }
        }
    }

    /// When nothing else is left, those who wait for a manager's account that did not come are made without it.
    async fn release_waiting(&self, leased: &Leased) -> Result<bool, Error> {
        let mut conn = self.db.conn().await?;
        store::release_waiting(&mut conn, leased).await
    }

    async fn write(
        &self,
        leased: &Leased,
        settings: Option<&Settings>,
        reports: Vec<Report>,
        health: &mut Health,
    ) -> Result<(), Error> {
        if reports.is_empty() && !health.is_new {
            return Ok(());
        }
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        let seen = health.clone();
        *health = conn
            .transaction::<_, Error, _>(async |conn| {
                store::renew(conn, leased, LEASE_TIME).await?;
                let after = record(conn, leased, &reports, &seen, now).await?;
                told::trouble(conn, leased, (&seen, &after), now).await?;
                if let Some(settings) = settings {
                    invite_created(conn, &self.directory, leased, settings, &reports, now).await?;
                }
                Ok(after)
            })
            .await?;
        Ok(())
    }
}
