//! What a connection check says is wrong, in words that name the remedy.

use reqwest::Method;
use scim_bridge::connector::{CheckStep, Manifest};
use serde_json::{Value, json};

use super::harness::Reading;
use crate::kit::{Answer, Bridge, Stub, answer, good, with_json};

const MANIFEST: &str = r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "1. Click."
permissions = ["people:read", "jobs:read"]
[settings]
company = { ask = "First part of your address", form = "subdomain" }
region = { ask = "Region", choices = { eu = "api", us = "api.us" }, default = "eu" }
api_key = { ask = "Key", secret = true, form = "word" }
[auth]
kind = "bearer"
token = "{{ api_key }}"
[employees]
get = "https://{{ company }}.{{ region }}.acme.example/people"
records = "/data"
count = "/total"
required = ["source_id", "status", "first_day"]
[employees.map]
source_id = "/id"
work_email = "/email"
title = "/title"
department = { name = "/unit" }
first_day = "/from"
status = { at = "/state", words = { on = "active" } }
"#;

fn reading(base_url: Option<&str>) -> Reading {
    let manifest = Manifest::parse("acme.toml", MANIFEST).unwrap_or_else(|error| panic!("{error}"));
    let mut settings = json!({"company": "acme", "api_key": "s3cr3t-key"});
    if let Some(url) = base_url {
        settings["base_url"] = url.into();
    }
    Reading::by(manifest, &settings)
}

async fn check(answer: Answer) -> Vec<CheckStep> {
    let stub = Stub::start().await;
    stub.on("GET", "/people", answer);
    reading(Some(&stub.base_url)).check().await
}

fn failed(steps: &[CheckStep]) -> (&str, &str) {
    let last = steps.last().unwrap();
    assert!(
        !last.ok && steps.iter().filter(|step| !step.ok).count() == 1,
        "{steps:?}"
    );
    (last.name.as_str(), last.message.as_str())
}

#[tokio::test]
async fn refusals_are_told_apart_with_the_hr_systems_own_words() {
    let json = |status: u16, body: Value| Answer::json(status, &body);
    let page = Answer::text(403, "text/html; charset=utf-8", "<html>blocked</html>");
    let cases = [
        (
            json(401, json!({"error": {"message": "Unknown key s3cr3t-key"}})),
            "credentials",
            vec!["check the key", "Unknown key …", "company = acme, region = eu"],
        ),
        (
            json(401, json!({"message": "API key has expired"})),
            "credentials",
            vec!["has expired: make a new one"],
        ),
        (
            json(
                403,
                json!({"errors": [{"detail": "IP address 192.0.2.7 is not on the whitelist"}]}),
            ),
            "employees",
            vec!["this server's network address", "192.0.2.7"],
        ),
        (
            json(403, json!({"title": "Missing scope"})),
            "employees",
            vec!["people:read, jobs:read", "Missing scope"],
        ),
        (page, "employees", vec!["a gateway before the HR system refuses"]),
        (
            json(404, json!({})),
            "employees",
            vec!["company = acme", "check the address"],
        ),
        (
            Answer::status(401).header("x-acme-error-message", "Session ended"),
            "credentials",
            vec!["\"Session ended\""],
        ),
        (
            json(200, json!({"data": [], "total": 0})),
            "employees",
            vec!["nobody came", "may not see them"],
        ),
        (json(200, json!({"people": []})), "fields", vec!["/data"]),
    ];
    for (answer, step, words) in cases {
        let steps = check(answer).await;
        let (name, message) = failed(&steps);
        assert_eq!(name, step, "{message}");
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert!(!message.contains("s3cr3t-key"), "{message}");
    }
}

/// Covers: PROB-12
#[tokio::test]
async fn a_wrong_subdomain_is_named() {
    let steps = reading(None).check().await;
    let (_, message) = failed(&steps);
    assert!(
        message.contains("there is no host acme.api.acme.example") && message.contains("company = acme"),
        "{message}"
    );
}

#[tokio::test]
async fn each_field_is_counted_over_the_page() {
    let person = |id: u32, email: Value| json!({"id": id, "email": email, "title": "", "unit": null, "from": null, "state": "on"});
    let all = json!({"data": [person(1, "a@acme.example".into()), person(2, Value::Null)], "total": 2});
    let steps = check(Answer::json(200, &all)).await;
    let fields = steps.last().unwrap();
    assert!(
        fields.ok,
        "a date may be missing for everybody in a trial account: {steps:?}"
    );
    let count = |name: &str| fields.coverage.get(name).copied();
    assert_eq!(
        [
            count("source_id"),
            count("work_email"),
            count("title"),
            count("first_day")
        ],
        [Some(2), Some(1), Some(0), Some(0)]
    );
    for words in [
        "required and empty everywhere: first_day",
        "may lack the right",
        "optional and empty everywhere: title, department",
        "work_email 1",
    ] {
        assert!(fields.message.contains(words), "{words}: {}", fields.message);
    }
    let unreadable =
        json!({"data": [person(1, Value::Null), {"id": 2, "state": "on", "from": "soon"}], "total": 2});
    let steps = check(Answer::json(200, &unreadable)).await;
    assert!(
        failed(&steps)
            .1
            .contains("1 records cannot be read, first: first_day"),
        "{steps:?}"
    );
}

/// A JSON API that no manifest describes, by the connection's own words.
#[tokio::test]
async fn a_connection_describes_an_api_of_its_own() {
    let bridge = Bridge::spawn().await;
    let stub = Stub::start().await;
    stub.rule(|request| {
        let person = |id: u32| json!({"nr": id, "mail": format!("p{id}@acme.example"), "name": {"first": "P", "last": format!("{id}")}, "in": true});
        let numbers = match request.param("p")?.as_str() {
            "0" => vec![1, 2],
            "1" => vec![3],
            _ => Vec::new(),
        };
        let sound = request.path == "/v1/staff" && request.header("x-key") == Some("k") && request.param("size").as_deref() == Some("2");
        let people: Vec<Value> = numbers.into_iter().map(person).collect();
        sound.then(|| Answer::json(200, &json!({"staff": people, "total": 3})))
    });
    let file = json!({
        "name": "people", "connector": "rest",
        "settings": {
            "base": stub.base_url, "path": "/v1/staff", "query": "size=2", "records": "/staff", "count": "/total",
            "paging": "page", "paging_send": "p", "paging_first": "0",
            "sign_in": "header", "key_name": "x-key", "key": "k",
        },
        "fields": {
            "source_id": "/nr", "work_email": "/mail", "given_name": "/name/first", "family_name": "/name/last",
            "status": {"at": "/in", "words": {"true": "active", "false": "left"}},
        },
    });
    let put = |file: &Value| {
        with_json(
            bridge.request(Method::PUT, "/api/v1/connections/people?publish=true"),
            file,
        )
    };
    good(put(&file)).await;
    let steps = bridge.post("/api/v1/connections/people/check", &json!({})).await;
    assert_eq!(steps["ok"], true, "{steps}");
    let run = bridge.post("/api/v1/connections/people/runs", &json!({})).await;
    bridge.drain().await;
    let run = crate::sync_kit::show(&bridge, &run).await;
    assert_eq!(
        (&run["state"], &run["counts"]["create"]),
        (&"done".into(), &3.into()),
        "{run}"
    );
    for (at, value, words) in [
        ("status", json!("/in"), "status needs words"),
        ("colour", json!("/colour"), "colour is no canonical field"),
        ("work_email", json!("mail"), "paths start with /"),
        ("source_id", Value::Null, "source_id"),
    ] {
        let mut wrong = file.clone();
        wrong["fields"][at] = value;
        let (status, problem) = answer(put(&wrong)).await;
        assert!(
            status == 422 && problem.to_string().contains(words),
            "{at}: {problem}"
        );
    }
    let mut cursor = file.clone();
    cursor["settings"]["paging"] = "cursor".into();
    let (status, problem) = answer(put(&cursor)).await;
    assert!(status == 422 && problem.to_string().contains("read"), "{problem}");
}
