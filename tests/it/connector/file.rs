//! Files: handed in, fetched, or on the server.

use std::collections::HashSet;

use bytes::Bytes;
use scim_bridge::connector::{CsvFields, Error};
use scim_bridge::hr::{Coverage, ManagerRef, Status};
use serde_json::{Value, json};

use super::harness::{Outcome, Reading};
use crate::kit::{Answer, Stub};

fn reading(settings: &Value, fields: &Value) -> Reading {
    let mut reading = Reading::of("csv", settings);
    reading.fields = Some(CsvFields::parse(fields).unwrap_or_else(|problems| panic!("{problems:?}")));
    reading
}

fn fields() -> Value {
    json!({
        "source_id": "Key", "given_name": "First", "work_email": "Mail", "department": {"name": "Dept"},
        "manager": {"at": "Boss", "kind": "source_id"},
        "status": {"at": "Status", "words": {"Current": "active", "": "left"}, "otherwise": "hold"},
        "first_day": {"at": "From", "date": "%d.%m.%Y"},
    })
}

const HEADER: &str = "Key,First,Mail,Dept,Boss,Status,From,Extra\n";

async fn read(rows: &str) -> Outcome {
    let mut reading = reading(&json!({"path": "people.csv"}), &fields());
    reading.upload = Some(Bytes::from(format!("{HEADER}{rows}")));
    reading.read().await
}

#[tokio::test]
async fn a_file_is_read_as_fields_say() {
    let read = read("1,Renée,r@example.com,\"Sales, EMEA\",,Current,01.04.2015,x\n2,Søren,,,1,,02.05.2019,\n3,Ada,,,1,Odd,,\n").await;
    assert!(read.is_complete() && read.problems.is_empty());
    assert_eq!((read.ids(), read.expected), (vec!["1", "2", "3"], Some(3)));
    assert_eq!(
        read.employee("1").department.as_ref().unwrap().name.as_deref(),
        Some("Sales, EMEA")
    );
    assert_eq!(read.employee("2").manager, Some(ManagerRef::SourceId("1".into())));
    let statuses: Vec<_> = read
        .employees
        .iter()
        .map(|employee| employee.status.clone())
        .collect();
    assert_eq!(
        statuses,
        [Status::Active, Status::Left, Status::Unknown("Odd".into())]
    );
}

#[tokio::test]
async fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let mut columns = fields();
    columns["title"] = json!("Titel");
    let mut reading = reading(&json!({}), &columns);
    reading.upload = Some(Bytes::from(HEADER));
    let read = reading.read().await;
    let text = read.error.unwrap().to_string();
    assert_eq!(
        text,
        "the file has no column Titel; it has Key, First, Mail, Dept, Boss, Status, From, Extra"
    );
    assert!(matches!(read.coverage, Coverage::Partial { .. }));
    let steps = reading.check().await;
    assert_eq!((steps[0].name.as_str(), steps[0].ok), ("fields", false));
}

#[tokio::test]
async fn rows_that_are_ragged_or_share_an_id_are_problems_and_not_people() {
    let read = read("1,A,,,,Current,,\n2,B,,\n3,C,,,,Current,,\n3,D,,,,Current,,\n4,E,,,,Current,soon,\n5,F,,,,Current,,\n").await;
    assert_eq!(read.ids(), ["1", "5"]);
    let told: Vec<(Option<&str>, &str)> = read
        .problems
        .iter()
        .map(|problem| (problem.source_id.as_deref(), problem.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("2"), "line 3: 4 cells, the header has 8"),
            (Some("3"), "line 4: 2 rows have this id"),
            (Some("3"), "line 5: 2 rows have this id"),
            (Some("4"), "line 6: is no date of the form %d.%m.%Y"),
        ]
    );
    assert!(read.is_complete(), "all of them named themselves");
    let nameless = self::read("1,A,,,,Current,,\n,B,,,,Current,,\n").await;
    assert!(nameless.why_partial().contains("no id"));
}

#[tokio::test]
async fn a_cut_file_is_partial_and_an_empty_one_is_complete() {
    let cut = read("1,A,,,,Current,,\n2,\"B").await;
    assert_eq!(
        (cut.ids(), cut.why_partial()),
        (vec!["1"], "the file ends inside a quoted field")
    );
    let cut = read("1,A,,,,Current,,\n2,B,,").await;
    assert_eq!(
        (cut.ids(), cut.why_partial()),
        (vec!["1"], "the file ends in the middle of a row")
    );
    let empty = read("").await;
    assert!(empty.is_complete() && empty.employees.is_empty());
    let mut nothing = reading(&json!({}), &fields());
    assert!(matches!(nothing.read().await.error, Some(Error::NoFile)));
    nothing.upload = Some(Bytes::new());
    assert!(matches!(nothing.read().await.error, Some(Error::BadFile { .. })));
}

#[tokio::test]
async fn a_file_is_fetched_with_patience_and_credentials() {
    let stub = Stub::start().await;
    stub.on(
        "GET",
        "/export/people.csv",
        Answer::text(200, "text/csv", format!("{HEADER}1,A,,,,Current,,\n")),
    );
    stub.queue("GET", "/export/people.csv", Answer::status(503));
    let url = "https://files.example.com/export/people.csv";
    let settings = json!({"url": url, "user": "me", "password": "p", "base_url": stub.base_url});
    let read = reading(&settings, &fields()).read().await;
    assert!(read.is_complete() && read.waits.len() == 1);
    assert_eq!(stub.received()[1].header("authorization"), Some("Basic bWU6cA=="));
    stub.on("GET", "/export/people.csv", Answer::status(401));
    let refused = reading(&settings, &fields()).read().await;
    assert!(matches!(refused.error, Some(Error::Credentials { .. })));
}

#[tokio::test]
async fn a_path_on_the_server_stays_below_its_folder() {
    let folder = std::env::temp_dir().join(format!("scim-bridge-files-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(folder.join("tenant/sub")).unwrap();
    std::fs::write(
        folder.join("tenant/sub/people.csv"),
        format!("{HEADER}1,A,,,,Current,,\n"),
    )
    .unwrap();
    std::fs::write(folder.join("secret.csv"), format!("{HEADER}2,B,,,,Current,,\n")).unwrap();
    std::os::unix::fs::symlink(folder.join("secret.csv"), folder.join("tenant/link.csv")).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("tenant/up")).unwrap();
    let at = async |path: &str| {
        let mut reading = reading(&json!({"server_path": path}), &fields());
        reading.files = Some(folder.join("tenant"));
        reading.read().await
    };
    assert_eq!(at("sub/people.csv").await.ids(), ["1"]);
    let absolute = folder.join("tenant/sub/people.csv").display().to_string();
    for path in [
        "../secret.csv",
        "sub/../../secret.csv",
        "link.csv",
        "up/secret.csv",
        "sub",
        &absolute,
        "/etc/passwd",
    ] {
        let read = at(path).await;
        assert!(
            matches!(read.error, Some(Error::Outside)),
            "{path}: {:?}",
            read.error
        );
    }
    assert!(matches!(at("missing.csv").await.error, Some(Error::File { .. })));
    let without = reading(&json!({"server_path": "people.csv"}), &fields());
    assert!(matches!(without.read().await.error, Some(Error::Outside)));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn many_rows_come_in_pages() {
    let rows: String = (0..1_201).map(|id| format!("{id},A,,,,Current,,\n")).collect();
    let read = read(&rows).await;
    assert_eq!(
        (read.pages, read.employees.len(), read.expected),
        (3, 1_201, Some(1_201))
    );
}

/// The employee dimension of a published sample company, where it is present.
#[tokio::test]
async fn the_published_sample_company_is_read_whole() {
    let Some(text) = sample() else { return };
    let mut reading = reading(
        &json!({}),
        &json!({
            "source_id": "EmployeeKey", "employee_number": "EmployeeNationalIDAlternateKey",
            "given_name": "FirstName", "family_name": "LastName", "middle_name": "MiddleName", "title": "Title",
            "work_email": {"at": "EmailAddress", "clean": "lower"}, "work_phone": "Phone",
            "department": {"name": "DepartmentName"}, "manager": {"at": "ParentEmployeeKey", "kind": "source_id"},
            "status": {"at": "Status", "words": {"Current": "active", "": "left"}, "otherwise": "hold"},
            "first_day": {"at": "StartDate", "date": "%Y-%m-%d"}, "last_day": {"at": "EndDate", "date": "%Y-%m-%d"},
        }),
    );
    reading.upload = Some(Bytes::from(text));
    let read = reading.read().await;
    assert!(read.is_complete() && read.problems.is_empty());
    assert_eq!(read.employees.len(), 296);
    let numbers: HashSet<_> = read
        .employees
        .iter()
        .map(|employee| employee.employee_number.clone())
        .collect();
    assert_eq!(numbers.len(), 290);
    let left = read
        .employees
        .iter()
        .filter(|employee| employee.status == Status::Left);
    assert_eq!(left.clone().count(), 6);
    assert!(
        left.into_iter()
            .all(|employee| employee.leading().unwrap().last_day.is_some())
    );
    assert!(
        read.employees
            .iter()
            .any(|employee| !employee.family_name.as_ref().unwrap().is_ascii())
    );
    assert_eq!(
        read.employees
            .iter()
            .filter(|employee| employee.manager.is_none())
            .count(),
        1
    );
}

/// The sample lies in a folder beside the repository, or nowhere.
fn sample() -> Option<String> {
    let above = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.skip(1).find_map(|folder| {
        std::fs::read_to_string(folder.join("shared/data/adventureworks-employees.csv")).ok()
    })
}
