use serde_json::{Value, json};

use crate::scim::error::{Error, ScimType};
use crate::scim::registry::Registry;
use crate::scim::{Member, patch};

use super::MemberChange;

fn run(operations: &Value) -> Result<patch::Patched, Error> {
    let registry = Registry::builtin();
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    let ops = json!({"displayName": "Ops"});
    patch::apply(
        registry.kind("Group").unwrap(),
        ops.as_object().unwrap(),
        None,
        &patch::parse(&body)?,
    )
}

fn member(id: &str) -> Member {
    Member {
        value: id.to_owned(),
        ..Member::default()
    }
}

fn steps(operations: &Value) -> Vec<MemberChange> {
    run(operations).unwrap().members
}

#[test]
fn members_change_step_by_step() {
    let remove = |id: &str| MemberChange::Remove(vec![id.to_owned()]);
    for (operation, expected) in [
        (
            json!({"op": "add", "path": "members", "value": [{"$ref": null, "value": "a"}]}),
            Some(MemberChange::Add(vec![member("a")])),
        ),
        (
            json!({"op": "add", "path": "members", "value": {"value": "a"}}),
            Some(MemberChange::Add(vec![member("a")])),
        ),
        (
            json!({"op": "add", "path": "members", "value": ["a"]}),
            Some(MemberChange::Add(vec![member("a")])),
        ),
        (json!({"op": "add", "path": "members", "value": []}), None),
        (
            json!({"op": "add", "value": {"members": [{"value": "a"}]}}),
            Some(MemberChange::Add(vec![member("a")])),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"a\"]"}),
            Some(remove("a")),
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{"value": "a"}]}),
            Some(remove("a")),
        ),
        (json!({"op": "remove", "path": "members", "value": []}), None),
        (
            json!({"op": "remove", "path": "members"}),
            Some(MemberChange::Clear),
        ),
        (
            json!({"op": "remove", "path": "members", "value": null}),
            Some(MemberChange::Clear),
        ),
        (
            json!({"op": "replace", "path": "members", "value": []}),
            Some(MemberChange::Clear),
        ),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": "a"}]}),
            Some(MemberChange::Replace(vec![member("a")])),
        ),
        (
            json!({"op": "replace", "value": {"members": [{"value": "a"}], "displayName": "Ops"}}),
            Some(MemberChange::Replace(vec![member("a")])),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}),
            Some(MemberChange::Remove(vec!["a".to_owned(), "b".to_owned()])),
        ),
    ] {
        assert_eq!(
            steps(&json!([operation])),
            expected.into_iter().collect::<Vec<_>>(),
            "{operation}"
        );
    }
    let okta = json!([
        {"op": "remove", "path": "members[value eq \"u-1\"]"},
        {"op": "add", "path": "members", "value": [{"value": "u-2", "display": "x@nimbus.test"}]},
    ]);
    assert_eq!(steps(&okta).len(), 2);
}

#[test]
fn members_that_meet_a_filter_are_removed() {
    let changes = steps(&json!([{"op": "remove", "path": "members[type eq \"Group\"]"}]));
    let [MemberChange::RemoveWhere(bound)] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!(bound.matches_element(&json!({"value": "a", "type": "Group"})));
    assert!(!bound.matches_element(&json!({"value": "a", "type": "User"})));
}

#[test]
fn rule_2_9_members_are_not_changed() {
    for (operation, expected) in [
        (
            json!({"op": "replace", "path": "members[value eq \"unknown\"]", "value": {"value": "b"}}),
            ScimType::NoTarget,
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "replace", "path": "members.value", "value": "b"}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "add", "path": "members", "value": [{"display": "b"}]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": [{"value": 7}]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": [{"value": "b", "type": "Robot"}]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members[nope eq \"a\"]"}),
            ScimType::InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "displayName"}),
            ScimType::Mutability,
        ),
    ] {
        let error = run(&json!([operation])).unwrap_err();
        assert_eq!(error.scim_type, Some(expected), "{operation}: {error}");
    }
}
