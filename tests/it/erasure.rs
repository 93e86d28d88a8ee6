//! A person exported and erased: everything is told, and nothing of it stays.

use reqwest::Method;
use scim_bridge::privacy::{FREE, PLACES};
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, answer, dump, found_in, with_json};
use crate::push::{StubApp, command_line, file, patch, publish};
use crate::sync_kit::{Company, Row, connected, connection_file, done, person, run_again, user};

const CANARIES: [&str; 8] = [
    "Zenobia",
    "Quintfeather",
    "zenobia@acme.example",
    "z.quintfeather@acme.example",
    "Chief Basketweaver",
    "ZQ-0815",
    "Zenobiaville",
    "zq-old@acme.example",
];

/// Where in a dump they stand.
fn lines_with(dump: &str, texts: &[&str]) -> String {
    let held = |line: &&str| !found_in(line, texts).is_empty();
    dump.lines().filter(held).take(5).collect::<Vec<_>>().join("\n")
}

fn zenobia() -> Row {
    Row {
        id: "77".to_owned(),
        number: "ZQ-0815".to_owned(),
        given: "Zenobia".to_owned(),
        family: "Quintfeather".to_owned(),
        email: "zenobia@acme.example".to_owned(),
        title: "Chief Basketweaver".to_owned(),
        department: "Dept 0".to_owned(),
        manager: "1".to_owned(),
        status: "Current".to_owned(),
        first_day: "2020-01-01".to_owned(),
        last_day: String::new(),
    }
}

/// A company in which Zenobia is somebody's manager, was renamed, has an account with a history of refusals, holds and notes.
pub(crate) async fn lived(bridge: &Bridge, app: &StubApp) -> (Company, String) {
    let mut company = Company::of(3);
    company.add(zenobia());
    company.row("2").manager = "77".to_owned();
    done(bridge, &company).await;
    let held = json!({ "mapping": { "nickName": { "policy": "hold" },
                                    "profileUrl": { "from": "user.manager.displayName" } } });
    publish(bridge, &file("expenses", &app.stub.base_url, &held)).await;
    bridge.drain().await;
    company.row("77").email = "z.quintfeather@acme.example".to_owned();
    done(bridge, &company).await;
    let id = user(bridge, "z.quintfeather@acme.example").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/scim/v2/Users/{id}");
    patch(
        bridge,
        &path,
        &json!([{ "op": "add", "path": "nickName", "value": "Zenobiaville" }]),
    )
    .await;
    bridge.drain().await;
    let words = "no account zq-old@acme.example: z.quintfeather@acme.example is taken";
    app.stub.rule(move |request| {
        let refused = request.method == "PATCH" && String::from_utf8_lossy(&request.body).contains("Refuse");
        refused.then(|| Answer::json(400, &json!({ "detail": words })))
    });
    patch(
        bridge,
        &path,
        &json!([{ "op": "replace", "path": "nickName", "value": "Zenobiaville Refuse" },
                                 { "op": "replace", "path": "title", "value": "Refuse" }]),
    )
    .await;
    bridge.drain().await;
    let order = json!({ "reason": "Zenobia Quintfeather asked for it" });
    bridge.post(&format!("/api/v1/users/{id}/suspend"), &order).await;
    bridge.drain().await;
    (company, id)
}

/// Covers: item 9
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_exported_and_erased_without_a_trace_and_the_log_still_verifies() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    let (mut company, id) = lived(&bridge, &app).await;
    let before = dump(bridge.database_url()).await;
    assert!(
        found_in(&before, &CANARIES).len() >= 7,
        "{:?}",
        found_in(&before, &CANARIES)
    );

    // The export tells all of it.
    let out = std::env::temp_dir().join(format!("scim-bridge-export-{}", uuid::Uuid::now_v7()));
    let path = out.to_str().unwrap();
    let ran = command_line::run(&bridge, &["person", "export", "ZQ-0815", "--out", path]).await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let all: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    std::fs::remove_file(&out).unwrap();
    for place in [
        "records",
        "user",
        "history",
        "run_outcomes",
        "accounts",
        "account_states",
        "operations",
        "attempts",
        "plan_items",
        "audit",
        "memberships",
        "person",
    ] {
        let rows = all["held"][place]
            .as_array()
            .unwrap_or_else(|| panic!("no {place}"));
        assert!(place == "run_outcomes" || !rows.is_empty(), "{place} is empty");
    }
    assert_eq!(
        all["held"]["records"][0]["employee"]["title"],
        "Chief Basketweaver"
    );

    // A wrong name erases nobody.
    let erase = format!("/api/v1/people/{id}/erase");
    let wrong = json!({ "user_name": "somebody@acme.example" });
    let (status, _) = answer(with_json(bridge.request(Method::POST, &erase), &wrong)).await;
    assert_eq!(status, 422);
    let viewer = bridge
        .make_token(
            bridge.tenant,
            "viewer",
            &[scim_bridge::access::Scope::ProvisioningRead],
        )
        .await;
    let (status, _) = answer(with_json(
        bridge.request_as(&viewer, Method::POST, &erase),
        &wrong,
    ))
    .await;
    assert_eq!(status, 403);
    assert!(!user(&bridge, "z.quintfeather@acme.example").await.is_null());

    // Apps are told first, then everything goes by itself.
    app.stub.take_received();
    let receipt = command_line::json_of(&bridge, &["person", "erase", &id, "--yes", "--json"]).await;
    assert_eq!(receipt["done"], false, "{receipt}");
    assert!(receipt["accounts_waiting"].as_i64().unwrap() > 0);
    bridge.drain().await;
    let told = app.named("z.quintfeather@acme.example");
    assert_eq!(told["active"], false, "the app was told before: {told}");
    let erasures = bridge.get("/api/v1/erasures").await;
    assert_eq!(erasures["items"][0]["state"], "done", "{erasures}");
    assert_eq!(erasures["items"][0]["rows"]["accounts"], 1);
    let after = dump(bridge.database_url()).await;
    assert_eq!(
        found_in(&after, &CANARIES),
        [""; 0],
        "{}",
        lines_with(&after, &CANARIES)
    );
    let verified = command_line::json_of(&bridge, &["log", "verify", "--json"]).await;
    assert_eq!(verified["whole"], true, "{verified}");
    assert!(verified["without_content"].as_i64().unwrap() > 0);
    let noted = "SELECT count(*) FROM audit_entry WHERE action IN ('person.erase', 'person.erase.ask')";
    assert_eq!(bridge.count(noted).await, 2);
    for path in [
        format!("/api/v1/users/{id}/explain"),
        format!("/api/v1/people/{id}/export"),
    ] {
        let (status, body) = answer(bridge.request(Method::GET, &path)).await;
        assert!(status == 404, "{path} {body}");
    }

    // HR still has the record: no run makes the person anew, nor keeps anything of it. Others are as they were.
    company.row("77").title = "Chief Basketweaver again".to_owned();
    company.row("2").manager = "1".to_owned();
    company.row("3").title = "Promoted".to_owned();
    done(&bridge, &company).await;
    run_again(&bridge, false).await;
    assert!(user(&bridge, "z.quintfeather@acme.example").await.is_null());
    assert_eq!(person(&bridge, 3).await["title"], "Promoted");
    assert_eq!(found_in(&dump(bridge.database_url()).await, &CANARIES), [""; 0]);
}

/// Covers: item 9
#[tokio::test]
async fn an_erase_leaves_or_deletes_accounts_as_asked_and_people_without_a_user_go_too() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    let company = Company::of(5);
    done(&bridge, &company).await;
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let erase = async |n: usize, accounts: &str| {
        let found = person(&bridge, n).await;
        let path = format!("/api/v1/people/{}/erase", found["id"].as_str().unwrap());
        let receipt = bridge
            .post(
                &path,
                &json!({ "user_name": found["userName"], "accounts": accounts }),
            )
            .await;
        bridge.drain().await;
        receipt
    };
    app.stub.take_received();
    let receipt = erase(3, "leave").await;
    assert_eq!(
        (&receipt["accounts_waiting"], &receipt["accounts_left"]),
        (&json!(0), &json!(1)),
        "{receipt}"
    );
    let erased = &bridge.get("/api/v1/erasures").await["items"][0];
    assert_eq!(
        (&erased["state"], &erased["left_in"][0]["app"]),
        (&json!("done"), &json!("expenses")),
        "{erased}"
    );
    assert!(
        app.stub
            .take_received()
            .iter()
            .all(|request| request.method == "GET")
    );
    assert_eq!(app.all("Users").len(), 5);
    let receipt = erase(4, "delete").await;
    assert_eq!(receipt["done"], false, "{receipt}");
    let sent: Vec<String> = app
        .stub
        .take_received()
        .iter()
        .map(|request| request.method.clone())
        .collect();
    assert!(sent.contains(&"DELETE".to_owned()), "{sent:?}");
    assert_eq!(app.all("Users").len(), 4);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM erasure WHERE state = 'done'")
            .await,
        2
    );
    assert_eq!(bridge.count("SELECT count(*) FROM account_wipe").await, 0);
    let verified = bridge.get("/api/v1/log/verify").await;
    assert_eq!(verified["whole"], true, "{verified}");

    // A user that no HR system knows.
    let made = crate::push::user(
        &bridge,
        "loner@acme.example",
        &json!({ "displayName": "Lonerina Canary" }),
    )
    .await;
    bridge.drain().await;
    let path = format!("/api/v1/people/{made}/erase");
    bridge
        .post(
            &path,
            &json!({ "user_name": "loner@acme.example", "accounts": "leave" }),
        )
        .await;
    bridge.drain().await;
    let left = dump(bridge.database_url()).await;
    assert_eq!(
        found_in(&left, &["loner@acme.example", "Lonerina Canary"]),
        [""; 0]
    );
}

/// Covers: item 9
#[tokio::test]
async fn a_tampered_log_is_found() {
    let bridge = connected(&connection_file()).await;
    done(&bridge, &Company::of(3)).await;
    assert_eq!(bridge.get("/api/v1/log/verify").await["whole"], true);
    let rows = bridge.rows().await;
    let first = "(SELECT id FROM change ORDER BY id OFFSET 1 LIMIT 1)";
    rows.execute(
        &format!(
            "UPDATE change SET delta = jsonb_set(delta, '{{0,after}}', '\"Mallory\"') WHERE id = {first}"
        ),
        &[],
    )
    .await
    .unwrap();
    let body = bridge.get("/api/v1/log/verify").await;
    assert_eq!(
        (&body["whole"], &body["broken_at"]),
        (&json!(false), &json!(2)),
        "{body}"
    );
    assert!(body["because"].as_str().unwrap().contains("content"));
    rows.execute(&format!("DELETE FROM change WHERE id = {first}"), &[])
        .await
        .unwrap();
    let body = bridge.get("/api/v1/log/verify").await;
    assert_eq!(
        (&body["whole"], &body["broken_at"]),
        (&json!(false), &json!(2)),
        "{body}"
    );
}

/// A new table is among the places of an erase, or among those that hold nothing of people: nobody can forget it.
#[tokio::test]
async fn every_table_is_a_place_of_the_erase_or_holds_nothing_of_people() {
    let bridge = Bridge::spawn().await;
    let rows = bridge
        .rows()
        .await
        .query(
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let known = |table: &str| {
        PLACES.iter().any(|place| place.table == table) || FREE.iter().any(|(free, _)| *free == table)
    };
    let unknown: Vec<String> = rows
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|table| !known(table))
        .collect();
    assert!(
        unknown.is_empty(),
        "name these in src/privacy/places: with how they are read and emptied, or among FREE: {unknown:?}"
    );
}
