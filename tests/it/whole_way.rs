//! From HR to the target: hires, edits and departures, the whole way.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::kit::Bridge;
use crate::push::{StubApp, file as app_file, publish as publish_app};
use crate::sync_kit::{Company, Row, active_users, connected, connection_file, done, person, show};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn with_app() -> (Bridge, StubApp) {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    publish_app(&bridge, &app_file("expenses", &app.stub.base_url, &json!({}))).await;
    (bridge, app)
}

fn hire(company: &mut Company, n: usize, manager: &str) {
    let row = Row {
        id: n.to_string(),
        number: format!("E{n:04}"),
        given: format!("Given{n}"),
        family: format!("Family{n}"),
        email: format!("person{n}@acme.example"),
        manager: manager.to_owned(),
        ..company.row("1").clone()
    };
    company.add(row);
}

/// The account of a person.
fn account(app: &StubApp, n: usize) -> Value {
    app.named(&format!("person{n}@acme.example"))
}

/// Covers: LEAP-6, LEAP-7, PAYH-1, PROB-3, RG-29
#[tokio::test]
async fn hires_edits_and_departures_arrive_in_the_target_and_the_run_says_what_it_did() {
    let (bridge, app) = with_app().await;
    let mut company = Company::of(12);
    company.row("8").email = String::new();
    done(&bridge, &company).await;
    assert_eq!(app.all("Users").len(), 11, "who lacks an address is skipped");

    hire(&mut company, 13, "2");
    company.row("3").title = "Architect".to_owned();
    company.row("4").status = String::new();
    company.row("4").last_day = "2020-11-20".to_owned();
    let run = done(&bridge, &company).await;

    // LEAP-6, LEAP-7: an account in store and target, with name, mail, title and manager.
    let (user, there) = (person(&bridge, 13).await, account(&app, 13));
    for path in ["/name/givenName", "/name/familyName", "/emails/0/value", "/title"] {
        assert_eq!(user.pointer(path), there.pointer(path), "{path}");
        assert!(
            there.pointer(path).is_some_and(Value::is_string),
            "{path}: {there}"
        );
    }
    assert_eq!(user["emails"][0]["value"], "person13@acme.example");
    assert_eq!(
        user[ENTERPRISE]["manager"]["value"],
        person(&bridge, 2).await["id"]
    );
    assert_eq!(there[ENTERPRISE]["manager"]["value"], account(&app, 2)["id"]);
    // PROB-3, PAYH-1: the edit and the departure too.
    assert_eq!(account(&app, 3)["title"], "Architect");
    assert_eq!(account(&app, 4)["active"], false);
    assert_eq!(person(&bridge, 4).await["active"], false);

    let effect = &run["effect"];
    for (word, count) in [("created", 1), ("updated", 1), ("left", 1), ("failed", 0)] {
        assert_eq!(effect[word]["count"], count, "{word}: {run}");
        let link = effect[word]["link"].as_str().unwrap();
        let listed = bridge.get(link).await;
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{link}");
    }
    let link = effect["skipped"]["link"].as_str().unwrap();
    assert_eq!(bridge.get(link).await["items"][0]["source_id"], "8", "{run}");
}

#[tokio::test]
async fn payh_6_the_overwrite_rules_hold_in_the_first_run_and_in_every_later_one() {
    let (bridge, app) = with_app().await;
    let mut company = Company::of(3);
    // The first run takes over a user that was there with other names.
    let old = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "person2@acme.example",
        "name": { "givenName": "Old", "familyName": "Names" }, "title": "Old",
    });
    let (status, _) = bridge
        .scim_as(&bridge.token, reqwest::Method::POST, "/Users", Some(&old))
        .await;
    assert_eq!(status, 201);
    bridge.drain().await;
    assert_eq!(account(&app, 2)["name"]["givenName"], "Old");
    done(&bridge, &company).await;
    assert_eq!(
        account(&app, 2)["name"],
        json!({ "givenName": "Given2", "familyName": "Family2" })
    );
    for round in 1..=4 {
        company.row("2").given = format!("Given{round}x");
        // An empty value keeps what is there, in every run.
        company.row("2").title = if round == 3 {
            String::new()
        } else {
            format!("Title{round}")
        };
        done(&bridge, &company).await;
        let there = account(&app, 2);
        assert_eq!(
            there["name"]["givenName"],
            format!("Given{round}x"),
            "run {round}"
        );
        let title = if round == 3 { 2 } else { round };
        assert_eq!(there["title"], format!("Title{title}"), "run {round}");
    }
}

#[tokio::test]
async fn two_hundred_last_days_on_one_date_stop_as_a_plan_without_a_call() {
    let (bridge, app) = with_app().await;
    let mut company = Company::of(300);
    for n in 101..=300 {
        company.row(&n.to_string()).last_day = "2026-12-31".to_owned();
    }
    done(&bridge, &company).await;
    assert_eq!(app.all("Users").len(), 300);
    app.mutations();
    bridge.clock.advance(TimeDelta::days(60));
    bridge.drain().await;
    let plans = bridge
        .get("/api/v1/plans?cause=due&state=awaiting_approval")
        .await;
    let plan = &plans["items"][0];
    assert_eq!(plan["counts"]["disable"], 200, "{plans}");
    assert_eq!(active_users(&bridge).await, 300);
    assert_eq!(app.mutations(), Vec::<String>::new(), "no call before approval");
    let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap());
    let approved = bridge.post(&path, &json!({ "plan": plan["hash"] })).await;
    bridge.drain().await;
    assert_eq!(
        show(&bridge, &json!({ "id": approved["run"] })).await["state"],
        "done"
    );
    assert_eq!(active_users(&bridge).await, 100);
    // What a human approved does not meet the cap of the app once more, and what nobody approved still does.
    assert_eq!(app.mutations().len(), 200);
    assert_eq!(bridge.get("/api/v1/freezes").await["items"], json!([]));
    let uses = "SELECT coalesce(sum(uses), 0)::bigint FROM cap_use WHERE action = 'disable'";
    assert_eq!(bridge.count(uses).await, 0);
    for n in 1..=70 {
        let user = person(&bridge, n).await;
        let id = user["id"].as_str().unwrap();
        bridge
            .post(&format!("/api/v1/users/{id}/suspend"), &json!({}))
            .await;
    }
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 60, "a fifth of the 300 accounts");
}
