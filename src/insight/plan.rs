//! Items of plans as people read them: the same shape whatever made the plan.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Error;
use super::explain::masked;
use super::plan_calls::{Foretelling, hide};
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::Directory;
use crate::guard::{Action, ItemState, StoredItem};
use crate::scim::{Object, ResourceType, diff};
use crate::sync::Planned;

/// One attribute that an item changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemChange {
    /// The path: `title`, `name.givenName`, `emails`; `groups` for a group entered (new, its name) or left (old, its id).
    pub path: String,
    /// What is there; null when nothing is. Masked when it is sensitive.
    pub old: Value,
    /// What would be there.
    pub new: Value,
}

/// An item of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct ItemView {
    /// Its place, from 1.
    pub ordinal: i32,
    /// What it does.
    pub action: Action,
    /// The person it is about.
    pub person: Option<PersonId>,
    /// The user or group it changes, when there is one.
    pub user: Option<ResourceId>,
    /// How far it is.
    pub state: ItemState,
    /// Why, without personal data.
    pub reason: String,
    /// What was said when it was refused or declined.
    pub note: Option<String>,
    /// What differs.
    pub changes: Vec<ItemChange>,
    /// The app it is about, for plans of apps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Value>,
    /// What apps would be sent, where it was asked for or is what the plan is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Value>,
}

/// Items as people read them; sensitive values are masked. One look at the tenant's schemas, however many items.
///
/// # Errors
/// When the store refuses.
pub async fn plan_items(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    items: Vec<StoredItem>,
) -> Result<Vec<ItemView>, Error> {
    let kind = directory.kind(conn, tenant, "User").await?;
    Ok(items.into_iter().map(|item| view(&kind, item)).collect())
}

/// The same, with the calls that each app would get of the items that are still open.
///
/// # Errors
/// When the store refuses.
pub async fn plan_items_with_calls(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    items: Vec<StoredItem>,
    now: DateTime<Utc>,
) -> Result<Vec<ItemView>, Error> {
    let foretelling = Foretelling::load(conn, directory, tenant).await?;
    let calls = foretelling.calls(conn, directory, tenant, &items, now).await?;
    let mut views = plan_items(conn, directory, tenant, items).await?;
    for (view, calls) in views.iter_mut().zip(calls) {
        view.calls.get_or_insert(calls);
    }
    Ok(views)
}

fn view(kind: &ResourceType, stored: StoredItem) -> ItemView {
    let item = &stored.item;
    let told = item.diff.get("changes").and_then(Value::as_array);
    let changes = match told {
        Some(changes) => changes
            .iter()
            .filter_map(|change| told_change(kind, change))
            .collect(),
        None => {
            Planned::of(item).map_or_else(Vec::new, |planned| planned_changes(kind, item.action, planned))
        }
    };
    ItemView {
        ordinal: stored.ordinal,
        action: item.action,
        person: item.person,
        user: item.resource,
        state: stored.state,
        changes,
        app: item.diff.get("app").cloned(),
        calls: item.diff.get("calls").cloned().map(|calls| hidden(kind, calls)),
        reason: stored.item.reason,
        note: stored.note,
    }
}

/// Calls with what is sensitive masked.
fn hidden(kind: &ResourceType, mut calls: Value) -> Value {
    for call in calls.as_array_mut().into_iter().flatten() {
        if let Some(body) = call.get_mut("body") {
            hide(kind, body);
        }
    }
    calls
}

/// A change as the maker of the plan wrote it down.
fn told_change(kind: &ResourceType, change: &Value) -> Option<ItemChange> {
    let value = |side| change.get(side).cloned().unwrap_or_default();
    let path = change.get("path")?.as_str()?.to_owned();
    Some(shown(kind, path, value("old"), value("new")))
}

fn planned_changes(kind: &ResourceType, action: Action, planned: Planned) -> Vec<ItemChange> {
    let mut changes = Vec::new();
    if matches!(action, Action::Create | Action::Link)
        && planned.delta.is_empty()
        && let Some(object) = &planned.object
    {
        let made = diff::diff(kind, &Object::new(), object);
        changes.extend(
            made.into_iter()
                .map(|line| shown(kind, line.path, Value::Null, line.after.unwrap_or_default())),
        );
    }
    for line in planned.delta {
        let value = |side| line.get(side).cloned().unwrap_or_default();
        if let Some(path) = line.get("path").and_then(Value::as_str) {
            changes.push(shown(kind, path.to_owned(), value("before"), value("after")));
        }
    }
    if let Some(active) = planned.active {
        let old = if matches!(action, Action::Create | Action::Link) {
            Value::Null
        } else {
            (!active).into()
        };
        changes.push(plain("active", old, active.into()));
    }
    let entered = planned
        .enters
        .into_iter()
        .map(|name| plain("groups", Value::Null, name.into()));
    changes.extend(entered);
    let left = planned
        .leaves
        .iter()
        .map(|id| plain("groups", id.to_string().into(), Value::Null));
    changes.extend(left);
    changes
}

fn plain(path: &str, old: Value, new: Value) -> ItemChange {
    ItemChange {
        path: path.to_owned(),
        old,
        new,
    }
}

/// A change with what may not be seen masked; that there is a value stays visible.
fn shown(kind: &ResourceType, path: String, old: Value, new: Value) -> ItemChange {
    let hide = |value: Value| match value {
        Value::Null => Value::Null,
        value => masked(kind, &path, value),
    };
    let (old, new) = (hide(old), hide(new));
    ItemChange { path, old, new }
}

/// The columns of an exported plan.
pub const ITEM_COLUMNS: [&str; 10] = [
    "ordinal", "action", "person", "user", "state", "reason", "note", "path", "old", "new",
];

/// An item, in its JSON form, as rows of a table: one for each change, at least one.
#[must_use]
pub fn item_rows(item: &Value) -> Vec<[String; 10]> {
    let column = |name: &str| item.get(name).map(cell).unwrap_or_default();
    let head = ["ordinal", "action", "person", "user", "state", "reason", "note"].map(column);
    let row = |change: [String; 3]| {
        let [a, b, c, d, e, f, g] = head.clone();
        let [path, old, new] = change;
        [a, b, c, d, e, f, g, path, old, new]
    };
    let changes = item.get("changes").and_then(Value::as_array);
    let rows: Vec<[String; 10]> = changes
        .into_iter()
        .flatten()
        .map(|change| row(["path", "old", "new"].map(|side| change.get(side).map(cell).unwrap_or_default())))
        .collect();
    if rows.is_empty() {
        vec![row(Default::default())]
    } else {
        rows
    }
}

/// A value as a cell: text as it is, but never as a formula of a spreadsheet; anything else as JSON.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exported_item_has_a_row_for_each_change_and_no_formula() {
        let item = json!({
            "ordinal": 7, "action": "update", "person": "p", "user": null, "state": "planned", "reason": "changed in HR",
            "note": null,
            "changes": [
                { "path": "title", "old": "=1+1", "new": "Lead" },
                { "path": "active", "old": true, "new": false },
            ],
        });
        let rows = item_rows(&item);
        let ends: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(
            ends,
            [
                "7|update|p||planned|changed in HR||title|'=1+1|Lead",
                "7|update|p||planned|changed in HR||active|true|false",
            ]
        );
        assert_eq!(item_rows(&json!({ "ordinal": 1, "action": "remove" })).len(), 1);
    }
}
