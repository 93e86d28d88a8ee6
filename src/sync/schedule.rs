//! Queues the runs whose scheduled time has come.

use super::Error;
use super::connection::{ConnectionFile, store as connections};
use super::engine::Engine;
use super::run::{RunCause, store as runs};
use crate::db::Transactional as _;

/// How many connections are looked at together.
const BATCH: i64 = 100;

/// Queues a run for each connection whose time has come, and computes when the next comes. A run that waits already
/// is enough: times that were slept through do not pile up.
pub(super) async fn start_scheduled(engine: &Engine) -> Result<bool, Error> {
    let now = engine.clock.now();
    let mut conn = engine.conn().await?;
    conn.transaction(async |conn| {
        let due = connections::due(conn, now, BATCH).await?;
        for mut connection in due.clone() {
            let Some(live) = connection.live else { continue };
            let revision = connections::revision(conn, connection.tenant, connection.id, live).await?;
            let schedule = revision
                .and_then(|revision| ConnectionFile::from_json(&revision.body).ok())
                .and_then(|file| file.schedule)
                .and_then(|schedule| schedule.compile().ok());
            connection.next_run_at =
                schedule.and_then(|schedule| schedule.next(connection.id, connection.next_run_at, now));
            connections::set(conn, &connection).await?;
            let run = runs::NewRun {
                tenant: connection.tenant,
                connection: connection.id,
                dry_run: false,
                cause: RunCause::Schedule,
                actor: "schedule",
                revision: live,
            };
            runs::queue_once(conn, &run, now).await?;
        }
        Ok(!due.is_empty())
    })
    .await
}
