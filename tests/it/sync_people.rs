//! Who is who, through whole runs: collisions, reviews and their decisions.

use serde_json::{Value, json};

use crate::kit::Bridge;
use crate::sync_kit::{Company, active_users, connected, connection_file, done, person, run_again};

async fn open_reviews(bridge: &Bridge) -> Vec<Value> {
    let list = bridge.get("/api/v1/reviews?state=open").await;
    list["items"].as_array().unwrap().clone()
}

async fn decide(bridge: &Bridge, review: &Value, decision: &Value) {
    let path = format!("/api/v1/reviews/{}/decide", review["id"].as_str().unwrap());
    bridge.post(&path, decision).await;
    bridge.drain().await;
}

/// People of whom two get one number in HR, which is a mistake there.
async fn collision() -> (Bridge, Company) {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    company.row("5").number = "E0004".to_owned();
    company.row("5").title = "Disputed".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["review"], 1, "{run}");
    (bridge, company)
}

#[tokio::test]
async fn exp_2_a_collision_changes_nobody_and_takes_nobody_from_their_account() {
    let (bridge, mut company) = collision().await;
    assert_eq!(open_reviews(&bridge).await[0]["source_ids"], json!(["4", "5"]));
    assert_eq!(
        person(&bridge, 5).await["title"],
        "Engineer",
        "nothing of it is written"
    );
    let linked = "SELECT count(DISTINCT person_id) FROM source_record WHERE source_id IN ('4', '5')";
    assert_eq!(bridge.count(linked).await, 2, "both keep their people");

    // Further runs ask nothing twice and disable nobody.
    let changes = bridge.count("SELECT count(*) FROM change").await;
    let again = run_again(&bridge, false).await;
    assert_eq!(
        (
            again["counts"]["read"].clone(),
            again["counts"]["unchanged"].clone()
        ),
        (json!(12), json!(12))
    );
    assert_eq!(bridge.count("SELECT count(*) FROM change").await, changes);
    assert_eq!(open_reviews(&bridge).await.len(), 1);

    // The other one is corrected: the one that waited goes on without a change of its own.
    company.row("4").number = "E0444".to_owned();
    done(&bridge, &company).await;
    assert!(open_reviews(&bridge).await.is_empty());
    assert_eq!(person(&bridge, 5).await["title"], "Disputed");
    assert_eq!(active_users(&bridge).await, 12);
}

#[tokio::test]
async fn people_who_were_decided_to_be_two_are_two_for_ever() {
    let (bridge, mut company) = collision().await;
    let review = open_reviews(&bridge).await.remove(0);
    decide(&bridge, &review, &json!({ "decision": "separate" })).await;
    assert!(open_reviews(&bridge).await.is_empty());
    assert_eq!(person(&bridge, 5).await["title"], "Disputed");
    for title in ["One", "Two"] {
        company.row("4").title = title.to_owned();
        company.row("5").title = title.to_owned();
        done(&bridge, &company).await;
        assert!(open_reviews(&bridge).await.is_empty());
        assert_eq!(person(&bridge, 5).await["title"], title);
    }
    assert_eq!(active_users(&bridge).await, 12);
}

#[tokio::test]
async fn people_who_were_decided_to_be_one_keep_one_account() {
    let (bridge, _company) = collision().await;
    let review = open_reviews(&bridge).await.remove(0);
    let four = bridge
        .count("SELECT count(*) FROM source_record WHERE source_id = '4' AND person_id IS NOT NULL")
        .await;
    assert_eq!(four, 1);
    let person = review["candidates"][0].clone();
    decide(
        &bridge,
        &review,
        &json!({ "decision": "person", "person": person }),
    )
    .await;
    let people = "SELECT count(DISTINCT person_id) FROM source_record WHERE source_id IN ('4', '5')";
    assert_eq!(bridge.count(people).await, 1);
    assert_eq!(
        active_users(&bridge).await,
        11,
        "the account that lost its record is disabled"
    );
}

/// EXP-1: payroll codes match exactly.
#[tokio::test]
async fn exp_1_numbers_that_differ_by_a_blank_or_a_nought_are_different_people() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(4);
    for (id, number) in [("1", "007"), ("2", "7"), ("3", "\" 007\""), ("4", "\"007 \"")] {
        company.row(id).number = number.to_owned();
    }
    let run = done(&bridge, &company).await;
    assert_eq!(
        (run["counts"]["create"].clone(), run["counts"]["review"].clone()),
        (json!(4), json!(0)),
        "{run}"
    );
}

/// What the HR extension of somebody's user says.
async fn facts(bridge: &Bridge, n: usize) -> (Value, Value, Value) {
    let user = person(bridge, n).await;
    let facts = &user["urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User"];
    (
        user["active"].clone(),
        facts["state"].clone(),
        facts["lastDay"].clone(),
    )
}

/// PROB-24, PROB-25, PROB-26, PROB-34: first, middle and last day of a month, by the zone of the connection.
#[tokio::test]
async fn prob_25_the_month_of_the_last_day_is_worked_to_its_end() {
    let mut file = connection_file();
    file["lifecycle"] = json!({ "leave": "end_of_month", "zone": "America/New_York" });
    let bridge = connected(&file).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    let mut company = Company::of(30);
    done(&bridge, &company).await;
    let days = [(2, "2026-12-01"), (3, "2026-12-15"), (4, "2026-12-31")];
    for (n, last) in days {
        company.row(&n.to_string()).last_day = last.to_owned();
    }
    company.row("5").last_day = "2026-12-10".to_owned();
    done(&bridge, &company).await;
    for (n, last) in days {
        assert_eq!(
            facts(&bridge, n).await,
            (json!(true), json!("leaving_planned"), json!(last))
        );
    }
    // A leave that is called off is no leave.
    company.row("5").last_day = String::new();
    done(&bridge, &company).await;
    assert_eq!(
        facts(&bridge, 5).await,
        (json!(true), json!("active"), Value::Null)
    );

    bridge.clock.set("2027-01-01T04:59:00Z");
    bridge.drain().await;
    assert_eq!(
        active_users(&bridge).await,
        30,
        "in New York it is still December"
    );
    bridge.clock.set("2027-01-01T05:00:30Z");
    bridge.drain().await;
    for (n, last) in days {
        assert_eq!(
            facts(&bridge, n).await,
            (json!(false), json!("left"), json!(last))
        );
    }
    assert_eq!(active_users(&bridge).await, 27);
}

#[tokio::test]
async fn prob_31_a_leave_recorded_late_ends_with_the_month_in_which_it_was_seen() {
    let mut file = connection_file();
    file["lifecycle"] = json!({ "late_leave": "end_of_current_month", "leave": "end_of_month" });
    let bridge = connected(&file).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    company.row("3").last_day = "2026-10-15".to_owned();
    done(&bridge, &company).await;
    assert_eq!(
        facts(&bridge, 3).await,
        (json!(true), json!("leaving_planned"), json!("2026-10-15"))
    );
    // Other changes of the record do not move the day.
    bridge.clock.set("2026-11-30T12:00:00Z");
    company.row("3").title = "Adviser".to_owned();
    done(&bridge, &company).await;
    assert_eq!(facts(&bridge, 3).await.0, json!(true));
    bridge.clock.set("2026-12-01T00:00:30Z");
    bridge.drain().await;
    assert_eq!(
        facts(&bridge, 3).await,
        (json!(false), json!("left"), json!("2026-10-15"))
    );
}

/// RG-23 and RG-24: the status decides, and an inactive person who was never synced gets nothing.
#[tokio::test]
async fn rg_23_the_status_makes_leavers_and_only_of_people_who_had_an_account() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    for row in ["6", "7"] {
        company.row(row).status = String::new();
    }
    let first = done(&bridge, &company).await;
    assert_eq!(first["counts"]["create"], 10, "{first}");
    company.row("8").status = String::new();
    company.row("9").status = "Sabbatical".to_owned();
    let second = done(&bridge, &company).await;
    assert_eq!(second["counts"]["disable"], 1, "{second}");
    assert_eq!(person(&bridge, 8).await["active"], false);
    assert_eq!(
        person(&bridge, 9).await["active"],
        true,
        "an unknown word is held, never guessed"
    );
    assert!(person(&bridge, 6).await.is_null());
}
