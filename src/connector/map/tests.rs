use serde_json::json;

use super::*;
use crate::connector::CsvFields;

fn mapper(fields: &Value) -> Mapper {
    let ways = CsvFields::parse(fields)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .ways;
    Mapper {
        fields: ways,
        today: "2026-12-01".parse().unwrap(),
        ..Mapper::default()
    }
}

#[test]
fn a_row_becomes_an_employee_as_fields_say() {
    let mapper = mapper(&json!({
        "source_id": "Key",
        "employee_number": "Number",
        "given_name": {"at": "Name", "split": {"by": ", ", "take": "last"}},
        "family_name": {"at": "Name", "split": {"by": ", ", "take": "first"}},
        "work_email": [{"at": "Mail", "clean": "trim_lower"}, "OldMail"],
        "department": {"name": "Dept", "code": "DeptCode"},
        "manager": {"at": "Boss", "kind": "employee_number"},
        "status": {"at": "Status", "words": {"Current": "active", "": "left"}, "otherwise": "hold"},
        "first_day": {"at": "From", "date": "%d.%m.%Y"},
        "employment_type": {"at": "Type", "words": {"FT": "full_time"}},
        "custom": {"keys": {"shoe": "Shoe"}},
        "bank_accounts": {"iban": "Iban"},
    }));
    let row = json!({
        "Key": "7", "Number": " 007", "Name": "Ludwig, Käthe", "Mail": " ", "OldMail": "k@example.com",
        "Dept": "Finanzen", "DeptCode": "", "Boss": "3", "Status": "Current", "From": "01.02.2020", "Type": "PT",
        "Shoe": "38", "Iban": "",
    });
    let employee = mapper.map(&row).employee.unwrap();
    assert_eq!(employee.source_id, "7");
    assert_eq!(employee.employee_number.as_deref(), Some(" 007"));
    assert_eq!(employee.given_name.as_deref(), Some("Käthe"));
    assert_eq!(employee.family_name.as_deref(), Some("Ludwig"));
    assert_eq!(employee.work_email.as_deref(), Some("k@example.com"));
    let department = employee.department.as_ref().unwrap();
    assert_eq!(
        (department.name.as_deref(), department.code.as_deref()),
        (Some("Finanzen"), None)
    );
    assert_eq!(employee.manager, Some(ManagerRef::EmployeeNumber("3".into())));
    assert_eq!(employee.status, Status::Active);
    let employment = employee.leading().unwrap();
    assert_eq!(employment.first_day, "2020-02-01".parse().ok());
    assert_eq!(employment.kind.as_deref(), Some("PT"));
    assert_eq!(employee.custom.get("shoe"), Some(&json!("38")));
    assert!(employee.bank_accounts.is_empty());
}

#[test]
fn a_status_is_never_guessed() {
    let fields =
        json!({"source_id": "Key", "status": {"at": "S", "words": {"on": "active", "": "by_dates"}}});
    let read = |status: &Value| {
        mapper(&fields)
            .map(&json!({"Key": "1", "S": status}))
            .employee
            .unwrap()
            .status
    };
    assert_eq!(read(&json!("on")), Status::Active);
    assert_eq!(read(&Value::Null), Status::ByDates);
    assert_eq!(read(&json!("")), Status::ByDates);
    assert_eq!(read(&json!("On")), Status::Unknown("On".into()));
    let missing = mapper(&fields).map(&json!({"Key": "1"}));
    assert_eq!(missing.employee.unwrap().status, Status::Unknown(String::new()));
    assert_eq!(missing.missing, 0b10);
}

#[test]
fn one_word_for_two_states_is_told_apart_by_the_first_day() {
    let fields = json!({
        "source_id": "Key", "first_day": "From",
        "status": {"at": "S", "words": {"Inactive": "not_started_or_left"}},
    });
    let read = |from: &str| {
        let row = json!({"Key": "1", "S": "Inactive", "From": from});
        mapper(&fields).map(&row).employee.unwrap().status
    };
    assert_eq!(read("2026-12-02"), Status::PreHire);
    assert_eq!(read("2026-12-01"), Status::Left);
    assert_eq!(read(""), Status::Left);
}

#[test]
fn what_cannot_be_read_is_a_problem_that_names_the_field_and_not_the_value() {
    let mapper = mapper(&json!({"source_id": "Key", "first_day": "From", "title": "Title"}));
    let problem = |row: Value| mapper.map(&row).employee.unwrap_err();
    let bad_date = problem(json!({"Key": "1", "From": "31.12.2020", "Title": "x"}));
    assert_eq!(
        (bad_date.source_id.as_deref(), bad_date.field.as_str()),
        (Some("1"), "first_day")
    );
    assert!(!bad_date.message.contains("2020"));
    assert_eq!(
        problem(json!({"Key": " ", "From": "", "Title": "x"})).source_id,
        None
    );
    assert_eq!(
        problem(json!({"Key": "1", "From": "", "Title": {"a": 1}})).field,
        "title"
    );
    assert_eq!(
        problem(json!({"Key": "1", "From": "", "Title": "a\0b"})).field,
        "title"
    );
    let none = mapper
        .map(&json!({"Key": "1", "From": "0000-00-00", "Title": ""}))
        .employee
        .unwrap();
    assert_eq!((none.employments.len(), none.title), (0, None));
}

#[test]
fn wrong_lines_of_fields_are_all_told() {
    let problems = CsvFields::parse(&json!({
        "titel": "T", "title": {"at": "T", "dates": "x"}, "department": "Dept", "manager": "Boss",
        "status": {"at": "S", "words": {"on": "busy"}}, "first_day": {"at": "F", "words": {}},
    }))
    .unwrap_err();
    let mut names: Vec<&str> = problems.iter().map(|problem| problem.setting.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "department",
            "first_day",
            "manager",
            "source_id",
            "status",
            "titel",
            "title"
        ]
    );
}
