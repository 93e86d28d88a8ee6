//! What of a resource stands in columns of its own.

use serde_json::Value;

use crate::base::TenantId;
use crate::scim::{self, Attribute, Object, ResourceType};

/// The columns that follow from the attributes.
#[derive(Debug)]
pub(super) struct Columns {
    pub user_name: Option<String>,
    pub display_name: Option<String>,
    pub active: Option<bool>,
    pub keys: Vec<i64>,
    /// The attributes as JSON text.
    pub body: String,
}

/// The columns of an object; with its keys, which take the longest to work out, where they may have changed.
pub(super) fn columns(tenant: TenantId, kind: &ResourceType, object: &Object, with_keys: bool) -> Columns {
    let folded = |name: &str| object.get(name).and_then(Value::as_str).map(scim::fold);
    Columns {
        user_name: folded("userName"),
        display_name: folded("displayName"),
        active: object.get("active").and_then(Value::as_bool),
        keys: if with_keys {
            super::key::keys(tenant, kind, object)
        } else {
            Vec::new()
        },
        body: text(object),
    }
}

/// The JSON text of an object.
pub(super) fn text(object: &Object) -> String {
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}

/// Reads a stored body. What is stored is always an object.
pub(super) fn object(body: Value) -> Object {
    match body {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// What becomes of a missing `active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is true.
    True,
    /// It stays missing, while nobody holds the user disabled.
    Missing,
}

/// Makes an object fit for the store: `active` says what the holds say, hidden values are gone.
pub(super) fn settle(kind: &ResourceType, object: &mut Object, disabled_by: &[String], missing: Missing) {
    drop_hidden(&kind.schema.attributes, object);
    for extension in &kind.extensions {
        if let Some(Value::Object(inner)) = object.get_mut(&extension.schema.id) {
            drop_hidden(&extension.schema.attributes, inner);
        }
    }
    if kind.core("active").is_none() {
        return;
    }
    if !disabled_by.is_empty() {
        object.insert("active".to_owned(), Value::Bool(false));
    } else if object.contains_key("active") || missing == Missing::True {
        object.insert("active".to_owned(), Value::Bool(true));
    }
}

fn drop_hidden(attributes: &[std::sync::Arc<Attribute>], object: &mut Object) {
    for attribute in attributes {
        if attribute.is_hidden() {
            object.remove(&attribute.name);
        }
    }
}

/// The holds after a party spoke: `holds` says whether it holds the user disabled now.
pub(super) fn holds_after(before: &[String], party: &str, holds: bool) -> Vec<String> {
    let mut after: Vec<String> = before.iter().filter(|one| *one != party).cloned().collect();
    if holds {
        after.push(party.to_owned());
    }
    after.sort_unstable();
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_lifts_only_its_own_hold() {
        let both = vec!["client:1".to_owned(), "hr".to_owned()];
        assert_eq!(holds_after(&both, "client:1", false), ["hr"]);
        assert_eq!(holds_after(&both, "client:2", false), both);
        assert_eq!(holds_after(&both, "admin", true), ["admin", "client:1", "hr"]);
        assert_eq!(holds_after(&both, "hr", true), both);
    }
}
