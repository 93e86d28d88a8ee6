//! Accounts by state, per app, and whether anything is still to come.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Error, store};
use crate::base::TenantId;
use crate::db::Conn;

/// An app in numbers.
#[derive(Debug, Clone)]
pub struct AppStatus {
    /// Its name.
    pub name: String,
    /// observe, link, live or paused.
    pub mode: String,
    /// Accounts by state.
    pub counts: BTreeMap<String, i64>,
    /// What is wrong with it as a whole.
    pub trouble: Option<String>,
    /// It is left alone until then.
    pub resume_at: Option<DateTime<Utc>>,
}

/// A tenant's apps in numbers.
#[derive(Debug, Clone)]
pub struct Status {
    /// The apps, in order of their names.
    pub apps: Vec<AppStatus>,
    /// Whether every change that was committed before the question has reached every app that is not paused, or rests
    /// for another reason than that it was not yet its turn: held, parked, quarantined, waiting for a delayed step.
    pub is_settled: bool,
    /// What is frozen: it has no effect before somebody thaws it, and is not waited for.
    pub frozen: Vec<FrozenView>,
}

/// Something that is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenView {
    /// `tenant`, `app`, `connection` or `client`.
    pub what: &'static str,
    /// Its name; none for the whole tenant.
    pub name: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: String,
}

/// Everything that is frozen in a tenant, the longest first.
///
/// # Errors
/// When the store refuses.
pub async fn frozen(conn: &mut Conn, tenant: TenantId) -> Result<Vec<FrozenView>, Error> {
    let rows = store::frozen(conn, tenant).await?;
    Ok(rows
        .into_iter()
        .map(|(app, connection, client, since, reason, by)| {
            let (what, name) = match (app, connection, client) {
                (Some(name), ..) => ("app", Some(name)),
                (_, Some(name), _) => ("connection", Some(name)),
                (.., Some(name)) => ("client", Some(name)),
                _ => ("tenant", None),
            };
            FrozenView {
                what,
                name,
                since,
                reason,
                by,
            }
        })
        .collect())
}

/// How a tenant's apps stand.
///
/// # Errors
/// When the store refuses.
pub async fn status(conn: &mut Conn, tenant: TenantId, now: DateTime<Utc>) -> Result<Status, Error> {
    let is_settled = store::is_settled(conn, tenant, now).await?;
    let mut apps: Vec<AppStatus> = Vec::new();
    for (name, mode, trouble, resume_at, state, count) in store::counts(conn, tenant).await? {
        if apps.last().is_none_or(|last| last.name != name) {
            apps.push(AppStatus {
                name,
                mode,
                counts: BTreeMap::new(),
                trouble,
                resume_at: resume_at.filter(|until| *until > now),
            });
        }
        if let (Some(app), Some(state)) = (apps.last_mut(), state) {
            app.counts.insert(state, count);
        }
    }
    Ok(Status {
        apps,
        is_settled,
        frozen: frozen(conn, tenant).await?,
    })
}
