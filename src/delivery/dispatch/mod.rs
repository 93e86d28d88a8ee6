//! From the log of changes to looks at accounts.

mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fresh::look_at_fresh;
use super::store::{look_at_dependents, note_trouble};
use super::waiting::look_at_untold;
use super::{Error, told};
use crate::base::{AppId, Chain, ResourceId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::provision;

const APPS: i64 = 50;
const CHANGES: i64 = 1_000;
const PAGE: i64 = 2_000;

/// Turns what changed since the last time into looks. Returns whether there was anything.
#[tracing::instrument(name = "delivery.change.dispatch", skip_all)]
pub(super) async fn dispatch(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut conn = db.conn().await?;
    let mut worked = store::look_at_decided(&mut conn).await?;
    worked |= look_at_untold(&mut conn).await?;
    worked |= look_at_fresh(&mut conn, PAGE).await?;
    let mut last = (TenantId::from(Uuid::nil()), AppId::from(Uuid::nil()));
    loop {
        let apps = store::apps_to_dispatch(&mut conn, last, APPS).await?;
        for at in &apps {
            let done = conn
                .transaction::<_, Error, _>(async |conn| one(conn, at.0, at.1, now).await)
                .await;
            match done {
                Ok(done) => worked |= done,
                Err(error) if error.is_lasting() => trouble(&mut conn, *at, &error, now).await?,
                Err(error) => {
                    tracing::error!(app.id = %at.1, error = %Chain(&error), "an app is told of changes later");
                }
            }
        }
        match apps.last() {
            Some(at) => last = *at,
            None => return Ok(worked),
        }
    }
}

/// What is wrong with one app keeps no other from its changes. It is told once.
async fn trouble(
    conn: &mut Conn,
    at: (TenantId, AppId),
    error: &Error,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let words = error.said();
    conn.transaction(async |conn| {
        if note_trouble(conn, at, &words).await? {
            tracing::error!(app.id = %at.1, error = %Chain(error), "changes cannot be dispatched to an app");
            told::unusable(conn, at, &words, now).await?;
        }
        Ok(())
    })
    .await
}

async fn one(conn: &mut Conn, tenant: TenantId, app: AppId, now: DateTime<Utc>) -> Result<bool, Error> {
    let Some(reached) = store::lock_for_dispatch(conn, tenant, app).await? else {
        return Ok(false);
    };
    let revision = provision::revision(conn, tenant, app, reached.live).await?;
    let kinds: &[&str] = if revision.settings.groups.push {
        &["User", "Group"]
    } else {
        &["User"]
    };
    if reached.planned != Some(reached.live) {
        everybody(conn, (tenant, app), kinds, now).await?;
        store::set_dispatched(conn, (tenant, app), reached.last_seq, Some(reached.live)).await?;
        return Ok(true);
    }
    let changes = store::changes(conn, tenant, reached.seq, CHANGES).await?;
    let Some((last, ..)) = changes.last() else {
        return Ok(false);
    };
    let last = *last;
    // The last word about a resource tells whether it was a human's.
    let touched: BTreeMap<ResourceId, bool> = changes.iter().map(|(_, id, _, by)| (*id, *by)).collect();
    let approved: Vec<ResourceId> = touched.iter().filter(|(_, by)| **by).map(|(id, _)| *id).collect();
    let touched: Vec<ResourceId> = touched.into_keys().collect();
    store::look_at(conn, (tenant, app), (&touched, &approved), kinds, now).await?;
    if revision.settings.reads_manager() {
        let mut users: Vec<ResourceId> = changes
            .into_iter()
            .filter(|(_, _, kind, _)| kind == "User")
            .map(|(_, id, ..)| id)
            .collect();
        users.sort_unstable();
        users.dedup();
        look_at_dependents(conn, (tenant, app), &users).await?;
    }
    store::set_dispatched(conn, (tenant, app), last, reached.planned).await?;
    Ok(true)
}

/// New settings may change what anybody should hold.
async fn everybody(
    conn: &mut Conn,
    at: (TenantId, AppId),
    kinds: &[&str],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    store::look_at_all(conn, at).await?;
    let mut after = Uuid::nil();
    while let Some(last) = store::look_at_page(conn, at, after, kinds, PAGE, now).await? {
        after = last;
    }
    Ok(())
}
