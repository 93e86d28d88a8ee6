//! Queues runs of connections that SCIM clients write into, once the clients have fallen silent for a moment.

use chrono::Duration;

use super::Error;
use super::connection::store as connections;
use super::engine::Engine;
use super::run::{RunCause, store as runs};
use crate::base::{ConnectionId, TenantId};
use crate::db::{Conn, Transactional as _};

/// A client that has not written for so long is taken to be done with what it was at.
const QUIET: Duration = Duration::seconds(5);
/// A client that keeps writing is not waited for longer than this.
const LONGEST: Duration = Duration::seconds(60);
/// How many connections are looked at together.
const BATCH: i64 = 100;

/// Queues a run for each published connection in whose realm there are changes that no run was queued for. Level by
/// level: a run reads all of the realm, so changes that come while it waits need no run of their own.
pub(super) async fn start_written(engine: &Engine) -> Result<bool, Error> {
    let now = engine.clock.now();
    let mut conn = engine.conn().await?;
    let mut started = false;
    for written in connections::written(&mut conn, BATCH).await? {
        let is_quiet = written.last_at <= now - QUIET;
        let is_late = written.first_at <= now - LONGEST;
        if !is_quiet && !is_late {
            continue;
        }
        let run = runs::NewRun {
            tenant: written.tenant,
            connection: written.connection,
            dry_run: false,
            cause: RunCause::Written,
            actor: "scim",
            revision: written.revision,
        };
        started |= conn
            .transaction(async |conn| {
                let queued = runs::queue_once(conn, &run, now).await?;
                if queued {
                    connections::set_realm_seq(conn, &written).await?;
                }
                Ok::<_, Error>(queued)
            })
            .await?;
    }
    Ok(started)
}

/// The connection of that name, when it is one that SCIM clients write into.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotInbound`], or when the store refuses.
pub async fn inbound_connection(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
) -> Result<ConnectionId, Error> {
    let connection = connections::by_name(conn, tenant, name)
        .await?
        .ok_or_else(|| Error::Unknown {
            what: "connection",
            name: name.to_owned(),
        })?;
    if connection.connector == "scim" {
        Ok(connection.id)
    } else {
        Err(Error::NotInbound(name.to_owned()))
    }
}
