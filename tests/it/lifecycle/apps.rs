//! Apps with a timing or an entity of their own.

use reqwest::Method;
use serde_json::json;

use super::{HR, World, disables, enables};
use crate::kit::answer;

#[tokio::test]
async fn prob_26_an_app_keeps_leavers_to_the_end_of_the_month_and_lets_them_go_once() {
    let mut world = World::new(&json!({ "zone": "Europe/Berlin" })).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    let own = json!({
        "lifecycle": { "leave": "end_of_month" },
        "mapping": { format!("{HR}:state"): { "from": "user.hr.state" } },
    });
    world.app("wages", &own).await;
    for number in 1..=10 {
        assert_eq!(world.held("wages", number)["active"], true);
    }

    // The leave is known: told to the app, and nothing else happens.
    world.row("3").to = "2026-12-10".to_owned();
    world.read().await;
    let told = world.sent("wages");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("leaving_planned"), "{told:?}");
    assert!(world.sent("mail").is_empty());

    // The last day passes at midnight in Berlin: the one app lets go, the other one keeps.
    world.at("2026-12-10T22:59:59Z").await;
    assert!(world.sent("mail").is_empty() && world.is_active(3).await);
    world.at("2026-12-10T23:00:00Z").await;
    assert!(disables(&world.sent("mail")));
    assert!(!world.is_active(3).await);
    assert!(world.sent("wages").is_empty());
    assert_eq!(world.account("wages", 3).await.0, "in_sync");

    // The month passes.
    world.at("2026-12-31T22:59:59Z").await;
    assert!(world.sent("wages").is_empty());
    world.at("2026-12-31T23:00:00Z").await;
    assert!(disables(&world.sent("wages")));
    assert_eq!(world.account("wages", 3).await.0, "disabled");
    world.at("2027-01-31T23:00:00Z").await;
    assert!(
        world.sent("wages").is_empty() && world.sent("mail").is_empty(),
        "once"
    );
}

#[tokio::test]
async fn prob_34_an_app_that_lets_go_early_follows_a_day_that_is_moved_or_cleared() {
    let mut world = World::new(&json!({ "leave": "end_of_month" })).await;
    world.read().await;
    world
        .app("vault", &json!({ "lifecycle": { "leave": "last_day" } }))
        .await;
    for (id, day) in [("3", "2026-12-10"), ("4", "2026-12-10"), ("5", "2026-12-10")] {
        world.row(id).to = day.to_owned();
    }
    world.read().await;
    world.at("2026-12-09T08:00:00Z").await;
    world.row("4").to = "2026-12-12".to_owned();
    world.row("5").to = String::new();
    world.read().await;
    assert!(world.sent("vault").is_empty());
    world.at("2026-12-11T00:00:00Z").await;
    assert!(disables(&world.sent("vault")), "only 3");
    assert_eq!(world.held("vault", 3)["active"], false);
    assert!(
        world.is_active(3).await,
        "active until the month ends, but for this app"
    );
    world.at("2026-12-13T00:00:00Z").await;
    assert!(disables(&world.sent("vault")), "4 on the day it was moved to");
    // Called off after it was done: back again, while HR goes on.
    world.row("3").to = String::new();
    world.read().await;
    assert!(enables(&world.sent("vault")));
    world.at("2027-01-01T00:00:00Z").await;
    assert!(world.sent("vault").is_empty());
    assert_eq!(world.held("vault", 4)["active"], false);
    assert_eq!(world.held("vault", 5)["active"], true);
}

/// Covers: PROB-31, PROB-32
#[tokio::test]
async fn a_late_leave_is_planned_at_once_and_what_can_go_goes_with_the_next_run() {
    let mut world = World::new(&json!({ "late_leave": "end_of_current_month" })).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world
        .app("vault", &json!({ "lifecycle": { "late_leave": "now" } }))
        .await;
    world.row("3").to = "2026-11-15".to_owned();
    world.read().await;
    assert_eq!(world.user(3).await[HR]["state"], "leaving_planned");
    assert!(disables(&world.sent("vault")), "at once where that is the policy");
    assert!(
        world.sent("mail").is_empty(),
        "and at the end of the month everywhere else"
    );
    // The same record again, and a day more: nothing moves backwards or is done twice.
    world.at("2026-12-30T08:00:00Z").await;
    world.row("3").department = "Service".to_owned();
    world.read().await;
    assert_eq!(world.sent("vault"), Vec::<String>::new());
    assert!(world.is_active(3).await);
    world.sent("mail");
    world.at("2027-01-01T00:00:00Z").await;
    assert!(disables(&world.sent("mail")));
    assert!(world.sent("vault").is_empty());
}

#[tokio::test]
async fn payh_25_of_two_employments_the_one_that_ends_takes_only_its_own_account() {
    let mut world = World::new(&json!({})).await;
    world.hire("3b", "3", "761", "2024-01-01");
    world.read().await;
    assert_eq!(world.user(3).await["active"], true);
    world.app("here", &json!({ "entity": "760" })).await;
    world.app("there", &json!({ "entity": "761" })).await;
    assert_eq!(world.apps["here"].all("Users").len(), 10);
    assert_eq!(world.apps["there"].all("Users").len(), 1);

    // One ends by its date …
    world.row("3").to = "2026-12-10".to_owned();
    world.read().await;
    world.at("2026-12-11T00:00:00Z").await;
    assert!(disables(&world.sent("here")));
    assert!(world.sent("there").is_empty());
    assert!(world.is_active(3).await);
    // … comes back, and is then removed from HR.
    world.row("3").to = String::new();
    world.read().await;
    assert!(enables(&world.sent("here")));
    world.rows.remove("3");
    world.read().await;
    assert!(world.sent("here").is_empty(), "missing once is not gone");
    world.at("2026-12-13T00:00:00Z").await;
    world.read().await;
    let sent = world.sent("here");
    assert!(disables(&sent), "{sent:?}");
    assert!(world.sent("there").is_empty(), "untouched");
    assert_eq!(world.held("there", 3)["active"], true);
    assert!(world.is_active(3).await);
}

#[tokio::test]
async fn whoever_disables_wins_over_an_app_that_would_keep_the_account_longer() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    world
        .app("wages", &json!({ "lifecycle": { "leave": "end_of_month" } }))
        .await;
    world.row("3").to = "2026-12-10".to_owned();
    world.read().await;
    world.at("2026-12-11T00:00:00Z").await;
    assert!(!world.is_active(3).await && world.sent("wages").is_empty());
    let id = world.user(3).await["id"].as_str().unwrap().to_owned();
    let suspend = format!("/api/v1/users/{id}/suspend");
    world
        .bridge
        .post(&suspend, &json!({ "reason": "emergency" }))
        .await;
    world.bridge.drain().await;
    assert!(disables(&world.sent("wages")), "at once");
    world
        .bridge
        .post(
            &format!("/api/v1/users/{id}/release"),
            &json!({ "party": "admin" }),
        )
        .await;
    world.bridge.drain().await;
    assert!(enables(&world.sent("wages")), "the month is not over");
    assert!(
        !world.is_active(3).await,
        "HR still says that the person has left"
    );

    // Missing from HR for long enough is not a leave with a month's end: the app keeps nothing.
    world.rows.remove("4");
    world.read().await;
    world.at("2026-12-12T08:00:00Z").await;
    world.read().await;
    assert!(disables(&world.sent("wages")));
    // A client's deletion too.
    let five = world.user(5).await["id"].as_str().unwrap().to_owned();
    let (status, _) = answer(
        world
            .bridge
            .request(Method::DELETE, &format!("/scim/v2/Users/{five}")),
    )
    .await;
    assert_eq!(status, 204);
    world.bridge.drain().await;
    assert!(disables(&world.sent("wages")));
}

/// Covers: LEAP-21, LEAP-22
#[tokio::test]
async fn who_comes_back_is_reactivated_where_the_policy_says_so_and_else_reported() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world
        .app("vault", &json!({ "lifecycle": { "reactivate": false } }))
        .await;
    let remote = world.held("mail", 3)["id"].clone();
    world.row("3").status = "Left".to_owned();
    world.read().await;
    assert!(disables(&world.sent("mail")) && disables(&world.sent("vault")));
    world.row("3").status = "Current".to_owned();
    world.read().await;
    assert!(enables(&world.sent("mail")));
    assert_eq!(world.held("mail", 3)["id"], remote, "the account is reused");
    assert!(world.sent("vault").is_empty());
    let (state, reason) = world.account("vault", 3).await;
    assert_eq!(state, "disabled");
    assert!(reason.starts_with("would reactivate"), "{reason}");

    let mut world = World::new(&json!({ "reactivate": false })).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world
        .app("badge", &json!({ "lifecycle": { "reactivate": true } }))
        .await;
    world.row("3").status = "Left".to_owned();
    world.read().await;
    assert!(disables(&world.sent("mail")) && disables(&world.sent("badge")));
    world.row("3").status = "Current".to_owned();
    let run = world.read().await;
    assert!(world.sent("mail").is_empty() && !world.is_active(3).await);
    assert!(enables(&world.sent("badge")), "by its own policy");
    let path = format!("/api/v1/runs/{}/warnings", run["id"].as_str().unwrap());
    let warnings = world.bridge.get(&path).await["items"].to_string();
    assert!(warnings.contains("would_reactivate"), "{warnings}");
}
