//! What is ended by hand.

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, disables, enables};
use crate::kit::{answer, with_json};

async fn order(world: &World, number: usize, what: &str, order: &Value) -> Value {
    let id = world.user(number).await["id"].as_str().unwrap().to_owned();
    let body = world
        .bridge
        .post(&format!("/api/v1/users/{id}/{what}"), order)
        .await;
    world.bridge.drain().await;
    body
}

async fn audited(world: &World, action: &str) -> i64 {
    world
        .bridge
        .count(&format!(
            "SELECT count(*) FROM audit_entry WHERE action = '{action}'"
        ))
        .await
}

#[tokio::test]
async fn what_is_ended_by_hand_ends_on_its_day_or_at_once_and_can_be_called_off() {
    let mut world = World::new(&json!({ "zone": "Europe/Berlin" })).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world
        .app("wages", &json!({ "lifecycle": { "leave": "end_of_month" } }))
        .await;

    // On a day: by the person's clock, in every app, once.
    let ended = order(
        &world,
        3,
        "terminate",
        &json!({ "on": "2026-12-10", "reason": "agreed" }),
    )
    .await;
    assert_eq!(
        ended,
        json!({ "ends_at": "2026-12-10T23:00:00Z", "last_day": "2026-12-10" })
    );
    assert!(world.sent("mail").is_empty() && world.sent("wages").is_empty());
    world.at("2026-12-10T22:59:59Z").await;
    world.read().await;
    assert!(world.is_active(3).await);
    world.at("2026-12-10T23:00:00Z").await;
    assert!(!world.is_active(3).await);
    assert!(disables(&world.sent("mail")) && disables(&world.sent("wages")));
    world.read().await;
    assert!(!world.is_active(3).await, "whatever HR says");
    assert!(world.sent("mail").is_empty() && world.sent("wages").is_empty());

    // Called off: HR decides again.
    let id = world.user(3).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/terminate");
    let (status, body) = answer(world.bridge.request(Method::DELETE, &path)).await;
    assert_eq!((status, body), (200, json!({ "called_off": true })));
    world.bridge.drain().await;
    assert!(world.is_active(3).await);
    assert!(enables(&world.sent("mail")) && enables(&world.sent("wages")));
    let (_, again) = answer(world.bridge.request(Method::DELETE, &path)).await;
    assert_eq!(again, json!({ "called_off": false }));

    // At once, and lifted by a release.
    order(&world, 4, "terminate", &json!({ "reason": "at once" })).await;
    assert!(!world.is_active(4).await);
    assert!(disables(&world.sent("mail")) && disables(&world.sent("wages")));
    world.read().await;
    assert!(!world.is_active(4).await);
    order(&world, 4, "release", &json!({})).await;
    assert!(world.is_active(4).await);
    assert!(enables(&world.sent("mail")) && enables(&world.sent("wages")));
    assert_eq!(audited(&world, "user.terminate").await, 2);
    assert_eq!(audited(&world, "user.terminate.cancel").await, 1);
}

#[tokio::test]
async fn prob_29_an_admin_removes_somebody_outright_at_once_or_after_a_notice() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    let deletes = json!({ "deprovision": { "missing": [{ "do": "delete" }] } });
    world.app("club", &deletes).await;
    order(&world, 3, "remove", &json!({ "reason": "asked" })).await;
    assert!(world.user(3).await.is_null());
    let sent = world.sent("club");
    assert!(sent.len() == 1 && sent[0].starts_with("DELETE"), "{sent:?}");
    world.read().await;
    assert!(world.user(3).await.is_null(), "HR does not bring the person back");
    assert_eq!(audited(&world, "user.remove").await, 1);

    // With a notice: told at once, removed when it has passed, unless it is called off.
    let told = order(&world, 4, "remove", &json!({ "after": "7d" })).await;
    assert_eq!(told, json!({ "removed_at": "2026-12-08T08:00:00Z" }));
    order(&world, 5, "remove", &json!({ "after": "7d" })).await;
    let notices = "SELECT count(*) FROM event WHERE kind = 'deletion_notice'";
    assert_eq!(world.bridge.count(notices).await, 2);
    order(&world, 5, "release", &json!({})).await;
    world.at("2026-12-08T07:59:59Z").await;
    assert!(!world.user(4).await.is_null() && world.sent("club").is_empty());
    world.at("2026-12-08T08:00:00Z").await;
    assert!(world.user(4).await.is_null() && !world.user(5).await.is_null());
    assert_eq!(world.sent("club").len(), 1);
    assert_eq!(audited(&world, "user.remove").await, 2);

    let id = world.user(5).await["id"].as_str().unwrap().to_owned();
    let request = world
        .bridge
        .request(Method::POST, &format!("/api/v1/users/{id}/remove"));
    let (status, _) = answer(with_json(request, &json!({ "after": "9999d" }))).await;
    assert_eq!(status, 422);
}
