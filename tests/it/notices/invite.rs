//! Invitations: whom we write to when an account was created, and whom never.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{bridge_with, published, told};
use crate::kit::{Bridge, Mail, MailServer, answer, with_json};
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{Company, Row, person, run};

/// A connection whose departments are legal entities, with more in its file.
pub(super) fn company_file(more: &Value) -> Value {
    let mut file = told(&json!({}));
    file["fields"]["entity"] = json!({ "id": "Department" });
    file.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    file
}

pub(super) fn welcomes(server: &MailServer) -> Vec<Mail> {
    let mails = server.mails().into_iter();
    mails.filter(|mail| !mail.to().contains("owner")).collect()
}

pub(super) fn addresses(mails: &[Mail]) -> Vec<String> {
    let mut to: Vec<String> = mails.iter().map(|mail| mail.to().to_owned()).collect();
    to.sort();
    to
}

pub(super) async fn invitations(bridge: &Bridge, query: &str) -> Vec<Value> {
    let list = bridge.get(&format!("/api/v1/invitations{query}")).await;
    list["items"].as_array().unwrap().clone()
}

pub(super) fn newcomer(n: usize, department: &str) -> Row {
    Row {
        id: n.to_string(),
        number: format!("E{n:04}"),
        given: format!("Given{n}"),
        family: format!("Family{n}"),
        email: format!("person{n}@acme.example"),
        title: "Engineer".to_owned(),
        department: department.to_owned(),
        status: "Current".to_owned(),
        first_day: "2020-01-01".to_owned(),
        ..Row::default()
    }
}

/// Covers: LEAP-17, PAYH-12, PAYH-14, PAYH-15, RG-6, RG-21, RG-22, PROB-5
#[tokio::test]
async fn new_people_are_invited_once_and_matched_ones_never() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    // The app has person 2 already.
    app.has(
        "Users",
        &json!({ "userName": "person2@acme.example", "active": true }),
    );
    let invite =
        json!({ "new_people": true, "link": "https://wiki.example/first?user={user_name}&id={remote_id}" });
    published(
        &bridge,
        &company_file(&json!({ "invite": { "new_people": true } })),
    )
    .await;
    publish(
        &bridge,
        &file("wiki", &app.stub.base_url, &json!({ "invite": invite })),
    )
    .await;
    let mut company = Company::of(3);
    run(&bridge, &company).await;
    let mails = welcomes(&server);
    assert_eq!(
        addresses(&mails),
        ["person1@acme.example", "person3@acme.example"],
        "the one who was there is not invited"
    );
    let mail = mails
        .iter()
        .find(|mail| mail.to().starts_with("person1"))
        .unwrap();
    assert_eq!(mail.subject(), "Welcome to wiki");
    let id = app
        .all("Users")
        .into_iter()
        .find(|user| user["userName"] == "person1@acme.example")
        .unwrap()["id"]
        .clone();
    let link = format!(
        "https://wiki.example/first?user=person1%40acme.example&id={}",
        id.as_str().unwrap()
    );
    assert!(mail.text().contains(&link), "{}", mail.text());
    assert!(
        mail.html().contains(&link.replace('&', "&amp;")),
        "{}",
        mail.html()
    );
    for user in app.all("Users") {
        assert!(user["password"].is_null());
    }
    for mail in &mails {
        assert!(!mail.text().contains("t0ken"));
    }

    // A changed person is updated and hears nothing; again and again nothing happens.
    company.row("1").title = "Lead".to_owned();
    run(&bridge, &company).await;
    run(&bridge, &company).await;
    bridge.clock.advance(TimeDelta::days(2));
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 2);

    // Everything is told anew by a process that starts again: who was invited stays invited, once.
    bridge
        .rows()
        .await
        .batch_execute("UPDATE account SET look = true")
        .await
        .unwrap();
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 2);
    let listed = invitations(&bridge, "").await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for one in &listed {
        assert_eq!(
            (&one["state"], &one["mail"], &one["times"], &one["invited_by"]),
            (&json!("invited"), &json!("sent"), &json!(1), &json!("setting"))
        );
    }
}

/// Covers: LEAP-18, LEAP-19, LEAP-20, RG-5, EXP-14, PROB-5
#[tokio::test]
async fn switched_off_nobody_is_invited_until_a_human_does() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let app = StubApp::start().await;
    published(
        &bridge,
        &company_file(&json!({ "invite": { "new_people": false } })),
    )
    .await;
    publish(&bridge, &file("wiki", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(4);
    run(&bridge, &company).await;
    assert_eq!(app.all("Users").len(), 4);
    assert_eq!(welcomes(&server).len(), 0);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM event WHERE kind = 'welcome'")
            .await,
        0
    );
    let pending = invitations(&bridge, "?app=wiki&state=pending").await;
    assert_eq!(pending.len(), 4, "created, setup pending");
    assert_eq!(pending[0]["reason"], "new people are not invited");

    // Switched on, it holds for who comes then.
    published(
        &bridge,
        &company_file(&json!({ "invite": { "new_people": true } })),
    )
    .await;
    company.add(newcomer(5, "Dept 0"));
    run(&bridge, &company).await;
    bridge
        .rows()
        .await
        .batch_execute("UPDATE account SET look = true")
        .await
        .unwrap();
    bridge.drain().await;
    assert_eq!(addresses(&welcomes(&server)), ["person5@acme.example"]);

    // By hand: one, again, then all who were left.
    let one = person(&bridge, 1).await["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let done = bridge
            .post("/api/v1/invitations", &json!({ "app": "wiki", "users": [one] }))
            .await;
        assert_eq!(done, json!({ "invited": [one], "left_out": [] }));
        bridge.drain().await;
    }
    assert_eq!(server.mails_to("person1@acme.example").len(), 2);
    let listed = invitations(&bridge, &format!("?user={one}")).await;
    assert_eq!(
        (&listed[0]["times"], &listed[0]["state"]),
        (&json!(2), &json!("invited"))
    );
    assert!(listed[0]["invited_by"].as_str().unwrap().starts_with("token:"));
    let audited = "SELECT count(*) FROM audit_entry WHERE action = 'user.invite'";
    assert_eq!(bridge.count(audited).await, 2);
    let done = bridge
        .post("/api/v1/invitations", &json!({ "app": "wiki", "pending": true }))
        .await;
    assert_eq!(done["invited"].as_array().unwrap().len(), 3);
    bridge.drain().await;
    assert_eq!(welcomes(&server).len(), 6);
    assert_eq!(invitations(&bridge, "?state=pending").await.len(), 0);
    let again = bridge
        .post("/api/v1/invitations", &json!({ "app": "wiki", "pending": true }))
        .await;
    assert_eq!(again["invited"], json!([]));
    for wrong in [
        json!({ "app": "wiki" }),
        json!({ "app": "wiki", "users": [one], "pending": true }),
        json!({ "app": "wiki", "users": ["nobody"] }),
    ] {
        let request = with_json(bridge.request(Method::POST, "/api/v1/invitations"), &wrong);
        assert!(matches!(answer(request).await.0, 400 | 422), "{wrong}");
    }
}

/// Two legal entities and two apps: each says who is invited.
#[tokio::test]
async fn payh_16_each_entity_and_app_says_who_is_invited() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let (wiki, chat) = (StubApp::start().await, StubApp::start().await);
    let matrix = json!({ "new_people": true, "entity": [{ "id": "Dept 1", "new_people": false }] });
    published(&bridge, &company_file(&json!({ "invite": matrix }))).await;
    publish(&bridge, &file("wiki", &wiki.stub.base_url, &json!({}))).await;
    let own =
        json!({ "invite": { "new_people": false, "entity": [{ "id": "Dept 1", "new_people": true }] } });
    publish(&bridge, &file("chat", &chat.stub.base_url, &own)).await;
    let mut company = Company::of(2);
    company.add(newcomer(11, "Dept 1"));
    company.add(newcomer(12, "Dept 1"));
    run(&bridge, &company).await;
    let of = |app: &str| {
        let subject = format!("Welcome to {app}");
        let mails: Vec<Mail> = welcomes(&server)
            .into_iter()
            .filter(|mail| mail.subject() == subject)
            .collect();
        addresses(&mails)
    };
    assert_eq!(of("wiki"), ["person1@acme.example", "person2@acme.example"]);
    assert_eq!(of("chat"), ["person11@acme.example", "person12@acme.example"]);
    let reasons = invitations(&bridge, "?app=wiki&state=pending").await;
    assert_eq!(
        reasons[0]["reason"],
        "new people of entity Dept 1 are not invited"
    );
}
