//! A page as it was sent, as employees. Every record stands for itself: one that cannot be read names its fields.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::hr::{Employee, FIELDS, ManagerRef, Page, Problem, field};
use crate::scim::{self, ENTERPRISE, ResourceType};
use crate::translate;

/// Longest id of a record, in characters.
const LONGEST_ID: usize = 256;
/// Longest text of a field, in characters.
const LONGEST_TEXT: usize = 4096;
/// The four fields of the leading employment, which a record may name without a list of employments.
const EMPLOYMENT: &[(&str, &str)] = &[
    ("employment_type", "kind"),
    ("first_day", "first_day"),
    ("last_day", "last_day"),
    ("last_working_day", "last_working_day"),
];
const STATUS: &[&str] = &["active", "on_leave", "pre_hire", "left", "by_dates"];

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// JSON in canonical fields.
    Canonical,
    /// SCIM users (RFC 7643 §4.1).
    Scim,
    /// A table whose header names canonical fields, a part after a dot: `department.name`.
    Csv,
}

/// Something in a record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordError {
    /// Which record of the page, from 0.
    pub index: usize,
    /// Its id, when it has one.
    pub source_id: Option<String>,
    /// The field.
    pub field: String,
    /// What is wrong and what would do; never the value.
    pub message: String,
}

/// A page that was read.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub page: Page,
    pub errors: Vec<RecordError>,
    pub records: usize,
}

/// What records are read by.
pub(super) struct Manner<'a> {
    pub kind: &'a ResourceType,
    /// Fields that are read beside those that always are.
    pub chosen: &'a [String],
}

type Wrong = (String, String);

/// Reads a page.
///
/// # Errors
/// When the whole is not what it should be: the sentence says what would do.
pub(super) fn parse(shape: Shape, body: &[u8], most: usize, manner: &Manner<'_>) -> Result<Parsed, String> {
    let records = match shape {
        Shape::Csv => table(body, most)?,
        _ => list(body)?,
    };
    if records.len() > most {
        return Err(format!("a page has at most {most} records"));
    }
    let mut parsed = Parsed {
        records: records.len(),
        ..Parsed::default()
    };
    for (index, record) in records.iter().enumerate() {
        let read = match shape {
            Shape::Scim => user(record, manner),
            _ => canonical(record, manner),
        };
        match read {
            Ok((employee, problems)) => {
                parsed.errors.extend(problems.iter().map(|problem| RecordError {
                    index,
                    source_id: problem.source_id.clone(),
                    field: problem.field.clone(),
                    message: problem.message.clone(),
                }));
                parsed.page.problems.extend(problems);
                parsed.page.employees.push(employee);
            }
            Err(wrong) => refuse(&mut parsed, index, record, shape, wrong),
        }
    }
    Ok(parsed)
}

/// A record that cannot be read is known by its id alone, if it has one.
fn refuse(parsed: &mut Parsed, index: usize, record: &Value, shape: Shape, wrong: Vec<Wrong>) {
    let id = match shape {
        Shape::Scim => scim_id(record),
        _ => text(record.get("source_id")),
    };
    let id = id.filter(|id| is_id(id));
    for (field, message) in wrong {
        parsed.errors.push(RecordError {
            index,
            source_id: id.clone(),
            field: field.clone(),
            message: message.clone(),
        });
        parsed.page.problems.push(Problem {
            source_id: id.clone(),
            field,
            message,
        });
    }
}

fn list(body: &[u8]) -> Result<Vec<Value>, String> {
    let advice = "is a JSON array of records, or an object with the array as records or Resources";
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        format!(
            "the page {advice}; it is no JSON at line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    let list = match body {
        Value::Array(records) => Some(records),
        Value::Object(mut whole) => {
            ["records", "Resources"]
                .into_iter()
                .find_map(|name| match whole.remove(name) {
                    Some(Value::Array(records)) => Some(records),
                    _ => None,
                })
        }
        _ => None,
    };
    list.ok_or_else(|| format!("the page {advice}"))
}

/// The rows of a CSV text as records in canonical fields. Empty cells are nothing.
fn table(body: &[u8], most: usize) -> Result<Vec<Value>, String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(body);
    let bad = |error: csv::Error| {
        let line = error
            .position()
            .map_or_else(String::new, |at| format!(" at line {}", at.line()));
        format!("the table cannot be read{line}: each row has as many cells as the header, in UTF-8")
    };
    let header = reader.headers().map_err(bad)?.clone();
    let columns = header.iter().map(column).collect::<Result<Vec<_>, String>>()?;
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row.map_err(bad)?;
        if records.len() >= most {
            return Err(format!("a page has at most {most} records"));
        }
        let mut record = Map::new();
        for ((name, part), cell) in columns.iter().zip(row.iter()) {
            if cell.is_empty() {
                continue;
            }
            match part {
                None => {
                    record.insert(name.clone(), cell.into());
                }
                Some(part) => {
                    let parts = record.entry(name.clone()).or_insert_with(|| json!({}));
                    if let Some(parts) = parts.as_object_mut() {
                        parts.insert(part.clone(), cell.into());
                    }
                }
            }
        }
        records.push(Value::Object(record));
    }
    Ok(records)
}

/// The field and the part that a column stands for.
fn column(name: &str) -> Result<(String, Option<String>), String> {
    let name = name.trim().trim_start_matches('\u{feff}');
    let (field_name, part) = match name.split_once('.') {
        Some((field, part)) => (field, Some(part)),
        None => (name, None),
    };
    let advice = || {
        format!(
            "the header has {name:?}, which is no canonical field: docs/push-in.md lists them, as in department.name"
        )
    };
    let known = field(field_name).ok_or_else(advice)?;
    let fits = match part {
        None => known.parts.is_empty() && !matches!(field_name, "custom" | "bank_accounts"),
        Some(part) => field_name == "custom" || known.parts.contains(&part),
    };
    if fits {
        Ok((field_name.to_owned(), part.map(str::to_owned)))
    } else {
        Err(advice())
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_id(id: &str) -> bool {
    !id.trim().is_empty() && id.chars().count() <= LONGEST_ID && !id.contains('\0')
}

/// Whether a field is read: some always are, sensitive ones by choice alone.
fn is_read(name: &str, manner: &Manner<'_>) -> bool {
    let always = matches!(
        name,
        "source_id" | "remote_id" | "status" | "manager" | "employments"
    ) || EMPLOYMENT.iter().any(|(flat, _)| *flat == name);
    always || manner.chosen.iter().any(|chosen| chosen == name)
}

/// A record in canonical fields.
fn canonical(record: &Value, manner: &Manner<'_>) -> Result<(Employee, Vec<Problem>), Vec<Wrong>> {
    let Some(record) = record.as_object() else {
        return Err(vec![("record".to_owned(), "is no JSON object".to_owned())]);
    };
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut whole = Map::new();
    let mut employment = Map::new();
    for (name, value) in record {
        let flat = EMPLOYMENT.iter().find(|(flat, _)| flat == name);
        if name != "employments" && flat.is_none() && !FIELDS.iter().any(|field| field.name == name) {
            wrong.push((
                name.clone(),
                "is no canonical field: docs/push-in.md lists them".to_owned(),
            ));
            continue;
        }
        if !is_read(name, manner) || is_nothing(value) {
            continue;
        }
        if let Err(message) = check_text(value) {
            wrong.push((name.clone(), message));
        } else if let Some((_, part)) = flat {
            employment.insert((*part).to_owned(), value.clone());
        } else {
            whole.insert(name.clone(), written(name, value));
        }
    }
    if !employment.is_empty() {
        if whole.contains_key("employments") {
            let twice = "stands beside employments: write one or the other".to_owned();
            wrong.push(("first_day".to_owned(), twice));
        } else {
            whole.insert("employments".to_owned(), json!([employment]));
        }
    }
    wrong.extend(misfits(&whole));
    if !whole.get("source_id").and_then(Value::as_str).is_some_and(is_id) {
        let message =
            format!("is missing: an id of 1 to {LONGEST_ID} characters that never changes for this record");
        wrong.retain(|(field, _)| field != "source_id");
        wrong.push(("source_id".to_owned(), message));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    match serde_json::from_value::<Employee>(Value::Object(whole)) {
        Ok(employee) => Ok((employee, Vec::new())),
        Err(_) => Err(vec![(
            "record".to_owned(),
            "does not fit the canonical fields".to_owned(),
        )]),
    }
}

/// A value in the spelling of the canonical form: numbers where texts are meant, a manager by id alone.
fn written(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("manager", Value::String(id)) => json!({ "source_id": id }),
        ("custom" | "employments" | "bank_accounts", _) => value.clone(),
        (_, Value::Number(number)) => Value::String(number.to_string()),
        (_, Value::Object(parts)) => Value::Object(
            parts
                .iter()
                .filter(|(_, part)| !is_nothing(part))
                .map(|(name, part)| (name.clone(), written("", part)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// No NUL, and no text that is longer than anybody's.
fn check_text(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.contains('\0') => Err("has a NUL character".to_owned()),
        Value::String(text) if text.chars().count() > LONGEST_TEXT => {
            Err(format!("is longer than {LONGEST_TEXT} characters"))
        }
        Value::Array(items) => items.iter().try_for_each(check_text),
        Value::Object(members) => members.values().try_for_each(check_text),
        _ => Ok(()),
    }
}

/// Each field for itself: what does not fit, and what would.
fn misfits(whole: &Map<String, Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut said = BTreeSet::new();
    for (name, value) in whole {
        let mut alone = Map::new();
        alone.insert(name.clone(), value.clone());
        if serde_json::from_value::<Employee>(Value::Object(alone)).is_ok() {
            continue;
        }
        for (field, message) in misfit(name, value) {
            if said.insert(field.clone()) {
                wrong.push((field, message));
            }
        }
    }
    wrong
}

fn misfit(name: &str, value: &Value) -> Vec<Wrong> {
    let one = |message: String| vec![(name.to_owned(), message)];
    match name {
        "status" => one(format!("is none of {}", STATUS.join(", "))),
        "manager" => one(
            "is an object with one of source_id, email and employee_number, or a text with the manager's source_id"
                .to_owned(),
        ),
        "birth_date" => one("is no date, YYYY-MM-DD".to_owned()),
        "employments" => {
            let days = EMPLOYMENT.iter().skip(1);
            let parts = value.as_array().and_then(|all| all.first());
            let wrong: Vec<Wrong> = days
                .filter(|(flat, _)| {
                    let day = parts.and_then(|parts| parts.get(flat)).and_then(Value::as_str);
                    day.is_some_and(|day| day.parse::<NaiveDate>().is_err())
                })
                .map(|(flat, _)| ((*flat).to_owned(), "is no date, YYYY-MM-DD".to_owned()))
                .collect();
            if wrong.is_empty() {
                one("is a list of objects with kind, first_day, last_day and last_working_day".to_owned())
            } else {
                wrong
            }
        }
        "custom" => one("is an object: values by key".to_owned()),
        "bank_accounts" => one("is a list of objects with iban, bic and holder".to_owned()),
        _ => match field(name).map(|field| field.parts) {
            Some([]) | None => one("is a text".to_owned()),
            Some(parts) => one(format!("is an object with {}", parts.join(", "))),
        },
    }
}

fn scim_id(record: &Value) -> Option<String> {
    text(record.get("id")).or_else(|| text(record.get("externalId")))
}

/// A SCIM user. Its `id`, else its `externalId`, identifies it; a manager is named by the one or by an address.
fn user(record: &Value, manner: &Manner<'_>) -> Result<(Employee, Vec<Problem>), Vec<Wrong>> {
    let Some(id) = scim_id(record).filter(|id| is_id(id)) else {
        let message = format!(
            "is missing, and so is externalId: one of 1 to {LONGEST_ID} characters must never change"
        );
        return Err(vec![("id".to_owned(), message)]);
    };
    check_text(record).map_err(|message| vec![("record".to_owned(), message)])?;
    let incoming =
        scim::read(manner.kind, record).map_err(|error| vec![("record".to_owned(), error.detail)])?;
    let active = incoming.object.get("active").and_then(Value::as_bool);
    let (mut employee, mut problems) = translate::employee(
        (&id, active.unwrap_or(true)),
        &incoming.object,
        incoming.external_id.as_deref(),
        &[],
        manner.chosen,
    );
    let manager = incoming
        .object
        .get(ENTERPRISE)
        .and_then(|part| text(part.get("manager")?.get("value")));
    if let Some(manager) = manager.filter(|manager| !manager.contains('@')) {
        problems.retain(|problem| problem.field != "manager");
        employee.manager = Some(ManagerRef::SourceId(manager));
    }
    Ok((employee, problems))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hr::Status;
    use crate::scim::Registry;

    fn read(shape: Shape, body: &str, chosen: &[&str]) -> Result<Parsed, String> {
        let registry = Registry::builtin();
        let kind = registry.kind("User").unwrap();
        let chosen: Vec<String> = chosen.iter().map(|one| (*one).to_owned()).collect();
        let manner = Manner {
            kind,
            chosen: &chosen,
        };
        parse(shape, body.as_bytes(), 10, &manner)
    }

    const PLAIN: &[&str] = &[
        "given_name",
        "family_name",
        "work_email",
        "department",
        "employee_number",
        "custom",
    ];

    fn said(parsed: &Parsed) -> Vec<String> {
        parsed
            .errors
            .iter()
            .map(|error| format!("{} {} {}", error.index, error.field, error.message))
            .collect()
    }

    #[test]
    fn canonical_records_are_read_and_what_is_wrong_names_index_and_field() {
        let body = r#"{"records": [
            {"source_id": "1", "given_name": "Ada", "employee_number": 7, "manager": "2", "status": "active",
             "first_day": "2020-01-01", "department": {"name": "Lab", "code": ""}, "national_id": "secret"},
            {"source_id": "2", "status": "retired", "birth_date": "1.1.1990", "first_day": "soon"},
            {"given_name": "Nobody"},
            {"source_id": "3", "surname": "X"},
            7
        ]}"#;
        let parsed = read(Shape::Canonical, body, PLAIN).unwrap();
        let ada = &parsed.page.employees[0];
        assert_eq!(parsed.page.employees.len(), 1);
        assert_eq!(ada.manager, Some(ManagerRef::SourceId("2".into())));
        assert_eq!(ada.employee_number.as_deref(), Some("7"));
        assert_eq!(ada.status, Status::Active);
        assert_eq!(ada.employments[0].first_day, NaiveDate::from_ymd_opt(2020, 1, 1));
        assert_eq!(ada.national_id, None, "sensitive fields are read by choice");
        assert_eq!(ada.department.as_ref().unwrap().code, None);
        let said = said(&parsed).join("\n");
        for word in [
            "1 status is none of active",
            "1 first_day is no date",
            "2 source_id is missing",
            "3 surname is no canonical field",
            "4 record is no JSON object",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(
            !said.contains("retired") && !said.contains("soon"),
            "never the value: {said}"
        );
        let ids: Vec<Option<&str>> = parsed
            .page
            .problems
            .iter()
            .map(|one| one.source_id.as_deref())
            .collect();
        assert!(ids.contains(&Some("2")) && ids.contains(&None));
    }

    #[test]
    fn a_table_is_read_by_its_header() {
        let body = "source_id,given_name,department.name,first_day,custom.shoe,status\n1,Ada,Lab,2020-01-01,38,active\n2,,,,,left\n";
        let parsed = read(Shape::Csv, body, PLAIN).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        let [ada, left] = &parsed.page.employees[..] else {
            panic!()
        };
        assert_eq!(ada.department.as_ref().unwrap().name.as_deref(), Some("Lab"));
        assert_eq!(ada.custom["shoe"], "38");
        assert_eq!((left.given_name.as_deref(), &left.status), (None, &Status::Left));
        for (body, word) in [
            ("id,name\n1,2\n", "\"id\""),
            ("source_id,department\n1,2\n", "\"department\""),
            ("source_id,given_name\n1\n", "line 2"),
        ] {
            let wrong = read(Shape::Csv, body, PLAIN).unwrap_err();
            assert!(wrong.contains(word), "{wrong}");
        }
    }

    #[test]
    fn scim_users_are_read_and_managers_are_named_by_their_id() {
        let user = |id: &str, more: Value| {
            let mut user = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "userName": "ada",
                "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": "ada@x.example", "type": "work"}],
            });
            user.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            user
        };
        let body = json!({ "Resources": [
            user("7", json!({ "active": false, ENTERPRISE: { "manager": { "value": "boss" }, "department": "Lab" } })),
            user("", json!({})),
            { "id": "8" },
        ]});
        let parsed = read(Shape::Scim, &body.to_string(), PLAIN).unwrap();
        let ada = &parsed.page.employees[0];
        assert_eq!((ada.source_id.as_str(), &ada.status), ("7", &Status::Left));
        assert_eq!(ada.manager, Some(ManagerRef::SourceId("boss".into())));
        assert_eq!(ada.work_email.as_deref(), Some("ada@x.example"));
        let indexes: Vec<usize> = parsed.errors.iter().map(|error| error.index).collect();
        assert_eq!(indexes, [1, 2], "{:?}", parsed.errors);
        assert_eq!(parsed.page.problems[1].source_id.as_deref(), Some("8"));
    }

    #[test]
    fn pages_that_are_none_are_refused_whole() {
        for (body, word) in [("{", "line 1"), ("7", "array"), ("{\"records\": 7}", "array")] {
            let wrong = read(Shape::Canonical, body, PLAIN).unwrap_err();
            assert!(wrong.contains(word), "{wrong}");
        }
        let many = json!((0..11).map(|n| json!({ "source_id": n })).collect::<Vec<_>>());
        assert!(
            read(Shape::Canonical, &many.to_string(), PLAIN)
                .unwrap_err()
                .contains("at most 10")
        );
    }
}
