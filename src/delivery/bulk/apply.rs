//! Applies the plan of an order.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::users::PARTY;
use super::{BulkAction, store};
use crate::base::{AppId, ResourceId, TenantId, TokenId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::AppInForce;
use crate::delivery::propose::examine;
use crate::directory::{self, Cause, Directory, Put};
use crate::guard::{self, Action, ItemState, Mark, Plan};
use crate::provision;

/// Items of one set of statements.
const BATCH: i64 = 500;

/// Does what an order says, as far as it was approved.
///
/// # Errors
/// When the store refuses.
pub(in crate::delivery) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &Plan,
    approved: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let action: Option<BulkAction> = plan
        .counts
        .get("action")
        .and_then(|action| serde_json::from_value(action.clone()).ok());
    match action {
        None => Ok(()),
        Some(BulkAction::Push | BulkAction::Retry) => {
            let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
            match AppInForce::live(conn, directory, tenant, &app).await? {
                Some(live) => examine(conn, directory, (tenant, &live), plan, None, now).await,
                None => Ok(()),
            }
        }
        Some(action) => {
            let mut after = 0;
            loop {
                let items = guard::items(conn, tenant, plan.id, after, BATCH).await?;
                let Some(last) = items.last() else { return Ok(()) };
                after = last.ordinal;
                let planned: Vec<(i32, ResourceId)> = items
                    .iter()
                    .filter(|item| item.state == ItemState::Planned && item.item.action != Action::Skip)
                    .filter_map(|item| Some((item.ordinal, item.item.resource?)))
                    .collect();
                let ids: Vec<ResourceId> = planned.iter().map(|(_, id)| *id).collect();
                match action {
                    BulkAction::Remove => {
                        let by = plan.decided_by.as_deref().unwrap_or("an admin");
                        store::remove_all(conn, (tenant, AppId::from(plan.owner)), &ids, by, approved)
                            .await?;
                    }
                    BulkAction::Suspend => {
                        suspend(conn, directory, (tenant, plan), &planned, now).await?;
                    }
                    _ => release(conn, directory, (tenant, plan), &ids, now).await?,
                }
            }
        }
    }
}

fn cause(plan: &Plan, now: DateTime<Utc>) -> Option<Cause> {
    let token = plan.counts.get("token").and_then(Value::as_str)?;
    Some(Cause::admin(token.parse::<TokenId>().ok()?, now))
}

async fn suspend(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, plan): (TenantId, &Plan),
    planned: &[(i32, ResourceId)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(cause) = cause(plan, now) else {
        return Ok(());
    };
    let ids: Vec<ResourceId> = planned.iter().map(|(_, id)| *id).collect();
    let mut stored = directory.load(conn, tenant, &ids).await?;
    let mut ordinals = Vec::with_capacity(planned.len());
    let mut puts = Vec::with_capacity(planned.len());
    for (ordinal, id) in planned {
        if let Some(user) = stored.remove(id) {
            ordinals.push(*ordinal);
            puts.push(Put {
                id: Some(*id),
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
    let marks: Vec<Mark> = ordinals
        .into_iter()
        .zip(done)
        .filter_map(|(ordinal, done)| {
            let error = done.err()?;
            Some(Mark {
                ordinal,
                state: ItemState::Refused,
                note: Some(error.to_string()),
            })
        })
        .collect();
    guard::mark(conn, tenant, plan.id, &marks).await?;
    Ok(())
}

async fn release(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, plan): (TenantId, &Plan),
    ids: &[ResourceId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(cause) = cause(plan, now) else {
        return Ok(());
    };
    for id in ids {
        match directory.lift(conn, (tenant, *id), Some(PARTY), &cause).await {
            Ok(_) | Err(directory::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
