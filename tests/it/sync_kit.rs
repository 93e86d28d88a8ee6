//! A company in a CSV file, and a bridge that reads it: what the tests of runs share.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, good, with_json};

/// One row of the file.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub id: String,
    pub number: String,
    pub given: String,
    pub family: String,
    pub email: String,
    pub title: String,
    pub department: String,
    pub manager: String,
    pub status: String,
    pub first_day: String,
    pub last_day: String,
}

/// The file, by record id.
#[derive(Debug, Clone, Default)]
pub struct Company(pub BTreeMap<String, Row>);

const HEAD: &str = "Id,Number,Given,Family,Email,Title,Department,Manager,Status,From,To";

impl Company {
    /// `size` people in departments of ten; everybody reports to the first of their department, those to person 1.
    pub fn of(size: usize) -> Self {
        let mut company = Self::default();
        for n in 1..=size {
            let department = (n - 1) / 10;
            let first = department * 10 + 1;
            let manager = match n {
                1 => String::new(),
                n if n == first => "1".to_owned(),
                _ => first.to_string(),
            };
            company.add(Row {
                id: n.to_string(),
                number: format!("E{n:04}"),
                given: format!("Given{n}"),
                family: format!("Family{n}"),
                email: format!("person{n}@acme.example"),
                title: "Engineer".to_owned(),
                department: format!("Dept {department}"),
                manager,
                status: "Current".to_owned(),
                first_day: "2020-01-01".to_owned(),
                last_day: String::new(),
            });
        }
        company
    }

    pub fn add(&mut self, row: Row) {
        self.0.insert(row.id.clone(), row);
    }

    pub fn row(&mut self, id: &str) -> &mut Row {
        self.0.get_mut(id).unwrap()
    }

    pub fn csv(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for row in self.0.values() {
            let cells = [
                &row.id,
                &row.number,
                &row.given,
                &row.family,
                &row.email,
                &row.title,
                &row.department,
                &row.manager,
                &row.status,
                &row.first_day,
                &row.last_day,
            ];
            text.push_str(&cells.map(String::as_str).join(","));
            text.push('\n');
        }
        text
    }
}

/// The connection file for it, in JSON form.
pub fn connection_file() -> Value {
    json!({
        "name": "people",
        "connector": "csv",
        "settings": { "path": "people.csv" },
        "fields": {
            "source_id": "Id",
            "employee_number": "Number",
            "given_name": "Given",
            "family_name": "Family",
            "work_email": "Email",
            "title": "Title",
            "department": { "name": "Department" },
            "manager": { "at": "Manager", "kind": "source_id" },
            "status": {
                "at": "Status",
                "words": { "Current": "active", "": "left", "Future": "pre_hire" },
                "otherwise": "hold",
            },
            "first_day": { "at": "From", "date": "%Y-%m-%d" },
            "last_day": { "at": "To", "date": "%Y-%m-%d" },
        },
        "group": [{ "key": "employee.department.name", "name": "employee.department.name" }],
    })
}

/// A bridge with a published connection `people` that reads the company's file.
pub async fn connected(file: &Value) -> Bridge {
    let bridge = Bridge::spawn().await;
    apply(&bridge, file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge
}

pub async fn apply(bridge: &Bridge, file: &Value) -> Value {
    let name = file["name"].as_str().unwrap();
    good(with_json(
        bridge.request(Method::PUT, &format!("/api/v1/connections/{name}")),
        file,
    ))
    .await
}

pub async fn upload(bridge: &Bridge, csv: &str) {
    let request = bridge
        .request(Method::PUT, "/api/v1/connections/people/upload")
        .header("content-type", "text/csv")
        .body(csv.to_owned());
    good(request).await;
}

/// Starts a run and steps everything until nothing is left to do. The run as it rests.
pub async fn run(bridge: &Bridge, company: &Company) -> Value {
    run_text(bridge, &company.csv()).await
}

pub async fn run_text(bridge: &Bridge, csv: &str) -> Value {
    upload(bridge, csv).await;
    run_again(bridge, false).await
}

pub async fn run_again(bridge: &Bridge, dry_run: bool) -> Value {
    let started = bridge
        .post("/api/v1/connections/people/runs", &json!({ "dry_run": dry_run }))
        .await;
    bridge.drain().await;
    show(bridge, &started).await
}

pub async fn show(bridge: &Bridge, run: &Value) -> Value {
    bridge
        .get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap()))
        .await
}

/// A run that must have ended well.
pub async fn done(bridge: &Bridge, company: &Company) -> Value {
    let run = run(bridge, company).await;
    assert_eq!(run["state"], "done", "{run}");
    run
}

/// The user of a userName over SCIM; null when there is none.
pub async fn user(bridge: &Bridge, name: &str) -> Value {
    let list = bridge
        .get(&format!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22"))
        .await;
    list["Resources"].get(0).cloned().unwrap_or(Value::Null)
}

pub async fn person(bridge: &Bridge, n: usize) -> Value {
    user(bridge, &format!("person{n}@acme.example")).await
}

/// The items of a run's error or warning list.
pub async fn said(bridge: &Bridge, run: &Value, what: &str) -> Vec<Value> {
    let id = run["id"].as_str().unwrap();
    let list = bridge.get(&format!("/api/v1/runs/{id}/{what}")).await;
    list["items"].as_array().unwrap().clone()
}

pub async fn active_users(bridge: &Bridge) -> i64 {
    bridge
        .count("SELECT count(*) FROM resource WHERE kind = 'User' AND active")
        .await
}
