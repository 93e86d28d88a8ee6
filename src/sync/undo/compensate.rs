//! What takes one item of a run back.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::order::Made;
use super::store::Trace;
use crate::base::ResourceId;
use crate::directory::Stored;
use crate::guard::{Action, Item};
use crate::scim::{self, AttrPath, Object, ResourceType};
use crate::sync::plan::{Effect, kept};

/// Paths that follow from others, or say whose user it is.
const DERIVED: &[&str] = &["active", "disabledBy", "externalId", "schemas"];

/// What applying a compensating item needs beside its object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Undo {
    /// What becomes of HR's hold: true holds again, false lifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hr: Option<bool>,
    /// Hold it disabled in the admins' name.
    pub admin: bool,
    /// Groups to enter again.
    pub enter: Vec<ResourceId>,
    /// Groups to leave again.
    pub leave: Vec<ResourceId>,
    /// Whom to keep it back for, and what: path and the value that HR said.
    pub subject: String,
    /// See `subject`.
    pub kept: Vec<(String, Value)>,
}

/// The form in which a compensating item is stored: what a run's items have too is named alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Compensation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    pub delta: Vec<Value>,
    pub lifts: bool,
    pub changes: Vec<Value>,
    pub undo: Undo,
}

/// One applied item with what is known of its user now.
pub(super) struct Look<'a> {
    pub kind: &'a ResourceType,
    pub made: Made,
    pub item: &'a Item,
    pub effect: &'a Effect,
    pub user: Option<&'a Stored>,
    pub trace: &'a Trace,
    /// HR's groups that the user is in.
    pub groups: &'a HashSet<ResourceId>,
    /// The groups that the run let it enter, by key.
    pub entered: Vec<(String, ResourceId)>,
    /// The groups that the run let it leave and that are still there.
    pub left: Vec<ResourceId>,
}

impl Look<'_> {
    /// The items that take it back: at most one with an effect, and one that lists what others changed since.
    pub fn compensate(&self) -> Vec<Item> {
        let Some(user) = self.user else {
            return match self.item.action {
                Action::Remove => vec![self.conflict(
                    "the run deleted this user: a new one is made by the next run that finds the person in HR",
                    Vec::new(),
                )],
                _ => vec![self.conflict("the user was deleted since", Vec::new())],
            };
        };
        match self.item.action {
            Action::Create if self.trace.made => vec![self.unmake(user)],
            Action::Create | Action::Link | Action::Update | Action::Disable => self.restore(user),
            _ => Vec::new(),
        }
    }

    fn conflict(&self, reason: &str, changes: Vec<Value>) -> Item {
        let compensation = Compensation {
            changes,
            ..Compensation::default()
        };
        self.stored(Action::Conflict, reason.to_owned(), &compensation)
    }

    fn stored(&self, action: Action, reason: String, compensation: &Compensation) -> Item {
        Item {
            action,
            person: self.item.person,
            resource: self.user.map(|user| user.id).or(self.item.resource),
            base_version: self.user.map(|user| user.version),
            diff: serde_json::to_value(compensation).unwrap_or_default(),
            reason,
        }
    }

    /// A user that the run made.
    fn unmake(&self, user: &Stored) -> Item {
        let active = json!([{ "path": "active", "old": user.active, "new": false }]);
        let changes = active.as_array().cloned().unwrap_or_default();
        if let Some(who) = &self.trace.touched {
            return self.conflict(
                &format!("made by the run and changed since by {}", doer(who)),
                changes,
            );
        }
        match self.made {
            Made::Remove => self.stored(
                Action::Remove,
                "made by the run".to_owned(),
                &Compensation::default(),
            ),
            Made::Disable => {
                let compensation = Compensation {
                    object: Some(user.object.clone()),
                    changes,
                    undo: Undo {
                        admin: true,
                        ..Undo::default()
                    },
                    ..Compensation::default()
                };
                self.stored(Action::Disable, "made by the run".to_owned(), &compensation)
            }
        }
    }

    /// A user that was there before.
    fn restore(&self, user: &Stored) -> Vec<Item> {
        let mut object = user.object.clone();
        let mut undo = Undo {
            subject: self
                .item
                .person
                .map(|person| person.to_string())
                .unwrap_or_default(),
            ..Undo::default()
        };
        let mut conflicts = Vec::new();
        let mut others: Vec<String> = Vec::new();
        for (path, (before, after)) in &self.trace.changed {
            if DERIVED.contains(&path.as_str()) {
                continue;
            }
            let now = get(&user.object, path);
            if let Some(who) = self.trace.since.get(path).filter(|_| !same(&now, after)) {
                conflicts.push(json!({ "path": path, "old": now, "new": before }));
                others.push(doer(who));
            } else if same(&now, after) {
                set(&mut object, path, before.clone());
                undo.kept.push((path.clone(), after.clone()));
            }
        }
        self.hold(user, &mut undo);
        self.memberships(&mut undo);
        if self.item.action == Action::Disable && undo.hr == Some(false) {
            undo.kept
                .extend(kept::parts(Action::Disable, self.effect, &self.item.reason));
        }
        let mut items = Vec::new();
        items.extend(self.restored(user, object, undo));
        if !conflicts.is_empty() {
            others.sort();
            others.dedup();
            let reason = format!("changed since by {}", others.join(", "));
            items.push(self.conflict(&reason, conflicts));
        }
        items
    }

    /// HR's hold as it was before the run, if it is as the run left it.
    fn hold(&self, user: &Stored, undo: &mut Undo) {
        let Some((before, after)) = self.trace.changed.get("disabledBy") else {
            return;
        };
        let has = |list: &Value| {
            list.as_array()
                .is_some_and(|parties| parties.iter().any(|party| party == "hr"))
        };
        let now = user.disabled_by.iter().any(|party| party == "hr");
        if has(before) != has(after) && now == has(after) {
            undo.hr = Some(has(before));
            if has(before) {
                undo.kept.push(("active".to_owned(), true.into()));
            }
        }
    }

    fn memberships(&self, undo: &mut Undo) {
        for (key, group) in &self.entered {
            if self.groups.contains(group) {
                undo.leave.push(*group);
                undo.kept.push((format!("group:{key}"), true.into()));
            }
        }
        for group in &self.left {
            if !self.groups.contains(group) {
                undo.enter.push(*group);
                undo.kept.push((format!("group:{group}"), false.into()));
            }
        }
    }

    fn restored(&self, user: &Stored, mut object: Object, undo: Undo) -> Option<Item> {
        let mut before = user.object.clone();
        before.remove("active");
        object.remove("active");
        let lines = scim::diff::diff(self.kind, &before, &object);
        if lines.is_empty() && undo.hr.is_none() && undo.enter.is_empty() && undo.leave.is_empty() {
            return None;
        }
        let mut changes: Vec<Value> = lines
            .iter()
            .map(|line| json!({ "path": line.path, "old": line.before, "new": line.after }))
            .collect();
        if let Some(hr) = undo.hr {
            changes.push(json!({ "path": "active", "old": hr, "new": !hr }));
        }
        changes.extend(
            undo.enter
                .iter()
                .map(|id| json!({ "path": "groups", "old": null, "new": id })),
        );
        changes.extend(
            undo.leave
                .iter()
                .map(|id| json!({ "path": "groups", "old": id, "new": null })),
        );
        let action = if undo.hr == Some(true) {
            Action::Disable
        } else {
            Action::Update
        };
        let compensation = Compensation {
            object: Some(object),
            delta: lines
                .into_iter()
                .filter_map(|line| serde_json::to_value(line).ok())
                .collect(),
            lifts: undo.hr == Some(false),
            changes,
            undo,
        };
        Some(self.stored(action, "as it was before the run".to_owned(), &compensation))
    }
}

/// Who made a change, by kind and id.
fn doer(origin: &Value) -> String {
    let word = |member: &str| origin.get(member).and_then(Value::as_str);
    let by = word("by").unwrap_or("somebody");
    let id = match by {
        "run" | "undo" => word("run"),
        "client" => word("client"),
        _ => word("token").or_else(|| word("rule")),
    };
    id.map_or_else(|| by.to_owned(), |id| format!("{by} {id}"))
}

/// Absent, null and empty are the same (RFC 7643 §2.5).
fn same(one: &Value, other: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(parts) => parts.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    };
    one == other || (empty(one) && empty(other))
}

/// The parts of a path as the log writes it: extension, attribute, sub-attribute.
fn split(path: &str) -> Option<(Option<String>, String, Option<String>)> {
    let parsed = AttrPath::parse(path)?;
    Some((parsed.urn, parsed.name, parsed.sub))
}

/// The value at a path of the log; null when there is none.
pub(super) fn get(object: &Object, path: &str) -> Value {
    let Some((urn, name, sub)) = split(path) else {
        return Value::Null;
    };
    let root = match urn {
        Some(urn) => object.get(&urn).and_then(|part| part.get(&name)),
        None => object.get(&name),
    };
    match (root, sub) {
        (Some(root), Some(sub)) => root.get(&sub).cloned().unwrap_or_default(),
        (Some(root), None) => root.clone(),
        (None, _) => Value::Null,
    }
}

/// Puts a value at a path of the log; null takes it away.
fn set(object: &mut Object, path: &str, value: Value) {
    let Some((urn, name, sub)) = split(path) else {
        return;
    };
    let Some(urn) = urn else {
        return put(object, name, sub, value);
    };
    let part = object
        .entry(urn.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(part) = part {
        put(part, name, sub, value);
        if part.is_empty() {
            object.remove(&urn);
        }
    }
}

fn put(object: &mut Object, name: String, sub: Option<String>, value: Value) {
    match sub {
        None if value.is_null() => {
            object.remove(&name);
        }
        None => {
            object.insert(name, value);
        }
        Some(sub) => {
            let root = object
                .entry(name.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(parts) = root {
                put(parts, sub, None, value);
                if parts.is_empty() {
                    object.remove(&name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn values_are_read_and_put_back_where_the_log_says() {
        let whole = json!({
            "title": "x", "name": { "givenName": "A" },
            ENTERPRISE: { "department": "D", "manager": { "value": "m" } },
        });
        let mut object = whole.as_object().cloned().unwrap();
        let manager = format!("{ENTERPRISE}:manager.value");
        assert_eq!(get(&object, &manager), json!("m"));
        set(&mut object, &manager, Value::Null);
        set(&mut object, "name.familyName", json!("B"));
        set(&mut object, "title", Value::Null);
        set(&mut object, &format!("{ENTERPRISE}:department"), json!("E"));
        assert_eq!(
            Value::Object(object),
            json!({ "name": { "givenName": "A", "familyName": "B" }, ENTERPRISE: { "department": "E" } })
        );
    }
}
