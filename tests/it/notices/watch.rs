//! Alarms: each told once, to whom it concerns, told again when nobody acts, and anew when it was over meanwhile.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{bridge_with, published, told};
use crate::kit::{Answer, Bridge, MailServer, Stub, answer, good, with_json};
use crate::push::{StubApp, file, publish, try_publish};
use crate::sync_kit::{Company, run, run_again};

const OWNER: &str = "owner@acme.example";

fn count(server: &MailServer, to: &str, subject: &str) -> usize {
    let mails = server.mails_to(to).into_iter();
    mails.filter(|mail| mail.subject() == subject).count()
}

async fn later(bridge: &Bridge, by: TimeDelta) {
    bridge.clock.advance(by);
    bridge.drain().await;
}

async fn decide(bridge: &Bridge, plan: &Value, how: &str) {
    let path = format!("/api/v1/plans/{}/{how}", plan["plan"].as_str().unwrap());
    let order = json!({ "plan": plan["plan_hash"] });
    good(with_json(bridge.request(Method::POST, &path), &order)).await;
    bridge.drain().await;
}

/// What happens in an app goes to the app's own admins; a plan of it that nobody decides is told again, to whom the app says
/// or else the tenant, and not once it is decided.
///
/// Covers: PAYH-8, PAYH-21, PAYH-31
#[tokio::test]
async fn an_app_has_its_own_admins_and_its_plans_escalate() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    published(&bridge, &told(&json!({ "owner": OWNER, "summary": "never" }))).await;
    run(&bridge, &Company::of(10)).await;
    let (wiki, chat) = (StubApp::start().await, StubApp::start().await);
    wiki.has(
        "Users",
        &json!({ "userName": "stranger@acme.example", "active": true }),
    );
    wiki.has(
        "Users",
        &json!({
            "userName": "person1@acme.example", "active": true,
            "emails": [{ "value": "old@acme.example", "type": "work", "primary": true }],
        }),
    );
    let of_wiki = |more: &Value| {
        let mut all = json!({
            "notify": {
                "owner": "wiki@acme.example", "escalate_after": "4h", "escalate_to": ["boss@acme.example"],
                "to": [{ "address": "nl@acme.example", "entities": ["760"] }],
            },
            "mapping": { "emails": { "policy": "hold" } },
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        file("wiki", &wiki.stub.base_url, &all)
    };
    publish(&bridge, &of_wiki(&json!({}))).await;
    bridge.drain().await;
    for subject in [
        "Given1 Family1: emails differs",
        "wiki: 1 account belongs to nobody",
    ] {
        assert_eq!(count(&server, "wiki@acme.example", subject), 1, "{subject}");
    }
    assert!(
        server.mails_to(OWNER).is_empty(),
        "the connection's owner is another"
    );
    assert!(
        server.mails_to("nl@acme.example").is_empty(),
        "it is of no entity"
    );

    // Nobody is in scope any more.
    let nobody =
        json!({ "scope": { "include": "user.title == \"X\"" }, "guard": { "disables": { "count": 1 } } });
    let waits = "wiki needs your approval";
    let again = "Still waiting: wiki needs your approval";
    let (status, plan) = try_publish(&bridge, &of_wiki(&nobody)).await;
    assert_eq!((status, &plan["state"]), (202, &json!("awaiting_approval")));
    bridge.drain().await;
    assert_eq!(count(&server, "wiki@acme.example", waits), 1);
    later(&bridge, TimeDelta::hours(3)).await;
    assert_eq!(count(&server, "boss@acme.example", again), 0);
    for _ in 0..3 {
        later(&bridge, TimeDelta::hours(2)).await;
    }
    assert_eq!(count(&server, "boss@acme.example", again), 1);
    decide(&bridge, &plan, "reject").await;
    let (_, plan) = try_publish(&bridge, &of_wiki(&nobody)).await;
    bridge.drain().await;
    decide(&bridge, &plan, "reject").await;
    later(&bridge, TimeDelta::hours(5)).await;
    assert_eq!(count(&server, "boss@acme.example", again), 1, "decided in time");
    assert_eq!(count(&server, "wiki@acme.example", waits), 2);

    // Another app says nothing: the owner is told, and the tenant says who further.
    let wishes = json!({
        "language": "en", "digest_above": 20, "escalate_after": "2h", "escalate_to": ["cio@acme.example"],
    });
    let set = |wishes: &Value| with_json(bridge.request(Method::PUT, "/api/v1/notice-settings"), wishes);
    assert_eq!(good(set(&wishes)).await, wishes);
    for (name, wrong) in [
        ("escalate_after", json!("soon")),
        ("escalate_to", json!(["nobody"])),
    ] {
        let mut wishes = wishes.clone();
        wishes[name] = wrong;
        let (status, said) = answer(set(&wishes)).await;
        assert_eq!(status, 422);
        assert!(said.to_string().contains(name), "{said}");
    }
    publish(&bridge, &file("chat", &chat.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let (status, _) = try_publish(&bridge, &file("chat", &chat.stub.base_url, &nobody)).await;
    assert_eq!(status, 202);
    bridge.drain().await;
    assert_eq!(count(&server, OWNER, "chat needs your approval"), 1);
    for _ in 0..2 {
        later(&bridge, TimeDelta::hours(3)).await;
    }
    let again = "Still waiting: chat needs your approval";
    assert_eq!(count(&server, "cio@acme.example", again), 1);
    assert_eq!(count(&server, OWNER, again), 0);
}

/// A connection that is refused, or not read for a day, is told once while it lasts, and again when it was over meanwhile.
///
/// Covers: LEAP-11
#[tokio::test]
async fn refused_credentials_and_a_stale_feed_are_told_once_each_time() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let hr = Stub::start().await;
    let people = Answer::json(
        200,
        &json!([{ "id": "1", "given": "Ada", "family": "B", "email": "ada@acme.example", "state": "on" }]),
    );
    hr.on("GET", "/people", people.clone());
    let mut connection = json!({
        "name": "people", "connector": "rest",
        "settings": { "base": hr.base_url, "path": "/people", "sign_in": "none" },
        "fields": {
            "source_id": "/id", "given_name": "/given", "family_name": "/family", "work_email": "/email",
            "status": { "at": "/state", "words": { "on": "active" } },
        },
        "notify": { "owner": OWNER, "summary": "never" },
    });
    published(&bridge, &connection).await;
    let refused = "people refuses the credentials";
    for occurrence in 1..=2 {
        hr.on("GET", "/people", people.clone());
        assert_eq!(run_again(&bridge, false).await["state"], "done");
        hr.on("GET", "/people", Answer::status(401));
        for _ in 0..3 {
            bridge.clock.advance(TimeDelta::hours(13));
            assert_eq!(run_again(&bridge, false).await["state"], "failed");
        }
        assert_eq!(count(&server, OWNER, refused), occurrence);
    }

    hr.on("GET", "/people", people.clone());
    connection["schedule"] = json!({ "every": "4h" });
    published(&bridge, &connection).await;
    bridge.drain().await;
    for occurrence in 1..=2 {
        hr.on("GET", "/people", people.clone());
        later(&bridge, TimeDelta::hours(5)).await;
        let since = bridge.clock.now().format("%Y-%m-%d %H:%M UTC");
        hr.on("GET", "/people", Answer::status(403));
        for _ in 0..4 {
            later(&bridge, TimeDelta::hours(13)).await;
        }
        let stale = format!("people has not been read since {since}");
        assert_eq!(count(&server, OWNER, &stale), 1, "{:?}", server.mails());
        let all = server.mails_to(OWNER).into_iter();
        let all = all.filter(|mail| mail.subject().starts_with("people has not been read"));
        assert_eq!(all.count(), occurrence);
    }
}

/// An app that fails or refuses the token is told once while it lasts; a leaver whose account stays open, once for each leave.
#[tokio::test]
async fn an_app_that_fails_again_is_told_again() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    published(&bridge, &told(&json!({ "owner": OWNER, "summary": "never" }))).await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(10);
    run(&bridge, &company).await;
    let answers = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(0));
    let shared = std::sync::Arc::clone(&answers);
    app.stub
        .rule(move |_| match shared.load(std::sync::atomic::Ordering::Relaxed) {
            0 => None,
            status => Some(Answer::json(status, &json!({ "detail": "no" }))),
        });
    let answer = |status: u16| answers.store(status, std::sync::atomic::Ordering::Relaxed);
    let mut change = async |title: &str| {
        for row in company.0.values_mut() {
            row.title = title.to_owned();
        }
        run(&bridge, &company).await;
    };
    for (status, subject) in [(401, "wiki refuses the credentials"), (503, "wiki keeps failing")] {
        for occurrence in 1..=2 {
            answer(status);
            change(&format!("{status} {occurrence}")).await;
            for _ in 0..12 {
                later(&bridge, TimeDelta::minutes(90)).await;
            }
            assert_eq!(count(&server, OWNER, subject), occurrence, "{:?}", server.mails());
            answer(0);
            for _ in 0..6 {
                later(&bridge, TimeDelta::minutes(90)).await;
            }
            assert_eq!(bridge.get("/api/v1/apps/wiki").await["trouble"], Value::Null);
        }
    }

    let open = "wiki: a leaver's account is still open";
    for occurrence in 1..=2 {
        answer(403);
        company.row("7").status = String::new();
        run(&bridge, &company).await;
        for _ in 0..3 {
            later(&bridge, TimeDelta::minutes(61)).await;
        }
        assert_eq!(count(&server, OWNER, open), occurrence);
        answer(0);
        company.row("7").status = "Current".to_owned();
        run(&bridge, &company).await;
        later(&bridge, TimeDelta::hours(2)).await;
    }

    // A frozen app is not looked at: who leaves meanwhile is told of all the same.
    bridge
        .post(
            "/api/v1/freeze",
            &json!({ "app": "wiki", "reason": "we are migrating" }),
        )
        .await;
    company.row("8").status = String::new();
    run(&bridge, &company).await;
    assert_eq!(count(&server, OWNER, open), 2);
    for _ in 0..4 {
        later(&bridge, TimeDelta::minutes(61)).await;
    }
    let mails = server.mails_to(OWNER).into_iter();
    let mails: Vec<_> = mails.filter(|mail| mail.subject() == open).collect();
    assert_eq!(mails.len(), 3, "{mails:?}");
    assert!(
        mails[2].text().contains("the app is frozen"),
        "{}",
        mails[2].text()
    );
}

/// Who is back and stays disabled by the policy, of the connection or of an app, is told once for each return.
///
/// Covers: LEAP-22
#[tokio::test]
async fn a_withheld_reactivation_is_told_once_each_time() {
    let Some(server) = MailServer::start() else { return };
    for by_app in [false, true] {
        let bridge = bridge_with(&server).await;
        let app = StubApp::start().await;
        let owner = format!("owner-{by_app}@acme.example");
        let mut connection = told(&json!({ "owner": owner, "summary": "never" }));
        connection["lifecycle"] = json!({ "reactivate": by_app });
        published(&bridge, &connection).await;
        let own = if by_app {
            json!({ "lifecycle": { "reactivate": false } })
        } else {
            json!({})
        };
        publish(&bridge, &file("wiki", &app.stub.base_url, &own)).await;
        let mut company = Company::of(9);
        run(&bridge, &company).await;
        for occurrence in 1..=2 {
            company.row("2").status = String::new();
            run(&bridge, &company).await;
            later(&bridge, TimeDelta::hours(1)).await;
            company.row("2").status = "Current".to_owned();
            for title in ["One", "Two", "Three"] {
                company.row("2").title = title.to_owned();
                run(&bridge, &company).await;
                later(&bridge, TimeDelta::hours(1)).await;
            }
            assert_eq!(app.named("person2@acme.example")["active"], false);
            let subject = "Given2 Family2 returned and was not activated";
            assert_eq!(
                count(&server, &owner, subject),
                occurrence,
                "{by_app}: {:?}",
                server.mails()
            );
        }
    }
}

/// Two people should have one user name: here, and in an app. Each is told once.
///
/// Covers: EXP-12
#[tokio::test]
async fn a_user_name_that_two_people_should_have_is_told_once() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let mut connection = told(&json!({ "owner": OWNER, "summary": "never" }));
    connection["mapping"] = json!({ "userName": { "from": "employee.title | lower" } });
    published(&bridge, &connection).await;
    let mut company = Company::of(2);
    company.row("2").given = "Grace".to_owned();
    for title in ["A", "B", "C"] {
        company.row("1").department = title.to_owned();
        run(&bridge, &company).await;
    }
    let subject = "engineer belongs to somebody else";
    assert_eq!(count(&server, OWNER, subject), 1, "{:?}", server.mails());
    let mail = &server.mails_to(OWNER)[0];
    assert!(
        mail.text().contains("Family") && mail.text().contains("scim-bridge run errors"),
        "{}",
        mail.text()
    );

    // In an app somebody else has the address already.
    let app = StubApp::start().await;
    app.has(
        "Users",
        &json!({
            "userName": "someone", "active": true, "externalId": "x-9",
            "emails": [{ "value": "person1@acme.example", "type": "work" }],
        }),
    );
    let own = json!({ "match": { "by": ["employeeNumber+emails.work"] } });
    publish(&bridge, &file("wiki", &app.stub.base_url, &own)).await;
    for _ in 0..3 {
        later(&bridge, TimeDelta::hours(2)).await;
    }
    let mails = server.mails_to(OWNER).into_iter();
    let mails: Vec<_> = mails.filter(|mail| mail.text().contains("in wiki")).collect();
    assert_eq!(mails.len(), 1, "{:?}", server.mails());

    // Very many of them are one mail.
    let bridge = bridge_with(&server).await;
    connection["notify"]["owner"] = json!("many@acme.example");
    published(&bridge, &connection).await;
    run(&bridge, &Company::of(30)).await;
    let mails = server.mails_to("many@acme.example");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].subject(), "29 user names belong to somebody else");
    assert!(
        mails[0].text().contains("- Given30 Family30"),
        "{}",
        mails[0].text()
    );
}
