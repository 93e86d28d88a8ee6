//! The second pass: the manager, once everybody has a user.

use serde_json::{Map, Value, json};

use super::mapping::Mapping;
use crate::base::ResourceId;
use crate::hr::ManagerRef;
use crate::scim::{ENTERPRISE, Object, ResourceType, set_schemas};

/// Sets the manager of a user; says whether anything changed.
///
/// `reference` is what the leading record says, `manager` the user it was resolved to, `own` the user itself (nobody is
/// their own manager). A reference to somebody who has no user leaves the manager out until there is one. A record that
/// names no manager keeps the old one, unless the line `manager` says `clear_when_empty`.
pub fn set_manager(
    mapping: &Mapping,
    object: &mut Object,
    reference: Option<&ManagerRef>,
    manager: Option<ResourceId>,
    own: Option<ResourceId>,
) -> bool {
    let policy = mapping.compiled().manager;
    if policy.ignore || (reference.is_none() && !policy.clear_when_empty) {
        return false;
    }
    let manager = manager.filter(|_| reference.is_some());
    put_manager(&mapping.compiled().kind, object, manager, own)
}

/// Writes the manager that was resolved, or takes it away; says whether anything changed. Nobody is their own manager.
pub fn put_manager(
    kind: &ResourceType,
    object: &mut Object,
    manager: Option<ResourceId>,
    own: Option<ResourceId>,
) -> bool {
    let value = manager
        .filter(|manager| Some(*manager) != own)
        .map(|manager| manager.to_string());
    let old = object
        .get(ENTERPRISE)
        .and_then(|extension| extension.get("manager"))
        .and_then(|manager| manager.get("value"))
        .and_then(Value::as_str);
    if old == value.as_deref() {
        return false;
    }
    let extension = object
        .entry(ENTERPRISE.to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(extension) = extension {
        match value {
            Some(value) => extension.insert("manager".to_owned(), json!({"value": value})),
            None => extension.remove("manager"),
        };
    }
    set_schemas(kind, object);
    true
}
