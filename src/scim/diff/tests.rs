use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scim::registry::{ENTERPRISE, HR};
use crate::scim::{Object, patch, sample};

use super::{PatchOp, diff, same_elements, to_patch};

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

fn patch_of(before: &Value, after: &Value) -> Value {
    serde_json::to_value(to_patch(&sample::user(), &object(before), &object(after))).unwrap()
}

#[test]
fn a_patch_says_what_changed_and_nothing_else() {
    let before = json!({
        "userName": "ann", "title": "Engineer", "active": true, "nickName": "A",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [{"type": "work", "value": "a@x.test", "primary": true}, {"type": "home", "value": "a@h.test"}],
        "roles": [{"value": "one"}],
        "groups": [{"value": "g"}],
        ENTERPRISE: {"department": "Tools", "manager": {"value": "m-1", "$ref": "../Users/m-1", "displayName": "Mo"}},
    });
    let mut after = before.clone();
    after["title"] = json!("Boss");
    after["active"] = json!(false);
    after.as_object_mut().unwrap().remove("nickName");
    after["name"] = json!({"givenName": "Anne", "familyName": "Lee"});
    after["emails"][0]["value"] = json!("b@x.test");
    after["roles"] = json!([{"value": "two"}, {"value": "one"}]);
    after["groups"] = json!([]);
    after["locale"] = json!("de");
    after[ENTERPRISE] = json!({"costCenter": "4", "manager": {"value": "m-2", "displayName": "Al"}});
    assert_eq!(
        patch_of(&before, &after),
        json!([
            {"op": "replace", "path": "name.givenName", "value": "Anne"},
            {"op": "remove", "path": "nickName"},
            {"op": "replace", "path": "title", "value": "Boss"},
            {"op": "add", "path": "locale", "value": "de"},
            {"op": "replace", "path": "active", "value": false},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x.test"},
            {"op": "add", "path": "roles", "value": [{"value": "two"}]},
            {"op": "add", "path": format!("{ENTERPRISE}:costCenter"), "value": "4"},
            {"op": "remove", "path": format!("{ENTERPRISE}:department")},
            {"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "m-2"}},
        ])
    );
    assert_eq!(patch_of(&before, &before), json!([]));
}

#[test]
fn lists_that_are_not_told_apart_are_replaced_whole() {
    let of = |emails: Value| json!({"emails": emails});
    for (before, after, expected) in [
        (
            json!([{"type": "work", "value": "a"}, {"type": "work", "value": "b"}]),
            json!([{"type": "work", "value": "a"}]),
            "replace",
        ),
        (json!([{"value": "a"}]), json!([{"value": "b"}]), "replace"),
        (
            json!([{"value": "a"}]),
            json!([{"value": "a"}, {"value": "b"}]),
            "add",
        ),
        (json!([{"value": "a"}]), json!([]), "remove"),
        (
            json!([{"type": "work", "value": "a", "primary": true}, {"type": "home", "value": "b"}]),
            json!([{"type": "work", "value": "a"}, {"type": "home", "value": "b", "primary": true}]),
            "replace",
        ),
    ] {
        let operations = patch_of(&of(before), &of(after.clone()));
        assert_eq!(operations[0]["op"], expected, "{operations}");
        assert_eq!(operations[0]["path"], "emails");
        assert_eq!(operations.as_array().unwrap().len(), 1);
    }
    let moved = patch_of(
        &of(json!([{"type": "work", "value": "a"}, {"type": "home", "value": "b"}])),
        &of(json!([{"type": "work", "value": "a"}, {"type": "other", "value": "c"}])),
    );
    assert_eq!(
        moved,
        json!([
            {"op": "remove", "path": "emails[type eq \"home\"]"},
            {"op": "add", "path": "emails", "value": [{"type": "other", "value": "c"}]},
        ])
    );
}

#[test]
fn an_apps_own_attributes_are_patched_too() {
    let own = "urn:example:acme:2.0:User";
    let before = json!({"externalId": "1", own: {"badge": "x", "gone": 1}});
    let after = json!({"externalId": "2", own: {"badge": "y"}, HR: {"entity": {"code": "760"}}});
    assert_eq!(
        patch_of(&before, &after),
        json!([
            {"op": "add", "path": format!("{HR}:entity"), "value": {"code": "760"}},
            {"op": "replace", "path": "externalId", "value": "2"},
            {"op": "replace", "path": format!("{own}:badge"), "value": "y"},
            {"op": "remove", "path": format!("{own}:gone")},
        ])
    );
}

#[test]
fn a_difference_names_each_attribute() {
    let before = json!({"userName": "ann", "name": {"givenName": "Ann"}, "emails": [{"value": "a"}, {"value": "b"}], "schemas": []});
    let after = json!({"userName": "ann", "name": {"givenName": "Anne", "familyName": "Lee"}, "emails": [{"value": "b"}, {"value": "a"}], "title": null});
    let deltas = serde_json::to_value(diff(&sample::user(), &object(&before), &object(&after))).unwrap();
    assert_eq!(
        deltas,
        json!([
            {"path": "name.familyName", "after": "Lee"},
            {"path": "name.givenName", "before": "Ann", "after": "Anne"},
        ])
    );
}

/// Whether two resources are the same but for the order of lists.
fn alike(one: &Object, other: &Object) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, value)| match (value, other.get(name)) {
            (Value::Array(one), Some(Value::Array(other))) => same_elements(one, other),
            (value, found) => Some(value) == found,
        })
}

fn applied(before: &Object, operations: &[PatchOp]) -> Object {
    if operations.is_empty() {
        return before.clone();
    }
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    let request = patch::parse(&body).unwrap();
    let patched = patch::apply(&sample::user(), before, None, &request).unwrap();
    assert_eq!(patched.tolerated, [], "we write strictly: {body}");
    patched.object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_patch_makes_after_of_before(before in sample::object(), after in sample::object()) {
        let operations = to_patch(&sample::user(), &before, &after);
        let made = applied(&before, &operations);
        prop_assert!(alike(&made, &after), "{operations:#?}\nmade {made:#?}\nnot {after:#?}");
        prop_assert_eq!(operations.is_empty(), alike(&before, &after));
        prop_assert_eq!(diff(&sample::user(), &before, &after).is_empty(), operations.is_empty());
    }
}
