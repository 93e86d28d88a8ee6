//! What becomes of recordings of the vendors' shapes, and what the vendors are asked.

use serde_json::{Value, json};

use super::harness::{Reading, VENDORS, Vendor, clock};
use crate::kit::{Answer, Stub};

async fn everything(vendor: &Vendor) -> (Reading, Stub) {
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    let mut reading = vendor.reading(&stub.base_url);
    reading.chosen = reading
        .manifest
        .fields()
        .into_iter()
        .map(|field| field.name)
        .collect();
    (reading, stub)
}

#[tokio::test]
async fn sensitive_fields_come_only_when_chosen() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve_recordings(&stub);
        let read = vendor.reading(&stub.base_url).read().await;
        assert_eq!(read.employees.len(), 6);
        for employee in &read.employees {
            assert!(
                employee.gender.is_none()
                    && employee.marital_status.is_none()
                    && employee.birth_date.is_none()
            );
            assert!(
                employee.private_email.is_none()
                    && employee.address.is_none()
                    && employee.bank_accounts.is_empty()
            );
            assert!(employee.title.is_some());
        }
        let read = vendor.reading(&stub.base_url).with(&["gender"]).read().await;
        assert!(read.employees[0].gender.is_some());
        assert!(
            read.employees
                .iter()
                .all(|employee| employee.title.is_none() && employee.given_name.is_none())
        );
    }
}

#[tokio::test]
async fn kombo_is_asked_with_key_integration_and_cursor() {
    let (reading, stub) = everything(&VENDORS[0]).await;
    reading.read().await;
    let asked = stub.received();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        assert_eq!(request.header("authorization"), Some("Bearer key"));
        assert_eq!(request.header("x-integration-id"), Some("sandbox:1"));
        assert_eq!(request.header("accept"), Some("application/json"));
        assert!(request.header("user-agent").unwrap().starts_with("scim-bridge/"));
        assert_eq!(request.param("page_size").as_deref(), Some("250"));
    }
    assert_eq!(asked[0].param("cursor"), None);
    assert_eq!(asked[1].param("cursor").as_deref(), Some("eyJwYWdlIjoyfQ=="));
}

#[tokio::test]
async fn kombo_has_two_regions() {
    let manifest = Reading::of(
        "kombo",
        &json!({"api_key": "k", "integration_id": "x:1", "region": "us"}),
    );
    assert_eq!(manifest.settings.text("region"), Some("us"));
    let problems = manifest
        .manifest
        .check_settings(&json!({"api_key": "k", "integration_id": "x", "region": "cn"}));
    assert!(problems.unwrap_err()[0].message.contains("eu, us"));
}

#[tokio::test]
async fn personio_is_logged_in_once_and_its_token_rotates() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let next = format!("Bearer papi-after-{number}");
        Answer::json(200, &vendor.page(number)).header("authorization", &next)
    });
    let reading = vendor.reading(&stub.base_url);
    assert!(reading.read().await.is_complete());
    let asked = stub.take_received();
    let signed: Vec<_> = asked
        .iter()
        .map(|request| request.header("authorization"))
        .collect();
    assert_eq!(
        signed,
        [None, Some("Bearer papi-first"), Some("Bearer papi-after-1")]
    );
    assert_eq!(
        asked[0].json(),
        json!({"client_id": "id", "client_secret": "secret"})
    );
    assert_eq!(asked[2].param("offset").as_deref(), Some("3"));
    assert_eq!(reading.token().await.as_deref(), Some("papi-after-2"));
    assert!(reading.read().await.is_complete());
    let again = stub.take_received();
    assert_eq!(
        (again.len(), again[0].header("authorization")),
        (2, Some("Bearer papi-after-2"))
    );
}

#[tokio::test]
async fn an_ended_token_costs_one_more_login_and_a_refused_one_too() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    let (file, handed) = clock();
    let mut reading = vendor.reading(&stub.base_url);
    reading.clock = handed;
    let logins = || {
        stub.take_received()
            .iter()
            .filter(|request| request.path == "/v1/auth")
            .count()
    };
    assert!(reading.read().await.is_complete());
    assert!(reading.read().await.is_complete());
    assert_eq!(logins(), 1);
    file.set("2026-12-01T07:59:30Z");
    assert!(reading.read().await.is_complete());
    assert_eq!(logins(), 1);
    stub.queue("GET", vendor.path, Answer::status(401));
    assert!(reading.read().await.is_complete());
    assert_eq!(logins(), 1);
}

#[tokio::test]
async fn personio_is_asked_only_for_what_is_read() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    let names = |query: &str| -> Vec<String> {
        url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == "attributes[]")
            .map(|(_, value)| value.into_owned())
            .collect()
    };
    vendor
        .reading(&stub.base_url)
        .with(&["work_email", "department"])
        .read()
        .await;
    let mut asked = names(&stub.take_received()[1].query);
    asked.sort_unstable();
    let expected = [
        "department",
        "email",
        "hire_date",
        "id",
        "status",
        "supervisor",
        "termination_date",
    ];
    assert_eq!(asked, expected);
    // A field that is found by its label may be any of them.
    vendor
        .reading(&stub.base_url)
        .with(&["employee_number"])
        .read()
        .await;
    assert!(names(&stub.take_received()[1].query).is_empty());
}

#[tokio::test]
async fn bamboohr_is_posted_the_fields_and_the_page() {
    let vendor = VENDORS[2];
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    vendor
        .reading(&stub.base_url)
        .with(&["work_email", "address"])
        .read()
        .await;
    let asked = stub.received();
    assert_eq!(asked.len(), 2);
    // RFC 7617: base64 of `key:x`.
    assert_eq!(asked[0].header("authorization"), Some("Basic a2V5Ong="));
    let mut fields: Vec<Value> = asked[0].json()["fields"].as_array().unwrap().clone();
    fields.sort_by_key(Value::to_string);
    let expected = json!([
        "addressLineOne",
        "addressLineTwo",
        "city",
        "country",
        "eeid",
        "email",
        "employmentStatus",
        "hireDate",
        "state",
        "status",
        "supervisorEid",
        "supervisorEmail",
        "supervisorId",
        "terminationDate",
        "zipcode"
    ]);
    assert_eq!(Value::from(fields), expected);
    assert_eq!(
        (&asked[0].json()["page"], &asked[0].json()["pageSize"]),
        (&json!(1), &json!(1000))
    );
    assert_eq!(asked[1].json()["page"], json!(2));
}

#[tokio::test]
async fn a_check_tells_what_works_and_which_fields_stay_empty() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve_recordings(&stub);
        let steps = vendor.reading(&stub.base_url).check().await;
        let names: Vec<(&str, bool)> = steps.iter().map(|step| (step.name.as_str(), step.ok)).collect();
        assert_eq!(
            names,
            [("credentials", true), ("employees", true), ("fields", true)],
            "{steps:?}"
        );
        assert!(
            stub.received()
                .iter()
                .filter(|request| vendor.is_list(request))
                .count()
                == 1
        );
    }
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    stub.on(
        "POST",
        "/v1/auth",
        Answer::json(
            403,
            &json!({"success": false, "error": {"code": 0, "message": "x"}}),
        ),
    );
    let steps = vendor.reading(&stub.base_url).check().await;
    assert_eq!((steps.len(), steps[0].ok), (1, false));
    assert!(steps[0].message.contains("check the key or secret"), "{steps:?}");
}

#[tokio::test]
async fn a_check_names_optional_fields_that_are_not_released() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        for record in page["data"].as_array_mut().unwrap() {
            record["attributes"].as_object_mut().unwrap().remove("office");
        }
        Answer::json(200, &page)
    });
    let steps = vendor.reading(&stub.base_url).check().await;
    assert!(steps[2].ok && steps[2].message.contains("location"), "{steps:?}");
    let read = vendor.reading(&stub.base_url).read().await;
    assert!(read.is_complete() && read.employees.iter().all(|employee| employee.location.is_none()));
}
