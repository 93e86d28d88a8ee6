//! Plans about users: suspended or released in the admins' name, in every app.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{BulkAction, Order, Selection, store};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::propose::{About, Proposal};
use crate::delivery::{Error, Proposed};
use crate::directory::{Directory, Stored};
use crate::guard::{Action, Cause, EffectLimits, Item};
use crate::provision::App;

/// Users of one set of statements.
const BATCH: i64 = 500;
/// The party in whose name an admin disables.
pub(super) const PARTY: &str = "admin";

/// The plan of an order about users. It is judged against all users there are, by the limits an app has by default.
pub(super) async fn propose(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, Option<&App>),
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Proposed, Error> {
    let about = About {
        owner: tenant.uuid(),
        app: None,
        name: None,
    };
    let mut plan = Proposal::open(conn, tenant, about, Cause::Bulk, now).await?;
    plan.effects.accounts = store::active_users(conn, tenant).await?;
    let mut after = Uuid::nil();
    loop {
        let ids: Vec<ResourceId> = match (&order.selection, app) {
            (Selection::Ids(ids), _) => store::users(conn, tenant, Some(ids), after, BATCH).await?,
            (Selection::Filter(_), _) => store::users(conn, tenant, None, after, BATCH).await?,
            (Selection::State(state), Some(app)) => {
                let page =
                    store::selected(conn, (tenant, app.id), (None, Some(*state)), after, BATCH).await?;
                page.into_iter().map(|one| one.resource).collect()
            }
            (Selection::State(_), None) => {
                return Err(Error::Order("name the app whose accounts are in that state"));
            }
        };
        let Some(last) = ids.last() else { break };
        after = last.uuid();
        let stored = directory.load(conn, tenant, &ids).await?;
        let items: Vec<Item> = ids
            .iter()
            .filter_map(|id| stored.get(id))
            .filter(|user| user.kind == "User")
            .filter(|user| match &order.selection {
                Selection::Filter(filter) => filter.matches(&user.object),
                _ => true,
            })
            .filter_map(|user| item(order.action, user))
            .collect();
        plan.add_items(conn, items).await?;
    }
    let said = json!({ "action": order.action, "reason": order.reason, "token": order.token });
    plan.seal(conn, &EffectLimits::default(), &said, now).await
}

fn item(action: BulkAction, user: &Stored) -> Option<Item> {
    let is_held = user.disabled_by.iter().any(|party| party == PARTY);
    let (action, reason) = match action {
        BulkAction::Suspend if !is_held => (Action::Disable, "suspended by an admin"),
        BulkAction::Release if is_held => (Action::Update, "released by an admin"),
        _ => return None,
    };
    let is_active = action == Action::Update;
    let change = json!({ "path": "active", "old": user.active, "new": is_active });
    Some(Item {
        action,
        person: user.person,
        resource: Some(user.id),
        base_version: Some(user.version),
        diff: json!({ "kind": "User", "calls": [], "changes": [change] }),
        reason: reason.to_owned(),
    })
}
