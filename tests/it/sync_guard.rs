//! The guard: what stops a run, what approval and rejection do, and that broken files harm nobody.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{
    Company, active_users, apply, connected, connection_file, done, person, run, run_again, run_text, said,
    show,
};

async fn refused(bridge: &Bridge, path: &str, body: &Value) -> (u16, Value) {
    answer(with_json(bridge.request(Method::POST, path), body)).await
}

fn reasons(run: &Value) -> Vec<String> {
    let reasons = run["guard"]["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| reason["limit"].as_str().unwrap().to_owned())
        .collect()
}

/// Half of the people leave.
async fn mass_leave() -> (Bridge, Company, Value) {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    for n in (2..=20).step_by(2) {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-11-30".to_owned();
    }
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    (bridge, company, waiting)
}

#[tokio::test]
async fn c58_too_many_leavers_stop_before_the_first_effect_and_go_after_approval() {
    let (bridge, _, waiting) = mass_leave().await;
    assert_eq!(reasons(&waiting), ["leavers"]);
    assert_eq!(active_users(&bridge).await, 20, "zero effects");
    let path = format!("/api/v1/runs/{}/approve", waiting["id"].as_str().unwrap());
    let (status, body) = refused(&bridge, &path, &json!({ "plan": "00000000" })).await;
    assert_eq!(
        (status, body["plan_hash"].clone()),
        (409, waiting["plan_hash"].clone())
    );
    assert_eq!(active_users(&bridge).await, 20);
    bridge.post(&path, &json!({ "plan": waiting["plan_hash"] })).await;
    bridge.drain().await;
    let applied = show(&bridge, &waiting).await;
    assert_eq!(applied["state"], "done", "{applied}");
    assert_eq!(active_users(&bridge).await, 10);
    let (status, _) = refused(&bridge, &path, &json!({})).await;
    assert_eq!(status, 409, "a plan is approved once");
}

#[tokio::test]
async fn a_rejected_plan_never_has_an_effect_and_a_newer_run_takes_the_place_of_a_waiting_one() {
    let (bridge, mut company, waiting) = mass_leave().await;
    let path = format!("/api/v1/runs/{}/reject", waiting["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    assert_eq!(show(&bridge, &waiting).await["state"], "rejected");
    assert_eq!(active_users(&bridge).await, 20);

    let second = run_again(&bridge, false).await;
    assert_eq!(second["state"], "awaiting_approval", "it looks again: {second}");
    for n in (2..=20).step_by(2) {
        company.row(&n.to_string()).status = "Current".to_owned();
        company.row(&n.to_string()).last_day = String::new();
    }
    let third = done(&bridge, &company).await;
    assert_eq!(third["counts"]["disable"], 0, "{third}");
    assert_eq!(show(&bridge, &second).await["state"], "superseded");
    assert_eq!(active_users(&bridge).await, 20);
}

#[tokio::test]
async fn payh_18_files_that_lost_people_harm_nobody_and_the_run_says_why() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(100);
    done(&bridge, &company).await;
    let whole = company.csv();
    let lines: Vec<&str> = whole.lines().collect();
    for (part, expected) in [(51, "shrink"), (91, "shrink")] {
        let cut = run_text(&bridge, &format!("{}\n", lines[..part].join("\n"))).await;
        assert_eq!(cut["state"], "awaiting_approval", "{cut}");
        assert!(reasons(&cut).contains(&expected.to_owned()), "{cut}");
        assert_eq!(active_users(&bridge).await, 100);
    }
    let without_a_department: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !line.contains("Dept 3"))
        .collect();
    let lost = run_text(&bridge, &format!("{}\n", without_a_department.join("\n"))).await;
    assert_eq!(lost["state"], "awaiting_approval", "{lost}");
    assert!(reasons(&lost).contains(&"unit_lost".to_owned()), "{lost}");
    let message = lost["guard"]["reasons"].to_string();
    assert!(message.contains("Dept 3"), "{message}");

    let mut no_mail = company.clone();
    for row in no_mail.0.values_mut() {
        row.email = String::new();
    }
    let emptied = run(&bridge, &no_mail).await;
    assert_eq!(emptied["state"], "awaiting_approval", "{emptied}");
    assert_eq!(reasons(&emptied), ["unusable", "emptied"]);
    assert!(emptied["guard"]["reasons"].to_string().contains("work_email"));
    assert_eq!(active_users(&bridge).await, 100);

    let good = done(&bridge, &company).await;
    assert_eq!(good["counts"]["unchanged"], 100, "{good}");
    let changes = bridge
        .count("SELECT count(*) FROM change WHERE kind = 'User' AND action <> 'create'")
        .await;
    let made = bridge
        .count("SELECT count(*) FROM change WHERE kind = 'User' AND action = 'create'")
        .await;
    assert_eq!(made, 100);
    assert!(
        changes <= 100,
        "only managers were set after the first run: {changes}"
    );
}

#[tokio::test]
async fn payh_24_who_is_missing_leaves_only_after_two_complete_reads_a_day_apart() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(30);
    done(&bridge, &company).await;
    company.0.remove("7");
    let first = done(&bridge, &company).await;
    assert_eq!(first["counts"]["missing"], 1, "{first}");
    let warnings = said(&bridge, &first, "warnings").await;
    assert_eq!(warnings[0]["source_id"], "7");
    bridge.clock.advance(TimeDelta::hours(2));
    done(&bridge, &company).await;
    assert_eq!(active_users(&bridge).await, 30, "two reads, but too close");
    bridge.clock.advance(TimeDelta::hours(23));
    let third = done(&bridge, &company).await;
    assert_eq!(third["counts"]["disable"], 1, "{third}");
    assert_eq!(person(&bridge, 7).await["active"], false);

    let back = Company::of(30);
    let fourth = done(&bridge, &back).await;
    assert_eq!(fourth["counts"]["update"], 1, "{fourth}");
    assert_eq!(
        person(&bridge, 7).await["active"],
        true,
        "who comes back gets the same account"
    );
}

#[tokio::test]
async fn a_last_day_that_passes_disables_without_any_change_in_hr() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(10);
    company.row("3").last_day = "2026-12-01".to_owned();
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 3).await["active"], true);
    bridge.clock.set("2026-12-01T23:59:00Z");
    bridge.drain().await;
    assert_eq!(person(&bridge, 3).await["active"], true);
    bridge.clock.set("2026-12-02T00:00:30Z");
    bridge.drain().await;
    assert_eq!(person(&bridge, 3).await["active"], false);
    let runs = bridge.get("/api/v1/runs").await;
    assert_eq!(runs["items"][0]["cause"], "due", "{runs}");
}

#[tokio::test]
async fn c65_who_is_held_when_a_day_comes_is_looked_at_again_in_a_day_not_for_ever() {
    let mut file = connection_file();
    file["filter"] = json!({ "include": "employee.title == \"Engineer\"" });
    let bridge = connected(&file).await;
    let mut company = Company::of(10);
    company.row("3").last_day = "2026-12-01".to_owned();
    done(&bridge, &company).await;
    company.row("3").title = String::new();
    done(&bridge, &company).await;
    bridge.clock.set("2026-12-02T00:00:30Z");
    bridge.drain().await;
    let due = "SELECT count(*) FROM run WHERE cause = 'due'";
    assert_eq!(bridge.count(due).await, 1);
    assert_eq!(
        person(&bridge, 3).await["active"],
        true,
        "nobody can say, so nothing is done"
    );
    bridge.clock.set("2026-12-03T00:01:00Z");
    bridge.drain().await;
    assert_eq!(bridge.count(due).await, 2);
}

#[tokio::test]
async fn a_future_starter_gets_an_account_on_the_first_day() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(10);
    company.row("3").status = "Future".to_owned();
    company.row("3").first_day = "2026-12-05".to_owned();
    done(&bridge, &company).await;
    assert!(person(&bridge, 3).await.is_null());
    bridge.clock.set("2026-12-05T00:00:30Z");
    bridge.drain().await;
    assert_eq!(person(&bridge, 3).await["active"], true);
}

#[tokio::test]
async fn an_unknown_status_word_is_held_and_named() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(10);
    done(&bridge, &company).await;
    company.row("3").status = "Sabbatical".to_owned();
    company.row("3").title = "Not to be written".to_owned();
    let held = done(&bridge, &company).await;
    let errors = said(&bridge, &held, "errors").await;
    assert_eq!(errors[0]["source_id"], "3", "{errors:?}");
    assert_eq!(errors[0]["field"], "status");
    let user = person(&bridge, 3).await;
    assert_eq!(
        (user["active"].clone(), user["title"].clone()),
        (json!(true), json!("Engineer"))
    );
}

#[tokio::test]
async fn a_filter_that_cannot_be_decided_holds_and_one_that_is_false_keeps_out() {
    let mut file = connection_file();
    file["filter"] = json!({ "include": "employee.title == \"Engineer\"" });
    let bridge = connected(&file).await;
    let mut company = Company::of(10);
    company.row("2").title = "Clerk".to_owned();
    company.row("3").title = String::new();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["create"], 8, "{run}");
    assert_eq!(run["counts"]["filtered"], 1, "{run}");
    let errors = said(&bridge, &run, "errors").await;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["source_id"], "3");
    let kept = bridge
        .count("SELECT count(*) FROM source_record WHERE employee IS NULL")
        .await;
    assert_eq!(kept, 1, "of who is outside, only id, hash and reason are kept");
}

#[tokio::test]
async fn c98_an_address_alone_never_links_and_a_human_decides() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(10);
    done(&bridge, &company).await;
    let mut twin = company.row("4").clone();
    twin.id = "400".to_owned();
    twin.number = "X400".to_owned();
    twin.given = "Somebody".to_owned();
    twin.family = "Else".to_owned();
    company.add(twin);
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["review"], 1, "{run}");
    assert_eq!(active_users(&bridge).await, 10);
    let reviews = bridge.get("/api/v1/reviews").await;
    let review = &reviews["items"][0];
    assert_eq!(review["source_ids"], json!(["400"]), "{reviews}");

    let again = run_again(&bridge, false).await;
    assert_eq!(again["counts"]["unchanged"], 11, "{again}");
    assert_eq!(
        bridge.get("/api/v1/reviews").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let path = format!("/api/v1/reviews/{}/decide", review["id"].as_str().unwrap());
    bridge
        .post(
            &path,
            &json!({ "decision": "person", "person": review["candidates"][0] }),
        )
        .await;
    bridge.drain().await;
    let people = bridge
        .count("SELECT count(DISTINCT person_id) FROM source_record WHERE source_id IN ('4', '400')")
        .await;
    assert_eq!(people, 1);
    assert_eq!(active_users(&bridge).await, 10);
}

#[tokio::test]
async fn payh_7_an_address_that_is_held_waits_for_a_decision_that_is_made_once() {
    let mut file = connection_file();
    file["mapping"] = json!({ "emails": { "policy": "hold" }, "userName": { "policy": "hold" } });
    let bridge = connected(&file).await;
    let mut company = Company::of(10);
    done(&bridge, &company).await;
    company.row("5").email = "five@acme.example".to_owned();
    company.row("5").title = "Lead".to_owned();
    done(&bridge, &company).await;
    let user = person(&bridge, 5).await;
    assert_eq!(user["title"], "Lead", "the rest flows");
    assert_eq!(user["emails"][0]["value"], "person5@acme.example");
    let holds = bridge.get("/api/v1/holds").await;
    assert_eq!(
        holds["items"].as_array().unwrap().len(),
        1,
        "one decision: {holds}"
    );
    let id = holds["items"][0]["id"].as_str().unwrap();
    bridge
        .post(&format!("/api/v1/holds/{id}/approve"), &json!({}))
        .await;
    bridge.drain().await;
    let moved = crate::sync_kit::user(&bridge, "five@acme.example").await;
    assert_eq!(moved["emails"][0]["value"], "five@acme.example");
    assert_eq!(moved["id"], user["id"]);
    let (status, _) = refused(&bridge, &format!("/api/v1/holds/{id}/reject"), &json!({})).await;
    assert_eq!(status, 409);
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["update"], 0, "{run}");
}

#[tokio::test]
async fn limits_can_be_set_and_a_changed_guard_counts_nothing_as_changed() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    let mut file = connection_file();
    file["guard"] = json!({ "leavers": { "share": 0.6 } });
    apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    for n in (2..=20).step_by(2) {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-11-30".to_owned();
    }
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["disable"], 10, "{run}");
    assert_eq!(run["counts"]["unchanged"], 10, "{run}");
}

#[tokio::test]
async fn who_leaves_is_disabled_though_another_change_of_theirs_is_refused() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    for n in (2..=20).step_by(2) {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-11-30".to_owned();
    }
    for id in ["2", "3"] {
        company.row(id).email = format!("renamed{id}@acme.example");
    }
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    // While it waits, a client takes both new names.
    for id in ["2", "3"] {
        let name = format!("renamed{id}@acme.example");
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
        });
        let (status, body) = bridge
            .scim_as(&bridge.token, Method::POST, "/Users", Some(&body))
            .await;
        assert_eq!(status, 201, "{body}");
    }
    let path = format!("/api/v1/runs/{}/approve", waiting["id"].as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    let applied = show(&bridge, &waiting).await;
    assert_eq!(applied["counts"]["refused"], 1, "{applied}");
    let left = crate::sync_kit::user(&bridge, "person2@acme.example").await;
    assert_eq!(left["active"], false, "{left}");
    let plan = waiting["plan"].as_str().unwrap();
    let items = bridge
        .get(&format!("/api/v1/plans/{plan}/items?action=disable&limit=100"))
        .await;
    let notes: Vec<&str> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["note"].as_str())
        .collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("only disabled"), "{notes:?}");

    // The names are free again: the next read carries over what was refused, though HR says nothing new.
    for id in ["2", "3"] {
        let user = crate::sync_kit::user(&bridge, &format!("renamed{id}@acme.example")).await;
        let path = format!("/Users/{}", user["id"].as_str().unwrap());
        let (status, _) = bridge.scim_as(&bridge.token, Method::DELETE, &path, None).await;
        assert_eq!(status, 204);
    }
    run_again(&bridge, false).await;
    for (id, active) in [("2", false), ("3", true)] {
        let user = crate::sync_kit::user(&bridge, &format!("renamed{id}@acme.example")).await;
        assert_eq!(user["active"], active, "{user}");
    }
}

#[tokio::test]
async fn the_plan_of_a_run_that_was_stopped_is_nobodys_to_approve() {
    let (bridge, _, waiting) = mass_leave().await;
    let run = waiting["id"].as_str().unwrap();
    let plan = waiting["plan"].as_str().unwrap();
    bridge
        .post(&format!("/api/v1/runs/{run}/cancel"), &json!({}))
        .await;
    let state = async || bridge.get(&format!("/api/v1/plans/{plan}")).await["state"].clone();
    assert_eq!(state().await, "superseded");
    bridge
        .post(&format!("/api/v1/runs/{run}/resume"), &json!({}))
        .await;
    let (status, _) = refused(&bridge, &format!("/api/v1/plans/{plan}/approve"), &json!({})).await;
    assert_eq!(status, 409);
    bridge.drain().await;
    let again = show(&bridge, &waiting).await;
    assert_eq!(again["state"], "awaiting_approval", "{again}");
    assert_ne!(again["plan"], waiting["plan"]);
    // A connection that is paused waits for nobody.
    bridge.post("/api/v1/connections/people/pause", &json!({})).await;
    assert_eq!(show(&bridge, &waiting).await["state"], "cancelled");
    let waits = bridge.get("/api/v1/plans?state=awaiting_approval").await;
    assert_eq!(waits["items"], json!([]), "{waits}");
    assert_eq!(active_users(&bridge).await, 20);
}
