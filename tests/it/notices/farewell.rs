//! Who is told before an account is removed, and what admins are told of somebody who left.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{bridge_with, published, told};
use crate::kit::{Answer, Bridge, Mail, MailServer, Stub};
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{Company, person, run};

const SUBJECT: &str = "Your account for wiki will be removed";

fn notices(server: &MailServer, n: usize) -> Vec<Mail> {
    let mails = server.mails_to(&format!("person{n}@acme.example")).into_iter();
    mails
        .filter(|mail| mail.subject().starts_with("Your account"))
        .collect()
}

async fn days(bridge: &Bridge, days: i64) {
    bridge.clock.advance(TimeDelta::days(days));
    bridge.drain().await;
}

/// The connection lets any number leave, and nobody is summed up.
fn connection() -> Value {
    let mut file = told(&json!({ "summary": "never" }));
    file["guard"] = json!({ "leavers": { "share": 1.0, "count": 1000 } });
    file
}

fn steps(notice: &str) -> Value {
    json!({ "deprovision": {
        "leaver": [{ "do": "disable" }, { "do": "delete", "after": "30d", "notice": notice }],
        "missing": [{ "do": "disable" }, { "do": "delete", "after": "1d", "notice": "3d" }],
    } })
}

/// Told a week before, once; not removed when the person returns; told anew when they leave again.
#[tokio::test]
async fn prob_30_a_person_is_told_before_the_account_is_removed() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    published(&bridge, &connection()).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &steps("7d"))).await;
    let mut company = Company::of(9);
    run(&bridge, &company).await;
    company.row("7").status = String::new();
    company.row("8").status = String::new();
    run(&bridge, &company).await;
    days(&bridge, 22).await;
    assert!(server.mails().is_empty(), "not before the notice");
    days(&bridge, 1).await;
    let mails = notices(&server, 7);
    assert_eq!(mails.len(), 1, "{:?}", server.mails());
    assert_eq!(mails[0].subject(), SUBJECT);
    assert!(mails[0].text().contains("2026-12-31"), "{}", mails[0].text());
    let calendar = bridge
        .get("/api/v1/calendar?from=2026-12-25T00:00:00Z&to=2027-01-31T00:00:00Z")
        .await
        .to_string();
    assert!(
        calendar.contains("2026-12-3") && calendar.contains("remove"),
        "{calendar}"
    );

    // Number 8 returns in time.
    company.row("8").status = "Current".to_owned();
    run(&bridge, &company).await;
    days(&bridge, 6).await;
    assert_eq!(app.all("Users").len(), 9, "not before the day");
    days(&bridge, 2).await;
    assert_eq!(app.named("person7@acme.example"), Value::Null, "removed");
    assert_eq!(app.named("person8@acme.example")["active"], true);
    for n in [7, 8] {
        assert_eq!(notices(&server, n).len(), 1);
    }
    company.row("8").status = String::new();
    run(&bridge, &company).await;
    days(&bridge, 25).await;
    assert_eq!(notices(&server, 8).len(), 2, "another leave is told anew");
    days(&bridge, 90).await;
    assert_eq!(app.named("person8@acme.example"), Value::Null);
    assert_eq!(notices(&server, 8).len(), 2);
}

/// What could not be sent yet is withdrawn when the removal is called off; and who could not be told in time gets the whole
/// notice all the same.
#[tokio::test]
async fn prob_30_a_notice_that_waits_is_withdrawn_and_a_late_one_puts_the_removal_off() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    published(&bridge, &connection()).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &steps("7d"))).await;
    let mut company = Company::of(9);
    company.row("7").email = "busy-7@acme.example".to_owned();
    run(&bridge, &company).await;
    company.row("7").status = String::new();
    company.row("8").status = String::new();
    run(&bridge, &company).await;

    // Nobody looked for forty days.
    days(&bridge, 40).await;
    assert_eq!(notices(&server, 8).len(), 1);
    assert!(notices(&server, 8)[0].text().contains("2027-01-17"));
    assert_eq!(app.all("Users").len(), 9);
    // The server refused number 7 for now.
    let waiting = "SELECT count(*) FROM message WHERE state = 'waiting'";
    assert_eq!(bridge.count(waiting).await, 1);
    company.row("7").status = "Current".to_owned();
    run(&bridge, &company).await;
    assert_eq!(bridge.count(waiting).await, 0);
    days(&bridge, 8).await;
    assert!(server.mails_to("busy-7@acme.example").is_empty());
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM message WHERE state = 'withdrawn'")
            .await,
        1
    );
    assert_eq!(app.named("person8@acme.example"), Value::Null);
    assert_eq!(app.all("Users").len(), 8);

    // Somebody whose user is removed is written to where the app knew them, and only the live app counts.
    let id = person(&bridge, 9).await["id"].as_str().unwrap().to_owned();
    bridge
        .post(&format!("/api/v1/users/{id}/remove"), &json!({}))
        .await;
    bridge.drain().await;
    assert_eq!(notices(&server, 9).len(), 1);
    days(&bridge, 2).await;
    assert_eq!(app.all("Users").len(), 8);
    days(&bridge, 2).await;
    assert_eq!(app.all("Users").len(), 7);
}

/// An admin removes somebody with a notice: one mail, and none when it is called off before it was sent.
#[tokio::test]
async fn prob_30_a_removal_by_hand_gives_its_notice_once() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    published(&bridge, &connection()).await;
    let mut company = Company::of(3);
    company.row("2").email = "busy-2@acme.example".to_owned();
    run(&bridge, &company).await;
    let one = person(&bridge, 1).await["id"].as_str().unwrap().to_owned();
    let two = crate::sync_kit::user(&bridge, "busy-2@acme.example").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let remove = async |id: &str| {
        let order = json!({ "after": "7d", "reason": "asked for it" });
        bridge.post(&format!("/api/v1/users/{id}/remove"), &order).await;
        bridge.drain().await;
    };
    remove(&one).await;
    remove(&two).await;
    let mails = notices(&server, 1);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), "Your account will be removed");
    assert!(mails[0].text().contains("2026-12-08"), "{}", mails[0].text());
    bridge
        .post(&format!("/api/v1/users/{two}/release"), &json!({}))
        .await;
    days(&bridge, 8).await;
    assert_eq!(notices(&server, 1).len(), 1);
    assert!(server.mails_to("busy-2@acme.example").is_empty());
    let there = "SELECT count(*) FROM resource WHERE kind = 'User'";
    assert_eq!(bridge.count(there).await, 2);
}

/// The admins' mail of somebody who left says what the hook answered of the cards, and waits for that answer.
#[tokio::test]
async fn payh_30_payh_26_the_mail_of_a_leaver_says_what_became_of_the_cards() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let (app, cards) = (StubApp::start().await, Stub::start().await);
    cards.on(
        "POST",
        "/block",
        Answer::json(
            200,
            &json!({ "cards": [{ "card": "ends 1234", "status": "blocked" }], "budget": 0 }),
        ),
    );
    let mut connection = connection();
    connection["notify"]["owner"] = json!("owner@acme.example");
    published(&bridge, &connection).await;
    let hook = json!({
        "hook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "deprovision": { "leaver": [
            { "do": "hook", "url": format!("{}/block", cards.base_url) }, { "do": "disable" },
        ] },
    });
    publish(&bridge, &file("spend", &app.stub.base_url, &hook)).await;
    let mut company = Company::of(3);
    run(&bridge, &company).await;
    company.row("2").status = String::new();
    run(&bridge, &company).await;
    assert_eq!(app.named("person2@acme.example")["active"], false);
    let mails = server.mails_to("owner@acme.example");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].subject(), "Given2 Family2 was deactivated");
    for line in [
        "- spend: disabled",
        "card: ends 1234",
        "status: blocked",
        "budget: 0",
    ] {
        assert!(mails[0].text().contains(line), "{line} in {}", mails[0].text());
    }

    // An app that does not answer keeps nobody waiting for ever.
    cards.on("POST", "/block", Answer::status(503));
    company.row("3").status = String::new();
    run(&bridge, &company).await;
    assert_eq!(server.mails_to("owner@acme.example").len(), 1);
    for _ in 0..3 {
        bridge.clock.advance(TimeDelta::minutes(20));
        bridge.drain().await;
    }
    let mails = server.mails_to("owner@acme.example");
    let late: Vec<&Mail> = mails
        .iter()
        .filter(|mail| mail.subject() == "Given3 Family3 was deactivated")
        .collect();
    assert_eq!(late.len(), 1);
    assert!(late[0].text().contains("- spend: pending"), "{}", late[0].text());
    assert!(!late[0].text().contains("card"), "{}", late[0].text());
}
