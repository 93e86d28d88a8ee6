//! People who come later are invited on their first day, if they come; and apps that invite are told whom.

use serde_json::{Value, json};

use super::invite::{addresses, company_file, invitations, newcomer, welcomes};
use super::{bridge_with, published};
use crate::kit::{Bridge, MailServer, answer, with_json};
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{Company, Row, person, run};

fn to_come(n: usize, first_day: &str) -> Row {
    Row {
        status: "Future".to_owned(),
        first_day: first_day.to_owned(),
        ..newcomer(n, "Dept 0")
    }
}

async fn state_of(bridge: &Bridge, n: usize) -> (Value, Value) {
    let user = person(bridge, n).await["id"].as_str().unwrap().to_owned();
    let listed = invitations(bridge, &format!("?user={user}")).await;
    (listed[0]["state"].clone(), listed[0]["reason"].clone())
}

/// The account is there before the first day, the welcome comes on it: it moves with the day, is withdrawn when the hire is
/// rescinded, and comes after all when the hire is reinstated; each once.
///
/// Covers: PAYH-12, LEAP-17
#[tokio::test]
async fn somebody_who_comes_later_is_welcomed_on_the_first_day_if_it_comes() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let wiki = StubApp::start().await;
    let more = json!({ "invite": { "new_people": true }, "lifecycle": { "pre_hire": "30d" } });
    published(&bridge, &company_file(&more)).await;
    publish(&bridge, &file("wiki", &wiki.stub.base_url, &json!({}))).await;
    let mut company = Company::of(1);
    for n in 2..=5 {
        company.add(to_come(n, "2026-12-10"));
    }
    run(&bridge, &company).await;
    assert_eq!(
        wiki.all("Users").len(),
        5,
        "the accounts are there before the first day"
    );
    assert_eq!(addresses(&welcomes(&server)), ["person1@acme.example"]);

    // One is not hired after all, one comes later and one sooner.
    company.row("3").status = String::new();
    company.row("4").first_day = "2026-12-14".to_owned();
    company.row("5").first_day = "2026-12-08".to_owned();
    run(&bridge, &company).await;
    let welcomed = async |at: &str| {
        bridge.clock.set(at);
        bridge.drain().await;
        let mut to = addresses(&welcomes(&server));
        to.retain(|to| to != "person1@acme.example");
        to
    };
    assert_eq!(welcomed("2026-12-08T05:00:00Z").await, [""; 0]);
    assert_eq!(welcomed("2026-12-08T07:00:00Z").await, ["person5@acme.example"]);
    assert_eq!(welcomed("2026-12-10T05:30:00Z").await, ["person5@acme.example"]);
    let three = ["person2@acme.example", "person5@acme.example"];
    assert_eq!(welcomed("2026-12-10T07:00:00Z").await, three);
    let (state, reason) = state_of(&bridge, 3).await;
    assert_eq!(state, "pending");
    assert!(reason.as_str().unwrap().starts_with("withdrawn"), "{reason}");
    let four = [
        "person2@acme.example",
        "person4@acme.example",
        "person5@acme.example",
    ];
    assert_eq!(welcomed("2026-12-14T07:00:00Z").await, four);

    // Hired after all.
    *company.row("3") = to_come(3, "2026-12-20");
    run(&bridge, &company).await;
    assert_eq!(welcomed("2026-12-19T12:00:00Z").await, four);
    let five = [
        "person2@acme.example",
        "person3@acme.example",
        "person4@acme.example",
        "person5@acme.example",
    ];
    assert_eq!(welcomed("2026-12-20T08:00:00Z").await, five);
    assert_eq!(state_of(&bridge, 3).await.0, "invited");
    assert_eq!(welcomed("2027-04-01T08:00:00Z").await, five, "each once");
}

/// A welcome that the mail server did not take yet is withdrawn when the account is closed meanwhile.
///
/// Covers: LEAP-17
#[tokio::test]
async fn a_welcome_that_could_not_be_sent_is_withdrawn_when_nobody_comes() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let wiki = StubApp::start().await;
    published(
        &bridge,
        &company_file(&json!({ "invite": { "new_people": true } })),
    )
    .await;
    publish(&bridge, &file("wiki", &wiki.stub.base_url, &json!({}))).await;
    let mut company = Company::of(9);
    company.row("2").email = "busy-2@acme.example".to_owned();
    run(&bridge, &company).await;
    assert_eq!(welcomes(&server).len(), 8);
    company.row("2").status = String::new();
    run(&bridge, &company).await;
    let pending = invitations(&bridge, "?state=pending").await;
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert!(pending[0]["reason"].as_str().unwrap().starts_with("withdrawn"));
    bridge.clock.advance(chrono::TimeDelta::days(1));
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 8);
}

/// Invited by hand before the first day, nobody is welcomed twice.
#[tokio::test]
async fn who_is_invited_by_hand_before_the_first_day_is_not_invited_again() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let wiki = StubApp::start().await;
    let more = json!({ "invite": { "new_people": true }, "lifecycle": { "pre_hire": "30d" } });
    published(&bridge, &company_file(&more)).await;
    publish(&bridge, &file("wiki", &wiki.stub.base_url, &json!({}))).await;
    let mut company = Company::default();
    company.add(to_come(2, "2026-12-10"));
    run(&bridge, &company).await;
    let user = person(&bridge, 2).await["id"].clone();
    bridge
        .post("/api/v1/invitations", &json!({ "app": "wiki", "users": [user] }))
        .await;
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 1);
    bridge.clock.set("2026-12-11T08:00:00Z");
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 1);
}

/// An app that invites by itself is told whom, by attributes of the creation; that it is to be told and not how is refused.
///
/// Covers: PAYH-16
#[tokio::test]
async fn an_app_that_invites_is_told_whom_with_the_creation() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let (chat, wiki) = (StubApp::start().await, StubApp::start().await);
    let matrix = json!({ "new_people": true, "entity": [{ "id": "Dept 1", "new_people": false }] });
    published(&bridge, &company_file(&json!({ "invite": matrix }))).await;
    let silent = file("chat", &chat.stub.base_url, &json!({ "invite": { "by": "app" } }));
    let refused = answer(with_json(
        bridge.request(reqwest::Method::PUT, "/api/v1/apps/chat"),
        &silent,
    ))
    .await;
    assert_eq!(refused.0, 422);
    let words = refused.1.to_string();
    assert!(
        words.contains("invite.by") && words.contains("tell = {"),
        "{words}"
    );
    let extension = "urn:chat:params:scim:schemas:invite:2.0:User";
    let tell = json!({ "sendInvite": true, format!("{extension}:channel"): "mail" });
    let invite = json!({ "invite": { "by": "app", "tell": tell } });
    publish(&bridge, &file("chat", &chat.stub.base_url, &invite)).await;
    let itself = json!({ "invite": { "by": "app", "tell": {} } });
    publish(&bridge, &file("wiki", &wiki.stub.base_url, &itself)).await;
    chat.mutations();
    let mut company = Company::of(1);
    company.add(newcomer(2, "Dept 1"));
    run(&bridge, &company).await;
    let (one, two) = (
        chat.named("person1@acme.example"),
        chat.named("person2@acme.example"),
    );
    assert_eq!(
        (&one["sendInvite"], &one[extension]["channel"]),
        (&json!(true), &json!("mail"))
    );
    assert!(two["sendInvite"].is_null() && two[extension].is_null(), "{two}");
    assert!(wiki.named("person1@acme.example")["sendInvite"].is_null());
    assert!(server.mails().is_empty(), "we send nothing");
    let by_app = invitations(&bridge, "?state=by_app").await;
    assert_eq!(by_app.len(), 2, "{by_app:?}");

    // It was told once: nothing of it is looked at again.
    chat.mutations();
    company.row("1").title = "Lead".to_owned();
    run(&bridge, &company).await;
    let sent = chat.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(
        sent[0].starts_with("PATCH") && !sent[0].contains("nvite"),
        "{sent:?}"
    );
}
