//! Plans about the accounts of one app.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::store::{self, Selected};
use super::{BulkAction, Order, Selection, removal};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::predict::{AppInForce, accounts_of, foresee};
use crate::delivery::propose::{About, Proposal};
use crate::delivery::store::Row;
use crate::delivery::{Error, Proposed};
use crate::directory::Directory;
use crate::guard::{Cause, Item};

/// Accounts of one set of statements.
const BATCH: i64 = 500;

/// The plan of an order about accounts.
pub(super) async fn propose(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, &AppInForce),
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Proposed, Error> {
    let at = (tenant, app.id());
    let about = About::app(app.id(), app.name());
    let mut plan = Proposal::open(conn, tenant, about, Cause::Bulk, now).await?;
    plan.effects.accounts = store::accounts_there(conn, at).await?;
    let mut after = Uuid::nil();
    loop {
        let (ids, state) = match &order.selection {
            Selection::Ids(ids) => (Some(ids.as_slice()), None),
            Selection::State(state) => (None, Some(*state)),
            Selection::Filter(_) => (None, None),
        };
        let state = match order.action {
            BulkAction::Retry => state.or(Some(crate::provision::State::Parked)),
            _ => state,
        };
        let page = store::selected(conn, at, (ids, state), after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = last.resource.uuid();
        let page = match &order.selection {
            Selection::Filter(filter) => filtered(conn, directory, tenant, page, filter).await?,
            _ => page.into_iter().map(|one| (one, None)).collect(),
        };
        if order.action == BulkAction::Remove {
            let items: Vec<Item> = page
                .into_iter()
                .filter_map(|(one, version)| removal::item(app, one, version))
                .collect();
            plan.add_items(conn, items).await?;
        } else {
            let ids: Vec<ResourceId> = page.iter().map(|(one, _)| one.resource).collect();
            let accounts = accounts_of(conn, at, &ids).await?;
            let rows: Vec<Row> = accounts
                .into_values()
                .map(|row| Row { waits: None, ..row })
                .collect();
            let stored = directory.load(conn, tenant, &ids).await?;
            let found = foresee(conn, app.plan(tenant, directory), &rows, stored, now).await?;
            plan.add(conn, &found).await?;
        }
    }
    let mut said = json!({ "action": order.action, "reason": order.reason });
    if let (Selection::State(state), Some(said)) = (&order.selection, said.as_object_mut()) {
        said.insert("state".to_owned(), state.word().into());
    }
    let limits = app.rules().settings().guard;
    plan.seal(conn, &limits, &said, now).await
}

/// Those whose users the filter finds, each with the version of its user.
async fn filtered(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    page: Vec<Selected>,
    filter: &crate::scim::filter::Bound,
) -> Result<Vec<(Selected, Option<i64>)>, Error> {
    let ids: Vec<ResourceId> = page.iter().map(|one| one.resource).collect();
    let stored = directory.load(conn, tenant, &ids).await?;
    Ok(page
        .into_iter()
        .filter_map(|one| {
            let user = stored.get(&one.resource)?;
            filter.matches(&user.object).then_some((one, Some(user.version)))
        })
        .collect())
}
