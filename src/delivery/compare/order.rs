//! Asking for a compare.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{CompareId, store};
use crate::audit;
use crate::base::{AppId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::delivery::Error;
use crate::provision::{self, Mode, Reconcile, Settings};

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// This compare is made, or under way already.
    Compare(CompareId),
    /// The app was never published or is paused: no call is made to it.
    NotWorking,
}

/// Sets when the next compare is made by itself; none by settings without one.
pub(in crate::delivery) async fn schedule(
    conn: &mut Conn,
    at: (TenantId, AppId),
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let every = settings.reconcile.as_ref().and_then(Reconcile::every);
    let next = every.and_then(|every| now.checked_add_signed(TimeDelta::from_std(every).ok()?));
    store::set_due(conn, at, next).await
}

/// Asks for a full compare of an app now.
///
/// # Errors
/// When there is no such app, or the store refuses.
pub async fn ask(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Asked, Error> {
    conn.transaction::<_, Error, _>(async |conn| {
        let app = provision::app(conn, tenant, name).await?;
        if app.mode == Mode::Paused || app.live_revision.is_none() {
            return Ok(Asked::NotWorking);
        }
        let id = store::begin(conn, (tenant, app.id), actor, now).await?.id;
        store::set_due(conn, (tenant, app.id), Some(now)).await?;
        let detail = json!({ "compare": id });
        let subject = app.id.to_string();
        audit::note(conn, Some(tenant), now, actor, "app.reconcile", &subject, detail).await?;
        Ok(Asked::Compare(id))
    })
    .await
}
