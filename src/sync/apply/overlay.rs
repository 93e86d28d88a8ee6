//! A planned difference on a user that moved meanwhile.

use serde_json::{Map, Value};

use crate::scim::Object;

/// `now` with the attributes that `delta` names taken from `planned`; all others stay as they are.
pub(in crate::sync) fn overlay(now: &Object, planned: &Object, delta: &[Value]) -> Object {
    let mut object = now.clone();
    for path in delta
        .iter()
        .filter_map(|delta| delta.get("path").and_then(Value::as_str))
    {
        match planned.keys().chain(now.keys()).find(|key| is_below(path, key)) {
            Some(urn) => {
                let attribute = attribute_of(path.get(urn.len() + 1..).unwrap_or_default());
                let value = planned.get(urn).and_then(|part| part.get(attribute)).cloned();
                let part = object
                    .entry(urn.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(part) = part {
                    put(part, attribute, value);
                }
            }
            None => {
                let attribute = attribute_of(path);
                put(&mut object, attribute, planned.get(attribute).cloned());
            }
        }
    }
    object
}

/// `now` with everything that `planned` says; what it does not speak of stays.
pub(super) fn merge(now: &Object, planned: &Object) -> Object {
    let mut object = now.clone();
    for (key, value) in planned {
        match (object.get_mut(key), value) {
            (Some(Value::Object(here)), Value::Object(more)) if key.starts_with("urn:") => {
                here.extend(more.clone());
            }
            _ => {
                object.insert(key.clone(), value.clone());
            }
        }
    }
    object
}

fn is_below(path: &str, key: &str) -> bool {
    key.starts_with("urn:") && path.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
}

fn attribute_of(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

fn put(object: &mut Object, attribute: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(attribute.to_owned(), value);
        }
        None => {
            object.remove(attribute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_the_planned_attributes_move() {
        let now = object(json!({
            "title": "by a client", "nickName": "new", "name": {"givenName": "A", "familyName": "B"},
            ENTERPRISE: {"department": "old", "costCenter": "client"},
        }));
        let planned = object(json!({
            "title": "HR", "nickName": "planned long ago", "name": {"givenName": "A2", "familyName": "B"},
            ENTERPRISE: {"department": "new", "costCenter": "before"},
        }));
        let delta = [
            json!({"path": "title"}),
            json!({"path": "name.givenName"}),
            json!({"path": format!("{ENTERPRISE}:department")}),
        ];
        let expected = object(json!({
            "title": "HR", "nickName": "new", "name": {"givenName": "A2", "familyName": "B"},
            ENTERPRISE: {"department": "new", "costCenter": "client"},
        }));
        assert_eq!(overlay(&now, &planned, &delta), expected);
    }

    #[test]
    fn a_cleared_attribute_goes_and_a_linked_user_keeps_its_own() {
        let now = object(json!({"title": "x", "locale": "de", ENTERPRISE: {"costCenter": "c"}}));
        let cleared = overlay(&now, &Object::new(), &[json!({"path": "title"})]);
        assert!(!cleared.contains_key("title"));
        let linked = merge(
            &now,
            &object(json!({"title": "y", ENTERPRISE: {"department": "d"}})),
        );
        assert_eq!(
            Value::Object(linked),
            json!({"title": "y", "locale": "de", ENTERPRISE: {"costCenter": "c", "department": "d"}})
        );
    }
}
