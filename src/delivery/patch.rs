//! Bodies of PATCH (RFC 7644 §3.5.2): the smallest that leads from what the app holds to what it should.

use serde_json::{Value, json};

use super::send::MemberRef;
use crate::scim::{Object, Registry, diff};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The PATCH that leads from `before` to `after`. `externalId` is no attribute of a schema and compared here.
pub(super) fn patch_body(registry: &Registry, kind: &str, before: &Object, after: &Object) -> Value {
    let without = |object: &Object| {
        let mut object = object.clone();
        let external_id = object.remove("externalId");
        (object, external_id)
    };
    let ((before, old_id), (after, new_id)) = (without(before), without(after));
    let mut operations: Vec<Value> = registry
        .kind(kind)
        .map(|kind| diff::to_patch(kind, &before, &after))
        .unwrap_or_default()
        .iter()
        .map(|operation| json!(operation))
        .collect();
    match (old_id, new_id) {
        (None, Some(id)) => operations.push(json!({"op": "add", "path": "externalId", "value": id})),
        (Some(old), Some(id)) if old != id => {
            operations.push(json!({"op": "replace", "path": "externalId", "value": id}));
        }
        _ => {}
    }
    json!({ "schemas": [PATCH_OP], "Operations": operations })
}

/// The PATCH that puts members into a group and takes others out, each by the app's own id.
pub(super) fn member_changes(add: &[MemberRef], remove: &[MemberRef]) -> Value {
    let mut operations = Vec::new();
    if !add.is_empty() {
        let values: Vec<Value> = add.iter().map(|(_, remote)| json!({ "value": remote })).collect();
        operations.push(json!({"op": "add", "path": "members", "value": values}));
    }
    for (_, remote) in remove {
        let path = format!("members[value eq {}]", Value::String(remote.clone()));
        operations.push(json!({"op": "remove", "path": path}));
    }
    json!({ "schemas": [PATCH_OP], "Operations": operations })
}

/// A group as PUT sends it: what the app holds, with members put in and taken out.
pub(super) fn members_merged(theirs: &Object, add: &[MemberRef], remove: &[MemberRef]) -> Object {
    let mut body = theirs.clone();
    body.remove("meta");
    let is_at = |member: &Value, refs: &[MemberRef]| {
        member
            .get("value")
            .and_then(Value::as_str)
            .is_some_and(|value| refs.iter().any(|(_, remote)| remote == value))
    };
    let mut members: Vec<Value> = match body.remove("members") {
        Some(Value::Array(members)) => members,
        _ => Vec::new(),
    };
    members.retain(|member| !is_at(member, add) && !is_at(member, remove));
    members.extend(add.iter().map(|(_, remote)| json!({ "value": remote })));
    body.insert("members".to_owned(), Value::Array(members));
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ResourceId;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_changed_title_is_one_operation() {
        let before = object(json!({"userName": "a", "title": "S", "externalId": "1"}));
        let after = object(json!({"userName": "a", "title": "T", "externalId": "2"}));
        let body = patch_body(&Registry::builtin(), "User", &before, &after);
        assert_eq!(
            body["Operations"],
            json!([{"op": "replace", "path": "title", "value": "T"},
                   {"op": "replace", "path": "externalId", "value": "2"}])
        );
    }

    #[test]
    fn members_go_in_by_value_and_out_by_filter() {
        let one = (ResourceId::new(), "1\"".to_owned());
        let two = (ResourceId::new(), "2".to_owned());
        assert_eq!(
            member_changes(std::slice::from_ref(&two), std::slice::from_ref(&one))["Operations"],
            json!([{"op": "add", "path": "members", "value": [{"value": "2"}]},
                   {"op": "remove", "path": "members[value eq \"1\\\"\"]"}])
        );
        let theirs =
            object(json!({"id": "g", "displayName": "G", "members": [{"value": "1\""}, {"value": "9"}]}));
        assert_eq!(
            Value::Object(members_merged(&theirs, &[two], &[one])),
            json!({"id": "g", "displayName": "G", "members": [{"value": "9"}, {"value": "2"}]})
        );
    }
}
