//! Named after the rules for bodies (RFC 7643 §2 and §3, RFC 7644 §3.3 and §3.5.1).

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scim::error::{Error, ScimType};
use crate::scim::registry::{ENTERPRISE, GROUP, HR, Registry, USER};
use crate::scim::{Object, sample};

use super::{Incoming, Member, read, replace, set_defaults};

fn user(rest: &Value) -> Result<Incoming, Error> {
    let mut body = json!({"schemas": [USER, ENTERPRISE], "userName": "ann"});
    body.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    read(&sample::user(), &body)
}

fn group(body: &Value) -> Result<Incoming, Error> {
    read(Registry::builtin().kind("Group").unwrap(), body)
}

#[track_caller]
fn refused(result: Result<Incoming, Error>, expected: ScimType) {
    let error = result.unwrap_err();
    assert_eq!((error.status, error.scim_type), (400, Some(expected)), "{error}");
}

#[test]
fn rules_1_1_and_1_2_names_and_urns_come_in_any_case() {
    let body = json!({
        "SCHEMAS": [USER.to_uppercase()],
        "USERNAME": "Ann", "Emails": [{"VALUE": "a", "Type": "work"}],
        ENTERPRISE.to_uppercase(): {"DEPARTMENT": "Tools"},
    });
    let incoming = read(&sample::user(), &body).unwrap();
    assert_eq!(
        Value::Object(incoming.object),
        json!({
            "schemas": [USER, ENTERPRISE], "userName": "Ann", "emails": [{"value": "a", "type": "work"}],
            ENTERPRISE: {"department": "Tools"},
        })
    );
}

#[test]
fn rule_1_4_the_same_attribute_twice() {
    for rest in [
        json!({"title": "a", "TITLE": "b"}),
        json!({"name": {"givenName": "a", "GIVENNAME": "b"}}),
        json!({"name": {"givenName": "a"}, "NAME": {"familyName": "b"}}),
        json!({ENTERPRISE: {"department": "a"}, format!("{ENTERPRISE}:department"): "b"}),
    ] {
        refused(user(&rest), ScimType::InvalidSyntax);
    }
}

#[test]
fn rule_1_5_null_and_empty_are_no_value() {
    let incoming = user(&json!({
        "title": null, "emails": [], "roles": [null], "name": {"givenName": null}, "addresses": null, "externalId": null,
        ENTERPRISE: null, HR: {},
    }))
    .unwrap();
    assert_eq!(
        Value::Object(incoming.object),
        json!({"schemas": [USER], "userName": "ann"})
    );
    assert_eq!(incoming.external_id, None);
}

#[test]
fn rules_1_7_to_1_11_types() {
    for rest in [
        json!({"active": 1}),
        json!({"active": "yes"}),
        json!({"title": 5}),
        json!({"title": {"a": 1}}),
        json!({"title": ["a", "b"]}),
        json!({"profileUrl": 1}),
        json!({"x509Certificates": [{"value": "!"}]}),
        json!({"name": "Ann"}),
        json!({"emails": [1]}),
        json!({"emails": [["a"]]}),
        json!({"name": {"givenName": {}}}),
        json!({"externalId": 7}),
        json!({ENTERPRISE: "x"}),
        json!({"title": "a\u{0}"}),
        json!({"externalId": "a\u{0}"}),
        json!({"title": "x".repeat(70_000)}),
        json!({"roles": vec!["x"; 1_001]}),
    ] {
        refused(user(&rest), ScimType::InvalidValue);
    }
    let good = json!({"x509Certificates": [{"value": "AAEC"}, {"value": "_-8"}], "profileUrl": "../x", "active": false});
    assert_eq!(user(&good).unwrap().tolerated, []);
}

#[test]
fn rules_1_13_and_1_14_primary_once_and_no_doubles() {
    refused(
        user(&json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]})),
        ScimType::InvalidValue,
    );
    let incoming = user(&json!({"emails": [{"value": "a"}, {"value": "a"}, {"value": "b"}]})).unwrap();
    assert_eq!(incoming.object["emails"], json!([{"value": "a"}, {"value": "b"}]));
}

#[test]
fn rule_1_15_canonical_values_are_suggestions() {
    let incoming = user(&json!({"emails": [{"value": "a", "type": "boat"}]})).unwrap();
    assert_eq!(incoming.object["emails"][0]["type"], "boat");
}

#[test]
fn rule_1_16_schemas_are_required() {
    let kind = sample::user();
    for body in [
        json!({"userName": "a"}),
        json!({"schemas": [], "userName": "a"}),
        json!({"schemas": USER, "userName": "a"}),
        json!({"schemas": [GROUP], "userName": "a"}),
        json!({"schemas": [1, USER], "userName": "a"}),
        json!([]),
        json!("x"),
        json!({"schemas": [USER], "Schemas": [USER], "userName": "a"}),
    ] {
        refused(read(&kind, &body), ScimType::InvalidSyntax);
    }
    let doubled = json!({"schemas": [USER, USER, "urn:x:y:unknown"], "userName": "a"});
    assert_eq!(read(&kind, &doubled).unwrap().object["schemas"], json!([USER]));
}

#[test]
fn rule_1_18_unknown_attributes_are_dropped_and_counted() {
    let incoming = user(&json!({"shoeSize": 44, "emails": [{"value": "a", "x": 1}], "urn:x:y": {"a": 1}, ENTERPRISE: {"b": 1}, "department": "x"})).unwrap();
    let mut dropped = incoming.dropped;
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "department",
            "emails.x",
            "shoeSize",
            &format!("{ENTERPRISE}:b"),
            "urn:x:y"
        ]
    );
}

#[test]
fn rules_2_1_2_4_2_7_and_4_1_what_the_server_writes_is_ignored() {
    let incoming = user(&json!({
        "id": "x", "meta": {"version": "9"}, "groups": [{"value": "g"}], "password": "secret", HR: {"state": "left"},
        ENTERPRISE: {"manager": {"value": "m", "displayName": "Mo", "$ref": "../Users/m"}},
    }))
    .unwrap();
    assert_eq!(
        Value::Object(incoming.object),
        json!({"schemas": [USER, ENTERPRISE], "userName": "ann", ENTERPRISE: {"manager": {"value": "m"}}})
    );
}

#[test]
fn rules_2_6_2_9_and_4_3_required() {
    let kind = sample::user();
    for name in [json!(null), json!(""), json!("  ")] {
        refused(
            read(&kind, &json!({"schemas": [USER], "userName": name})),
            ScimType::InvalidValue,
        );
    }
    refused(read(&kind, &json!({"schemas": [USER]})), ScimType::InvalidValue);
    refused(
        group(&json!({"schemas": [GROUP], "members": []})),
        ScimType::InvalidValue,
    );
}

#[test]
fn rule_2_12_a_new_user_is_active() {
    let kind = sample::user();
    let mut object = user(&json!({})).unwrap().object;
    set_defaults(&kind, &mut object);
    assert_eq!(object["active"], true);
    let mut object = user(&json!({"active": false})).unwrap().object;
    set_defaults(&kind, &mut object);
    assert_eq!(object["active"], false);
}

#[test]
fn entra_creates_a_user() {
    let body = json!({
        "schemas": [USER, ENTERPRISE], "externalId": "abrook", "userName": "ada.brook@nimbus.test", "active": true,
        "addresses": null, "displayName": "Ada Brook", "emails": [{"primary": true, "type": "work", "value": "ada.brook@nimbus.test"}],
        "meta": {"resourceType": "User"}, "name": {"formatted": "Ada Brook", "familyName": "Brook", "givenName": "Ada"},
        "title": null, "roles": [],
    });
    let incoming = read(&sample::user(), &body).unwrap();
    assert_eq!(incoming.external_id.as_deref(), Some("abrook"));
    assert_eq!(incoming.object["schemas"], json!([USER]));
    assert_eq!((incoming.dropped.len(), incoming.tolerated.len()), (0, 0));
}

#[test]
fn groups_name_their_members() {
    let body = json!({
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName": "Ops",
        "members": [{"value": "u-1", "$ref": null, "display": "Ann"}, {"VALUE": "g-1", "type": "group"}, null],
    });
    let incoming = group(&body).unwrap();
    assert_eq!(
        incoming.members.unwrap(),
        [
            Member {
                value: "u-1".to_owned(),
                kind: None,
                display: Some("Ann".to_owned())
            },
            Member {
                value: "g-1".to_owned(),
                kind: Some("Group".to_owned()),
                display: None
            },
        ]
    );
    assert_eq!(
        Value::Object(incoming.object),
        json!({"schemas": [GROUP], "displayName": "Ops"})
    );
    assert_eq!(
        group(&json!({"schemas": [GROUP], "displayName": "Ops"}))
            .unwrap()
            .members,
        None
    );
    assert_eq!(
        group(&json!({"schemas": [GROUP], "displayName": "Ops", "members": []}))
            .unwrap()
            .members,
        Some(vec![])
    );
    for member in [
        json!({}),
        json!({"value": ""}),
        json!(7),
        json!({"value": "x", "type": "Robot"}),
        json!({"value": ["x"]}),
    ] {
        refused(
            group(&json!({"schemas": [GROUP], "displayName": "Ops", "members": [member]})),
            ScimType::InvalidValue,
        );
    }
}

#[test]
fn rules_4_6_to_4_8_put() {
    let stored: Object = json!({
        "schemas": [USER, ENTERPRISE, HR], "userName": "ann", "title": "Boss", "active": false, "nickName": "A",
        ENTERPRISE: {"department": "Tools"}, HR: {"state": "active"},
    })
    .as_object()
    .unwrap()
    .clone();
    let next = replace(
        &sample::user(),
        &stored,
        user(&json!({"title": "Chief", HR: {"state": "left"}})).unwrap(),
    )
    .unwrap();
    assert_eq!(
        Value::Object(next),
        json!({"schemas": [USER, HR], "userName": "ann", "title": "Chief", "active": false, HR: {"state": "active"}})
    );
}

#[test]
fn rule_4_6_immutable_attributes_keep_their_value() {
    let registry = Registry::builtin()
        .with(
            &[json!({"id": "urn:x:y:T", "attributes": [
                {"name": "serial", "mutability": "immutable"},
                {"name": "box", "type": "complex", "subAttributes": [{"name": "key", "mutability": "immutable"}, {"name": "note"}]},
            ]})],
            &[json!({"name": "T", "endpoint": "/Ts", "schema": "urn:x:y:T"})],
        )
        .unwrap();
    let kind = registry.kind("T").unwrap();
    let stored: Object = json!({"serial": "1", "box": {"key": "k"}})
        .as_object()
        .unwrap()
        .clone();
    let put = |rest: Value| {
        let mut body = json!({"schemas": ["urn:x:y:T"]});
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        replace(kind, &stored, read(kind, &body).unwrap())
    };
    let kept = put(json!({"box": {"note": "n"}})).unwrap();
    assert_eq!(
        (&kept["serial"], &kept["box"]),
        (&json!("1"), &json!({"key": "k", "note": "n"}))
    );
    for rest in [json!({"serial": "2"}), json!({"box": {"key": "l"}})] {
        assert_eq!(put(rest).unwrap_err().scim_type, Some(ScimType::Mutability));
    }
    let fresh = replace(
        kind,
        &Object::new(),
        read(kind, &json!({"schemas": ["urn:x:y:T"], "serial": "2"})).unwrap(),
    )
    .unwrap();
    assert_eq!(fresh["serial"], "2");
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let key = proptest::sample::select(vec![
        "userName",
        "name",
        "emails",
        "type",
        "value",
        "primary",
        "members",
        "$ref",
        "urn:x:y",
        "name.givenName",
        ENTERPRISE,
        "manager",
        "active",
        "Operations",
        "op",
        "path",
    ]);
    leaf.prop_recursive(4, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(body in anything()) {
        let mut body = body;
        if let Some(parts) = body.as_object_mut() {
            parts.insert("schemas".to_owned(), json!([USER, GROUP]));
            parts.insert("userName".to_owned(), json!("ann"));
        }
        let _ = read(&sample::user(), &body);
        let _ = group(&body);
        let _ = crate::scim::patch::parse(&body);
    }

    #[test]
    fn what_was_read_reads_the_same_again(object in sample::object()) {
        let again = read(&sample::user(), &Value::Object(object.clone())).unwrap();
        prop_assert_eq!(again.object, object);
        prop_assert_eq!(again.tolerated, []);
        prop_assert!(again.dropped.is_empty());
    }
}
