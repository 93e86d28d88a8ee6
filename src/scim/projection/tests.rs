//! Named after the rules of RFC 7644 §3.9.

use serde_json::{Value, json};

use crate::scim::error::ScimType;
use crate::scim::registry::{ENTERPRISE, HR, USER};
use crate::scim::sample;

use super::Projection;

fn whole() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "id": "1", "externalId": "x", "userName": "ann", "title": "Boss",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [{"type": "work", "value": "a"}, {"display": "only"}],
        "groups": [{"value": "g"}],
        "meta": {"version": "1", "created": "2026-01-01T00:00:00Z"},
        "password": "secret",
        ENTERPRISE: {"department": "Tools", "manager": {"value": "m", "displayName": "Mo"}},
    })
}

fn shown(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    let kind = sample::user();
    let mut object = whole().as_object().unwrap().clone();
    Projection::parse(&kind, attributes, excluded)
        .unwrap()
        .apply(&kind, &mut object);
    Value::Object(object)
}

fn only(rest: Value) -> Value {
    let mut expected = json!({"schemas": [USER, ENTERPRISE], "id": "1"});
    expected
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    expected
}

#[test]
fn rule_6_60_never_and_always() {
    let mut all = whole();
    all.as_object_mut().unwrap().remove("password");
    let manager = all.pointer_mut(&format!("/{ENTERPRISE}/manager")).unwrap();
    manager.as_object_mut().unwrap().remove("displayName");
    assert_eq!(
        shown(None, None),
        all,
        "the manager's name is given out on request"
    );
    assert_eq!(shown(Some("password"), None), only(json!({})));
    assert_eq!(shown(None, Some("id,schemas")), all);
}

#[test]
fn rule_6_61_both_lists_exclude_each_other() {
    let error = Projection::parse(&sample::user(), Some("a"), Some("b")).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    let empty = Projection::parse(&sample::user(), Some(" , "), None).unwrap();
    assert!(empty.is_default());
}

#[test]
fn rule_6_62_sub_attributes_and_extensions() {
    for (list, expected) in [
        ("USERNAME", json!({"userName": "ann"})),
        ("emails.value", json!({"emails": [{"value": "a"}]})),
        (
            "emails.value, emails",
            json!({"emails": [{"type": "work", "value": "a"}, {"display": "only"}]}),
        ),
        (
            "name.givenName,meta.version",
            json!({"name": {"givenName": "Ann"}, "meta": {"version": "1"}}),
        ),
        (
            &format!("{ENTERPRISE}:manager.value"),
            json!({ENTERPRISE: {"manager": {"value": "m"}}}),
        ),
        (
            &format!("{}:department", ENTERPRISE.to_lowercase()),
            json!({ENTERPRISE: {"department": "Tools"}}),
        ),
        (
            ENTERPRISE,
            json!({ENTERPRISE: {"department": "Tools", "manager": {"value": "m", "displayName": "Mo"}}}),
        ),
        (&format!("{USER}:title"), json!({"title": "Boss"})),
        (HR, json!({})),
    ] {
        assert_eq!(shown(Some(list), None), only(expected), "{list}");
    }
    let mut without = whole();
    for name in ["password", "groups", ENTERPRISE, "meta"] {
        without.as_object_mut().unwrap().remove(name);
    }
    without["emails"] = json!([{"type": "work"}, {"display": "only"}]);
    assert_eq!(
        shown(None, Some(&format!("groups,{ENTERPRISE},emails.value,meta"))),
        without
    );
}

#[test]
fn rule_6_64_unknown_names_are_ignored() {
    assert_eq!(shown(Some("nope,title"), None), only(json!({"title": "Boss"})));
    assert_eq!(shown(Some("nope"), None), only(json!({})));
    assert_eq!(shown(None, Some("nope")), shown(None, None));
}

#[test]
fn rule_6_66_what_is_not_wanted_need_not_be_loaded() {
    let kind = sample::user();
    let wants = |attributes, excluded, name| {
        Projection::parse(&kind, attributes, excluded)
            .unwrap()
            .wants(&kind, name)
    };
    assert!(wants(None, None, "groups"));
    assert!(!wants(Some("userName"), None, "groups"));
    assert!(wants(Some("groups.display"), None, "groups"));
    assert!(!wants(None, Some("groups"), "groups"));
    assert!(wants(None, Some("groups.display"), "groups"));
    assert!(wants(Some("userName"), None, "id"));
    assert!(!wants(None, None, "password"));
}
