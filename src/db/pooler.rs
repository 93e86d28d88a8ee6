//! Whether a connection pooler stands in between, and whether it can be worked with.

use std::time::Duration;

use diesel::sql_types::{Bool, Integer};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use super::{Db, Error, Statement as _};

/// How long the look may take; a pooler with a single server connection makes it wait for itself.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let prepared: Result<(i32, bool), _> = Anything::with(()).get_result(&mut one).await;
        other.batch_execute("BEGIN; SELECT 1").await?;
        let again: Result<(i32, bool), _> = Anything::with(()).get_result(&mut one).await;
        other.batch_execute("ROLLBACK").await?;
        let lost = |error: &diesel::result::Error| error.to_string().contains("prepared statement");
        match prepared.and(again) {
            Ok(_) => Ok(()),
            Err(error) if lost(&error) => Err(Error::PoolerForgets),
            Err(error) => Err(error.into()),
        }
    })
    .await;
    looked.unwrap_or_else(|_| {
        tracing::warn!("the database is slow, or its pooler has a single connection");
        Ok(())
    })
}
