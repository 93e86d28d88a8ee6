//! Queues the runs that webhooks ask for.

use chrono::TimeDelta;

use super::store;
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::connection::{Compiled, ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::run::{Run, RunCause, store as runs};

/// How many connections are looked at together.
const BATCH: i32 = 100;
/// More employees than this at once are read together with all others.
pub(in crate::sync) const STORM: i64 = 50;
/// A look is remembered for so long; longer than any distance that looks keep.
const MEMORY: TimeDelta = TimeDelta::hours(1);

/// Queues a run for each published connection with looks that are due: of the employees that were named, or of all.
/// What is asked for while such a run is under way waits for its end.
async fn start_looks(engine: &Engine) -> Result<bool, Error> {
    let now = engine.clock.now();
    let mut conn = engine.conn().await?;
    let mut started = false;
    for due in store::due(&mut conn, now, BATCH).await? {
        let connection = connections::by_id(&mut conn, due.tenant, due.connection).await?;
        let working = connection.filter(|found| found.state == ConnectionState::Published);
        let Some((connection, revision)) = working.and_then(|found| found.live.map(|live| (found, live)))
        else {
            store::settle(&mut conn, due.tenant, due.connection, now).await?;
            continue;
        };
        let all = due.all || due.single > STORM || !engine.can_read_one(&connection.connector);
        let run = runs::NewRun {
            tenant: due.tenant,
            connection: due.connection,
            dry_run: false,
            cause: if all { RunCause::Webhook } else { RunCause::Look },
            actor: "webhook",
            revision,
        };
        started |= conn
            .transaction(async |conn| {
                let queued = runs::queue_once(conn, &run, now).await?;
                if queued && all {
                    store::settle(conn, due.tenant, due.connection, now).await?;
                }
                Ok::<_, Error>(queued)
            })
            .await?;
    }
    if started {
        engine.signals.run_waits();
    }
    Ok(started)
}

/// Asks for a read of all employees of a run's connection, since a look did not bring what it should.
pub(in crate::sync) async fn ask_for_all(engine: &Engine, run: &Run, live: &Compiled) -> Result<(), Error> {
    let pace = engine.pace_of_all(&live.connection.connector);
    let mut conn = engine.conn().await?;
    let all = [String::new()];
    Ok(store::ask(
        &mut conn,
        run.tenant,
        run.connection,
        &all,
        engine.clock.now(),
        pace,
    )
    .await?)
}

impl Engine {
    /// Queues the runs that webhooks ask for. Returns whether there was one.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn start_looks(&self) -> Result<bool, Error> {
        start_looks(self).await
    }

    /// Forgets what webhooks said long ago.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn sweep_webhooks(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        Ok(store::sweep(&mut conn, now, now - MEMORY).await?)
    }
}
