//! Undoing lines of the log.

use serde_json::{Map, Value};

use crate::scim::{AttrPath, Object};

/// Puts back what one line of a delta changed: to what was before it.
pub(super) fn line(object: &mut Object, disabled_by: &mut Vec<String>, line: &Value) {
    let Some(path) = line.get("path").and_then(Value::as_str) else {
        return;
    };
    let before = line.get("before").cloned();
    match path {
        "externalId" => {}
        "disabledBy" => {
            *disabled_by = before
                .and_then(|before| serde_json::from_value(before).ok())
                .unwrap_or_default();
        }
        path => set(object, path, before),
    }
}

/// Sets what is at a path of a difference, or takes it away; what is left empty around it goes too.
pub(super) fn set(object: &mut Object, path: &str, value: Option<Value>) {
    let Some(parsed) = AttrPath::parse(path) else {
        put(object, path, value);
        return;
    };
    match &parsed.urn {
        Some(urn) if object.contains_key(urn) || value.is_some() => {
            within(object, urn, |extension| at(extension, &parsed, value));
        }
        Some(_) => {}
        None => at(object, &parsed, value),
    }
}

fn at(object: &mut Object, path: &AttrPath, value: Option<Value>) {
    match &path.sub {
        None => put(object, &path.name, value),
        Some(sub) => within(object, &path.name, |part| put(part, sub, value)),
    }
}

fn put(object: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(name.to_owned(), value);
        }
        None => {
            object.remove(name);
        }
    }
}

/// Works on an inner object, which is made for it and goes when it is left empty.
fn within(object: &mut Object, name: &str, work: impl FnOnce(&mut Object)) {
    let mut inner = match object.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    work(&mut inner);
    if !inner.is_empty() {
        object.insert(name.to_owned(), Value::Object(inner));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::{ENTERPRISE, Registry, diff, set_schemas};

    /// A user of few attributes, each there or not.
    fn users() -> impl Strategy<Value = Object> {
        let texts = proptest::collection::btree_map(0_usize..8, "[a-c]{1,2}", 0..8);
        let mails = proptest::collection::vec("[a-c]{1,3}", 0..3);
        (texts, mails, any::<bool>()).prop_map(|(texts, mails, active): (BTreeMap<usize, String>, _, _)| {
            let places = [
                "userName",
                "title",
                "displayName",
                "nickName",
                "name.givenName",
                "name.familyName",
                &format!("{ENTERPRISE}:department"),
                &format!("{ENTERPRISE}:manager.value"),
            ];
            let mut object = Object::new();
            for (place, text) in texts {
                set(&mut object, places[place], Some(Value::from(text)));
            }
            let mails: Vec<Value> = mails
                .iter()
                .map(|mail| json!({ "value": mail, "type": mail }))
                .collect();
            if !mails.is_empty() {
                object.insert("emails".into(), Value::from(mails));
            }
            object.insert("active".into(), Value::Bool(active));
            set_schemas(Registry::builtin().kind("User").unwrap(), &mut object);
            object
        })
    }

    proptest! {
        /// Whatever was written one after the other, undoing the differences backwards gives each state again.
        #[test]
        fn every_state_comes_back(states in proptest::collection::vec(users(), 1..8)) {
            let registry = Registry::builtin();
            let kind = registry.kind("User").unwrap();
            let mut log = Vec::new();
            let mut last = Object::new();
            for state in &states {
                log.push(diff::diff(kind, &last, state));
                last = state.clone();
            }
            let mut object = last;
            let mut nobody = Vec::new();
            for (state, delta) in states.iter().zip(&log).rev() {
                prop_assert!(diff::diff(kind, &object, state).is_empty());
                prop_assert_eq!(object.get("schemas"), state.get("schemas"));
                for one in delta {
                    line(&mut object, &mut nobody, &serde_json::to_value(one).unwrap());
                }
                set_schemas(kind, &mut object);
            }
            object.remove("schemas");
            prop_assert!(object.is_empty(), "{:?}", object);
        }
    }

    #[test]
    fn holds_come_back_and_what_clients_call_it_is_passed_over() {
        let (mut object, mut held) = (Object::new(), vec!["hr".to_owned()]);
        line(
            &mut object,
            &mut held,
            &json!({"path": "disabledBy", "before": ["admin"], "after": ["hr"]}),
        );
        line(
            &mut object,
            &mut held,
            &json!({"path": "externalId", "before": "7"}),
        );
        assert_eq!((object.len(), held), (0, vec!["admin".to_owned()]));
    }
}
