//! Named after the rules of RFC 7644 §3.5.2 and our choices where it is silent.

use serde_json::{Value, json};

use crate::scim::Object;
use crate::scim::error::{Error, ScimType};
use crate::scim::registry::{ENTERPRISE, HR, Registry, USER};
use crate::scim::tolerated::Manner;

use super::{Patched, apply, parse};

fn stored() -> Value {
    json!({
        "userName": "ada@nimbus.test",
        "name": {"givenName": "Ada", "familyName": "Brook"},
        "title": "Engineer",
        "active": true,
        "emails": [
            {"type": "work", "value": "ada@nimbus.test", "primary": true},
            {"type": "home", "value": "ada@home.test"},
        ],
        ENTERPRISE: {"department": "Tools", "manager": {"value": "m-1"}},
        HR: {"state": "active"},
    })
}

fn run(kind: &str, before: &Value, operations: &Value) -> Result<Patched, Error> {
    let registry = Registry::builtin();
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    let object: &Object = before.as_object().unwrap();
    apply(registry.kind(kind).unwrap(), object, Some("ext"), &parse(&body)?)
}

/// The user after the operations, without `schemas`.
fn user(operations: &Value) -> Value {
    let patched = run("User", &stored(), operations).unwrap();
    let mut object = patched.object;
    object.remove("schemas");
    Value::Object(object)
}

/// The stored user with one place of its JSON changed; `null` takes it away.
fn with(pointer: &str, value: Value) -> Value {
    let mut expected = stored();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match expected.pointer_mut(parent).unwrap() {
        Value::Object(parts) if value.is_null() => {
            parts.remove(&name);
        }
        Value::Object(parts) => {
            parts.insert(name, value);
        }
        Value::Array(elements) if value.is_null() => {
            elements.remove(name.parse().unwrap());
        }
        Value::Array(elements) if name == "-" => elements.push(value),
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = value,
        _ => panic!("nothing at {pointer}"),
    }
    expected
}

fn refused(operations: &Value) -> ScimType {
    let error = run("User", &stored(), operations).unwrap_err();
    assert_eq!(error.status, 400, "{error}");
    error.scim_type.unwrap()
}

fn ext(rest: &str) -> String {
    format!("{ENTERPRISE}{rest}")
}

#[test]
fn rules_5_1_and_5_10_the_body_is_checked() {
    for (body, expected) in [
        (json!([]), ScimType::InvalidSyntax),
        (
            json!({"schemas": ["urn:x:y"], "Operations": [{"op": "add", "value": {}}]}),
            ScimType::InvalidSyntax,
        ),
        (json!({}), ScimType::InvalidSyntax),
        (json!({"Operations": {}}), ScimType::InvalidSyntax),
        (json!({"Operations": []}), ScimType::InvalidValue),
        (
            json!({"Operations": [{"op": "move", "path": "a"}]}),
            ScimType::InvalidSyntax,
        ),
        (json!({"Operations": [{"path": "a"}]}), ScimType::InvalidSyntax),
        (
            json!({"Operations": [{"op": "add", "path": "title", "value": 1, "from": "x"}]}),
            ScimType::InvalidSyntax,
        ),
        (
            json!({"Operations": [{"op": "add", "OP": "add", "value": {}}]}),
            ScimType::InvalidSyntax,
        ),
        (json!({"Operations": ["add"]}), ScimType::InvalidSyntax),
        (
            json!({"Operations": [{"op": "add", "path": 7, "value": "x"}]}),
            ScimType::InvalidPath,
        ),
    ] {
        assert_eq!(parse(&body).unwrap_err().scim_type, Some(expected), "{body}");
    }
}

#[test]
fn rule_5_2_one_failing_operation_fails_all() {
    let error = run(
        "User",
        &stored(),
        &json!([
            {"op": "replace", "path": "title", "value": "Boss"},
            {"op": "replace", "path": "nope", "value": "x"},
        ]),
    )
    .unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
    assert!(error.detail.starts_with("operation 2:"), "{error}");
}

#[test]
fn rule_5_3_operations_build_on_each_other() {
    let after = user(&json!([
        {"op": "add", "path": "phoneNumbers", "value": [{"type": "work", "value": "1"}]},
        {"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "2"},
    ]));
    assert_eq!(
        after,
        with("/phoneNumbers", json!([{"type": "work", "value": "2"}]))
    );
}

#[test]
fn rule_5_5_one_primary_turns_the_others_off() {
    let primaries = |after: &Value| -> Vec<bool> {
        after["emails"]
            .as_array()
            .unwrap()
            .iter()
            .map(|email| email["primary"] == json!(true))
            .collect()
    };
    for operations in [
        json!([{"op": "add", "path": "emails[type eq \"home\"].primary", "value": true}]),
        json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"type": "home", "value": "x", "primary": true}}]),
        json!([{"op": "add", "path": "emails", "value": [{"type": "home", "value": "ada@home.test", "primary": true}]}]),
    ] {
        assert_eq!(primaries(&user(&operations)), [false, true], "{operations}");
    }
    let twice = user(&json!([
        {"op": "add", "path": "emails", "value": {"type": "other", "value": "o", "primary": true}},
        {"op": "add", "path": "emails[type eq \"home\"].primary", "value": true},
    ]));
    assert_eq!(primaries(&twice), [false, true, false]);
    let both = json!([{"op": "replace", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}]);
    assert_eq!(refused(&both), ScimType::InvalidValue);
}

#[test]
fn rule_5_6_what_only_the_server_writes_is_refused_by_path() {
    for operation in [
        json!({"op": "replace", "path": "id", "value": "x"}),
        json!({"op": "replace", "path": "meta.version", "value": "x"}),
        json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}),
        json!({"op": "remove", "path": "groups"}),
        json!({"op": "replace", "path": ext(":manager.displayName"), "value": "x"}),
        json!({"op": "replace", "path": format!("{HR}:state"), "value": "left"}),
        json!({"op": "remove", "path": format!("{HR}:lastDay")}),
    ] {
        assert_eq!(refused(&json!([operation])), ScimType::Mutability, "{operation}");
    }
    let echoed = json!([{"op": "replace", "value": {
        "id": "x", "schemas": [USER], "meta": {}, "groups": [], "title": "Boss", HR: {"state": "left"},
    }}]);
    assert_eq!(user(&echoed), with("/title", json!("Boss")));
}

#[test]
fn rules_5_7_and_5_8_paths_are_checked() {
    for (path, expected) in [
        ("emails[", ScimType::InvalidPath),
        ("emails[type eq]", ScimType::InvalidPath),
        ("emails[type eq \"work\"].", ScimType::InvalidPath),
        ("emails[type eq \"work\"]value", ScimType::InvalidPath),
        ("emails[type eq \"work\"].nope", ScimType::InvalidPath),
        ("emails.value.x", ScimType::InvalidPath),
        ("title[value eq \"x\"]", ScimType::InvalidPath),
        ("nope", ScimType::InvalidPath),
        ("urn:x:y:title", ScimType::InvalidPath),
        ("emails[primary gt true].value", ScimType::InvalidFilter),
        ("emails[nope eq \"x\"].value", ScimType::InvalidFilter),
        ("emails.value", ScimType::InvalidPath),
    ] {
        assert_eq!(
            refused(&json!([{"op": "replace", "path": path, "value": "x"}])),
            expected,
            "{path}"
        );
    }
}

#[test]
fn rule_5_9_a_whole_extension() {
    let merged = with(&format!("/{ENTERPRISE}/costCenter"), json!("4"));
    for op in ["add", "replace"] {
        assert_eq!(
            user(&json!([{"op": op, "path": ENTERPRISE, "value": {"COSTCENTER": "4"}}])),
            merged
        );
        assert_eq!(
            user(&json!([{"op": op, "value": {ENTERPRISE.to_lowercase(): {"costCenter": "4"}}}])),
            merged
        );
    }
    assert_eq!(
        user(&json!([{"op": "remove", "path": ENTERPRISE}])),
        with(&format!("/{ENTERPRISE}"), Value::Null)
    );
    let patched = run("User", &stored(), &json!([{"op": "remove", "path": ENTERPRISE}])).unwrap();
    assert_eq!(patched.object["schemas"], json!([USER, HR]));
}

#[test]
fn rules_5_20_to_5_24_add() {
    for (operation, expected) in [
        (
            json!({"op": "add", "value": {"title": "Boss"}}),
            with("/title", json!("Boss")),
        ),
        (
            json!({"op": "add", "path": "nickName", "value": "Addy"}),
            with("/nickName", json!("Addy")),
        ),
        (
            json!({"op": "add", "path": "name", "value": {"middleName": "K"}}),
            with("/name/middleName", json!("K")),
        ),
        (
            json!({"op": "add", "path": "name.givenName", "value": "Adele"}),
            with("/name/givenName", json!("Adele")),
        ),
        (
            json!({"op": "add", "path": "emails", "value": [{"type": "other", "value": "o"}]}),
            with("/emails/-", json!({"type": "other", "value": "o"})),
        ),
        (
            json!({"op": "add", "path": "emails", "value": {"type": "other", "value": "o"}}),
            with("/emails/-", json!({"type": "other", "value": "o"})),
        ),
        (
            json!({"op": "add", "path": "emails", "value": [{"type": "home", "value": "ada@home.test"}]}),
            stored(),
        ),
        (
            json!({"op": "add", "path": "emails", "value": [{"type": "home", "value": "ada@home.test", "display": "d"}]}),
            with("/emails/1/display", json!("d")),
        ),
        (json!({"op": "add", "path": "active", "value": true}), stored()),
        (
            json!({"op": "add", "path": ext(":employeeNumber"), "value": "7"}),
            with(&format!("/{ENTERPRISE}/employeeNumber"), json!("7")),
        ),
    ] {
        assert_eq!(user(&json!([operation])), expected, "{operation}");
    }
}

#[test]
fn rule_5_23_what_is_there_already_changes_nothing() {
    let mut before = stored();
    before["schemas"] = json!([USER, ENTERPRISE, HR]);
    let operations = json!([
        {"op": "add", "path": "title", "value": "Engineer"},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@nimbus.test"},
        {"op": "remove", "path": "nickName"},
        {"op": "replace", "value": {"name.givenName": "Ada", "userName": "ada@nimbus.test"}},
    ]);
    let patched = run("User", &before, &operations).unwrap();
    assert_eq!(Value::Object(patched.object), before);
    assert_eq!(patched.external_id.as_deref(), Some("ext"));
}

#[test]
fn rules_5_25_and_5_45_a_missing_typed_element_is_made() {
    let fax = json!({"type": "fax", "value": "9"});
    for op in ["add", "replace"] {
        assert_eq!(
            user(&json!([{"op": op, "path": "phoneNumbers[type eq \"FAX\"].value", "value": "9"}])),
            with("/phoneNumbers", json!([fax])),
        );
        assert_eq!(
            user(&json!([{"op": op, "path": "phoneNumbers[type eq \"fax\"]", "value": {"value": "9"}}])),
            with("/phoneNumbers", json!([fax])),
        );
        assert_eq!(
            user(&json!([{"op": op, "path": "roles[primary eq \"True\"].value", "value": "r"}])),
            with("/roles", json!([{"primary": true, "value": "r"}])),
        );
    }
    assert_eq!(
        user(&json!([{"op": "add", "path": "emails[type eq \"Nope\"].value", "value": "n"}])),
        with("/emails/-", json!({"type": "Nope", "value": "n"})),
    );
    for (op, path) in [
        ("replace", "emails[type eq \"nope\"].value"),
        ("replace", "emails[value eq \"unknown\"].display"),
        ("add", "emails[value eq \"unknown\"].display"),
        ("add", "emails[type eq \"other\" and primary eq true].value"),
        ("add", "emails[primary eq false and type eq \"home\"].value"),
        ("replace", "emails[type ne \"work\" and type ne \"home\"].value"),
    ] {
        assert_eq!(
            refused(&json!([{"op": op, "path": path, "value": "x"}])),
            ScimType::NoTarget,
            "{op} {path}"
        );
    }
    let registry = Registry::builtin();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": "9"}]});
    let mut request = parse(&body).unwrap();
    request.manner = Manner::Strict;
    let error = apply(
        registry.kind("User").unwrap(),
        stored().as_object().unwrap(),
        None,
        &request,
    )
    .unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::NoTarget));
}

#[test]
fn rule_5_26_add_and_replace_need_a_value() {
    for op in ["add", "replace"] {
        assert_eq!(
            refused(&json!([{"op": op, "path": "title"}])),
            ScimType::InvalidValue
        );
        assert_eq!(
            refused(&json!([{"op": op, "value": "x"}])),
            ScimType::InvalidValue
        );
    }
}

#[test]
fn rules_5_30_to_5_34_remove() {
    assert_eq!(refused(&json!([{"op": "remove"}])), ScimType::NoTarget);
    assert_eq!(
        refused(&json!([{"op": "remove", "path": "userName"}])),
        ScimType::Mutability
    );
    for (operation, expected) in [
        (
            json!({"op": "remove", "path": "title"}),
            with("/title", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "name.givenName"}),
            with("/name/givenName", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails"}),
            with("/emails", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"home\"]"}),
            with("/emails/1", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails[value pr]"}),
            with("/emails", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"work\"].primary"}),
            with("/emails/0/primary", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"home\"].value"}),
            with("/emails/1", Value::Null),
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"other\"]"}),
            stored(),
        ),
        (
            json!({"op": "remove", "path": "emails", "value": [{"value": "ada@home.test"}]}),
            with("/emails/1", Value::Null),
        ),
        (
            json!({"op": "remove", "path": ext(":manager")}),
            with(&format!("/{ENTERPRISE}/manager"), Value::Null),
        ),
        (
            json!({"op": "remove", "path": ext(":manager.value")}),
            with(&format!("/{ENTERPRISE}/manager"), Value::Null),
        ),
    ] {
        assert_eq!(user(&json!([operation])), expected, "{operation}");
    }
}

#[test]
fn rules_5_40_to_5_44_replace() {
    for (operation, expected) in [
        (
            json!({"op": "replace", "value": {"title": "Boss", "name.givenName": "Adele"}}),
            {
                let mut expected = with("/title", json!("Boss"));
                expected["name"]["givenName"] = json!("Adele");
                expected
            },
        ),
        (
            json!({"op": "replace", "path": "nickName", "value": "Addy"}),
            with("/nickName", json!("Addy")),
        ),
        (
            json!({"op": "replace", "path": "emails", "value": [{"value": "x"}]}),
            with("/emails", json!([{"value": "x"}])),
        ),
        (
            json!({"op": "replace", "path": "emails", "value": []}),
            with("/emails", Value::Null),
        ),
        (
            json!({"op": "replace", "path": "name", "value": {"givenName": "Adele"}}),
            with("/name/givenName", json!("Adele")),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "x"}}),
            with("/emails/1", json!({"value": "x"})),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "x"}),
            with("/emails/1/value", json!("x")),
        ),
        (
            json!({"op": "replace", "path": "EMAILS[Type EQ \"HOME\"].Value", "value": "x"}),
            with("/emails/1/value", json!("x")),
        ),
        (
            json!({"op": "replace", "path": format!("{USER}:title"), "value": "Boss"}),
            with("/title", json!("Boss")),
        ),
        (
            json!({"op": "replace", "path": ext(":manager"), "value": {"value": "m-2", "$ref": "../Users/m-2", "displayName": "M"}}),
            with(&format!("/{ENTERPRISE}/manager/value"), json!("m-2")),
        ),
    ] {
        assert_eq!(user(&json!([operation])), expected, "{operation}");
    }
}

#[test]
fn rule_5_46_null_and_empty_texts() {
    for (operation, expected) in [
        (
            json!({"op": "replace", "path": "title", "value": null}),
            with("/title", Value::Null),
        ),
        (
            json!({"op": "replace", "path": "title", "value": ""}),
            with("/title", json!("")),
        ),
        (
            json!({"op": "replace", "value": {"title": null}}),
            with("/title", Value::Null),
        ),
        (
            json!({"op": "replace", "path": ext(":manager"), "value": ""}),
            with(&format!("/{ENTERPRISE}/manager"), Value::Null),
        ),
        (
            json!({"op": "replace", "path": ext(":manager"), "value": {"value": ""}}),
            with(&format!("/{ENTERPRISE}/manager"), Value::Null),
        ),
        (
            json!({"op": "replace", "path": ext(":manager.value"), "value": ""}),
            with(&format!("/{ENTERPRISE}/manager"), Value::Null),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": ""}),
            with("/emails/1", Value::Null),
        ),
    ] {
        assert_eq!(user(&json!([operation])), expected, "{operation}");
    }
    for value in [json!(null), json!(""), json!(" ")] {
        let kind = refused(&json!([{"op": "replace", "path": "userName", "value": value}]));
        assert_eq!(kind, ScimType::InvalidValue);
    }
}

#[test]
fn rule_1_18_unknown_attributes() {
    let patched = run(
        "User",
        &stored(),
        &json!([{"op": "replace", "value": {"title": "Boss", "nope": 1, "name": {"x": 1}}}]),
    )
    .unwrap();
    assert_eq!(patched.object["title"], "Boss");
    assert_eq!(patched.dropped, ["name.x", "nope"]);
    assert_eq!(
        refused(&json!([{"op": "replace", "value": {"nope": 1}}])),
        ScimType::InvalidPath
    );
}

#[test]
fn rule_1_7_types_are_checked() {
    for (path, value) in [
        ("active", json!("maybe")),
        ("active", json!(1)),
        ("title", json!(1)),
        ("title", json!(["a", "b"])),
        ("title", json!("a\u{0}b")),
        ("name", json!("Ada")),
        ("name", json!([1])),
        ("emails", json!([[]])),
        ("x509Certificates", json!([{"value": "***"}])),
    ] {
        assert_eq!(
            refused(&json!([{"op": "replace", "path": path, "value": value}])),
            ScimType::InvalidValue,
            "{path} {value}"
        );
    }
}

#[test]
fn rule_2_7_a_password_is_read_and_forgotten() {
    assert_eq!(
        user(&json!([{"op": "replace", "value": {"password": "secret"}}])),
        stored()
    );
    assert_eq!(
        refused(&json!([{"op": "replace", "path": "password", "value": 7}])),
        ScimType::InvalidValue
    );
}

#[test]
fn lesson_c29_external_id_is_an_attribute_like_others() {
    for (operation, expected) in [
        (
            json!({"op": "add", "path": "externalId", "value": "new"}),
            Some("new"),
        ),
        (
            json!({"op": "replace", "path": "EXTERNALID", "value": "new"}),
            Some("new"),
        ),
        (
            json!({"op": "replace", "value": {"externalId": "new"}}),
            Some("new"),
        ),
        (json!({"op": "remove", "path": "externalId"}), None),
        (
            json!({"op": "replace", "path": "externalId", "value": null}),
            None,
        ),
    ] {
        let patched = run("User", &stored(), &json!([operation])).unwrap();
        assert_eq!(patched.external_id.as_deref(), expected, "{operation}");
    }
}
