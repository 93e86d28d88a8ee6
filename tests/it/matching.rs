//! Who is who, beyond the plain cases: folded and unique keys, the queue of reviews, and decisions that are taken back.

use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{
    Company, active_users, connected, connection_file, done, person, run_again, said, upload,
};
use reqwest::Method;

async fn open_reviews(bridge: &Bridge) -> Vec<Value> {
    let list = bridge.get("/api/v1/reviews?state=open").await;
    list["items"].as_array().unwrap().clone()
}

/// Covers: EXP-1, RG-13
#[tokio::test]
async fn exp_1_rg_13_codes_are_compared_exactly_unless_a_key_is_folded_by_choice() {
    let mut file = connection_file();
    file["match"] = json!({ "by": ["source_id", "employee_number"], "suggest": [] });
    file["guard"] = json!({ "unusable": { "share": 1.0 } });
    let exact = connected(&file).await;
    let mut company = Company::of(6);
    for (id, number) in [("1", "007"), ("2", "7"), ("3", "\" 007\""), ("4", "\"007 \"")] {
        company.row(id).number = number.to_owned();
    }
    let run = done(&exact, &company).await;
    assert_eq!(
        (run["counts"]["create"].clone(), run["counts"]["review"].clone()),
        (json!(6), json!(0)),
        "{run}"
    );
    // The id stays, so the person does, whatever else changes; and with the id gone the exact number finds the person.
    company.row("5").email = "married5@acme.example".to_owned();
    company.row("5").family = "Married".to_owned();
    let mut moved = company.0.remove("6").unwrap();
    moved.id = "60".to_owned();
    company.add(moved);
    let run = done(&exact, &company).await;
    assert_eq!(run["counts"]["create"], 0, "{run}");
    assert_eq!(exact.count("SELECT count(*) FROM person").await, 6);

    // The same number in other letters and with blanks is another number, but for a folded key.
    let mut moved = company.0.remove("60").unwrap();
    moved.id = "61".to_owned();
    moved.number = "\" e0006\"".to_owned();
    moved.email = "six@acme.example".to_owned();
    company.add(moved);
    upload(&exact, &company.csv()).await;
    let dry = run_again(&exact, true).await;
    assert_eq!(dry["counts"]["create"], 1, "{dry}");
    file["match"] = json!({ "by": ["source_id", { "key": "employee_number", "fold": true }], "suggest": [] });
    crate::sync_kit::apply(&exact, &file).await;
    exact.post("/api/v1/connections/people/publish", &json!({})).await;
    // With folding, " 007" and "007 " are "007": that is said, and none of the three is written.
    let run = done(&exact, &company).await;
    assert_eq!(
        (run["counts"]["create"].clone(), run["counts"]["review"].clone()),
        (json!(0), json!(3)),
        "{run}"
    );
    assert_eq!(
        open_reviews(&exact).await[0]["source_ids"],
        json!(["1", "3", "4"])
    );
    let sixth = "SELECT count(*) FROM source_record a JOIN source_record b USING (person_id) \
                 WHERE a.source_id = '60' AND b.source_id = '61'";
    assert_eq!(exact.count(sixth).await, 1);

    file["match"] = json!({ "by": [{ "key": "source_id", "fold": true }] });
    let (status, problem) = answer(with_json(
        exact.request(Method::PUT, "/api/v1/connections/people"),
        &file,
    ))
    .await;
    assert_eq!(status, 422);
    assert!(
        problem
            .to_string()
            .contains("source_id is always compared exactly"),
        "{problem}"
    );
}

/// Covers: EXP-2
#[tokio::test]
async fn exp_2_doubles_of_a_unique_key_are_listed_before_any_write_and_both_are_named() {
    let mut file = connection_file();
    file["match"] = json!({ "by": ["source_id"], "suggest": [], "unique": ["employee_number"] });
    let bridge = connected(&file).await;
    let mut company = Company::of(12);
    company.row("5").number = "E0004".to_owned();
    upload(&bridge, &company.csv()).await;
    let dry = run_again(&bridge, true).await;
    assert_eq!(
        bridge.count("SELECT count(*) FROM person").await,
        0,
        "nothing is written"
    );
    for run in [dry, run_again(&bridge, false).await] {
        assert_eq!(
            (run["counts"]["create"].clone(), run["counts"]["review"].clone()),
            (json!(10), json!(2)),
            "{run}"
        );
        let errors = said(&bridge, &run, "errors").await;
        let ids: Vec<&Value> = errors.iter().map(|one| &one["source_id"]).collect();
        assert_eq!(ids, [&json!("4"), &json!("5")]);
        for error in &errors {
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("employee_number, which must be unique") && message.contains("records 4, 5"),
                "{message}"
            );
        }
    }
    assert_eq!(active_users(&bridge).await, 10);
    assert!(person(&bridge, 4).await.is_null() && person(&bridge, 5).await.is_null());
    // Corrected in HR, both are people like all others.
    company.row("5").number = "E0005".to_owned();
    done(&bridge, &company).await;
    assert_eq!(active_users(&bridge).await, 12);
    assert!(open_reviews(&bridge).await.is_empty());

    // One who has an account keeps it and their data while the other's double waits.
    company.row("7").number = "E0008".to_owned();
    company.row("8").title = "Changed".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(
        (run["counts"]["review"].clone(), run["counts"]["disable"].clone()),
        (json!(2), json!(0)),
        "{run}"
    );
    assert_eq!(person(&bridge, 8).await["title"], "Engineer");
    assert_eq!(active_users(&bridge).await, 12);
}

#[tokio::test]
async fn reviews_name_people_and_are_decided_in_bulk_and_a_decision_can_be_taken_back() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    // Two new records bear the numbers of people with other names.
    for (id, number) in [("20", "E0002"), ("21", "E0003")] {
        let mut row = company.0["9"].clone();
        row.id = id.to_owned();
        row.number = number.to_owned();
        row.given = format!("Stranger{id}");
        row.email = format!("person{id}@acme.example");
        company.add(row);
    }
    done(&bridge, &company).await;
    let open = open_reviews(&bridge).await;
    assert_eq!(open.len(), 2);
    let of = |id: &str| {
        let about = |one: &&Value| one["source_ids"].as_array().unwrap().contains(&json!(id));
        open.iter().find(about).unwrap().clone()
    };
    let (second, third) = (of("20"), of("21"));
    assert_eq!(second["people"][0]["name"], "Given2 Family2");
    let names: Vec<&Value> = second["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&json!("Given2 Family2"), &json!("Stranger20 Family9")]);
    assert_eq!(second["records"][1]["employee_number"], "E0002");

    // One answer for all of the connection.
    let decided = bridge
        .post(
            "/api/v1/reviews/decide",
            &json!({ "decision": "candidate", "connection": "people" }),
        )
        .await;
    assert_eq!(decided["decided"].as_array().unwrap().len(), 2, "{decided}");
    assert_eq!(decided["more"], false);
    bridge.drain().await;
    let whose =
        |id: &str| format!("SELECT count(DISTINCT person_id) FROM source_record WHERE source_id IN ('{id}')");
    let shared = "SELECT count(*) FROM source_record a JOIN source_record b USING (person_id) \
                  WHERE (a.source_id, b.source_id) IN (('2', '20'), ('3', '21'))";
    assert_eq!(bridge.count(shared).await, 2);
    assert_eq!(active_users(&bridge).await, 12);

    // The decision on one was wrong: it is taken back, asked again, and answered otherwise.
    let path = format!("/api/v1/reviews/{}/reopen", second["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    assert_eq!(open_reviews(&bridge).await.len(), 1);
    assert_eq!(
        bridge.count(&whose("20")).await,
        0,
        "the record is nobody's again"
    );
    assert_eq!(
        active_users(&bridge).await,
        12,
        "nobody lost an account meanwhile"
    );
    let decided = bridge
        .post(
            "/api/v1/reviews/decide",
            &json!({ "decision": "separate", "ids": [second["id"], third["id"]] }),
        )
        .await;
    assert_eq!(
        decided["decided"],
        json!([second["id"]]),
        "the other is not open: {decided}"
    );
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 13);
    assert_eq!(person(&bridge, 20).await["name"]["givenName"], "Stranger20");
    assert_eq!(bridge.count(shared).await, 1);
    let audited = "SELECT count(*) FROM audit_entry WHERE action IN ('review.decide', 'review.reopen')";
    assert_eq!(bridge.count(audited).await, 4);
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Covers: EXP-1, EXP-2
#[tokio::test]
async fn exp_1_exp_2_accounts_of_an_app_are_found_by_the_exact_code_and_doubled_ones_are_left_alone() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(3);
    for (id, number) in [("1", "007"), ("2", "9"), ("3", "10")] {
        company.row(id).number = number.to_owned();
    }
    done(&bridge, &company).await;
    // Accounts with other names and addresses: only their codes say whose they are.
    let app = bridge.make_tenant("app").await;
    let token = bridge
        .make_token(app, "push", &scim_bridge::access::Scope::ALL)
        .await;
    for (name, number) in [
        ("a", " 007"),
        ("b", "7"),
        ("c", "007"),
        ("d", "007 "),
        ("e", "9"),
        ("f", "9"),
    ] {
        let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "userName": name,
            "active": true, ENTERPRISE: { "employeeNumber": number } });
        let (status, made) = answer(with_json(
            bridge.request_as(&token, Method::POST, "/scim/v2/Users"),
            &body,
        ))
        .await;
        assert_eq!(status, 201, "{made}");
    }
    let file = crate::push::file(
        "app",
        &format!("{}/scim/v2", bridge.base_url),
        &json!({ "token": token, "match": { "by": ["employeeNumber"] } }),
    );
    for (method, path, body) in [
        (Method::PUT, "/api/v1/apps/app", &file),
        (Method::POST, "/api/v1/apps/app/publish", &json!({})),
    ] {
        let (status, body) = answer(with_json(bridge.request(method, path), body)).await;
        assert_eq!(status, 200, "{body}");
    }
    bridge.drain().await;
    let list = answer(bridge.request_as(&token, Method::GET, "/scim/v2/Users?count=100"))
        .await
        .1;
    let named: Vec<(&str, &str)> = list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| {
            (
                user["userName"].as_str().unwrap(),
                user[ENTERPRISE]["employeeNumber"].as_str().unwrap(),
            )
        })
        .collect();
    let with = |number: &str| -> Vec<&str> {
        named
            .iter()
            .filter(|(_, one)| *one == number)
            .map(|(name, _)| *name)
            .collect()
    };
    assert_eq!(
        with("007"),
        ["person1@acme.example"],
        "that account alone was adopted: {named:?}"
    );
    for untouched in [("a", " 007"), ("b", "7"), ("d", "007 "), ("e", "9"), ("f", "9")] {
        assert!(named.contains(&untouched), "{named:?}");
    }
    assert_eq!(with("9").len(), 2, "no third one was made");
    assert_eq!(with("10"), ["person3@acme.example"]);
    let held = bridge.get("/api/v1/apps/app/accounts?state=held").await;
    assert_eq!(
        held["items"].as_array().unwrap().len(),
        1,
        "the doubled one is listed: {held}"
    );
}
