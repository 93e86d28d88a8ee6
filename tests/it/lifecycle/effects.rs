//! What follows from a leave: planned, paused, in stages.

use serde_json::{Value, json};

use super::{HR, World, disables, enables};
use crate::push::patch;

fn members(world: &World, app: &str, group: &str) -> usize {
    world.apps[app].named(group)["members"]
        .as_array()
        .map_or(0, Vec::len)
}

/// Covers: PROB-24, PROB-27
#[tokio::test]
async fn while_leaving_is_planned_nothing_new_is_granted_and_what_is_granted_stays() {
    let policy = json!({ "leave": "end_of_month", "while_leaving": "no_grants" });
    let mut world = World::new(&policy).await;
    world.row("9").department = "Service".to_owned();
    world.read().await;
    let settings = json!({
        "groups": { "push": true },
        "mapping": { format!("{HR}:state"): { "from": "user.hr.state" } },
    });
    world.app("club", &settings).await;
    assert_eq!(
        (
            members(&world, "club", "Sales"),
            members(&world, "club", "Service")
        ),
        (9, 1)
    );

    world.row("3").to = "2026-12-10".to_owned();
    world.read().await;
    assert_eq!(world.held("club", 3)[HR]["state"], "leaving_planned");
    // HR moves the person: out of the old group, into no new one.
    world.row("3").department = "Service".to_owned();
    let run = world.read().await;
    assert_eq!(
        (
            members(&world, "club", "Sales"),
            members(&world, "club", "Service")
        ),
        (8, 1)
    );
    let warnings = world
        .bridge
        .get(&format!("/api/v1/runs/{}/warnings", run["id"].as_str().unwrap()))
        .await;
    assert!(
        warnings["items"].to_string().contains("the leave is planned"),
        "{warnings}"
    );
    // A client's grant stays here and is not passed on.
    let id = world.user(3).await["id"].clone();
    let groups = world.bridge.get("/scim/v2/Groups").await;
    let group = |name: &str| -> Value {
        let all = groups["Resources"].as_array().unwrap();
        all.iter().find(|group| group["displayName"] == *name).unwrap()["id"].clone()
    };
    let path = format!("/scim/v2/Groups/{}", group("Service").as_str().unwrap());
    patch(
        &world.bridge,
        &path,
        &json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]),
    )
    .await;
    world.bridge.drain().await;
    assert_eq!(members(&world, "club", "Service"), 1);
    let (state, reason) = world.account("club", 3).await;
    assert_eq!(state, "in_sync");
    assert!(reason.contains("the leave is planned"), "{reason}");
    // The leave is called off: what waited is granted.
    world.row("3").to = String::new();
    world.read().await;
    assert_eq!(members(&world, "club", "Service"), 2);
    assert_eq!(world.held("club", 3)[HR]["state"], "active");
}

#[tokio::test]
async fn people_on_leave_are_disabled_where_the_policy_says_so_and_are_no_leavers() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    let steps = json!([{ "do": "disable" }, { "do": "delete", "after": "7d" }]);
    let pauses = json!({ "lifecycle": { "on_leave": "disable" }, "deprovision": { "leaver": steps } });
    world.app("door", &pauses).await;
    world.row("3").status = "Away".to_owned();
    world.read().await;
    assert!(world.sent("mail").is_empty(), "on leave is active");
    assert_eq!(world.user(3).await[HR]["onLeave"], true);
    assert!(disables(&world.sent("door")));
    assert_eq!(
        world.account("door", 3).await,
        ("disabled".to_owned(), "the person is on leave".to_owned())
    );
    world.at("2027-03-01T08:00:00Z").await;
    assert!(world.sent("door").is_empty(), "no step for leavers");
    world.row("3").status = "Current".to_owned();
    world.read().await;
    assert!(enables(&world.sent("door")));
    // The leave while on leave.
    world.row("3").status = "Away".to_owned();
    world.row("3").to = "2027-03-10".to_owned();
    world.read().await;
    assert!(disables(&world.sent("door")) && world.sent("mail").is_empty());
    world.at("2027-03-11T00:00:00Z").await;
    assert!(disables(&world.sent("mail")));
    world.at("2027-03-18T00:00:00Z").await;
    let sent = world.sent("door");
    assert!(
        sent.len() == 1 && sent[0].starts_with("DELETE"),
        "a week after the last day: {sent:?}"
    );
}

/// Covers: LEAP-23
#[tokio::test]
async fn who_left_is_disabled_and_whose_address_vanished_is_kept_and_reported() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world.row("3").status = "Left".to_owned();
    world.row("4").email = String::new();
    let run = world.read().await;
    assert!(disables(&world.sent("mail")));
    assert_eq!(world.held("mail", 3)["active"], false);
    assert_eq!(world.held("mail", 4)["active"], true, "kept");
    let errors = world
        .bridge
        .get(&format!("/api/v1/runs/{}/errors", run["id"].as_str().unwrap()))
        .await;
    assert!(errors["items"].to_string().contains("work_email"), "{errors}");
}
