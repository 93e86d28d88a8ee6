//! Whether a connection pooler stands in between, and whether it can be worked with.

use std::time::Duration;

use diesel::sql_types::{Bool, Integer};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use super::{Conn, Db, Error, Statement as _};

/// How long the look may take; a pooler with a single server connection makes it wait for itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which server connection a session gets is the pooler's choice, so one look may prove nothing.
const ROUNDS: usize = 10;

crate::statement!(
    /// Anything that is prepared once and run twice.
    Anything: () -> (Integer, Bool) = "SELECT 1, true"
);

/// Looks whether a statement that was prepared can be run after another session took over the server connection on
/// which it was prepared: so it goes in PgBouncer's transaction mode. Older than 1.21, it loses the statement.
///
/// # Errors
/// When prepared statements get lost, or the database does not answer.
pub async fn check_pooler(db: &Db) -> Result<(), Error> {
    let looked = tokio::time::timeout(PATIENCE, async {
        let (mut one, mut other) = (db.unpooled().await?, db.unpooled().await?);
        for _ in 0..ROUNDS {
            round(&mut one, &mut other).await?;
        }
        Ok(())
    })
    .await;
    looked.unwrap_or_else(|_| {
        tracing::warn!("the database is slow, or its pooler has a single connection");
        Ok(())
    })
}

/// Prepares on the one session, lets the other one hold a server connection, and runs what was prepared.
async fn round(one: &mut Conn, other: &mut Conn) -> Result<(), Error> {
    let prepared: Result<(i32, bool), _> = Anything::with(()).get_result(one).await;
    other.batch_execute("BEGIN; SELECT 1").await?;
    let again: Result<(i32, bool), _> = Anything::with(()).get_result(one).await;
    other.batch_execute("ROLLBACK").await?;
    match prepared.and(again) {
        Ok(_) => Ok(()),
        Err(error) if error.to_string().contains("prepared statement") => Err(Error::PoolerForgets),
        Err(error) => Err(error.into()),
    }
}
