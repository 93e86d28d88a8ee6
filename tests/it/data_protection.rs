//! Sensitive data: by choice, sealed, blanked when switched off, shown only to those who may; and people outside the
//! filter, of whom nothing is kept.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Stub, answer, dump, found_in, good};
use crate::sync_kit::{apply, connected, connection_file, run_again, run_text, said, upload, user};

const PAYROLL: &str = "urn:scim-bridge:params:scim:schemas:extension:payroll:2.0:User";
const IBAN: &str = "DE75512108001245126199";
const SECRETS: [&str; 4] = [IBAN, "Genderless9", "Marriedish9", "Kinder9"];

/// A file with bank details and personal fields; a second person, who will be gone from it later.
fn people(second: bool) -> String {
    let mut text = format!(
        "Id,Number,Given,Family,Email,Title,Department,Manager,Status,From,To,Iban,Gender,Marital,Children\n\
         1,E1,Ann,Brook,ann@acme.example,Engineer,Ops,,Current,2020-01-01,,{IBAN},Genderless9,Marriedish9,Kinder9\n"
    );
    if second {
        text.push_str(&format!(
            "2,E2,Bob,Creek,bob@acme.example,Engineer,Ops,1,Current,2020-01-01,,{IBAN},Genderless9,Marriedish9,Kinder9\n"
        ));
    }
    text
}

fn file(optional: Option<&[&str]>) -> Value {
    let mut file = connection_file();
    for (name, rule) in [
        ("bank_accounts", json!({ "iban": "Iban" })),
        ("gender", json!("Gender")),
        ("marital_status", json!("Marital")),
        ("children", json!("Children")),
    ] {
        file["fields"][name] = rule;
    }
    let plain = ["given_name", "family_name", "work_email", "title", "department"];
    if let Some(more) = optional {
        file["read"] = json!({ "optional": plain.iter().chain(more).collect::<Vec<_>>() });
    }
    file
}

async fn publish(bridge: &Bridge, file: &Value) {
    apply(bridge, file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

async fn payroll(bridge: &Bridge, token: &str) -> Value {
    let id = user(bridge, "ann@acme.example").await["id"].clone();
    let path = format!("/scim/v2/Users/{}?attributes={PAYROLL}", id.as_str().unwrap());
    good(bridge.request_as(token, Method::GET, &path)).await[PAYROLL].clone()
}

async fn sealed(bridge: &Bridge) -> i64 {
    bridge
        .count("SELECT count(*) FROM source_record WHERE sealed IS NOT NULL")
        .await
}

const ALL: [&str; 4] = ["bank_accounts", "gender", "marital_status", "children"];

#[tokio::test]
async fn exp_15_exp_16_prob_23_prob_36_bank_details_and_personal_fields_are_read_by_choice_sealed_blanked_and_masked()
 {
    let bridge = connected(&file(None)).await;
    let document = json!({ "name": "User", "schemaExtensions": [{ "schema": PAYROLL, "required": false }] });
    bridge.post("/api/v1/schemas", &document).await;

    // Off by default: neither read nor stored.
    let run = run_text(&bridge, &people(true)).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(sealed(&bridge).await, 0);
    assert_eq!(payroll(&bridge, &bridge.token).await, Value::Null);
    assert_eq!(found_in(&dump(bridge.database_url()).await, &SECRETS), [""; 0]);

    // Chosen: the next run reads them, sealed; shown only to those who may.
    publish(&bridge, &file(Some(&ALL))).await;
    let run = run_text(&bridge, &people(true)).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(sealed(&bridge).await, 2);
    let shown = payroll(&bridge, &bridge.token).await;
    assert_eq!(
        shown,
        json!({ "gender": "Genderless9", "maritalStatus": "Marriedish9", "children": "Kinder9",
                "bankAccounts": [{ "iban": IBAN }] })
    );
    let scopes = [Scope::ScimRead, Scope::Admin, Scope::ProvisioningRead];
    let other = bridge.make_token(bridge.tenant, "no secrets", &scopes).await;
    assert_eq!(payroll(&bridge, &other).await, Value::Null);
    let ann = user(&bridge, "ann@acme.example").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        format!("/api/v1/users/{ann}"),
        format!("/api/v1/users/{ann}/explain"),
        format!("/api/v1/users/{ann}/history"),
        format!("/api/v1/people/{ann}/export"),
        format!("/api/v1/runs/{}", run["id"].as_str().unwrap()),
        format!("/api/v1/runs/{}/errors", run["id"].as_str().unwrap()),
        format!("/api/v1/runs/{}/warnings", run["id"].as_str().unwrap()),
        "/scim/v2/Users".to_owned(),
    ] {
        let (status, body) = answer(bridge.request_as(&other, Method::GET, &path)).await;
        assert_eq!(status, 200, "{path} {body}");
        assert_eq!(
            found_in(&body.to_string().to_lowercase(), &SECRETS),
            [""; 0],
            "{path}"
        );
    }
    let all = bridge.get(&format!("/api/v1/people/{ann}/export")).await;
    assert_eq!(
        found_in(&all.to_string().to_lowercase(), &SECRETS),
        SECRETS,
        "{all}"
    );
    assert_eq!(found_in(&dump(bridge.database_url()).await, &SECRETS), [""; 0]);

    // Bob is no longer in the file when it is switched off: what is stored of him goes too, with the next run and without
    // the guard taking it for a loss.
    let run = run_text(&bridge, &people(false)).await;
    assert_eq!(
        (&run["state"], sealed(&bridge).await),
        (&json!("done"), 2),
        "{run}"
    );
    publish(&bridge, &file(Some(&["gender"]))).await;
    let run = run_text(&bridge, &people(false)).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(
        payroll(&bridge, &bridge.token).await,
        json!({ "gender": "Genderless9" })
    );
    publish(&bridge, &file(Some(&[]))).await;
    let run = run_text(&bridge, &people(false)).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(sealed(&bridge).await, 0);
    assert_eq!(payroll(&bridge, &bridge.token).await, Value::Null);

    // And on again.
    publish(&bridge, &file(Some(&ALL))).await;
    run_text(&bridge, &people(false)).await;
    assert_eq!(payroll(&bridge, &bridge.token).await, shown);
}

/// An HR system that speaks as Personio does, and gives every attribute whatever it is asked for.
async fn personio() -> Stub {
    let stub = Stub::start().await;
    stub.rule(|request| {
        let value = |label: &str, value: &str| json!({ "label": label, "value": value });
        Some(match request.path.as_str() {
            "/v1/auth" => Answer::json(200, &json!({ "success": true, "data": { "token": "t" } })),
            "/v1/company/employees" => Answer::json(
                200,
                &json!({
                    "success": true, "metadata": { "total_elements": 1, "current_page": 0, "total_pages": 1 },
                    "data": [{ "type": "Employee", "attributes": {
                        "id": { "label": "ID", "value": 7 },
                        "first_name": value("First name", "Ann"), "last_name": value("Last name", "Brook"),
                        "email": value("Email", "ann@acme.example"), "status": value("Status", "active"),
                        "position": value("Position", "Titlecanary7"), "gender": value("Gender", "Gendercanary7"),
                        "hire_date": value("Hire date", "2020-01-01T00:00:00+00:00"),
                        "termination_date": { "label": "Termination date", "value": null },
                        "supervisor": { "label": "Supervisor", "value": null },
                    } }],
                }),
            ),
            _ => Answer::status(404),
        })
    });
    stub
}

fn of_personio(stub: &Stub, optional: &[&str]) -> Value {
    json!({
        "name": "people", "connector": "personio",
        "settings": { "client_id": "c", "client_secret": "s3cret", "base_url": stub.base_url },
        "read": { "optional": optional },
    })
}

/// The attributes that the last read asked for.
fn asked(stub: &Stub) -> Vec<String> {
    let received = stub.take_received();
    let last = received
        .iter()
        .rfind(|request| request.path.ends_with("/employees"))
        .unwrap();
    url::form_urlencoded::parse(last.query.as_bytes())
        .filter(|(name, _)| name == "attributes[]")
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[tokio::test]
async fn prob_11_prob_23_exp_15_deselected_fields_are_neither_requested_nor_stored() {
    let stub = personio().await;
    let names = ["given_name", "family_name", "work_email"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { names.iter().chain(more).copied().collect() };
    let bridge = Bridge::spawn().await;
    publish(&bridge, &of_personio(&stub, &with(&["title", "gender"]))).await;
    let run = run_again(&bridge, false).await;
    assert_eq!(run["state"], "done", "{run}");
    let fields = asked(&stub);
    assert!(
        fields.contains(&"position".to_owned()) && fields.contains(&"gender".to_owned()),
        "{fields:?}"
    );
    let ann = user(&bridge, "ann@acme.example").await;
    assert_eq!(ann["title"], "Titlecanary7");

    // Deselected: not asked for, and although the HR system gives it all the same, not kept; what it had written goes.
    publish(&bridge, &of_personio(&stub, &with(&[]))).await;
    let run = run_again(&bridge, false).await;
    assert_eq!(run["state"], "done", "{run}");
    let fields = asked(&stub);
    assert!(
        !fields.contains(&"position".to_owned()) && !fields.contains(&"gender".to_owned()),
        "{fields:?}"
    );
    assert_eq!(user(&bridge, "ann@acme.example").await["title"], Value::Null);
    let kept =
        "SELECT count(*) FROM source_record WHERE sealed IS NOT NULL OR employee::text LIKE '%canary%'";
    assert_eq!(bridge.count(kept).await, 0);
    let staged = "SELECT count(*) FROM resource WHERE body::text LIKE '%canary%'";
    assert_eq!(bridge.count(staged).await, 0);

    // What a client writes there meanwhile is its own and stays.
    let path = format!("/scim/v2/Users/{}", ann["id"].as_str().unwrap());
    crate::push::patch(
        &bridge,
        &path,
        &json!([{ "op": "replace", "path": "title", "value": "Poet" }]),
    )
    .await;
    run_again(&bridge, false).await;
    assert_eq!(bridge.get(&path).await["title"], "Poet");

    // Chosen again: read again by the next run.
    publish(&bridge, &of_personio(&stub, &with(&["title"]))).await;
    run_again(&bridge, false).await;
    assert_eq!(bridge.get(&path).await["title"], "Titlecanary7");
    assert!(asked(&stub).contains(&"position".to_owned()));
}

/// Covers: EXP-15, PROB-36
#[tokio::test]
async fn of_people_outside_the_filter_nothing_is_kept_but_that_they_were_seen() {
    let canaries = [
        "Outsiderina",
        "Canarywharf",
        "outside@acme.example",
        "Secretagent",
        "E-9-canary",
        IBAN,
    ];
    let mut own = file(Some(&ALL));
    own["filter"] = json!({ "include": "employee.department.name == 'Ops'" });
    own["guard"] = json!({ "leavers": { "share": 0.5, "count": 0 } });
    let bridge = connected(&own).await;
    let head = people(false);
    let outside = format!(
        "9,E-9-canary,Outsiderina,Canarywharf,outside@acme.example,Secretagent,Hidden,,Current,2020-01-01,,{IBAN},x,x,x\n"
    );
    let text = format!("{}{outside}", head.replace(IBAN, "DE00"));
    let run = run_text(&bridge, &text).await;
    assert_eq!(run["state"], "done", "{run}");
    let row = bridge
        .rows()
        .await
        .query_one(
            "SELECT outcome, employee IS NULL AND sealed IS NULL, octet_length(digest) FROM source_record WHERE source_id = '9'",
            &[],
        )
        .await
        .unwrap();
    let (outcome, is_empty, digest): (String, bool, i32) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((outcome.as_str(), is_empty), ("filtered", true));
    assert!(digest >= 32);
    assert_eq!(found_in(&dump(bridge.database_url()).await, &canaries), [""; 0]);

    // Nor while a plan waits for an approval: the leaver holds the run up, and the outsider changed meanwhile.
    let text = format!(
        "{}{}",
        head.replace(IBAN, "DE00").replace("Current", ""),
        outside
            .replace("Secretagent", "Secretagent,")
            .replace("Secretagent,,", "Secretagenta,")
    );
    upload(&bridge, &text).await;
    let run = run_again(&bridge, false).await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    assert_eq!(found_in(&dump(bridge.database_url()).await, &canaries), [""; 0]);
    assert!(said(&bridge, &run, "errors").await.is_empty());
}
