//! Notices: what people are told by a real mail server, and programs by HTTP.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::kit::{Bridge, MailServer, Settings};
use crate::sync_kit::{Company, apply, connection_file, run};

mod alarms;
mod fair;
mod farewell;
mod first_day;
mod invite;
mod mail;
mod tls;
mod watch;
mod words;

/// A bridge that sends its mail to `server`.
pub(crate) async fn bridge_with(server: &MailServer) -> Bridge {
    Bridge::spawn_with(Settings {
        environment: vec![
            ("SCIM_BRIDGE_SMTP_URL", server.url.clone()),
            ("SCIM_BRIDGE_MAIL_FROM", "Bridge <bridge@acme.example>".to_owned()),
        ],
        ..Settings::default()
    })
    .await
}

/// The connection file of the company, with `[notify]`.
fn told(notify: &Value) -> Value {
    let mut file = connection_file();
    file["notify"] = notify.clone();
    file
}

async fn published(bridge: &Bridge, file: &Value) {
    apply(bridge, file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

/// RG-18, PAYH-29: one mail a run, to the owner, whose counts are the run's.
#[tokio::test]
async fn rg_18_payh_29_after_each_run_the_owner_is_told_what_it_did() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    published(
        &bridge,
        &told(&json!({ "owner": "owner@acme.example", "language": "de" })),
    )
    .await;
    let mut company = Company::of(12);
    let done = run(&bridge, &company).await;
    let mails = server.mails_to("owner@acme.example");
    assert_eq!(mails.len(), 1, "one mail a run");
    let mail = &mails[0];
    assert_eq!(mail.subject(), "people: 12 Änderungen");
    assert_eq!(mail.headers("from"), ["Bridge <bridge@acme.example>"]);
    assert_eq!(mail.headers("auto-submitted"), ["auto-generated"]);
    assert_eq!(mail.raw()["type"], "multipart/alternative");
    assert_eq!(mail.raw()["defects"], json!([]));
    let counts = &done["counts"];
    for (words, count) in [
        ("Gelesen", "read"),
        ("Neu angelegt", "create"),
        ("Geändert", "update"),
        ("Deaktiviert", "disable"),
    ] {
        let line = format!("{words}: {}", counts[count]);
        assert!(mail.text().contains(&line), "{line} in {}", mail.text());
        assert!(mail.html().contains(&line), "{line} in {}", mail.html());
    }
    assert!(mail.text().contains(done["id"].as_str().unwrap()));

    // A run without changes is not worth a mail, unless somebody wants it.
    run(&bridge, &company).await;
    assert_eq!(server.mails().len(), 1);
    let always = json!({ "owner": "new@acme.example", "summary": "always" });
    published(&bridge, &told(&always)).await;
    run(&bridge, &company).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[1].to(), "new@acme.example", "another owner took over");
    assert_eq!(mails[1].subject(), "people: no changes");

    let never = json!({ "owner": "new@acme.example", "summary": "never" });
    published(&bridge, &told(&never)).await;
    company.row("3").title = "Lead".to_owned();
    run(&bridge, &company).await;
    assert_eq!(server.mails().len(), 2);
    // The events are there all the same, each once.
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM event WHERE kind = 'run_done'")
            .await,
        4
    );
    let ids: Vec<String> = mails
        .iter()
        .map(|mail| mail.headers("message-id")[0].to_owned())
        .collect();
    assert_ne!(ids[0], ids[1]);
}

/// A plan that waits is told, and told again to further people when nobody acts.
#[tokio::test]
async fn a_plan_that_waits_is_told_and_told_again_when_nobody_acts() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let notify = json!({
        "owner": "owner@acme.example", "escalate_after": "4h", "escalate_to": ["boss@acme.example"],
    });
    published(&bridge, &told(&notify)).await;
    let company = Company::of(40);
    run(&bridge, &company).await;
    let mut half = company.clone();
    for id in 5..=40 {
        half.row(&id.to_string()).status = String::new();
    }
    let waiting = run(&bridge, &half).await;
    assert_eq!(waiting["state"], "awaiting_approval");
    let subject = "people needs your approval";
    let of = |address: &str, subject: &str| -> usize {
        let mails = server.mails_to(address);
        mails.iter().filter(|mail| mail.subject() == subject).count()
    };
    assert_eq!(of("owner@acme.example", subject), 1);
    assert_eq!(server.mails_to("boss@acme.example").len(), 0);
    bridge.clock.advance(TimeDelta::hours(3));
    bridge.drain().await;
    assert_eq!(server.mails_to("boss@acme.example").len(), 0);
    bridge.clock.advance(TimeDelta::hours(2));
    bridge.drain().await;
    assert_eq!(
        of("boss@acme.example", "Still waiting: people needs your approval"),
        1
    );

    // Decided in time, nobody is reminded.
    let rejected = format!("/api/v1/runs/{}/reject", waiting["id"].as_str().unwrap());
    bridge.post(&rejected, &json!({})).await;
    let waiting = run(&bridge, &half).await;
    assert_eq!(waiting["state"], "awaiting_approval");
    let rejected = format!("/api/v1/runs/{}/reject", waiting["id"].as_str().unwrap());
    bridge.post(&rejected, &json!({})).await;
    bridge.clock.advance(TimeDelta::hours(5));
    bridge.drain().await;
    assert_eq!(server.mails_to("boss@acme.example").len(), 1);
    let withdrawn = "SELECT count(*) FROM message WHERE state = 'withdrawn'";
    assert_eq!(bridge.count(withdrawn).await, 1);
}
