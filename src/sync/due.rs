//! Queues runs for people whose day has come: a last day passes without any change in HR.

use super::Error;
use super::connection::{ConnectionState, store as connections};
use super::engine::Engine;
use super::plan::store;
use super::run::{RunCause, store as runs};

/// How many connections are looked at together.
const BATCH: i64 = 1000;

/// Queues a run that reads nothing for each working connection with people whose day has come.
pub(super) async fn start_dated(engine: &Engine) -> Result<bool, Error> {
    let now = engine.clock.now();
    let mut conn = engine.conn().await?;
    let mut started = false;
    for (tenant, id) in store::due_connections(&mut conn, now, BATCH).await? {
        let Some(connection) = connections::by_id(&mut conn, tenant, id).await? else {
            continue;
        };
        let (ConnectionState::Published, Some(revision)) = (connection.state, connection.live) else {
            continue;
        };
        let run = runs::NewRun {
            tenant,
            connection: id,
            dry_run: false,
            cause: RunCause::Due,
            actor: "due",
            revision,
        };
        started |= runs::queue_once(&mut conn, &run, now).await?;
    }
    Ok(started)
}
