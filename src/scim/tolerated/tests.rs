//! One test per line of the table: the shape is read, means what the table says, and is counted.

use serde_json::{Value, json};

use crate::scim::registry::{ENTERPRISE, Registry, USER};
use crate::scim::{Incoming, Member, Projection, filter, patch, read, sample};

use super::{Manner, Shape, TOLERANCES};

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
        // Those are read where there is HTTP, and held by recordings of clients alone.
        let is_of_the_web = [
            Shape::BareToken,
            Shape::EndpointCase,
            Shape::ConfigAddress,
            Shape::ForeignMember,
        ]
        .contains(&tolerance.shape);
        assert!(
            is_of_the_web || source.contains(&format!("fn {}()", tolerance.key)),
            "{}",
            tolerance.key
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
    assert_eq!(
        filter::tolerated(&filter, &sample::user()),
        [Shape::UnquotedFilterValue]
    );
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
        let shapes = filter::tolerated(&filter, &sample::user());
        assert_eq!(shapes, [Shape::SubAttributeBehindFilter], "{text}");
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
fn filter_in_attributes() {
    let kind = sample::user();
    let projection = Projection::parse(&kind, Some("emails[type eq \"work\"]"), None).unwrap();
    assert_eq!(projection.tolerated(), Some(Shape::FilterInAttributes));
    let user =
        json!({"schemas": [USER], "id": "1", "title": "Boss", "emails": [{"type": "home", "value": "a"}]});
    let mut shown = user.as_object().unwrap().clone();
    projection.apply(&kind, &mut shown);
    shown.remove("schemas");
    assert_eq!(
        Value::Object(shown),
        json!({"id": "1", "emails": [{"type": "home", "value": "a"}]})
    );
    let plain = Projection::parse(&kind, Some("emails"), None).unwrap();
    assert_eq!(plain.tolerated(), None);
}

#[test]
fn member_display_name() {
    for member in [
        json!({"value": "u-1", "displayName": "Ann"}),
        json!({"displayName": "Other", "display": "Ann", "value": "u-1"}),
    ] {
        let body = json!({"schemas": [crate::scim::GROUP], "displayName": "Ops", "members": [member]});
        let incoming = read(Registry::builtin().kind("Group").unwrap(), &body).unwrap();
        assert_eq!(incoming.members.unwrap()[0].display.as_deref(), Some("Ann"));
        assert_eq!(incoming.tolerated, [Shape::MemberDisplayName]);
    }
}

/// Covers: rfc 5.6, 5.45; C28
#[test]
fn a_strict_client_gets_the_letter_of_the_rfc() {
    use crate::scim::ScimType as S;
    let manager = format!("{ENTERPRISE}:manager");
    for (shape, operation, keyword) in [
        (
            Shape::OperationCase,
            json!({"op": "Add", "path": "title", "value": "x"}),
            S::InvalidSyntax,
        ),
        (
            Shape::TextForBoolean,
            json!({"op": "add", "path": "active", "value": "True"}),
            S::InvalidValue,
        ),
        (
            Shape::TextForBoolean,
            json!({"op": "remove", "path": "emails[primary eq \"True\"]"}),
            S::InvalidValue,
        ),
        (
            Shape::TextForComplex,
            json!({"op": "add", "path": manager, "value": "m-1"}),
            S::InvalidValue,
        ),
        (
            Shape::ListForSingle,
            json!({"op": "add", "path": manager, "value": [{"value": "m-1"}]}),
            S::InvalidValue,
        ),
        (
            Shape::RemoveByValue,
            json!({"op": "remove", "path": "emails", "value": [{"value": "a"}]}),
            S::InvalidValue,
        ),
        (
            Shape::MakeMissingElement,
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a"}),
            S::NoTarget,
        ),
        (
            Shape::ReadOnlyInValue,
            json!({"op": "replace", "value": {"id": "7", "title": "x"}}),
            S::Mutability,
        ),
        (
            Shape::ExtensionWithoutUrn,
            json!({"op": "add", "path": "manager", "value": {"value": "m-1"}}),
            S::InvalidPath,
        ),
        (
            Shape::UnquotedFilterValue,
            json!({"op": "remove", "path": "emails[type eq work]"}),
            S::InvalidFilter,
        ),
    ] {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
        let mut request = patch::parse(&body).unwrap();
        let before = json!({"userName": "ann"});
        let apply = |request: &patch::Request| {
            patch::apply(&sample::user(), before.as_object().unwrap(), None, request)
        };
        assert_eq!(apply(&request).unwrap().tolerated, [shape], "{operation}");
        request.manner = Manner::Strict;
        assert_eq!(
            apply(&request).unwrap_err().scim_type,
            Some(keyword),
            "{operation}"
        );
    }
    let (strict, others): (Vec<_>, Vec<_>) = TOLERANCES
        .iter()
        .map(|line| line.shape)
        .partition(|shape| Manner::Strict.admit(&[*shape]).is_err());
    assert_eq!((strict.len(), others.len()), (11, TOLERANCES.len() - 11));
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
