//! The forecast over everybody, page by page.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{AppInForce, Predicted, foresee, store};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::propose::Why;
use crate::delivery::store::Row;
use crate::directory::Directory;

/// Users and groups in one page: so many bodies are held at a time.
const PAGE: i64 = 1_000;

/// What is thought of accounts that wait for a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::delivery) enum Waiting {
    /// They wait.
    AsItIs,
    /// What is looked at settles it, unless the account was removed by hand.
    Settled,
    /// The same, and nobody has an account yet: the app's are others.
    Unlinked,
}

/// A page of the forecast.
#[derive(Debug)]
pub(in crate::delivery) struct Page {
    /// The last one of the page.
    pub last: ResourceId,
    /// Accounts of the page that are there and not disabled.
    pub open: u64,
    /// The userName or displayName of each.
    pub names: Vec<Option<String>>,
    /// For each app asked about, what would follow, in one and the same order.
    pub outcomes: Vec<Vec<Predicted>>,
}

/// What would follow for everybody after `after` who has or may have an account; `None` at the end. The apps are one
/// app with different settings. A constant number of statements.
pub(in crate::delivery) async fn survey(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    apps: &[(&AppInForce, Waiting)],
    after: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Page>, Error> {
    let Some((first, _)) = apps.first() else {
        return Ok(None);
    };
    let at = (tenant, first.id());
    let pushes_groups = apps.iter().any(|(app, _)| app.rules().settings().groups.push);
    let kinds: &[&str] = if pushes_groups {
        &["User", "Group"]
    } else {
        &["User"]
    };
    let population = store::population(conn, at, after, kinds, PAGE).await?;
    let Some((last, _)) = population.last() else {
        return Ok(None);
    };
    let last = *last;
    let ids: Vec<ResourceId> = population.iter().map(|(id, _)| *id).collect();
    let mut known = store::accounts_of(conn, at, &ids).await?;
    let stored = directory.load(conn, tenant, &ids).await?;
    let rows: Vec<Row> = population
        .iter()
        .map(|(id, kind)| known.remove(id).unwrap_or_else(|| Row::new(*id, kind)))
        .collect();
    let open = rows
        .iter()
        .filter(|row| row.remote_id.is_some() && active(row) != Some(&Value::Bool(false)))
        .count();
    let names = rows
        .iter()
        .map(|row| {
            let object = stored
                .get(&row.resource)
                .map(|stored| &stored.object)
                .or(row.known.as_ref())?;
            let name = object.get("userName").or_else(|| object.get("displayName"))?;
            name.as_str().map(str::to_owned)
        })
        .collect();
    let mut outcomes = Vec::with_capacity(apps.len());
    for (app, waiting) in apps {
        let settled;
        let rows = match waiting {
            Waiting::AsItIs => &rows,
            Waiting::Settled => {
                settled = settle(&rows);
                &settled
            }
            Waiting::Unlinked => {
                settled = unlink(settle(&rows));
                &settled
            }
        };
        outcomes.push(foresee(conn, app.plan(tenant, directory), rows, stored.clone(), now).await?);
    }
    Ok(Some(Page {
        last,
        open: u64::try_from(open).unwrap_or(u64::MAX),
        names,
        outcomes,
    }))
}

fn active(row: &Row) -> Option<&Value> {
    row.known.as_ref()?.get("active")
}

fn settle(rows: &[Row]) -> Vec<Row> {
    rows.iter()
        .map(|row| Row {
            waits: row.waits.clone().filter(|waits| waits.why == Why::Removed),
            ..row.clone()
        })
        .collect()
}

/// The accounts as they stand once every link is dropped.
fn unlink(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter()
        .map(|row| Row {
            waits: row.waits,
            ..Row::new(row.resource, &row.kind)
        })
        .collect()
}
