//! Table tests of the language, and what must hold for any expression.

use minijinja::{Environment, Value};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::hr::{Employee, Employment, ManagerRef, OrgUnit};

fn unit(id: &str, name: &str) -> Option<OrgUnit> {
    Some(OrgUnit {
        id: Some(id.into()),
        code: None,
        name: Some(name.into()),
    })
}

fn anna() -> Employee {
    Employee {
        source_id: "7".into(),
        given_name: Some("Änne".into()),
        family_name: Some("O'Neil".into()),
        work_email: Some("Anne.ONeil@Acme.example".into()),
        entity: unit("760", "Acme GmbH"),
        title: Some("Head of Sales".into()),
        manager: Some(ManagerRef::SourceId("3".into())),
        employments: vec![Employment {
            kind: Some("full_time".into()),
            first_day: chrono::NaiveDate::from_ymd_opt(2020, 3, 1),
            ..Employment::default()
        }],
        custom: [
            ("size".to_owned(), json!("L")),
            ("floors".to_owned(), json!([1, 2])),
            ("gone".to_owned(), json!(null)),
        ]
        .into(),
        ..Employee::default()
    }
}

fn value(text: &str) -> Option<serde_json::Value> {
    let expression =
        Expression::parse(text, &Fields::employee()).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression
        .value(&employee_context(&anna()))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn truth(text: &str) -> Truth {
    let expression =
        Expression::parse(text, &Fields::employee()).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression
        .truth(&employee_context(&anna()))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn values_come_out_as_written_and_what_is_empty_as_nothing() {
    for (text, expected) in [
        ("employee.work_email | lower", json!("anne.oneil@acme.example")),
        (
            "employee.given_name ~ ' ' ~ employee.family_name",
            json!("Änne O'Neil"),
        ),
        ("employee.preferred_name or employee.given_name", json!("Änne")),
        (
            "employee.preferred_name | lower | default('nobody')",
            json!("nobody"),
        ),
        ("employee.department.id | default('none')", json!("none")),
        ("employee[\"title\"] | upper", json!("HEAD OF SALES")),
        ("employee.title | split(' ') | last", json!("Sales")),
        (
            "employee.title | split | join('-') | lower",
            json!("head-of-sales"),
        ),
        ("employee.title[0:4]", json!("Head")),
        ("'ó d’arcy' | title", json!("Ó D’Arcy")),
        ("employee.family_name | lower | title", json!("O'neil")),
        ("employee.given_name | replace('Ä', 'Ae') | first", json!("A")),
        ("employee.title | length", json!(13)),
        ("'12.6' | int", json!(12)),
        ("'12.345' | round(2)", json!(12.35)),
        ("employee.custom.size", json!("L")),
        ("employee.custom.floors", json!([1, 2])),
        ("employee.first_day", json!("2020-03-01")),
        ("employee.manager.source_id", json!("3")),
        (
            "'x' if employee.title is startingwith('Head') else 'y'",
            json!("x"),
        ),
        (
            "{'L': 'large', 'S': 'small'}[employee.custom.size]",
            json!("large"),
        ),
        ("employee.status", json!("by_dates")),
    ] {
        assert_eq!(value(text), Some(expected), "{text}");
    }
    for empty in [
        "employee.preferred_name",
        "employee.preferred_name | lower",
        "employee.given_name ~ employee.middle_name",
        "employee.custom.gone",
        "employee.custom.never.was",
        "employee.manager.email",
        "'  '",
        "'nine' | int",
        "{'M': 'medium'}[employee.custom.size]",
    ] {
        assert_eq!(value(empty), None, "{empty}");
    }
}

#[test]
fn a_missing_value_makes_neither_true_nor_false() {
    use Truth::{False, True, Undefined};
    for (text, expected) in [
        ("employee.entity.id == '760'", True),
        ("employee.entity.id == '761'", False),
        ("employee.entity.id in ['760', '761']", True),
        ("employee.entity.id not in ['760', '761']", False),
        // the department is missing
        ("employee.department.id == '760'", Undefined),
        ("employee.department.id != '760'", Undefined),
        ("not (employee.department.id == '760')", Undefined),
        ("employee.department.id in ['760']", Undefined),
        ("employee.department.id not in ['760']", Undefined),
        ("employee.department.id | lower == 'x'", Undefined),
        ("employee.department.id is startingwith('7')", Undefined),
        ("employee.department.id is not startingwith('7')", Undefined),
        ("employee.department.id is in(['7'])", Undefined),
        ("employee.department.id", Undefined),
        ("employee.department.id > '3'", Undefined),
        ("'x' in employee.department.name", Undefined),
        ("true if employee.department.id == '1' else false", Undefined),
        // the part that decides decides
        (
            "employee.department.id == '1' and employee.entity.id == '761'",
            False,
        ),
        (
            "employee.entity.id == '761' and employee.department.id == '1'",
            False,
        ),
        (
            "employee.department.id == '1' and employee.entity.id == '760'",
            Undefined,
        ),
        (
            "employee.department.id == '1' or employee.entity.id == '760'",
            True,
        ),
        (
            "employee.department.id == '1' or employee.entity.id == '761'",
            Undefined,
        ),
        (
            "not (employee.department.id == '1' and employee.entity.id == '761')",
            True,
        ),
        (
            "not employee.department.id == '1' or (employee.entity.id == '760')",
            True,
        ),
        (
            "(employee.department.id == '1') and (employee.entity.id == '760' or true)",
            Undefined,
        ),
        // asking whether it is there is always decided
        ("employee.department is defined", False),
        ("employee.department.id is defined", False),
        ("employee.department is not defined", True),
        ("employee.department is undefined", True),
        ("employee.entity is defined", True),
        ("employee.entity is not none", True),
        (
            "employee.department is undefined or employee.department.id == '1'",
            True,
        ),
        ("employee.department.id | default('none') == 'none'", True),
        ("'and' == 'and' and 'or(' != \"x\"", True),
    ] {
        assert_eq!(truth(text), expected, "{text}");
    }
}

#[test]
fn unknown_names_are_told_with_their_place_and_what_is_near() {
    for (text, line, column, part) in [
        ("employee.work_mail | lower", 1, 10, "did you mean `work_email`"),
        ("employe.title", 1, 1, "did you mean `employee`"),
        (
            "employee.entity.id == '1'\n  and employee.entitty.id == '2'",
            2,
            16,
            "`entity`",
        ),
        ("employee.title.short", 1, 16, "`employee.title` has no parts"),
        (
            "employee.entity == '760'",
            1,
            1,
            "name one of its parts (code, id, name)",
        ),
        ("employee", 1, 1, "no single value"),
        ("employee.title | shout", 1, 18, "unknown filter `shout`"),
        ("employee.title | lowr", 1, 18, "did you mean `lower`"),
        ("employee.title is not defind", 1, 23, "did you mean `defined`"),
        ("range(10)", 1, 1, "cannot be called"),
        ("employee.title.upper()", 1, 1, "cannot be called"),
        ("(employee.title).x", 1, 17, "directly after a field"),
        ("'a' * 100000000", 1, 5, "multiplication"),
        ("employee.title = 'x'", 1, 16, ""),
        ("employee.title ==", 1, 16, "unexpected end of input"),
        ("employee.title == not", 1, 1, "`not` cannot stand"),
        ("", 1, 1, "empty"),
        ("title", 1, 1, "known are employee"),
        ("employee['work_mail']", 1, 10, "work_email"),
    ] {
        let error = Expression::parse(text, &Fields::employee()).expect_err(text);
        assert!(error.message.contains(part), "{text}: {error}");
        assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
    }
}

#[test]
fn size_and_steps_are_bounded() {
    let fields = Fields::employee();
    assert!(Expression::parse(&"a".repeat(MAX_TEXT + 1), &fields).is_err());
    let context = employee_context(&Employee {
        title: Some("x".repeat(MAX_OUTPUT)),
        ..anna()
    });
    let large = Expression::parse("employee.title ~ employee.title", &fields).unwrap();
    assert!(large.value(&context).unwrap_err().message.contains("larger than"));
    let grows = Expression::parse("employee.title | replace('x', 'xxxxxxxxxxxxxxxxxx')", &fields).unwrap();
    assert!(
        grows
            .value(&context)
            .unwrap_err()
            .message
            .contains("too many steps")
    );
    let deep = format!("{}true{}", "(".repeat(1000), ")".repeat(1000));
    assert!(Expression::parse(&deep, &fields).is_err());
}

#[test]
fn an_error_of_a_run_tells_no_value() {
    let bad = Expression::parse("employee.title - 1", &Fields::employee()).unwrap();
    let error = bad.value(&employee_context(&anna())).unwrap_err();
    assert!(!error.to_string().contains("Sales"), "{error}");
    assert!(bad.truth(&employee_context(&anna())).is_err());
}

#[test]
fn a_user_is_seen_by_short_names() {
    let user = json!({
        "userName": "anna", "active": true,
        "emails": [{"value": "p@x.example", "type": "home"}, {"value": "a@x.example", "type": "work", "primary": true}],
        "addresses": [{"type": "work", "locality": "Köln"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
            {"department": "Sales", "manager": {"value": "9", "displayName": "Boss"}},
        "urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User": {"entity": {"id": "760"}},
        "urn:acme:2.0:User": {"badge": "7"},
    });
    let context = user_context(user.as_object().unwrap());
    let fields = Fields::user(["nationality"]);
    for (text, expected) in [
        ("user.emails.work", json!("a@x.example")),
        ("user.emails.primary", json!("a@x.example")),
        ("user.emails.home", json!("p@x.example")),
        ("user.addresses.work.locality", json!("Köln")),
        (
            "user.department ~ user.enterprise.department",
            json!("SalesSales"),
        ),
        ("user.manager.displayName", json!("Boss")),
        ("user['urn:acme:2.0:User'].badge", json!("7")),
        ("user.active", json!(true)),
        ("user.nationality | default('none')", json!("none")),
        ("user.hr.location.id | default('none')", json!("none")),
        ("user.name.givenName | default('none')", json!("none")),
    ] {
        let found = Expression::parse(text, &fields).unwrap().value(&context).unwrap();
        assert_eq!(found, Some(expected), "{text}");
    }
    let scope = Expression::parse("user.hr.entity.id == '760'", &fields).unwrap();
    assert_eq!(scope.truth(&context).unwrap(), Truth::True);
    let nobody = user_context(&serde_json::Map::new());
    assert_eq!(scope.truth(&nobody).unwrap(), Truth::Undefined);
    assert!(Expression::parse("employee.title", &fields).is_err());
    assert!(Expression::parse("employee.title", &Fields::user([]).and(Fields::employee())).is_ok());
}

/// Small logic: a (true), b (false), u (missing).
fn logic() -> impl Strategy<Value = (String, Truth)> {
    let leaf = prop_oneof![
        Just(("employee.entity.id == '760'".to_owned(), Truth::True)),
        Just(("employee.entity.id == '1'".to_owned(), Truth::False)),
        Just(("employee.team.id == '1'".to_owned(), Truth::Undefined)),
        Just(("employee.team.id != '1'".to_owned(), Truth::Undefined)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let number = |truth| match truth {
            Truth::False => 0,
            Truth::Undefined => 1,
            Truth::True => 2,
        };
        let truth = |number| [Truth::False, Truth::Undefined, Truth::True][number];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(move |(a, b)| (
                format!("({}) and ({})", a.0, b.0),
                truth(number(a.1).min(number(b.1)))
            )),
            (inner.clone(), inner.clone()).prop_map(move |(a, b)| (
                format!("({}) or ({})", a.0, b.0),
                truth(number(a.1).max(number(b.1)))
            )),
            inner.prop_map(move |a| (format!("not ({})", a.0), truth(2 - number(a.1)))),
        ]
    })
}

proptest! {
    #[test]
    fn truth_is_that_of_kleene((text, expected) in logic()) {
        let expression = Expression::parse(&text, &Fields::employee()).unwrap();
        prop_assert_eq!(expression.truth(&employee_context(&anna())).unwrap(), expected, "{}", text);
    }

    #[test]
    fn any_text_compiles_or_is_refused_and_runs_within_bounds(text in "[a-z0-9 ='\"|.()\\[\\]~+,]{0,60}|(employee\\.(title|entity\\.id|given_name)| and | or |not |\\(|\\)|==| is defined|'x'|\\||lower|~){0,12}") {
        if let Ok(expression) = Expression::parse(&text, &Fields::employee()) {
            let context = employee_context(&anna());
            let _ = expression.value(&context);
            let _ = expression.truth(&context);
            // Our own reading of names sees what minijinja sees.
            let environment = Environment::empty();
            let roots = environment.compile_expression(&text).unwrap().undeclared_variables(false);
            prop_assert!(roots.iter().all(|root| root == "employee"), "{:?}", roots);
        }
    }

    #[test]
    fn with_every_value_there_truth_agrees_with_minijinja(a in any::<bool>(), b in any::<bool>(), c in any::<bool>(), shape in 0_usize..6) {
        let shapes = ["{a} and {b} or {c}", "{a} or {b} and {c}", "not {a} and ({b} or not {c})", "not ({a} or {b}) or {c}",
            "({a}) == ({b}) and {c}", "{a} if {b} else {c}"];
        let text = shapes[shape].replace("{a}", &a.to_string()).replace("{b}", &b.to_string()).replace("{c}", &c.to_string());
        let theirs = Environment::new().compile_expression(&text).unwrap().eval(Value::UNDEFINED).unwrap().is_true();
        let ours = Expression::parse(&text, &Fields::employee()).unwrap().truth(&Value::UNDEFINED).unwrap();
        prop_assert_eq!(ours, Truth::from(theirs), "{}", text);
    }
}
