//! Table tests of mapping, policies, held logins, required fields, groups and managers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::base::{PersonId, ResourceId};
use crate::hr::{Employee, Employment, ManagerRef, OrgUnit, Status};
use crate::identity::Resolved;
use crate::lifecycle::{self, Verdict, judge};
use crate::scim::{Incoming, Object, Registry, ResourceType};

const ENTERPRISE: &str = crate::scim::ENTERPRISE;

fn user_type() -> Arc<ResourceType> {
    Registry::builtin().kind("User").unwrap().clone()
}

fn now() -> DateTime<Utc> {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

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
        employee_number: Some("007".into()),
        given_name: Some("Änne".into()),
        family_name: Some("O'Neil".into()),
        work_email: Some("Anne.ONeil@Acme.example".into()),
        work_phone: Some("+49 1".into()),
        title: Some("Head of Sales".into()),
        department: unit("d1", "Sales"),
        entity: unit("760", "Acme GmbH"),
        manager: Some(ManagerRef::SourceId("3".into())),
        status: Status::Active,
        employments: vec![Employment {
            kind: Some("full_time".into()),
            first_day: "2020-03-01".parse().ok(),
            ..Employment::default()
        }],
        ..Employee::default()
    }
}

fn mapping(text: &str) -> Mapping {
    Mapping::compile(&user_type(), &toml::from_str(text).unwrap(), &[], None).unwrap()
}

fn resolved(employee: Employee) -> Resolved {
    Resolved {
        person: PersonId::new(),
        employees: vec![employee],
        leading: 0,
    }
}

fn verdict(employee: &Employee) -> Verdict {
    judge(employee, &lifecycle::Policy::default(), None, now())
}

fn translate(mapping: &Mapping, employee: &Employee, previous: Option<&Object>) -> Translated {
    user(mapping, &resolved(employee.clone()), &verdict(employee), previous).unwrap()
}

#[test]
fn the_default_mapping_makes_a_user_that_the_schemas_accept() {
    let made = translate(&mapping(""), &anna(), None);
    assert_eq!(
        Value::Object(made.object.clone()),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, crate::scim::HR],
            "userName": "anne.oneil@acme.example",
            "name": {"givenName": "Änne", "familyName": "O'Neil"},
            "displayName": "Änne O'Neil",
            "title": "Head of Sales",
            "active": true,
            "emails": [{"value": "Anne.ONeil@Acme.example", "type": "work", "primary": true}],
            "phoneNumbers": [{"value": "+49 1", "type": "work"}],
            ENTERPRISE: {"employeeNumber": "007", "department": "Sales", "organization": "Acme GmbH"},
            crate::scim::HR: {"entity": {"id": "760", "name": "Acme GmbH"}, "employmentType": "full_time",
                "firstDay": "2020-03-01", "state": "active"},
        })
    );
    let registry = Registry::builtin();
    let Incoming { object, dropped, .. } = crate::scim::read(
        registry.kind("User").unwrap(),
        &Value::Object(made.object.clone()),
    )
    .unwrap();
    assert_eq!(object["userName"], made.object["userName"]);
    assert!(
        dropped.iter().all(|path| path.contains("extension:hr")),
        "{dropped:?}"
    );
    let again = translate(&mapping(""), &anna(), Some(&made.object));
    assert_eq!(again, made, "a second time nothing changes");
}

/// EXP-9 and EXP-10: every combination of four required fields.
#[test]
fn exactly_the_missing_required_fields_are_named() {
    let required = ["given_name", "family_name", "work_email", "employee_number"].map(str::to_owned);
    let mapping = Mapping::compile(&user_type(), &MappingConfig::default(), &[], Some(&required)).unwrap();
    for there in 0..16_u8 {
        let has = |place: u8| there & (1 << place) != 0;
        let mut employee = anna();
        let fields = [
            &mut employee.given_name,
            &mut employee.family_name,
            &mut employee.work_email,
            &mut employee.employee_number,
        ];
        for (place, field) in (0..).zip(fields) {
            if !has(place) {
                *field = None;
            }
        }
        let missing: Vec<String> = (0..)
            .zip(&required)
            .filter(|(place, _)| !has(*place))
            .map(|(_, name)| name.clone())
            .collect();
        let result = user(&mapping, &resolved(employee.clone()), &verdict(&employee), None);
        assert_eq!(
            result.map(|_| ()).map_err(|missing| missing.fields),
            if missing.is_empty() { Ok(()) } else { Err(missing) }
        );
    }
}

#[test]
fn blanks_are_empty_and_a_unit_is_there_with_any_part() {
    let blank = Employee {
        given_name: Some("  ".into()),
        ..anna()
    };
    let error = user(&mapping(""), &resolved(blank.clone()), &verdict(&blank), None).unwrap_err();
    assert_eq!(error.fields, ["given_name"]);
    let required = ["department".to_owned(), "first_day".to_owned()];
    let with_unit = Mapping::compile(&user_type(), &MappingConfig::default(), &[], Some(&required)).unwrap();
    assert!(user(&with_unit, &resolved(anna()), &verdict(&anna()), None).is_ok());
    let without = Employee {
        department: Some(OrgUnit::default()),
        employments: vec![],
        ..anna()
    };
    let error = user(&with_unit, &resolved(without.clone()), &verdict(&without), None).unwrap_err();
    assert_eq!(error.fields, ["department", "first_day"]);
}

#[test]
fn without_a_user_name_there_is_no_user() {
    let optional = Mapping::compile(&user_type(), &MappingConfig::default(), &[], Some(&[])).unwrap();
    let nameless = Employee {
        work_email: None,
        ..anna()
    };
    let error = user(&optional, &resolved(nameless.clone()), &verdict(&nameless), None).unwrap_err();
    assert_eq!(error.fields, ["userName"]);
}

/// LEAP-23, RG-23: an emptied record of a leaver still disables.
#[test]
fn a_leaver_is_disabled_even_when_the_record_was_emptied() {
    let before = translate(&mapping(""), &anna(), None).object;
    let emptied = Employee {
        work_email: None,
        given_name: None,
        status: Status::Left,
        ..anna()
    };
    let after = translate(&mapping(""), &emptied, Some(&before)).object;
    assert_eq!(after["active"], json!(false));
    assert_eq!(after["userName"], before["userName"]);
    assert_eq!(after["name"], before["name"]);
    let active = Employee {
        work_email: None,
        ..anna()
    };
    assert!(
        user(
            &mapping(""),
            &resolved(active.clone()),
            &verdict(&active),
            Some(&before)
        )
        .is_err()
    );
}

#[test]
fn somebody_held_keeps_active_as_it_is() {
    let mut before = translate(&mapping(""), &anna(), None).object;
    let strange = Employee {
        status: Status::Unknown("sabbatical".into()),
        ..anna()
    };
    assert_eq!(
        translate(&mapping(""), &strange, Some(&before)).object["active"],
        json!(true)
    );
    before.insert("active".into(), json!(false));
    assert_eq!(
        translate(&mapping(""), &strange, Some(&before)).object["active"],
        json!(false)
    );
}

#[test]
fn policies_decide_about_what_is_there() {
    let before = translate(
        &mapping("nickName = { from = 'employee.preferred_name' }"),
        &Employee {
            preferred_name: Some("Anni".into()),
            ..anna()
        },
        None,
    )
    .object;
    for (line, title, expected, held) in [
        ("", Some("CEO"), Some("CEO"), 0),
        ("", None, Some("Head of Sales"), 0),
        ("title = { clear_when_empty = true }", None, None, 0),
        (
            "title = { policy = 'fill' }",
            Some("CEO"),
            Some("Head of Sales"),
            0,
        ),
        (
            "title = { policy = 'fill', clear_when_empty = true }",
            None,
            Some("Head of Sales"),
            0,
        ),
        (
            "title = { policy = 'hold' }",
            Some("CEO"),
            Some("Head of Sales"),
            1,
        ),
        (
            "title = { policy = 'hold' }",
            Some("Head of Sales"),
            Some("Head of Sales"),
            0,
        ),
        ("title = { policy = 'hold' }", None, Some("Head of Sales"), 0),
        (
            "title = { policy = 'hold', clear_when_empty = true }",
            None,
            Some("Head of Sales"),
            1,
        ),
        (
            "title = { policy = 'ignore' }",
            Some("CEO"),
            Some("Head of Sales"),
            0,
        ),
        (
            "title = { from = 'employee.department.name' }",
            Some("CEO"),
            Some("Sales"),
            0,
        ),
    ] {
        let employee = Employee {
            title: title.map(str::to_owned),
            ..anna()
        };
        let made = translate(&mapping(line), &employee, Some(&before));
        assert_eq!(
            made.object.get("title").and_then(Value::as_str),
            expected,
            "{line} {title:?}"
        );
        assert_eq!(made.held.len(), held, "{line} {title:?}");
        assert_eq!(
            made.object["nickName"],
            json!("Anni"),
            "nobody maps it now, so it stays"
        );
    }
    for (line, expected) in [
        ("title = { policy = 'fill' }", true),
        ("title = { policy = 'hold' }", true),
        ("title = { policy = 'ignore' }", false),
    ] {
        let fresh = translate(&mapping(line), &anna(), None);
        assert_eq!(fresh.object.contains_key("title"), expected, "{line}");
        assert!(fresh.held.is_empty());
    }
}

/// PAYH-7, PAYH-8: userName and e-mail wait together, as one decision.
#[test]
fn logins_that_move_together_are_one_decision() {
    let before = translate(&mapping(""), &anna(), None).object;
    let married = Employee {
        work_email: Some("anne.smith@acme.example".into()),
        family_name: Some("Smith".into()),
        ..anna()
    };
    for lines in [
        "userName = { policy = 'hold' }",
        "emails = { policy = 'hold' }",
        "\"emails.work\" = { policy = 'hold' }\nuserName = { policy = 'hold' }",
    ] {
        let mapping = mapping(lines);
        let made = translate(&mapping, &married, Some(&before));
        assert_eq!(made.object["userName"], before["userName"], "{lines}");
        assert_eq!(made.object["emails"], before["emails"], "{lines}");
        assert_eq!(made.object["name"]["familyName"], json!("Smith"), "{lines}");
        let [held] = made.held.as_slice() else {
            panic!("{lines}: {:?}", made.held)
        };
        assert_eq!(held.field, "userName");
        assert_eq!(held.new, Some(json!("anne.smith@acme.example")));
        assert_eq!(held.parts.len(), 2);
        let (old, new) = held.both();
        let mut released = made.object.clone();
        release(&mapping, &mut released, &old, &new);
        let after = translate(&mapping, &married, Some(&released));
        assert!(after.held.is_empty(), "approved once, never asked again");
        assert_eq!(after.object, released);
        assert_eq!(released["emails"][0]["value"], json!("anne.smith@acme.example"));
        assert_eq!(released["emails"][0]["primary"], json!(true));
    }
}

#[test]
fn an_address_that_moves_alone_is_held_alone() {
    let before = translate(&mapping(""), &anna(), None).object;
    let mapping = mapping(
        "userName = { from = 'employee.employee_number' , policy = 'fill' }\nemails = { policy = 'hold' }",
    );
    let moved = Employee {
        work_email: Some("new@acme.example".into()),
        ..anna()
    };
    let made = translate(&mapping, &moved, Some(&before));
    let [held] = made.held.as_slice() else {
        panic!("{:?}", made.held)
    };
    assert_eq!((held.field.as_str(), held.parts.len()), ("emails.work", 1));
}

#[test]
fn what_clients_wrote_stays() {
    let mut before = translate(&mapping(""), &anna(), None).object;
    before["emails"]
        .as_array_mut()
        .unwrap()
        .push(json!({"value": "me@home.example", "type": "home"}));
    before.insert("locale".into(), json!("de-DE"));
    before[ENTERPRISE]
        .as_object_mut()
        .unwrap()
        .insert("manager".into(), json!({"value": "9"}));
    let moved = Employee {
        work_email: Some("new@acme.example".into()),
        work_phone: None,
        ..anna()
    };
    let made = translate(
        &mapping("\"phoneNumbers.work\" = { clear_when_empty = true }"),
        &moved,
        Some(&before),
    )
    .object;
    assert_eq!(made["emails"][0]["value"], json!("new@acme.example"));
    assert_eq!(
        made["emails"][1],
        json!({"value": "me@home.example", "type": "home"})
    );
    assert_eq!(made["locale"], json!("de-DE"));
    assert_eq!(
        made[ENTERPRISE]["manager"],
        json!({"value": "9"}),
        "the manager is the second pass's"
    );
    assert!(!made.contains_key("phoneNumbers"));
}

#[test]
fn any_attribute_can_be_mapped_by_any_spelling() {
    let made = translate(
        &mapping(
            r#"
            nickName = { from = "employee.preferred_name or employee.given_name" }
            name.honorificPrefix = { from = "'Dr.'" }
            "addresses.work.locality" = { from = "employee.location.name | default('Köln')" }
            "addresses.work.country" = { from = "'DE'" }
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter" = { from = "employee.department.id" }
            enterprise.division = { from = "employee.department.name | upper" }
            roles = { from = "employee.employment_type" }
            "#,
        ),
        &anna(),
        None,
    )
    .object;
    assert_eq!(made["nickName"], json!("Änne"));
    assert_eq!(made["name"]["honorificPrefix"], json!("Dr."));
    assert_eq!(
        made["addresses"],
        json!([{"country": "DE", "locality": "Köln", "type": "work"}])
    );
    assert_eq!(made[ENTERPRISE]["costCenter"], json!("d1"));
    assert_eq!(made[ENTERPRISE]["division"], json!("SALES"));
    assert_eq!(made["roles"], json!([{"type": "work", "value": "full_time"}]));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let wrong = |text: &str, groups: &[GroupRule], required: &[String]| {
        let errors = Mapping::compile(
            &user_type(),
            &toml::from_str(text).unwrap(),
            groups,
            Some(required),
        )
        .unwrap_err();
        errors
            .into_iter()
            .map(|error| (error.at, error.line, error.column, error.message))
            .collect::<Vec<_>>()
    };
    for (text, at, line, column, part) in [
        (
            "title = { from = 'employee.titel' }",
            "mapping.title.from",
            1,
            10,
            "did you mean `title`",
        ),
        (
            "titel = { from = 'employee.title' }",
            "mapping.titel",
            0,
            0,
            "no attribute",
        ),
        ("active = { from = 'true' }", "mapping.active", 0, 0, "lifecycle"),
        ("groups = { from = 'true' }", "mapping.groups", 0, 0, "[[group]]"),
        (
            "name = { from = 'employee.title' }",
            "mapping.name",
            0,
            0,
            "has parts",
        ),
        (
            "nickName = { policy = 'hold' }",
            "mapping.nickName",
            0,
            0,
            "needs `from`",
        ),
        (
            "manager = { policy = 'hold' }",
            "mapping.manager",
            0,
            0,
            "among the people",
        ),
        (
            "\"emails.work.badge\" = { from = 'employee.title' }",
            "mapping.emails.work.badge",
            0,
            0,
            "no part",
        ),
        (
            "\"urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User:state\" = { from = \"'x'\" }",
            "mapping.urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User:state",
            0,
            0,
            "HR's facts",
        ),
    ] {
        let errors = wrong(text, &[], &[]);
        let [(told_at, told_line, told_column, message)] = errors.as_slice() else {
            panic!("{text}: {errors:?}")
        };
        assert_eq!(
            (told_at.as_str(), *told_line, *told_column),
            (at, line, column),
            "{text}: {message}"
        );
        assert!(message.contains(part), "{text}: {message}");
    }
    let rule = |key: &str| GroupRule {
        key: key.into(),
        name: "employee.department.nam".into(),
    };
    let errors = wrong(
        "",
        &[rule("employee.department.id"), rule("employee.department.id")],
        &["given_nam".to_owned()],
    );
    let places: Vec<&str> = errors.iter().map(|error| error.0.as_str()).collect();
    assert_eq!(
        places,
        ["group[0].name", "group[1].name", "group[1].key", "read.required"]
    );
}

#[test]
fn an_unknown_key_in_a_line_is_refused_with_line_and_column() {
    for text in [
        "title = { from = 'employee.title', polcy = 'hold' }",
        "title = { polcy = 'hold', from = 'x' }",
        "title = { polcy = 'hold' }",
        "title = 'employee.title'",
    ] {
        let error = toml::from_str::<MappingConfig>(text).unwrap_err();
        assert!(error.to_string().contains("line 1, column"), "{error}");
        assert!(
            text.ends_with('\'') || error.to_string().contains("polcy"),
            "{text}: {error}"
        );
    }
    let read: MappingConfig =
        toml::from_str("name.givenName = { from = 'employee.given_name', policy = 'fill' }").unwrap();
    assert_eq!(read.lines.keys().collect::<Vec<_>>(), ["name.givenName"]);
    let again: MappingConfig = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn a_value_that_does_not_fit_is_told_and_the_old_one_stays() {
    let before = translate(&mapping(""), &anna(), None).object;
    let odd = Employee {
        custom: [("list".to_owned(), json!(["a"]))].into(),
        ..anna()
    };
    let made = translate(
        &mapping("title = { from = 'employee.custom.list' }\nnickName = { from = 'employee.title - 1' }"),
        &odd,
        Some(&before),
    );
    assert_eq!(made.object["title"], json!("Head of Sales"));
    let fields: Vec<&str> = made
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["title", "nickName"]);
    assert!(
        made.problems
            .iter()
            .all(|problem| problem.source_id.as_deref() == Some("7"))
    );
}

#[test]
fn groups_follow_the_rules_and_keep_their_key_when_renamed() {
    let rules = [
        GroupRule {
            key: "employee.department.id".into(),
            name: "employee.department.name".into(),
        },
        GroupRule {
            key: "employee.team.id".into(),
            name: "employee.team.name".into(),
        },
        GroupRule {
            key: "employee.entity.id ~ '/' ~ employee.department.id".into(),
            name: "employee.team.name".into(),
        },
    ];
    let mapping = Mapping::compile(&user_type(), &MappingConfig::default(), &rules, None).unwrap();
    let found = groups(&mapping, &resolved(anna()));
    let renamed = groups(
        &mapping,
        &resolved(Employee {
            department: unit("d1", "Sales and more"),
            ..anna()
        }),
    );
    let names = |all: &[GroupKey]| {
        all.iter()
            .map(|group| (group.rule, group.name.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&found), [(0, "Sales".into()), (2, "760/d1".into())]);
    assert_eq!(
        names(&renamed),
        [(0, "Sales and more".into()), (2, "760/d1".into())]
    );
    assert_eq!(found[0].key, renamed[0].key);
    assert_ne!(found[0].key, found[1].key);
}

#[test]
fn the_manager_is_set_in_a_second_pass() {
    let (boss, own) = (ResourceId::new(), ResourceId::new());
    let plain = mapping("");
    let mut object = translate(&plain, &anna(), None).object;
    let reference = anna().manager;
    let reference = reference.as_ref();
    assert!(
        !set_manager(&plain, &mut object, reference, None, Some(own)),
        "not there yet"
    );
    assert!(set_manager(&plain, &mut object, reference, Some(boss), Some(own)));
    assert_eq!(object[ENTERPRISE]["manager"], json!({"value": boss.to_string()}));
    assert!(
        !set_manager(&plain, &mut object, reference, Some(boss), Some(own)),
        "a second time nothing changes"
    );
    assert!(
        !set_manager(&plain, &mut object, None, None, Some(own)),
        "an empty value keeps the old one"
    );
    assert!(!set_manager(
        &mapping("manager = { policy = 'ignore' }"),
        &mut object,
        reference,
        Some(own),
        None
    ));
    assert!(
        set_manager(&plain, &mut object, reference, None, Some(own)),
        "somebody else, without a user yet"
    );
    assert!(object[ENTERPRISE].get("manager").is_none());
    assert!(
        !set_manager(&plain, &mut object, reference, Some(own), Some(own)),
        "nobody is their own manager"
    );
    set_manager(&plain, &mut object, reference, Some(boss), Some(own));
    assert!(set_manager(
        &mapping("manager = { clear_when_empty = true }"),
        &mut object,
        None,
        None,
        Some(own)
    ));
}

#[test]
fn a_planned_leave_is_told_in_the_facts() {
    let mut leaving = anna();
    leaving.employments[0].last_day = "2026-06-30".parse().ok();
    let made = translate(&mapping(""), &leaving, None).object;
    assert_eq!(made[crate::scim::HR]["state"], json!("leaving_planned"));
    assert_eq!(made[crate::scim::HR]["lastDay"], json!("2026-06-30"));
    assert_eq!(made["active"], json!(true));
}
