//! Everybody is told of their part: by whatever word an entity is named, however many are told together, and whatever waits
//! for others.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::invite::{addresses, company_file, newcomer, welcomes};
use super::mail::{states, welcome};
use super::{bridge_with, published, told};
use crate::kit::{Answer, Bridge, MailServer, Stub, good, with_json};
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{Company, run};

async fn put(bridge: &Bridge, path: &str, body: &Value) {
    good(with_json(bridge.request(Method::PUT, path), body)).await;
}

async fn later(bridge: &Bridge, by: TimeDelta) {
    bridge.clock.advance(by);
    bridge.drain().await;
}

/// Raises an event of the tenant `acme`.
async fn raise(bridge: &Bridge, kind: &str, key: &str, at: DateTime<Utc>, detail: &Value) {
    let sql = "INSERT INTO event (tenant_id, id, kind, key, at, ready_at, detail)
               SELECT id, $1, $2, $3, $4, $4, $5 FROM tenant WHERE name = 'acme'";
    let rows = bridge.rows().await;
    rows.execute(sql, &[&Uuid::now_v7(), &kind, &key, &at, &detail])
        .await
        .unwrap();
}

/// HR gives the entity a code and no id: invitations, recipients and webhooks name it by that.
///
/// Covers: PAYH-16, PAYH-31
#[tokio::test]
async fn an_entity_is_named_by_its_code_wherever_it_is_named() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let (app, siem) = (StubApp::start().await, Stub::start().await);
    siem.rule(|_| Some(Answer::json(200, &json!({}))));
    let more = json!({
        "invite": { "new_people": true, "entity": [{ "id": "Dept 1", "new_people": false }] },
        "notify": { "summary": "never", "to": [{ "address": "one@acme.example", "entities": ["Dept 1"] }] },
        "guard": { "leavers": { "share": 1.0, "count": 1000 } },
    });
    let mut connection = company_file(&more);
    connection["fields"]["entity"] = json!({ "code": "Department" });
    published(&bridge, &connection).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &json!({}))).await;
    for (to, entity) in [("two@acme.example", "Dept 1"), ("other@acme.example", "Dept 7")] {
        put(
            &bridge,
            "/api/v1/recipients",
            &json!({ "address": to, "entities": [entity] }),
        )
        .await;
    }
    let body = json!({ "name": "siem", "url": siem.base_url, "entities": ["Dept 1"], "events": ["person_deactivated"] });
    good(with_json(
        bridge.request(Method::POST, "/api/v1/subscriptions"),
        &body,
    ))
    .await;
    let mut company = Company::of(2);
    company.add(newcomer(11, "Dept 1"));
    run(&bridge, &company).await;
    assert_eq!(
        addresses(&welcomes(&server)),
        ["person1@acme.example", "person2@acme.example"]
    );
    company.row("11").status = String::new();
    company.row("2").status = String::new();
    run(&bridge, &company).await;
    let subjects = |to: &str| -> Vec<String> {
        let mails = server.mails_to(to);
        mails.iter().map(|mail| mail.subject().to_owned()).collect()
    };
    for to in ["one@acme.example", "two@acme.example"] {
        assert_eq!(subjects(to), ["Given11 Family11 was deactivated"], "{to}");
    }
    assert!(subjects("other@acme.example").is_empty());
    let heard = siem.take_received();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].json()["data"]["entity"], "Dept 1");
}

/// Of many who leave at once, whoever is bound to an entity or to the kind is told of the part that is theirs, by one mail.
///
/// Covers: PAYH-30, PAYH-31
#[tokio::test]
async fn a_digest_tells_each_of_their_part() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let more = json!({
        "notify": { "owner": "owner@acme.example", "summary": "never" },
        "guard": { "leavers": { "share": 1.0, "count": 1000 } },
    });
    published(&bridge, &company_file(&more)).await;
    put(
        &bridge,
        "/api/v1/notice-settings",
        &json!({ "language": "en", "digest_above": 2 }),
    )
    .await;
    let kind = json!(["person_deactivated"]);
    for (to, entities) in [
        ("dept@acme.example", json!(["Dept 0"])),
        ("both@acme.example", json!(["Dept 1", "Dept 0"])),
        ("other@acme.example", json!(["Dept 7"])),
        ("kind@acme.example", json!([])),
    ] {
        let body = json!({ "address": to, "entities": entities, "events": kind });
        put(&bridge, "/api/v1/recipients", &body).await;
    }
    let mut company = Company::of(20);
    run(&bridge, &company).await;
    for id in ["2", "3", "4", "12", "13"] {
        company.row(id).status = String::new();
    }
    run(&bridge, &company).await;
    for (to, count) in [
        ("dept@acme.example", 3),
        ("both@acme.example", 5),
        ("kind@acme.example", 5),
        ("owner@acme.example", 5),
    ] {
        let mails = server.mails_to(to);
        assert_eq!(mails.len(), 1, "{to}: {mails:?}");
        assert_eq!(mails[0].subject(), format!("{count} people were deactivated"));
        for (name, named) in [("Given2 ", true), ("Given4 ", true), ("Given12 ", count == 5)] {
            assert_eq!(mails[0].text().contains(name), named, "{to}: {}", mails[0].text());
        }
    }
    assert!(server.mails_to("other@acme.example").is_empty());
}

/// Values that wait: those of one hour are told together, wherever an hour ends meanwhile, and the later ones by a second
/// mail.
#[tokio::test]
async fn what_comes_after_a_digest_is_told_by_another() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    put(
        &bridge,
        "/api/v1/notice-settings",
        &json!({ "language": "en", "digest_above": 2 }),
    )
    .await;
    put(
        &bridge,
        "/api/v1/recipients",
        &json!({ "address": "owner@acme.example" }),
    )
    .await;
    let hold = async |source: &str, n: usize, at: DateTime<Utc>| {
        let detail = json!({ "name": format!("Ada {n}"), "field": "emails", "old": "a", "new": "b" });
        raise(&bridge, "value_held", &format!("{source}/{n}"), at, &detail).await;
    };
    let mails = || server.mails_to("owner@acme.example");
    // Raised in an hour, and told in the next.
    let before = bridge.clock.now() - TimeDelta::minutes(61);
    for n in 0..4 {
        hold("early", n, before).await;
    }
    bridge.drain().await;
    assert_eq!(mails().len(), 1, "{:?}", mails());
    for n in 10..13 {
        hold("late", n, bridge.clock.now()).await;
    }
    bridge.drain().await;
    assert_eq!(mails().len(), 2);
    for n in 20..22 {
        hold("late", n, bridge.clock.now()).await;
    }
    bridge.drain().await;
    assert_eq!(mails().len(), 2, "they wait for more");
    for _ in 0..2 {
        later(&bridge, TimeDelta::hours(1)).await;
    }
    let told = mails();
    assert_eq!(told.len(), 3, "{told:?}");
    for (name, named) in [("Ada 20", true), ("Ada 21", true), ("Ada 12", false)] {
        assert_eq!(told[2].text().contains(name), named, "{}", told[2].text());
    }
}

/// A value that was approved, taken back, and comes again, waits again: that is told again.
///
/// Covers: PAYH-8
#[tokio::test]
async fn a_value_that_waits_again_is_told_again() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let mut connection = told(&json!({ "owner": "owner@acme.example", "summary": "never" }));
    connection["mapping"] = json!({ "emails": { "policy": "hold" }, "userName": { "policy": "hold" } });
    published(&bridge, &connection).await;
    let mut company = Company::of(5);
    run(&bridge, &company).await;
    let changes = ["five@acme.example", "person5@acme.example", "five@acme.example"];
    for (place, email) in changes.into_iter().enumerate() {
        company.row("5").email = email.to_owned();
        for title in ["One", "Two"] {
            company.row("5").title = format!("{title} {place}");
            run(&bridge, &company).await;
        }
        let mails = server.mails_to("owner@acme.example");
        assert_eq!(mails.len(), place + 1, "{mails:?}");
        let holds = bridge.get("/api/v1/holds?state=open").await;
        let id = holds["items"][0]["id"].as_str().unwrap();
        let event = bridge.rows().await;
        let sql = "SELECT count(*) FROM event WHERE kind = 'value_held' AND detail ->> 'hold' = $1";
        let named: i64 = event.query_one(sql, &[&id]).await.unwrap().get(0);
        assert_eq!(named, 1);
        bridge
            .post(&format!("/api/v1/holds/{id}/approve"), &json!({}))
            .await;
        bridge.drain().await;
    }
}

/// A mail server that takes nothing for a while refuses nobody for good.
#[tokio::test]
async fn a_mail_server_that_greets_with_a_refusal_is_asked_again() {
    let Some(mut server) = MailServer::start() else {
        return;
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = ("127.0.0.1", server.port);
    server.url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let before = tokio::spawn(async move {
        let (mut refused, _) = listener.accept().await.unwrap();
        refused
            .write_all(b"554 5.3.2 not accepting network messages\r\n")
            .await
            .unwrap();
        drop(refused);
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = tokio::net::TcpStream::connect(behind).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let bridge = bridge_with(&server).await;
    for to in ["a@acme.example", "b@acme.example", "c@acme.example"] {
        welcome(&bridge, to).await;
    }
    bridge.drain().await;
    let now = states(&bridge).await;
    assert!(now.iter().all(|(_, state, _)| state == "waiting"), "{now:?}");
    for _ in 0..2 {
        later(&bridge, TimeDelta::hours(2)).await;
    }
    let now = states(&bridge).await;
    assert!(now.iter().all(|(_, state, _)| state == "sent"), "{now:?}");
    assert_eq!(server.mails().len(), 3);
    before.abort();
}

/// A reminder that comes days after its plan is tried as long as any other mail.
#[tokio::test]
async fn a_late_reminder_is_tried_again() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let notify = json!({
        "owner": "owner@acme.example", "escalate_after": "4d", "escalate_to": ["busy-boss@acme.example"],
    });
    published(&bridge, &told(&notify)).await;
    let mut company = Company::of(40);
    run(&bridge, &company).await;
    for id in 5..=40 {
        company.row(&id.to_string()).status = String::new();
    }
    assert_eq!(run(&bridge, &company).await["state"], "awaiting_approval");
    later(&bridge, TimeDelta::hours(97)).await;
    assert_eq!(server.mails_to("busy-boss@acme.example").len(), 0);
    for _ in 0..3 {
        later(&bridge, TimeDelta::hours(2)).await;
    }
    assert_eq!(server.mails_to("busy-boss@acme.example").len(), 1);
}

/// Much that waits for an address that fails keeps no other from being told.
#[tokio::test]
async fn a_failing_webhook_with_a_backlog_stops_no_other() {
    let bridge = Bridge::spawn().await;
    let (stuck, good_one) = (Stub::start().await, Stub::start().await);
    stuck.rule(|_| Some(Answer::json(500, &json!({}))));
    good_one.rule(|_| Some(Answer::json(200, &json!({}))));
    for (name, stub) in [("stuck", &stuck), ("good", &good_one)] {
        let body = json!({ "name": name, "url": stub.base_url });
        good(with_json(
            bridge.request(Method::POST, "/api/v1/subscriptions"),
            &body,
        ))
        .await;
    }
    raise(
        &bridge,
        "feed_stale",
        "x",
        bridge.clock.now(),
        &json!({ "since": "2026-11-20" }),
    )
    .await;
    bridge.drain().await;
    assert_eq!(good_one.take_received().len(), 1);
    assert!(!stuck.take_received().is_empty());
    let rows = bridge.rows().await;
    rows.batch_execute(
        "INSERT INTO message (tenant_id, id, event_id, channel, subscription_id, language, state, at_most_once, due_at, created_at)
         SELECT e.tenant_id, (CASE made.state WHEN 'sent' THEN '0' ELSE '1' END || '0000000-0000-7000-8000-'
                              || lpad(to_hex(made.n), 12, '0'))::uuid,
                e.id, 'webhook', s.id, 'en', made.state, false, e.at, e.at + made.n * interval '1 ms'
         FROM event e JOIN subscription s ON s.tenant_id = e.tenant_id AND s.name = 'stuck',
              (SELECT n, state FROM generate_series(1, 30000) n, unnest(ARRAY['sent', 'waiting']) state) made
         WHERE e.kind = 'feed_stale';
         UPDATE subscription SET resume_at = NULL WHERE name = 'stuck';
         INSERT INTO message (tenant_id, id, event_id, channel, subscription_id, language, state, at_most_once, due_at, created_at)
         SELECT e.tenant_id, gen_random_uuid(), e.id, 'webhook', s.id, 'en', 'waiting', false, e.at, e.at + interval '1 h'
         FROM event e JOIN subscription s ON s.tenant_id = e.tenant_id AND s.name = 'good' WHERE e.kind = 'feed_stale'",
    )
    .await
    .unwrap();
    tokio::time::timeout(Duration::from_secs(20), bridge.drain())
        .await
        .expect("nobody waits for a backlog of others");
    assert_eq!(good_one.take_received().len(), 1);
    assert_eq!(stuck.take_received().len(), 1, "it is asked about one at a time");
}

/// Many mails of one tenant wait behind the alarms, and behind the first of every other tenant.
#[tokio::test]
async fn alarms_and_other_tenants_do_not_wait_for_a_crowd() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    put(
        &bridge,
        "/api/v1/recipients",
        &json!({ "address": "owner@acme.example" }),
    )
    .await;
    for n in 0..60 {
        welcome(&bridge, &format!("p{n}@acme.example")).await;
    }
    let rows = bridge.rows().await;
    let sql = "WITH other AS (INSERT INTO tenant (id, name, created_at) VALUES (gen_random_uuid(), 'other', now()) RETURNING id)
               INSERT INTO event (tenant_id, id, kind, key, at, ready_at, detail)
               SELECT id, gen_random_uuid(), 'welcome', 'x', $1, $1,
                      '{\"to\": \"x@other.example\", \"name\": \"Bob\", \"user_name\": \"bob\"}' FROM other";
    rows.execute(sql, &[&bridge.clock.now()]).await.unwrap();
    let detail = json!({ "subscription": "siem", "since": "2026-11-20", "reason": "it answered 500" });
    raise(&bridge, "subscription_disabled", "x", bridge.clock.now(), &detail).await;
    bridge.drain().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 62);
    for to in ["owner@acme.example", "x@other.example"] {
        let place = mails.iter().position(|mail| mail.to() == to).unwrap();
        assert!(place < 20, "{to}: {place}");
    }
}

/// A run that was cancelled has ended as well: whom it had deactivated is told at once.
#[tokio::test]
async fn whom_a_cancelled_run_deactivated_is_told_at_once() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    published(
        &bridge,
        &told(&json!({ "owner": "owner@acme.example", "summary": "never" })),
    )
    .await;
    let done = run(&bridge, &Company::of(3)).await;
    let id = done["id"].as_str().unwrap();
    bridge
        .rows()
        .await
        .batch_execute("UPDATE run SET state = 'cancelled'; DELETE FROM event")
        .await
        .unwrap();
    let detail = json!({ "run": id, "name": "Ada", "user_name": "ada", "accounts": [] });
    raise(
        &bridge,
        "person_deactivated",
        &format!("{id}/x"),
        bridge.clock.now(),
        &detail,
    )
    .await;
    bridge.drain().await;
    assert_eq!(server.mails_to("owner@acme.example").len(), 1);
}

/// Beside a newer version of the program: what only that one knows waits for it, and stops nothing else.
#[tokio::test]
async fn kinds_of_a_newer_version_stop_nothing() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let rows = bridge.rows().await;
    let sql = "WITH newer AS (
                   INSERT INTO event (tenant_id, id, kind, key, at, ready_at, detail, routed_at)
                   SELECT t.id, gen_random_uuid(), 'of_tomorrow', n::text, $1::timestamptz, $1, '{}',
                          CASE WHEN n > 250 THEN $1 END
                   FROM tenant t, generate_series(1, 251) n RETURNING *)
               INSERT INTO message (tenant_id, id, event_id, channel, address, language, state, at_most_once, due_at, created_at)
               SELECT tenant_id, gen_random_uuid(), id, 'mail', 'newer@acme.example', 'en', 'waiting', false, $1, $1
               FROM newer WHERE routed_at IS NOT NULL";
    let before = bridge.clock.now() - TimeDelta::minutes(5);
    rows.execute(sql, &[&before]).await.unwrap();
    welcome(&bridge, "ada@acme.example").await;
    bridge.drain().await;
    let now: Vec<(String, String)> = states(&bridge)
        .await
        .into_iter()
        .map(|(to, state, _)| (to, state))
        .collect();
    let expected = [("ada@acme.example", "sent"), ("newer@acme.example", "waiting")];
    assert_eq!(now, expected.map(|(to, state)| (to.to_owned(), state.to_owned())));
    let untold = "SELECT count(*) FROM event WHERE kind = 'of_tomorrow' AND routed_at IS NULL";
    assert_eq!(bridge.count(untold).await, 250);
}
