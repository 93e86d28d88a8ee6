//! What each app would be sent if the items of a plan were applied.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::Error;
use super::explain::is_sensitive;
use crate::base::{PlanId, ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::{AppInForce, Predicted, UserAfter, predict};
use crate::directory::{Directory, Stored};
use crate::guard::{self, Action, ItemState, StoredItem};
use crate::provision;
use crate::scim::{Object, ResourceType};
use crate::sync::Planned;

/// The most apps that are asked for one plan.
const MOST_APPS: i32 = 100;
/// How many items are foretold together.
const BATCH: i64 = 1000;
/// What stands in place of a sensitive value.
const MASK: &str = "(hidden)";

/// What an app would be sent of a whole plan, in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct AppCalls {
    /// Its name.
    pub app: String,
    /// observe, link, live or paused: only a live one is sent anything.
    pub mode: &'static str,
    /// Accounts by what would be done to them: create, update, disable, remove; `none` for those left alone.
    pub counts: BTreeMap<&'static str, u64>,
}

/// The apps of a tenant with the settings in force, ready to foretell.
#[derive(Debug)]
pub struct Foretelling {
    apps: Vec<AppInForce>,
}

impl Foretelling {
    /// Loads the apps that are not drafts.
    ///
    /// # Errors
    /// When settings are not usable, or the store refuses.
    pub async fn load(conn: &mut Conn, directory: &Directory, tenant: TenantId) -> Result<Self, Error> {
        let mut apps = Vec::new();
        for app in provision::apps(conn, tenant, "", MOST_APPS).await? {
            apps.extend(AppInForce::live(conn, directory, tenant, &app).await?);
        }
        Ok(Self { apps })
    }

    /// The calls that each app would get, item by item, as JSON: app, method, path, body; and why, for an app that would
    /// get none.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn calls(
        &self,
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        items: &[StoredItem],
        now: DateTime<Utc>,
    ) -> Result<Vec<Value>, Error> {
        let kind = directory.kind(conn, tenant, "User").await?;
        let (places, users) = users_after(conn, directory, tenant, items).await?;
        let mut calls: Vec<Vec<Value>> = vec![Vec::new(); items.len()];
        for app in &self.apps {
            let foretold = predict(conn, directory, tenant, app, &users, now).await?;
            for (place, one) in places.iter().zip(&foretold) {
                if let Some(of) = calls.get_mut(*place) {
                    of.extend(told(app, one, &kind));
                }
            }
        }
        Ok(calls.into_iter().map(Value::Array).collect())
    }

    /// What each app would be sent of a whole plan, batch by batch.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn of_plan(
        &self,
        conn: &mut Conn,
        directory: &Directory,
        (tenant, plan): (TenantId, PlanId),
        now: DateTime<Utc>,
    ) -> Result<Vec<AppCalls>, Error> {
        let mut all: Vec<AppCalls> = self
            .apps
            .iter()
            .map(|app| AppCalls {
                app: app.name().to_owned(),
                mode: app.mode().word(),
                counts: BTreeMap::new(),
            })
            .collect();
        let mut after = 0_i32;
        loop {
            let items = guard::items(conn, tenant, plan, after, BATCH).await?;
            let Some(last) = items.last() else { return Ok(all) };
            after = last.ordinal;
            let (_, users) = users_after(conn, directory, tenant, &items).await?;
            for (app, numbers) in self.apps.iter().zip(&mut all) {
                for one in predict(conn, directory, tenant, app, &users, now).await? {
                    let word = one.action.map_or("none", Action::as_str);
                    let count = numbers.counts.entry(word).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
    }
}

/// The users that open items would leave behind, each with the place of its item.
async fn users_after(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    items: &[StoredItem],
) -> Result<(Vec<usize>, Vec<UserAfter>), Error> {
    let ids: Vec<ResourceId> = items.iter().filter_map(|item| item.item.resource).collect();
    let now = directory.load(conn, tenant, &ids).await?;
    Ok(items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.state == ItemState::Planned)
        .filter_map(|(place, item)| {
            let current = item.item.resource.and_then(|id| now.get(&id));
            Some((place, after(item, current)?))
        })
        .unzip())
}

fn after(item: &StoredItem, current: Option<&Stored>) -> Option<UserAfter> {
    let id = item.item.resource.unwrap_or_else(ResourceId::new);
    if item.item.action == Action::Remove {
        return Some(UserAfter { id, object: None });
    }
    if matches!(item.item.action, Action::Skip | Action::Hold | Action::Conflict) {
        return None;
    }
    let planned = Planned::of(&item.item)?;
    let mut object: Object = match (planned.object, current) {
        (Some(object), Some(current)) if item.item.action == Action::Link => {
            let mut whole = current.object.clone();
            whole.extend(object);
            whole
        }
        (Some(object), _) => object,
        (None, Some(current)) if planned.active.is_some() => current.object.clone(),
        (None, _) => return None,
    };
    let active = planned
        .active
        .or_else(|| current.and_then(|current| current.active))
        .unwrap_or(true);
    object.insert("active".to_owned(), active.into());
    Some(UserAfter {
        id,
        object: Some(object),
    })
}

/// The calls of one account; one line that says why, when there is none and the app is not simply up to date.
fn told(app: &AppInForce, one: &Predicted, kind: &ResourceType) -> Vec<Value> {
    let calls: Vec<Value> = one
        .calls()
        .map(|call| {
            let mut body = call.body.clone();
            if let Some(body) = &mut body {
                hide(kind, body);
            }
            json!({ "app": app.name(), "method": call.method, "path": call.path, "body": body })
        })
        .collect();
    if calls.is_empty() && !one.reason.is_empty() {
        return vec![json!({ "app": app.name(), "state": one.state.word(), "reason": one.reason })];
    }
    calls
}

/// Masks what is sensitive in a resource or in the operations of a PATCH.
pub(super) fn hide(kind: &ResourceType, body: &mut Value) {
    let Value::Object(members) = body else { return };
    if let Some(Value::Array(operations)) = members.get_mut("Operations") {
        for operation in operations {
            let path = operation
                .get("path")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            match operation.get_mut("value") {
                Some(value) if is_sensitive(kind, &path) => *value = MASK.into(),
                Some(value) if path.is_empty() => hide(kind, value),
                _ => {}
            }
        }
        return;
    }
    for (name, value) in members {
        match value {
            Value::Object(parts) if name.starts_with("urn:") => {
                for (part, value) in parts {
                    if is_sensitive(kind, &format!("{name}:{part}")) {
                        *value = MASK.into();
                    }
                }
            }
            value if is_sensitive(kind, name) => *value = MASK.into(),
            _ => {}
        }
    }
}
