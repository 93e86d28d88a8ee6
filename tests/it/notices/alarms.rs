//! What admins are told of people and apps, and signed webhooks of the same.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{bridge_with, published, told};
use crate::kit::{Answer, MailServer, Stub, answer, good, with_json};
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{Company, run};

/// Everybody told, one by one below the cap, by a digest above it.
#[tokio::test]
async fn payh_30_one_mail_tells_of_each_deactivated_person_and_a_digest_of_many() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    let guard = json!({ "leavers": { "share": 1.0, "count": 1000 } });
    let mut connection = told(&json!({ "owner": "owner@acme.example", "summary": "never" }));
    connection["guard"] = guard;
    published(&bridge, &connection).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(40);
    run(&bridge, &company).await;
    company.row("7").status = String::new();
    company.row("8").status = String::new();
    run(&bridge, &company).await;
    let mails = server.mails_to("owner@acme.example");
    assert_eq!(mails.len(), 2, "one mail a person");
    let mut subjects: Vec<&str> = mails.iter().map(crate::kit::Mail::subject).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        ["Given7 Family7 was deactivated", "Given8 Family8 was deactivated"]
    );
    assert!(
        mails[0].text().contains("- wiki: disabled"),
        "{}",
        mails[0].text()
    );
    let fewer = json!({ "language": "en", "digest_above": 2 });
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/notice-settings"),
        &fewer,
    ))
    .await;
    for id in ["10", "20", "30"] {
        company.row(id).status = String::new();
    }
    run(&bridge, &company).await;
    let mails = server.mails_to("owner@acme.example");
    assert_eq!(mails.len(), 3, "one for all the others");
    assert_eq!(mails[2].subject(), "3 people were deactivated");
    assert!(
        mails[2]
            .text()
            .contains("- Given10 Family10 (person10@acme.example)")
    );
}

/// PAYH-8, PAYH-21: a differing address waits and is told with old, new and person; approved, it is pushed once. What the
/// app has and HR does not is told in numbers.
#[tokio::test]
async fn payh_8_payh_21_a_differing_address_and_accounts_of_nobody_are_told() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    let emails = json!([{ "value": "old@acme.example", "type": "work", "primary": true }]);
    app.has(
        "Users",
        &json!({ "userName": "person1@acme.example", "active": true, "emails": emails }),
    );
    app.has(
        "Users",
        &json!({ "userName": "stranger@acme.example", "active": true }),
    );
    published(
        &bridge,
        &told(&json!({ "owner": "owner@acme.example", "summary": "never" })),
    )
    .await;
    let policy = json!({ "mapping": { "emails": { "policy": "hold" } } });
    publish(&bridge, &file("wiki", &app.stub.base_url, &policy)).await;
    run(&bridge, &Company::of(2)).await;
    let mails = server.mails_to("owner@acme.example");
    let of = |subject: &str| {
        mails
            .iter()
            .filter(|mail| mail.subject() == subject)
            .collect::<Vec<_>>()
    };
    let held = of("Given1 Family1: emails differs");
    assert_eq!(held.len(), 1, "{mails:?}");
    for words in ["in wiki", "Now: old@acme.example", "New: person1@acme.example"] {
        assert!(held[0].text().contains(words), "{}", held[0].text());
    }
    assert_eq!(of("wiki: 1 account belongs to nobody").len(), 1, "{mails:?}");
    let hold = bridge.get("/api/v1/holds").await["items"][0]["id"].clone();
    app.stub.take_received();
    let path = format!("/api/v1/holds/{}/approve", hold.as_str().unwrap());
    bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    bridge.drain().await;
    let sent = app.stub.received();
    let changes = sent
        .iter()
        .filter(|request| request.method == "PATCH" || request.method == "PUT");
    assert_eq!(changes.count(), 1, "pushed once");
    assert_eq!(server.mails_to("owner@acme.example").len(), mails.len());
}

#[tokio::test]
async fn failing_apps_and_open_leavers_are_told_once() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    let connection = told(&json!({ "owner": "owner@acme.example", "summary": "never" }));
    published(&bridge, &connection).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(10);
    run(&bridge, &company).await;
    app.stub
        .rule(|request| (request.method != "GET").then(|| Answer::json(403, &json!({ "detail": "no" }))));
    company.row("7").status = String::new();
    run(&bridge, &company).await;
    let told = |subject: &str| {
        let mails = server.mails_to("owner@acme.example").into_iter();
        mails.filter(|mail| mail.subject() == subject).count()
    };
    let open = "wiki: a leaver's account is still open";
    bridge.drain().await;
    assert_eq!(told(open), 0);
    for _ in 0..3 {
        bridge.clock.advance(TimeDelta::minutes(61));
        bridge.drain().await;
    }
    assert_eq!(told(open), 1);
    app.stub
        .rule(|request| (request.method != "GET").then(|| Answer::json(401, &json!({ "detail": "token" }))));
    company.row("8").status = String::new();
    run(&bridge, &company).await;
    assert_eq!(told("wiki refuses the credentials"), 1);
}

async fn subscribe(bridge: &crate::kit::Bridge, body: &Value) -> Value {
    good(with_json(
        bridge.request(Method::POST, "/api/v1/subscriptions"),
        body,
    ))
    .await
}

/// HMAC-SHA-256 as a receiver computes it.
fn signed(secret: &str, content: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mac = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key),
        content.as_bytes(),
    );
    format!("v1,{}", STANDARD.encode(mac.as_ref()))
}

#[tokio::test]
async fn webhooks_are_signed_tried_again_switched_off_and_sent_again_by_hand() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let (siem, slack, teams) = (Stub::start().await, Stub::start().await, Stub::start().await);
    for stub in [&siem, &slack, &teams] {
        stub.rule(|_| Some(Answer::json(200, &json!({}))));
    }
    let secret = subscribe(
        &bridge,
        &json!({ "name": "siem", "url": format!("{}/in", siem.base_url) }),
    )
    .await;
    let only = json!(["run_done"]);
    for (name, stub) in [("slack", &slack), ("teams", &teams)] {
        let body = json!({ "name": name, "preset": name, "url": stub.base_url, "events": only });
        subscribe(&bridge, &body).await;
    }
    published(
        &bridge,
        &told(&json!({ "owner": "owner@acme.example", "summary": "never" })),
    )
    .await;
    let mut company = Company::of(3);
    run(&bridge, &company).await;
    let got = siem.take_received();
    assert_eq!(got.len(), 1);
    let (id, time) = (
        got[0].header("webhook-id").unwrap(),
        got[0].header("webhook-timestamp").unwrap(),
    );
    let text = String::from_utf8(got[0].body.to_vec()).unwrap();
    let content = format!("{id}.{time}.{text}");
    assert_eq!(
        got[0].header("webhook-signature").unwrap(),
        signed(secret["secret"].as_str().unwrap(), &content)
    );
    let body = got[0].json();
    assert_eq!(
        (&body["type"], &body["data"]["detail"]["changes"]),
        (&json!("run_done"), &json!(3))
    );
    assert_eq!(
        slack.take_received()[0].json()["text"]
            .as_str()
            .unwrap()
            .lines()
            .next(),
        Some("*people: 3 changes*")
    );
    let card = &teams.take_received()[0].json()["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["body"][0]["text"], "people: 3 changes");

    // It fails for days: one try at a time, then it is switched off and somebody is told.
    siem.rule(|_| Some(Answer::json(500, &json!({}))));
    company.row("2").status = String::new();
    run(&bridge, &company).await;
    assert!((1..=2).contains(&siem.take_received().len()));
    for _ in 0..6 {
        bridge.clock.advance(TimeDelta::days(1));
        bridge.drain().await;
    }
    let tries = siem.take_received();
    let same: std::collections::BTreeSet<&str> = tries
        .iter()
        .map(|request| request.header("webhook-id").unwrap())
        .collect();
    assert_eq!(
        same.len(),
        1,
        "a failing address is asked about one event at a time"
    );
    let list = bridge.get("/api/v1/subscriptions").await;
    let found = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "siem")
        .unwrap();
    assert_eq!(
        (&found["state"], &found["last_failure"]),
        (&json!("disabled"), &json!("it answered 500"))
    );
    assert!(
        !list.to_string().contains(&siem.base_url),
        "the address is not shown"
    );
    let mails = server.mails_to("owner@acme.example");
    assert!(
        mails
            .iter()
            .any(|mail| mail.subject() == "The webhook siem was switched off"),
        "{mails:?}"
    );

    // Switched on, it gets what waited; by hand also what it had before. Nobody is named.
    siem.rule(|_| Some(Answer::json(200, &json!({}))));
    let path = format!("/api/v1/subscriptions/{}", found["id"].as_str().unwrap());
    good(with_json(
        bridge.request(Method::PATCH, &path),
        &json!({ "state": "active" }),
    ))
    .await;
    bridge.drain().await;
    let caught_up = siem.take_received();
    assert!(
        caught_up
            .iter()
            .any(|request| request.json()["type"] == "person_deactivated")
    );
    assert!(
        caught_up
            .iter()
            .all(|request| !String::from_utf8_lossy(&request.body).contains("Given2"))
    );
    let span = json!({ "from": "2026-11-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" });
    let done = bridge.post(&format!("{path}/replay"), &span).await;
    bridge.drain().await;
    let again = siem.take_received();
    assert_eq!(json!(again.len()), done["replayed"]);
    assert!(
        again
            .iter()
            .any(|request| request.header("webhook-id").unwrap() == id),
        "under its own id"
    );

    let private = json!({ "name": "x", "url": "ftp://10.0.0.1" });
    let request = with_json(bridge.request(Method::POST, "/api/v1/subscriptions"), &private);
    assert_eq!(answer(request).await.0, 422);
}
