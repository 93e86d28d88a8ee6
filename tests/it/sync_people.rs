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
