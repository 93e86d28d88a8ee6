//! Named after the rules of RFC 7644 §3.4.2.2 and our choices where it is silent.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::scim::error::ScimType;
use crate::scim::registry::{ENTERPRISE, Registry, USER};
use crate::scim::tolerated::Shape;
use crate::scim::{AttrPath, Object, fold, key_of, keys, sample};

use super::{Bound, Filter, Literal, Op, bind, bind_loosely, parse, tolerated};

fn whole() -> Object {
    let user = json!({
        "schemas": [USER, ENTERPRISE],
        "id": "2819c223-7f76",
        "externalId": "Ext-1",
        "userName": "ann@nimbus.test",
        "name": {"givenName": "Ann", "familyName": "Éclair"},
        "active": false,
        "title": "100% \"real\" \\ thing_1",
        "emails": [
            {"type": "work", "value": "ann@nimbus.test", "primary": true},
            {"type": "home", "value": "ann@home.test"},
        ],
        "x509Certificates": [{"value": "AAEC"}],
        "groups": [{"value": "g-1", "display": "Ops"}],
        "meta": {"resourceType": "User", "created": "2026-01-02T03:04:05Z", "lastModified": "2026-02-01T10:00:00.5+02:00", "version": "W/\"3\""},
        ENTERPRISE: {"employeeNumber": "007", "manager": {"value": "m-1", "displayName": "Mo"}},
    });
    user.as_object().unwrap().clone()
}

fn bound(text: &str) -> Result<Bound, crate::scim::Error> {
    bind(&parse(text)?, &sample::user())
}

fn holds(text: &str) -> bool {
    bound(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .matches(&whole())
}

#[track_caller]
fn all_hold(filters: &[&str]) {
    for filter in filters {
        assert!(holds(filter), "{filter}");
    }
}

#[track_caller]
fn none_holds(filters: &[&str]) {
    for filter in filters {
        assert!(!holds(filter), "{filter}");
    }
}

#[track_caller]
fn all_refused(filters: &[&str]) {
    for filter in filters {
        let error = bound(filter).err().unwrap_or_else(|| panic!("{filter} is taken"));
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(ScimType::InvalidFilter)),
            "{filter}"
        );
    }
}

#[test]
fn rule_6_10_operators_and_names_in_any_case() {
    all_hold(&[
        "USERNAME EQ \"ann@nimbus.test\"",
        "username Pr",
        "Active eq FALSE AND Title pR",
        "NOT (title EQ \"x\")",
    ]);
}

#[test]
fn rule_6_11_brackets_then_not_then_and_then_or() {
    let text = "a pr or b pr and not (c pr or d pr) and (e pr)";
    let name = |name: &str| Filter::Present(AttrPath::parse(name).unwrap());
    let expected = Filter::Or(vec![
        name("a"),
        Filter::And(vec![
            name("b"),
            Filter::Not(Box::new(Filter::Or(vec![name("c"), name("d")]))),
            name("e"),
        ]),
    ]);
    assert_eq!(parse(text).unwrap(), expected);
    all_hold(&[
        "title pr or title pr and nickName pr",
        "not(nickName pr)",
        "((title pr))",
        " title pr ",
    ]);
    none_holds(&["(title pr or title pr) and nickName pr"]);
    all_refused(&["not title pr", "title pr and not active eq true"]);
}

#[test]
fn rule_6_12_case_exact_says_whether_case_matters() {
    all_hold(&[
        "userName eq \"ANN@NIMBUS.TEST\"",
        "name.familyName eq \"éCLAIR\"",
        "externalId eq \"Ext-1\"",
        "name.familyName sw \"É\"",
    ]);
    none_holds(&[
        "externalId eq \"ext-1\"",
        "id eq \"2819C223-7F76\"",
        "x509Certificates.value eq \"aaec\"",
    ]);
}

#[test]
fn rule_6_13_order() {
    all_hold(&[
        "userName gt \"Ann\"",
        "userName ge \"ANN@nimbus.test\"",
        "userName lt \"b\"",
        "userName le \"ann@nimbus.test\"",
        "meta.created lt \"2026-01-02T04:04:06+01:00\"",
        "meta.created eq \"2026-01-02T04:04:05+01:00\"",
        "meta.lastModified gt \"2026-02-01T08:00:00Z\"",
        "meta.lastModified le \"2026-02-01T08:00:00.500Z\"",
    ]);
    none_holds(&[
        "userName gt \"b\"",
        "meta.created ne \"2026-01-02T03:04:05.000Z\"",
    ]);
    all_refused(&[
        "active gt true",
        "active le false",
        "active co \"t\"",
        "x509Certificates.value gt \"AA\"",
        "meta.created co \"2026\"",
        "meta.created gt \"2026-01-02\"",
        "meta.created gt \"yesterday\"",
    ]);
}

#[test]
fn rule_6_14_broken_syntax() {
    all_refused(&[
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq \"a",
        "userName eq \"a\" and",
        "userName is \"a\"",
        "(title pr",
        "title pr)",
        "title pr title pr",
        "emails[type eq \"work\"",
        "emails[]",
        "emails[emails[type pr]]",
        "userName eq'a'",
        "userName eq 'a'",
        "userName eq\"a\"",
        "userName eq \"\\x\"",
        "userName eq \"a\"b",
        "userName eq \"a\u{0}\"",
        "userName eq \"\\u0000\"",
        "1a pr",
        "and",
        "or title pr",
        "not",
        "not ()",
        "()",
        "title  eq",
        "[type eq \"work\"]",
        "title pr & title pr",
        "emails [type pr]",
    ]);
}

#[test]
fn rule_6_15_unknown_attributes() {
    all_refused(&[
        "nope eq \"x\"",
        "name.nope pr",
        "urn:x:y:userName pr",
        "emails[nope pr]",
        "userName.value pr",
        "emails[type.x pr]",
    ]);
    let loosely = |text: &str| {
        bind_loosely(&parse(text).unwrap(), &sample::user())
            .unwrap()
            .matches(&whole())
    };
    assert!(!loosely("members pr") && !loosely("members eq \"x\"") && !loosely("members[value pr]"));
    assert!(loosely("not (members pr)") && loosely("members ne \"x\"") && loosely("members eq null"));
}

#[test]
fn rule_6_16_any_element_of_a_list_and_value_of_a_complex_attribute() {
    all_hold(&[
        "emails eq \"ANN@home.test\"",
        "emails co \"nimbus\"",
        "emails.type eq \"home\"",
        "groups eq \"g-1\"",
        "groups.value eq \"g-1\"",
        "manager eq \"m-1\"",
        "schemas eq \"urn:ietf:params:scim:schemas:core:2.0:user\"",
    ]);
    all_refused(&["name eq \"Ann\"", "meta eq \"x\"", "addresses eq \"x\""]);
}

#[test]
fn rule_6_17_a_value_path_binds_to_one_element() {
    all_hold(&[
        "emails[type eq \"work\" and value co \"nimbus\"]",
        "emails.type eq \"home\" and emails.value co \"nimbus\"",
        "emails[not (type eq \"work\") and value ew \"home.test\"]",
        "emails[primary eq \"True\"]",
        "name[givenName eq \"ann\"]",
    ]);
    none_holds(&[
        "emails[type eq \"home\" and value co \"nimbus\"]",
        "phoneNumbers[type eq \"work\"]",
        "emails[type eq \"home\" and primary eq true]",
    ]);
    all_refused(&["userName[value eq \"x\"]", "emails.value[value eq \"x\"]"]);
}

#[test]
fn rule_6_18_ne_and_not_eq_differ_on_lists() {
    all_hold(&[
        "emails.type ne \"work\"",
        "nickName ne \"x\"",
        "phoneNumbers.type ne \"x\"",
        "active ne true",
    ]);
    none_holds(&["not (emails.type eq \"work\")", "active ne false"]);
}

#[test]
fn rule_6_19_present() {
    all_hold(&[
        "active pr",
        "name pr",
        "emails pr",
        "emails.primary pr",
        "manager pr",
        "meta.version pr",
    ]);
    none_holds(&["nickName pr", "addresses pr", "name.middleName pr"]);
    let mut empty = whole();
    empty.insert("title".to_owned(), json!(""));
    empty.insert("name".to_owned(), json!({"givenName": ""}));
    for filter in ["title pr", "name pr"] {
        assert!(!bound(filter).unwrap().matches(&empty), "{filter}");
    }
}

#[test]
fn rule_6_20_null_is_no_value() {
    all_hold(&["nickName eq null", "title ne NULL", "not (title eq null)"]);
    none_holds(&["title eq null", "nickName ne null"]);
    all_refused(&["title gt null", "title co null"]);
}

#[test]
fn rule_6_21_values_are_json() {
    all_hold(&[
        r#"title eq "100% \"real\" \\ thing_1""#,
        r#"name.familyName eq "\u00e9clair""#,
        "active eq \"false\"",
        "active eq False",
    ]);
    all_refused(&["active eq \"maybe\"", "active eq 0", "active eq nope"]);
}

#[test]
fn rule_6_23_urns_and_brackets_nest() {
    all_hold(&[
        &format!("{USER}:userName sw \"a\" and emails[type eq \"work\"]"),
        &format!("{ENTERPRISE}:employeeNumber eq \"007\" and (title pr or {ENTERPRISE}:department pr)"),
        &format!("{}:MANAGER.VALUE eq \"m-1\"", ENTERPRISE.to_uppercase()),
        &format!("{ENTERPRISE}:manager[value eq \"m-1\" and displayName sw \"M\"]"),
    ]);
}

#[test]
fn rule_6_24_an_empty_part_is_in_every_text_and_wildcards_are_letters() {
    all_hold(&[
        "title co \"\"",
        "title sw \"\"",
        "title ew \"\"",
        "title co \"%\"",
        "title ew \"_1\"",
    ]);
    none_holds(&["nickName co \"\"", "title sw \"%\"", "title co \"__\""]);
}

#[test]
fn rule_6_25_a_password_is_no_oracle() {
    all_refused(&[
        "password eq \"x\"",
        "password pr",
        "password sw \"a\"",
        "not (password pr)",
    ]);
}

#[test]
fn rule_6_26_hostile_filters_are_refused() {
    let deep = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(20)).is_ok());
    let wide = |terms: usize| vec!["title pr"; terms].join(" or ");
    assert!(parse(&wide(100)).is_ok());
    all_refused(&[
        &deep(21),
        &deep(4_000),
        &"not (".repeat(1_600),
        &wide(101),
        &format!("title eq \"{}\"", "x".repeat(9_000)),
        &"(".repeat(100_000),
    ]);
}

#[test]
fn a_single_word_needs_no_quotes() {
    let filter = parse("userName eq ann@nimbus.test").unwrap();
    assert_eq!(tolerated(&filter, &sample::user()), [Shape::UnquotedFilterValue]);
    all_hold(&["userName eq ann@nimbus.test", "(userName eq ann@nimbus.test)"]);
    let quoted = parse("userName eq \"ann\"").unwrap();
    assert_eq!(tolerated(&quoted, &sample::user()), []);
    let number = bound(&format!("{ENTERPRISE}:employeeNumber eq 7.50")).unwrap();
    let mut user = whole();
    user.insert(ENTERPRISE.to_owned(), json!({"employeeNumber": "7.50"}));
    assert!(
        number.matches(&user),
        "a number for a text is the text as written"
    );
}

#[test]
fn members_and_their_values() {
    let registry = Registry::builtin();
    let group = registry.kind("Group").unwrap();
    let ops = json!({"id": "g", "displayName": "Ops", "members": [{"value": "u-1", "type": "User"}]});
    for (text, expected) in [
        ("members eq \"u-1\"", true),
        ("members.value eq \"u-2\"", false),
        (
            "id eq \"g\" and members[value eq \"u-1\" and type eq \"user\"]",
            true,
        ),
    ] {
        let bound = bind(&parse(text).unwrap(), group).unwrap();
        assert_eq!(bound.matches(ops.as_object().unwrap()), expected, "{text}");
    }
}

#[test]
fn numbers_compare_by_value() {
    let registry = Registry::builtin()
        .with(
            &[json!({"id": "urn:x:y:T", "attributes": [{"name": "size", "type": "integer"}, {"name": "rate", "type": "decimal"}]})],
            &[json!({"name": "T", "endpoint": "/Ts", "schema": "urn:x:y:T"})],
        )
        .unwrap();
    let kind = registry.kind("T").unwrap();
    let thing = json!({"size": 10, "rate": 0.5});
    for (text, expected) in [
        ("size gt 9", true),
        ("size eq 10", true),
        ("size lt \"11\"", true),
        ("rate le 5e-1", true),
        ("rate gt 0.50", false),
    ] {
        assert_eq!(
            bind(&parse(text).unwrap(), kind)
                .unwrap()
                .matches(thing.as_object().unwrap()),
            expected,
            "{text}"
        );
    }
    for text in ["size eq 1.5", "size co 1", "rate eq \"x\""] {
        assert!(bind(&parse(text).unwrap(), kind).is_err(), "{text}");
    }
}

// ---------------------------------------------------------------- properties

fn path() -> impl Strategy<Value = &'static str> {
    select(vec![
        "userName",
        "title",
        "name.givenName",
        "name.familyName",
        "emails.value",
        "emails.type",
        "phoneNumbers.display",
        "roles.value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    ])
}

fn op() -> impl Strategy<Value = Op> {
    select(vec![
        Op::Eq,
        Op::Ne,
        Op::Co,
        Op::Sw,
        Op::Ew,
        Op::Gt,
        Op::Ge,
        Op::Lt,
        Op::Le,
    ])
}

fn comparison(path: impl Strategy<Value = &'static str> + 'static) -> BoxedStrategy<Filter> {
    let path = path.prop_map(|text| AttrPath::parse(text).unwrap()).boxed();
    prop_oneof![
        4 => (path.clone(), op(), sample::word()).prop_map(|(path, op, word)| Filter::Compare { path, op, value: Literal::Text(word) }),
        1 => path.prop_map(Filter::Present),
    ]
    .boxed()
}

fn logic(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn filter() -> impl Strategy<Value = Filter> {
    let element = logic(comparison(select(vec!["value", "type", "display"])));
    let value_path =
        (select(vec!["emails", "phoneNumbers"]), element).prop_map(|(path, inner)| Filter::ValuePath {
            path: AttrPath::parse(path).unwrap(),
            inner: Box::new(inner),
        });
    let active = (select(vec![Op::Eq, Op::Ne]), any::<bool>()).prop_map(|(op, value)| Filter::Compare {
        path: AttrPath::parse("active").unwrap(),
        op,
        value: Literal::Boolean(value),
    });
    logic(prop_oneof![4 => comparison(path()), 2 => value_path, 1 => active].boxed())
}

/// All values at a dotted path, as a plain walk over the JSON finds them.
fn values<'a>(value: &'a Value, path: &AttrPath) -> Vec<&'a Value> {
    let start = match &path.urn {
        Some(urn) => value.get(urn),
        None => Some(value),
    };
    let mut found: Vec<&Value> = start.into_iter().collect();
    for name in [Some(&path.name), path.sub.as_ref()].into_iter().flatten() {
        found = found
            .into_iter()
            .filter_map(|value| value.get(name))
            .flat_map(|value| match value {
                Value::Array(list) => list.iter().collect(),
                value => vec![value],
            })
            .collect();
    }
    found
}

/// Evaluates a filter as its definition reads.
fn naive(filter: &Filter, value: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| naive(part, value)),
        Filter::Or(parts) => parts.iter().any(|part| naive(part, value)),
        Filter::Not(inner) => !naive(inner, value),
        Filter::Present(path) => values(value, path).iter().any(|found| **found != json!("")),
        Filter::Behind { .. } => unreachable!("not generated"),
        Filter::ValuePath { path, inner } => values(value, path).iter().any(|element| naive(inner, element)),
        Filter::Compare {
            path,
            op,
            value: Literal::Boolean(wanted),
        } => {
            let found = values(value, path);
            (*op == Op::Eq && found == [&json!(wanted)]) || (*op == Op::Ne && found != [&json!(wanted)])
        }
        Filter::Compare {
            path,
            op,
            value: Literal::Text(wanted),
        } => {
            let wanted = fold(wanted);
            let found: Vec<String> = values(value, path)
                .iter()
                .map(|found| fold(found.as_str().unwrap()))
                .collect();
            let one = |text: &String| match op {
                Op::Eq => *text == wanted,
                Op::Ne => *text != wanted,
                Op::Co => text.contains(&wanted),
                Op::Sw => text.starts_with(&wanted),
                Op::Ew => text.ends_with(&wanted),
                Op::Gt => *text > wanted,
                Op::Ge => *text >= wanted,
                Op::Lt => *text < wanted,
                Op::Le => *text <= wanted,
            };
            found.iter().any(one) || (*op == Op::Ne && found.is_empty())
        }
        Filter::Compare { .. } => panic!("not generated"),
    }
}

/// The comparisons by `eq` that a filter has.
fn equalities(bound: &Bound, found: &mut Vec<Bound>) {
    match bound {
        Bound::And(parts) | Bound::Or(parts) => parts.iter().for_each(|part| equalities(part, found)),
        Bound::Not(inner) => equalities(inner, found),
        Bound::Compare { op: Op::Eq, .. } => found.push(bound.clone()),
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_shown_parses_to_the_same(filter in filter()) {
        prop_assert_eq!(parse(&filter.to_string()).unwrap(), filter);
    }

    #[test]
    fn matching_is_what_the_definition_says(filter in filter(), object in sample::object()) {
        let bound = bind(&filter, &sample::user()).unwrap();
        prop_assert_eq!(bound.matches(&object), naive(&filter, &Value::Object(object)), "{}", filter);
    }

    #[test]
    fn whoever_equals_has_the_key(filter in filter(), object in sample::object()) {
        let kind = sample::user();
        let mut found = Vec::new();
        equalities(&bind(&filter, &kind).unwrap(), &mut found);
        let keys = keys(&kind, &object);
        for bound in found {
            let Bound::Compare { place, operand, .. } = &bound else { continue };
            if let Some(key) = key_of(&kind, place, operand) {
                prop_assert_eq!(bound.matches(&object), keys.contains(&key), "{:?}", key);
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z\"\\\\()\\[\\] .:]{0,40}|\\PC{0,40}") {
        let _ = parse(&text);
        let _ = super::parse_target(&text);
    }
}
