//! One test per line of the table: the shape is read, means what the table says, and is counted.

use serde_json::{Value, json};

use crate::scim::registry::{ENTERPRISE, Registry, USER};
use crate::scim::{Incoming, Member, filter, patch, read, sample};

use super::{Shape, TOLERANCES};

fn post(rest: Value) -> Incoming {
    let mut body = json!({"schemas": [USER, ENTERPRISE], "userName": "ann"});
    body.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    read(&sample::user(), &body).unwrap()
}

fn patched(operation: Value) -> patch::Patched {
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    changed(&body)
}

fn changed(body: &Value) -> patch::Patched {
    let user = json!({"userName": "ann", "title": "Boss"});
    patch::apply(
        &sample::user(),
        user.as_object().unwrap(),
        None,
        &patch::parse(body).unwrap(),
    )
    .unwrap()
}

#[test]
fn every_line_has_its_test() {
    let source = include_str!("tests.rs");
    for tolerance in TOLERANCES {
        assert!(
            source.contains(&format!("fn {}()", tolerance.test)),
            "{}",
            tolerance.test
        );
        assert_eq!(tolerance.shape.key(), tolerance.key);
        assert!(!tolerance.client.is_empty() && !tolerance.meaning.is_empty());
    }
}

#[test]
fn operation_case() {
    let patched = patched(json!({"op": "Replace", "path": "title", "value": "x"}));
    assert_eq!(
        (&patched.object["title"], patched.tolerated.as_slice()),
        (&json!("x"), &[Shape::OperationCase][..])
    );
}

#[test]
fn text_for_boolean() {
    let incoming = post(json!({"active": "False", "emails": [{"value": "a", "primary": "TRUE"}]}));
    assert_eq!(incoming.object["active"], false);
    assert_eq!(incoming.object["emails"][0]["primary"], true);
    assert_eq!(incoming.tolerated, [Shape::TextForBoolean]);
    let patched = patched(json!({"op": "replace", "path": "active", "value": "False"}));
    assert_eq!(
        (&patched.object["active"], patched.tolerated.as_slice()),
        (&json!(false), &[Shape::TextForBoolean][..])
    );
}

#[test]
fn text_for_complex() {
    let manager = json!({"manager": {"value": "m-1"}});
    let incoming = post(json!({ENTERPRISE: {"manager": "m-1"}, "roles": ["admin"]}));
    assert_eq!(incoming.object[ENTERPRISE], manager);
    assert_eq!(incoming.object["roles"], json!([{"value": "admin"}]));
    assert_eq!(incoming.tolerated, [Shape::TextForComplex]);
    let patched = patched(json!({"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": "m-1"}));
    assert_eq!(
        (&patched.object[ENTERPRISE], patched.tolerated.as_slice()),
        (&manager, &[Shape::TextForComplex][..])
    );
}

#[test]
fn single_for_list() {
    let incoming = post(json!({"emails": {"value": "a"}}));
    assert_eq!(incoming.object["emails"], json!([{"value": "a"}]));
    assert_eq!(incoming.tolerated, [Shape::SingleForList]);
}

#[test]
fn list_for_single() {
    let patched =
        patched(json!({"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": [{"value": "m-1"}]}));
    assert_eq!(patched.object[ENTERPRISE]["manager"], json!({"value": "m-1"}));
    assert_eq!(patched.tolerated, [Shape::ListForSingle]);
}

#[test]
fn dotted_key() {
    let incoming = post(json!({"name.givenName": "Ann", "name": {"familyName": "Lee"}}));
    assert_eq!(
        incoming.object["name"],
        json!({"givenName": "Ann", "familyName": "Lee"})
    );
    assert_eq!(incoming.tolerated, [Shape::DottedKey]);
    let patched = patched(json!({"op": "replace", "value": {"name.givenName": "Ann"}}));
    assert_eq!(patched.object["name"], json!({"givenName": "Ann"}));
    assert_eq!(patched.tolerated, [Shape::DottedKey]);
}

#[test]
fn prefixed_key() {
    let key = format!("{ENTERPRISE}:department");
    let incoming = post(json!({&key: "Tools"}));
    assert_eq!(incoming.object[ENTERPRISE], json!({"department": "Tools"}));
    assert_eq!(incoming.tolerated, [Shape::PrefixedKey]);
    let patched = patched(json!({"op": "replace", "value": {&key: "Tools", "displayName": "Ada Brook"}}));
    assert_eq!(patched.object[ENTERPRISE], json!({"department": "Tools"}));
    assert_eq!(patched.tolerated, [Shape::PrefixedKey]);
}

#[test]
fn core_as_extension() {
    let incoming = post(json!({USER: {"title": "x"}}));
    assert_eq!(
        (&incoming.object["title"], incoming.tolerated.as_slice()),
        (&json!("x"), &[Shape::CoreAsExtension][..])
    );
    let patched = patched(json!({"op": "replace", "value": {USER: {"title": "x"}}}));
    assert_eq!(
        (&patched.object["title"], patched.tolerated.as_slice()),
        (&json!("x"), &[Shape::CoreAsExtension][..])
    );
}

#[test]
fn filter_as_key() {
    let patched = patched(json!({"op": "add", "value": {"emails[type eq \"work\"].value": "a"}}));
    assert_eq!(patched.object["emails"], json!([{"type": "work", "value": "a"}]));
    assert!(patched.tolerated.contains(&Shape::FilterAsKey));
}

#[test]
fn remove_by_value() {
    let registry = Registry::builtin();
    let body = json!({"Operations": [{"op": "remove", "path": "members", "value": [{"value": "u-1"}]}], "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]});
    let group = json!({"displayName": "Ops"});
    let request = patch::parse(&body).unwrap();
    let patched = patch::apply(
        registry.kind("Group").unwrap(),
        group.as_object().unwrap(),
        None,
        &request,
    )
    .unwrap();
    assert_eq!(
        patched.members,
        [patch::MemberChange::Remove(vec!["u-1".to_owned()])]
    );
    assert_eq!(patched.tolerated, [Shape::RemoveByValue]);
}

#[test]
fn make_missing_element() {
    let patched = patched(json!({"op": "add", "path": "emails[type eq \"work\"].value", "value": "a"}));
    assert_eq!(patched.object["emails"], json!([{"type": "work", "value": "a"}]));
    assert_eq!(patched.tolerated, [Shape::MakeMissingElement]);
}

#[test]
fn read_only_in_value() {
    let patched = patched(json!({"op": "replace", "value": {"id": "7", "title": "x"}}));
    assert_eq!(
        (&patched.object["title"], patched.tolerated.as_slice()),
        (&json!("x"), &[Shape::ReadOnlyInValue][..])
    );
}

#[test]
fn patch_without_schemas() {
    let patched = changed(&json!({"Operations": [{"op": "add", "path": "title", "value": "x"}]}));
    assert_eq!(
        (&patched.object["title"], patched.tolerated.as_slice()),
        (&json!("x"), &[Shape::PatchWithoutSchemas][..])
    );
}

#[test]
fn named_operation() {
    let patched = patched(json!({"name": "setTitle", "op": "add", "path": "title", "value": "x"}));
    assert_eq!(
        (&patched.object["title"], patched.tolerated.as_slice()),
        (&json!("x"), &[Shape::NamedOperation][..])
    );
}

#[test]
fn extension_without_urn() {
    let patched = patched(json!({"op": "add", "path": "manager", "value": {"value": "m-1"}}));
    assert_eq!(patched.object[ENTERPRISE]["manager"], json!({"value": "m-1"}));
    assert_eq!(patched.tolerated, [Shape::ExtensionWithoutUrn]);
}

#[test]
fn undeclared_extension() {
    let body = json!({"schemas": [USER], "userName": "ann", ENTERPRISE: {"department": "Tools"}});
    let incoming = read(&sample::user(), &body).unwrap();
    assert_eq!(incoming.object["schemas"], json!([USER, ENTERPRISE]));
    assert_eq!(incoming.tolerated, [Shape::UndeclaredExtension]);
}

#[test]
fn unquoted_filter_value() {
    let filter = filter::parse("userName eq ann").unwrap();
    assert_eq!(filter.tolerated(), Some(Shape::UnquotedFilterValue));
    let user = json!({"userName": "Ann"});
    assert!(
        filter::bind(&filter, &sample::user())
            .unwrap()
            .matches(user.as_object().unwrap())
    );
}

/// Covers: rfc 6.17; C11; client entra
#[test]
fn sub_attribute_behind_filter() {
    let user =
        json!({"emails": [{"type": "work", "value": "Ann@x.test"}, {"type": "home", "value": "ann@y.test"}]});
    let user = user.as_object().unwrap();
    for (text, holds) in [
        ("emails[type eq \"work\"].value eq \"ann@x.test\"", true),
        ("emails[type eq \"work\"].value eq \"ann@y.test\"", false),
        (
            "not (emails[type eq \"work\" or primary pr].value pr) or userName pr",
            false,
        ),
    ] {
        let filter = filter::parse(text).unwrap();
        assert_eq!(
            filter.tolerated(),
            Some(Shape::SubAttributeBehindFilter),
            "{text}"
        );
        assert_eq!(filter::parse(&filter.to_string()).unwrap(), filter, "{text}");
        assert_eq!(
            filter::bind(&filter, &sample::user()).unwrap().matches(user),
            holds,
            "{text}"
        );
    }
    for text in [
        "emails[type eq \"work\"].",
        "emails[type eq \"work\"].value",
        "emails[type eq \"work\"].value.x eq \"a\"",
        "emails[type eq \"work\"].value[type pr]",
    ] {
        assert!(filter::parse(text).is_err(), "{text}");
    }
    let unknown = filter::parse("emails[type eq \"work\"].nope eq \"a\"").unwrap();
    assert!(filter::bind(&unknown, &sample::user()).is_err());
}

#[test]
fn empty_for_none() {
    let incoming = post(json!({ENTERPRISE: {"manager": ""}, "profileUrl": ""}));
    assert_eq!(
        (incoming.object.get(ENTERPRISE), incoming.object.get("profileUrl")),
        (None, None)
    );
    assert_eq!(incoming.tolerated, [Shape::EmptyForNone]);
}

#[test]
fn members_may_be_bare_ids() {
    let body = json!({"schemas": [crate::scim::GROUP], "displayName": "Ops", "members": ["u-1"]});
    let incoming = read(Registry::builtin().kind("Group").unwrap(), &body).unwrap();
    assert_eq!(
        incoming.members,
        Some(vec![Member {
            value: "u-1".to_owned(),
            kind: None,
            display: None
        }])
    );
    assert_eq!(incoming.tolerated, [Shape::TextForComplex]);
}
