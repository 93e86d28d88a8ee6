//! Removals: what is ordered, and what of it still stands when it is approved. What is deleted does not come back, so
//! each account is looked at once more.

use serde_json::json;
use uuid::Uuid;

use super::apply::refused;
use super::store::{self, Selected};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::client::endpoint;
use crate::delivery::predict::AppInForce;
use crate::directory::Directory;
use crate::guard::{Action, Item, Mark, Plan, StoredItem};
use crate::provision::{Rules, State};

/// States of accounts that are of no use to anybody: who leaves one of them is wanted again.
const CLOSED: [State; 4] = [
    State::Disabled,
    State::OutOfScope,
    State::Unmatched,
    State::Skipped,
];

/// The item of one account. `version` is that of its user, where the order chose by what the user holds.
pub(super) fn item(app: &AppInForce, one: Selected, version: Option<i64>) -> Option<Item> {
    let remote = one.remote_id?;
    let is_protected = protects(app.rules(), one.known.as_ref());
    let (action, calls, reason) = if is_protected {
        (Action::Skip, json!([]), "a protected account")
    } else {
        let path = format!("/{}/{remote}", endpoint(&one.kind));
        let call = json!([{ "method": "DELETE", "path": path }]);
        (Action::Remove, call, "removed by hand")
    };
    Some(Item {
        action,
        person: None,
        resource: Some(one.resource),
        base_version: version,
        diff: json!({
            "app": app.name(), "kind": one.kind, "calls": calls, "changes": [],
            "stood": { "state": one.state, "remote_id": remote },
        }),
        reason: reason.to_owned(),
    })
}

fn protects(rules: &Rules, known: Option<&crate::scim::Object>) -> bool {
    known.is_some_and(|known| rules.protects(known))
}

/// Has those deleted who are as they were. Returns the others, each with the reason.
pub(super) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, &AppInForce),
    (plan, approved): (&Plan, bool),
    planned: &[&StoredItem],
) -> Result<Vec<Mark>, Error> {
    let at = (tenant, app.id());
    let ids: Vec<ResourceId> = planned.iter().filter_map(|item| item.item.resource).collect();
    let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let found = store::selected(conn, at, (Some(&ids), None), Uuid::nil(), limit).await?;
    let users = directory.load(conn, tenant, &ids).await?;
    let by_state = plan.counts.get("state").is_some();
    let mut standing = Vec::with_capacity(ids.len());
    let mut marks = Vec::new();
    for item in planned {
        let Some(id) = item.item.resource else { continue };
        let version = users.get(&id).map(|user| user.version);
        let now = found.iter().find(|one| one.resource == id);
        match objection(item, now, (app.rules(), by_state, version)) {
            None => standing.push(id),
            Some(why) => marks.push(refused(item, why)),
        }
    }
    let by = plan.decided_by.as_deref().unwrap_or("an admin");
    store::remove_all(conn, at, &standing, by, approved).await?;
    Ok(marks)
}

/// Why an account is not deleted that was to be.
fn objection(
    item: &StoredItem,
    now: Option<&Selected>,
    (rules, by_state, version): (&Rules, bool, Option<i64>),
) -> Option<String> {
    let stood = |name: &str| item.item.diff.get("stood")?.get(name)?.as_str();
    let Some(now) = now else {
        return Some("nothing is known of the account any more".to_owned());
    };
    let (Some(state), Some(remote)) = (stood("state"), stood("remote_id")) else {
        return Some("the order does not say how the account stood: order it again".to_owned());
    };
    if now.remote_id.as_deref() != Some(remote) {
        return Some("it is another account by now, or none".to_owned());
    }
    if protects(rules, now.known.as_ref()) {
        return Some("it is protected by the app's settings by now".to_owned());
    }
    let was_closed = CLOSED.iter().any(|closed| closed.word() == state);
    if now.state != state && (by_state || was_closed) {
        return Some(format!(
            "it was {state} when it was ordered, and is {} now",
            now.state
        ));
    }
    if item.item.base_version.is_some() && item.item.base_version != version {
        return Some("the user changed since it was ordered".to_owned());
    }
    None
}
