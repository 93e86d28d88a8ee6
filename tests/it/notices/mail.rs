//! How mails are tried, refused and never doubled.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::bridge_with;
use crate::kit::{Bridge, MailServer};
use crate::sync_process::Program;

/// Raises a welcome for an address, as a delivery does.
pub(super) async fn welcome(bridge: &Bridge, to: &str) {
    let detail = json!({ "to": to, "name": "Ada", "user_name": "ada", "language": "nl" });
    let sql = "INSERT INTO event (tenant_id, id, kind, key, at, ready_at, detail)
               SELECT id, $1, 'welcome', $2, $3, $3, $4 FROM tenant";
    let rows = bridge.rows().await;
    let key = Uuid::now_v7();
    rows.execute(sql, &[&key, &key.to_string(), &bridge.clock.now(), &detail])
        .await
        .unwrap();
}

pub(super) async fn states(bridge: &Bridge) -> Vec<(String, String, String)> {
    let rows = bridge.rows().await;
    rows.query("SELECT address, state, detail FROM message ORDER BY address", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn a_mail_is_tried_again_until_it_is_taken_and_never_sent_twice() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let everybody = [
        "busy-a@acme.example",
        "drop-b@acme.example",
        "full-c@acme.example",
        "jürgen@acme.example",
        "plain-d@acme.example",
        "unknown-e@acme.example",
        "no address",
    ];
    for to in everybody {
        welcome(&bridge, to).await;
    }
    bridge.drain().await;
    let now: Vec<(String, String)> = states(&bridge)
        .await
        .into_iter()
        .map(|(to, state, _)| (to, state))
        .collect();
    let expected = [
        ("busy-a@acme.example", "waiting"),
        ("drop-b@acme.example", "unknown"),
        ("full-c@acme.example", "failed"),
        ("jürgen@acme.example", "sent"),
        ("no address", "failed"),
        ("plain-d@acme.example", "sent"),
        ("unknown-e@acme.example", "failed"),
    ];
    assert_eq!(now, expected.map(|(to, state)| (to.to_owned(), state.to_owned())));
    for _ in 0..5 {
        bridge.clock.advance(TimeDelta::hours(2));
        bridge.drain().await;
    }
    let now = states(&bridge).await;
    assert_eq!(now[0].1, "sent", "{now:?}");
    assert_eq!(
        now[1].1, "unknown",
        "nobody knows, so it is not sent again: {now:?}"
    );
    // The server's words are kept, whose address it was is not said twice.
    assert!(
        now[6].2.contains("nobody of that name") && !now[6].2.contains('@'),
        "{now:?}"
    );
    let mails = server.mails();
    let mut to: Vec<&str> = mails.iter().map(crate::kit::Mail::to).collect();
    to.sort_unstable();
    assert_eq!(
        to,
        [
            "busy-a@acme.example",
            "drop-b@acme.example",
            "jürgen@acme.example",
            "plain-d@acme.example"
        ]
    );
    assert!(
        mails.iter().all(|mail| mail.text().starts_with("Hallo Ada,")),
        "{mails:?}"
    );
}

#[tokio::test]
async fn without_a_mail_server_mails_are_kept_and_none_is_sent_later_by_itself() {
    let Some(server) = MailServer::start() else { return };
    let bridge = Bridge::spawn().await;
    welcome(&bridge, "ada@acme.example").await;
    bridge.drain().await;
    assert_eq!(states(&bridge).await[0].1, "unsent");
    assert!(server.mails().is_empty());
}

/// The program is killed while the mail server has the text and has not answered.
#[tokio::test]
async fn a_server_killed_while_it_hands_a_mail_over_sends_no_second_copy() {
    let Some(server) = MailServer::start() else { return };
    let mut program = Program::new().await;
    program
        .environment
        .push(("SCIM_BRIDGE_SMTP_URL", server.url.clone()));
    let database = crate::kit::client(&program.database.url).await;
    let raise = |to: &'static str, kind: &'static str| {
        let detail = json!({ "to": to, "name": "Ada", "user_name": "ada", "since": "2026-11-20" });
        let key = Uuid::now_v7();
        let database = &database;
        async move {
            let sql = "INSERT INTO event (tenant_id, id, kind, key, at, ready_at, detail)
                       SELECT id, $1, $3, $2, now(), now(), $4 FROM tenant";
            database
                .execute(sql, &[&key, &key.to_string(), &kind, &detail])
                .await
                .unwrap();
        }
    };
    raise("stall-ada@acme.example", "welcome").await;
    let mut running = program.serve().await;
    let taken = async {
        while server.mails().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), taken)
        .await
        .expect("the mail is handed over");
    running.kill().await.unwrap();
    assert_eq!(
        program
            .count("SELECT count(*) FROM message WHERE state = 'handing'")
            .await,
        1
    );

    // Another one, whose connection was open when the program was killed, had handed nothing over.
    raise("bob@acme.example", "welcome").await;
    let lapse = "UPDATE message SET lease_until = now() - interval '1 s'";
    database.batch_execute(lapse).await.unwrap();
    let mut running = program.serve().await;
    let settled = "SELECT count(*) FROM message WHERE state IN ('unknown', 'sent')";
    program.until(settled, 2).await;
    running.kill().await.unwrap();
    let unknown = "SELECT count(*) FROM message WHERE state = 'unknown' AND address LIKE 'stall-%'";
    assert_eq!(program.count(unknown).await, 1, "it is shown, not repeated");
    assert_eq!(
        server.mails_to("stall-ada@acme.example").len(),
        1,
        "no second copy"
    );
    assert_eq!(server.mails_to("bob@acme.example").len(), 1);
}
