//! Sealing everything anew under the first master key, so that the others may go. Each value names its key, so whatever was
//! interrupted goes on where it stood, and several processes may do it at once.

mod store;

use serde::Serialize;

use super::Error;
use crate::base::Sealer;
use crate::db::Conn;

/// Values that are sealed anew in one call, at most.
const AT_ONCE: usize = 5_000;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Values that were sealed anew.
    pub resealed: usize,
    /// Whether there may be more: call again.
    pub more: bool,
}

/// Seals values anew that another key sealed, some thousands of them. Call again until there are no more.
///
/// # Errors
/// When no key of the list opens one, or the store refuses.
#[tracing::instrument(name = "privacy.key.rotate", skip_all)]
pub async fn rotate(conn: &mut Conn, sealer: &Sealer) -> Result<Rotated, Error> {
    let mut done = Rotated::default();
    for place in store::SEALED {
        let mut after = "(0,0)".to_owned();
        loop {
            if done.resealed >= AT_ONCE {
                done.more = true;
                return Ok(done);
            }
            let page = store::page(conn, place, &sealer.current(), &after).await?;
            let Some((last, ..)) = page.last() else { break };
            after.clone_from(last);
            let mut fresh = Vec::with_capacity(page.len());
            for (_, about, sealed) in &page {
                let plain = sealer.open(about, sealed)?;
                fresh.push(sealer.seal(about, &plain)?);
            }
            done.resealed = done.resealed.saturating_add(page.len());
            store::replace(conn, place, &page, fresh).await?;
        }
    }
    Ok(done)
}
