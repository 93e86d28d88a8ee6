//! Applies the plan of an order.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::users::PARTY;
use super::{BulkAction, removal};
use crate::base::{AppId, ResourceId, TenantId, TokenId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::AppInForce;
use crate::delivery::propose::examine;
use crate::directory::{self, Cause, Directory, Put};
use crate::guard::{self, Action, ItemState, Mark, Plan, StoredItem};
use crate::provision;

/// Items of one set of statements.
const BATCH: i64 = 500;

/// Does what an order says, as far as it was approved and still stands.
///
/// # Errors
/// When it cannot be done any more, or the store refuses.
pub(in crate::delivery) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &Plan,
    approved: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let action = plan.counts.get("action").cloned().unwrap_or_default();
    let action: BulkAction = serde_json::from_value(action)
        .map_err(|_| Error::Refused("the plan does not say what was ordered"))?;
    let live = match action {
        BulkAction::Suspend | BulkAction::Release => None,
        BulkAction::Push | BulkAction::Retry | BulkAction::Remove => {
            let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
            AppInForce::live(conn, directory, tenant, &app).await?
        }
    };
    if let (BulkAction::Push | BulkAction::Retry, Some(live)) = (action, &live) {
        examine(conn, directory, (tenant, live), plan, None, now).await?;
        return Ok(());
    }
    let mut after = 0;
    loop {
        let items = guard::items(conn, tenant, plan.id, after, BATCH).await?;
        let Some(last) = items.last() else { return Ok(()) };
        after = last.ordinal;
        let planned: Vec<&StoredItem> = items
            .iter()
            .filter(|item| item.state == ItemState::Planned && item.item.action != Action::Skip)
            .collect();
        let marks = match (action, &live) {
            (BulkAction::Remove, Some(live)) => {
                removal::apply(conn, directory, (tenant, live), (plan, approved), &planned).await?
            }
            (BulkAction::Suspend, _) => suspend(conn, directory, (tenant, plan), &planned, now).await?,
            (BulkAction::Release, _) => release(conn, directory, (tenant, plan), &planned, now).await?,
            (BulkAction::Push | BulkAction::Retry | BulkAction::Remove, _) => {
                return Err(Error::Order("the app was never published"));
            }
        };
        guard::mark(conn, tenant, plan.id, &marks).await?;
    }
}

/// What of an item is not done, and why.
pub(super) fn refused(item: &StoredItem, why: String) -> Mark {
    Mark {
        ordinal: item.ordinal,
        state: ItemState::Refused,
        note: Some(why),
    }
}

fn cause(plan: &Plan, now: DateTime<Utc>) -> Result<Cause, Error> {
    let token = plan.counts.get("token").and_then(Value::as_str);
    let token = token.and_then(|token| token.parse::<TokenId>().ok());
    let token = token.ok_or(Error::Refused("the plan does not say who ordered it"))?;
    Ok(Cause::admin(token, now))
}

async fn suspend(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, plan): (TenantId, &Plan),
    planned: &[&StoredItem],
    now: DateTime<Utc>,
) -> Result<Vec<Mark>, Error> {
    let cause = cause(plan, now)?;
    let ids: Vec<ResourceId> = planned.iter().filter_map(|item| item.item.resource).collect();
    let mut stored = directory.load(conn, tenant, &ids).await?;
    let mut items = Vec::with_capacity(planned.len());
    let mut puts = Vec::with_capacity(planned.len());
    for item in planned {
        if let Some(user) = item.item.resource.and_then(|id| stored.remove(&id)) {
            items.push(*item);
            puts.push(Put {
                id: Some(user.id),
                kind: user.kind,
                object: user.object,
                external_id: None,
                person: None,
                expected: None,
                disabled_by: vec![PARTY.to_owned()],
            });
        }
    }
    let done = directory.put_many(conn, tenant, puts, &cause).await?;
    Ok(items
        .into_iter()
        .zip(done)
        .filter_map(|(item, done)| Some(refused(item, done.err()?.to_string())))
        .collect())
}

/// Lifts what the admins hold, of users who are as they were when it was ordered: a suspension may have been ordered anew.
async fn release(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, plan): (TenantId, &Plan),
    planned: &[&StoredItem],
    now: DateTime<Utc>,
) -> Result<Vec<Mark>, Error> {
    let cause = cause(plan, now)?;
    let ids: Vec<ResourceId> = planned.iter().filter_map(|item| item.item.resource).collect();
    let stored = directory.load(conn, tenant, &ids).await?;
    let mut marks = Vec::new();
    for item in planned {
        let Some(user) = item.item.resource.and_then(|id| stored.get(&id)) else {
            marks.push(refused(item, "the user is gone".to_owned()));
            continue;
        };
        if Some(user.version) != item.item.base_version {
            marks.push(refused(item, "the user changed since it was ordered".to_owned()));
            continue;
        }
        match directory.lift(conn, (tenant, user.id), Some(PARTY), &cause).await {
            Ok(_) => {}
            Err(directory::Error::NotFound) => marks.push(refused(item, "the user is gone".to_owned())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(marks)
}
