use serde_json::json;

use crate::scim::filter::{Bound, bind, parse};
use crate::scim::registry::{ENTERPRISE, HR, USER};
use crate::scim::{Object, sample};

use super::*;

fn whole() -> Object {
    let user = json!({
        "schemas": [USER], "id": "1", "externalId": "X", "userName": "Ann@X.test", "active": true, "title": "Boss",
        "name": {"formatted": "Ann Lee", "givenName": "Ann"},
        "emails": [{"type": "work", "value": "Ann@X.test", "display": "Ann"}, {"type": "home", "value": "ann@x.test"}, {"value": "p", "primary": true}],
        "groups": [{"value": "g"}],
        "x509Certificates": [{"value": "AAEC"}],
        "meta": {"created": "2026-01-02T03:04:05Z"},
        "password": "secret",
        ENTERPRISE: {"manager": {"value": "M-1"}},
        HR: {"entity": {"code": "760"}, "onLeave": false},
    });
    user.as_object().unwrap().clone()
}

#[test]
fn what_is_looked_up_has_a_key_and_what_is_not_has_none() {
    let mut found = keys(&sample::user(), &whole());
    found.sort();
    let expected = [
        ("emails.display", "ann"),
        ("emails.value", "ann@x.test"),
        ("emails.value", "p"),
        ("name.givenName", "ann"),
        ("title", "boss"),
        (&format!("{HR}:entity.code"), "760"),
        (&format!("{ENTERPRISE}:manager.value"), "m-1"),
        ("userName", "ann@x.test"),
        ("x509Certificates.value", "aaec"),
    ];
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_filter_knows_its_key() {
    let kind = sample::user();
    for (filter, expected) in [
        ("emails eq \"ANN@x.test\"", Some(("emails.value", "ann@x.test"))),
        (
            "x509Certificates.value eq \"AAEC\"",
            Some(("x509Certificates.value", "aaec")),
        ),
        ("active eq true", None),
        ("emails.type eq \"work\"", None),
        ("name.formatted eq \"x\"", None),
        ("id eq \"1\"", None),
        ("externalId eq \"1\"", None),
        ("groups eq \"1\"", None),
        ("meta.created eq \"2026-01-02T03:04:05Z\"", None),
        ("schemas eq \"URN:x\"", Some(("schemas", "urn:x"))),
        (&format!("schemas eq \"{USER}\""), None),
    ] {
        let Bound::Compare { place, operand, .. } = bind(&parse(filter).unwrap(), &kind).unwrap() else {
            panic!("{filter}")
        };
        let key = key_of(&kind, &place, &operand);
        assert_eq!(
            key.as_ref().map(|(path, value)| (path.as_str(), value.as_str())),
            expected,
            "{filter}"
        );
    }
}

#[test]
fn rules_6_31_and_6_32_sorting() {
    let kind = sample::user();
    let key = |sort_by: &str| sort_key(&sort_place(&kind, sort_by).unwrap(), &whole());
    let text = |text: &str| Some(SortKey::Text(text.to_owned()));
    assert_eq!(key("USERNAME"), text("ann@x.test"));
    assert_eq!(key("externalId"), text("X"));
    assert_eq!(key("emails"), text("p"), "the primary one");
    assert_eq!(key("emails.display"), text("ann"), "else the first that has one");
    assert_eq!(key("nickName"), None);
    assert_eq!(key("active"), Some(SortKey::Boolean(true)));
    assert_eq!(
        key("meta.created"),
        Some(SortKey::Instant("2026-01-02T03:04:05Z".parse().unwrap()))
    );
    for bad in ["nope", "password", "name", "", "userName;"] {
        assert!(sort_place(&kind, bad).is_err(), "{bad}");
    }
}
