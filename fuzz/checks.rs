//! What must hold for any bytes from outside. Each function is one fuzz target; the collected inputs in `corpus/` run
//! through the same functions as a test.

use std::sync::{Arc, LazyLock};

use scim_bridge::scim::message::SearchRequest;
use scim_bridge::scim::{
    AttrPath, ENTERPRISE, Object, Projection, Registry, ResourceType, USER, diff, filter, keys, patch, read,
    replace, sort_key, sort_place,
};
use serde_json::{Value, json};

static KINDS: LazyLock<[Arc<ResourceType>; 2]> = LazyLock::new(|| {
    let registry = Registry::builtin();
    ["User", "Group"].map(|name| registry.kind(name).unwrap().clone())
});

/// A user with something in every kind of attribute, as it is kept.
static STORED: LazyLock<Object> = LazyLock::new(|| {
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "ann", "title": "Engineer", "active": true,
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [
            {"type": "work", "value": "a@x.test", "primary": true},
            {"type": "home", "value": "a@h.test"}
        ],
        "phoneNumbers": [{"type": "mobile", "value": "+1 201-555-0123"}],
        "roles": [{"value": "one", "primary": false}],
        "x509Certificates": [{"value": "MDEyMzQ1"}],
        ENTERPRISE: {"department": "Tools", "manager": {"value": "m-1"}},
    });
    read(&KINDS[0], &body).unwrap().object
});

/// A filter that parses is written so that it parses to the same, and says of a resource what its negation denies.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(parsed) = filter::parse(text) else { return };
    let written = parsed.to_string();
    assert_eq!(filter::parse(&written).as_ref(), Ok(&parsed), "{written}");
    for kind in KINDS.iter() {
        let Ok(bound) = filter::bind(&parsed, kind) else {
            continue;
        };
        let denied = filter::bind(&filter::Filter::Not(Box::new(parsed.clone())), kind).unwrap();
        assert_ne!(bound.matches(&STORED), denied.matches(&STORED), "{written}");
    }
}

/// A path that parses is written so that it parses to the same, and the same place is found by both.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(path) = AttrPath::parse(text) {
        assert_eq!(AttrPath::parse(&path.to_string()), Some(path.clone()));
        for kind in KINDS.iter() {
            let Some(place) = kind.place(&path) else { continue };
            let registered = AttrPath::parse(&place.path()).unwrap();
            assert_eq!(
                kind.place(&registered).map(|place| place.path()),
                Some(place.path())
            );
        }
    }
    for kind in KINDS.iter() {
        if let Ok(place) = sort_place(kind, text) {
            let _ = sort_key(&place, &STORED);
        }
    }
    let _ = filter::parse_target(text);
    let _ = Projection::parse(&KINDS[0], Some(text), None);
    let _ = SearchRequest::from_query([("startIndex", text), ("count", text), ("cursor", text)]);
}

/// A PATCH that is carried out leaves a resource that reads back as it is, and that the smallest PATCH makes as well.
pub fn patch(data: &[u8]) {
    let Some(request) = json_of(data).and_then(|body| patch::parse(&body).ok()) else {
        return;
    };
    let kind = &KINDS[0];
    if let Ok(patched) = patch::apply(kind, &STORED, None, &request) {
        reads_back(kind, &patched.object);
        let operations = diff::to_patch(kind, &STORED, &patched.object);
        if operations.is_empty() {
            assert!(diff::diff(kind, &STORED, &patched.object).is_empty());
            return;
        }
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        if let Ok(request) = patch::parse(&body) {
            let made = patch::apply(kind, &STORED, None, &request).unwrap();
            let left = diff::diff(kind, &patched.object, &made.object);
            assert!(left.is_empty(), "{body} leaves {left:?}");
        }
    }
    let _ = patch::apply(&KINDS[1], &Object::new(), None, &request);
}

/// A body that is read gives a resource that reads back as it is; replacing by it is safe; a search body is read or
/// refused.
pub fn body(data: &[u8]) {
    let Some(body) = json_of(data) else { return };
    for kind in KINDS.iter() {
        let Ok(incoming) = read(kind, &body) else { continue };
        reads_back(kind, &incoming.object);
        let _ = keys(kind, &incoming.object);
        if kind.name == "User" {
            let _ = replace(kind, &STORED, incoming);
        }
    }
    let _ = SearchRequest::from_body(&body);
}

fn reads_back(kind: &ResourceType, object: &Object) {
    let again = read(kind, &Value::Object(object.clone()));
    assert_eq!(again.map(|again| again.object).as_ref(), Ok(object));
}

fn json_of(data: &[u8]) -> Option<Value> {
    serde_json::from_slice(data).ok()
}
