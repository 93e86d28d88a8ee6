//! What an erase does not do: take from others, forget accounts that are open, hold up other erasures, or let a person come
//! back.

use std::sync::{Arc, Mutex, mpsc};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Settings, Stub, answer, dump, found_in, good, with_json};
use crate::push::{StubApp, command_line, file, patch, publish};
use crate::sync_kit::{Company, Row, active_users, connected, connection_file, done, person, run, user};

fn id_of(user: &Value) -> String {
    user["id"].as_str().expect("there is such a user").to_owned()
}

/// Asks for the erasure of a user; the receipt.
async fn ask(bridge: &Bridge, user: &Value, accounts: &str) -> Value {
    let path = format!("/api/v1/people/{}/erase", id_of(user));
    let order = json!({ "user_name": user["userName"], "accounts": accounts });
    bridge.post(&path, &order).await
}

async fn erasures(bridge: &Bridge) -> Vec<Value> {
    let list = bridge.get("/api/v1/erasures").await;
    list["items"].as_array().unwrap().clone()
}

fn neighbour(id: &str, number: &str, email: &str) -> Row {
    Row {
        id: id.to_owned(),
        number: number.to_owned(),
        given: "Peter".to_owned(),
        family: "Sales".to_owned(),
        email: email.to_owned(),
        title: "Engineer".to_owned(),
        department: "Dept 0".to_owned(),
        manager: "1".to_owned(),
        status: "Current".to_owned(),
        first_day: "2020-01-01".to_owned(),
        last_day: String::new(),
    }
}

/// Covers: item 9
#[tokio::test]
async fn an_erase_takes_nothing_from_people_whose_values_only_contain_the_persons() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    company.add(neighbour("77", "10001", "peter@acme.example"));
    // A namesake with a number, an address and a title that contain the other's.
    company.add(neighbour("78", "100012", "hans.peter@acme.example"));
    done(&bridge, &company).await;
    for title in ["Room 10001", "Desk of hans.peter@acme.example"] {
        bridge.clock.advance(TimeDelta::days(1));
        company.row("78").title = title.to_owned();
        done(&bridge, &company).await;
    }
    // What both have of where they work, and say of themselves.
    for name in ["peter@acme.example", "hans.peter@acme.example"] {
        let path = format!("/scim/v2/Users/{}", id_of(&user(&bridge, name).await));
        let shared = json!([
            { "op": "add", "path": "addresses", "value": [{ "type": "work", "formatted": "1 Main Street, Springfield" }] },
            { "op": "add", "path": "profileUrl", "value": "https://people.example/@acme" },
        ]);
        patch(&bridge, &path, &shared).await;
    }
    bridge.drain().await;
    bridge.clock.advance(TimeDelta::days(1));
    // A plan waits: half of them leave, and their titles contain the number.
    for n in (2..=20).step_by(2) {
        let row = company.row(&n.to_string());
        row.status = String::new();
        row.last_day = "2020-11-20".to_owned();
        row.title = format!("Room 10001{n}");
    }
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    let namesake = user(&bridge, "hans.peter@acme.example").await;
    let then = (bridge.clock.now() - TimeDelta::hours(36)).format("%Y-%m-%dT%H:%M:%SZ");
    let past = format!("/api/v1/users/{}?at={then}", id_of(&namesake));
    let (before, emptied) = (
        bridge.get(&past).await,
        "SELECT count(*) FROM change WHERE delta IS NULL",
    );
    assert_eq!(before["attributes"]["title"], "Room 10001", "{before}");
    let items = format!(
        "/api/v1/plans/{}/items?limit=1000",
        waiting["plan"].as_str().unwrap()
    );
    let planned = bridge.get(&items).await;

    let victim = user(&bridge, "peter@acme.example").await;
    ask(&bridge, &victim, "leave").await;
    bridge.drain().await;
    assert_eq!(erasures(&bridge).await[0]["state"], "done");
    assert!(user(&bridge, "peter@acme.example").await.is_null());
    let own = format!("{emptied} AND resource_id = '{}'", id_of(&victim));
    assert!(bridge.count(&own).await > 0);
    assert_eq!(
        bridge.count(emptied).await,
        bridge.count(&own).await,
        "only its own"
    );
    assert_eq!(bridge.get(&past).await, before);
    assert_eq!(bridge.get(&items).await, planned, "no item of others was touched");
    let approve = format!("/api/v1/runs/{}/approve", waiting["id"].as_str().unwrap());
    let (status, said) = answer(with_json(bridge.request(Method::POST, &approve), &json!({}))).await;
    assert_eq!(status, 202, "{said}");
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 11, "every planned leaver left");
    let log = bridge.get("/api/v1/log/verify").await;
    assert_eq!(
        (&log["whole"], &log["partly_erased"]),
        (&json!(true), &json!(0)),
        "{log}"
    );
}

/// Covers: item 9
#[tokio::test]
async fn an_erase_waits_for_apps_that_are_paused_or_refuse_says_so_and_goes_on_when_told_to_leave() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    done(&bridge, &Company::of(6)).await;
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    bridge.post("/api/v1/apps/expenses/pause", &json!({})).await;
    let two = person(&bridge, 2).await;
    let receipt = ask(&bridge, &two, "disable").await;
    assert_eq!(receipt["done"], false, "{receipt}");
    for _ in 0..2 {
        bridge.drain().await;
        let waits = &erasures(&bridge).await[0];
        assert_eq!(waits["state"], "waiting", "{waits}");
        assert_eq!(
            (&waits["waits_for"][0]["app"], &waits["waits_for"][0]["mode"]),
            (&json!("expenses"), &json!("paused")),
            "{waits}"
        );
        bridge.clock.advance(TimeDelta::days(8));
    }
    let late = "SELECT count(*) FROM event WHERE kind = 'leaver_not_disabled' AND key LIKE 'erasure/%'";
    bridge.drain().await;
    assert_eq!(bridge.count(late).await, 1, "somebody is told once");
    bridge.post("/api/v1/apps/expenses/publish", &json!({})).await;
    bridge.drain().await;
    assert_eq!(erasures(&bridge).await[0]["state"], "done");
    assert_eq!(app.named("person2@acme.example")["active"], false);

    // The app refuses for good: nothing is forgotten, until somebody says that the account is to be left.
    app.stub
        .rule(|request| (request.method == "PATCH").then(|| Answer::status(403)));
    let three = person(&bridge, 3).await;
    ask(&bridge, &three, "disable").await;
    bridge.drain().await;
    let waits = &erasures(&bridge).await[0];
    assert_eq!(
        (&waits["state"], &waits["waits_for"][0]["state"]),
        (&json!("waiting"), &json!("parked")),
        "{waits}"
    );
    let id = id_of(&three);
    let again = ["person", "erase", &id, "--accounts", "leave", "--yes", "--json"];
    command_line::json_of(&bridge, &again).await;
    bridge.drain().await;
    let all = erasures(&bridge).await;
    assert_eq!(all.len(), 2, "the order was changed, no second one made: {all:?}");
    assert_eq!(
        (
            &all[0]["state"],
            &all[0]["accounts_left"],
            &all[0]["left_in"][0]["app"]
        ),
        (&json!("done"), &json!(1), &json!("expenses")),
        "{all:?}"
    );
    assert_eq!(app.named("person3@acme.example")["active"], true);
    let left = dump(bridge.database_url()).await;
    assert_eq!(
        found_in(&left, &["person2@acme.example", "person3@acme.example"]),
        [""; 0]
    );
}

/// Covers: item 9
#[tokio::test]
async fn accounts_of_users_deleted_earlier_are_deleted_too_and_protected_ones_never() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    done(&bridge, &Company::of(6)).await;
    let protect = json!({ "protect": { "accounts": ["person4@acme.example"] } });
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let three = person(&bridge, 3).await;
    let path = format!("/scim/v2/Users/{}", id_of(&three));
    assert_eq!(answer(bridge.request(Method::DELETE, &path)).await.0, 204);
    bridge.drain().await;
    assert_eq!(app.named("person3@acme.example")["active"], false);
    let erase = format!("/api/v1/people/{}/erase", id_of(&three));
    bridge.post(&erase, &json!({ "accounts": "delete" })).await;
    bridge.drain().await;
    assert_eq!(erasures(&bridge).await[0]["state"], "done");
    assert!(
        app.named("person3@acme.example").is_null(),
        "deleted by the id it had"
    );

    publish(&bridge, &file("expenses", &app.stub.base_url, &protect)).await;
    bridge.drain().await;
    let four = person(&bridge, 4).await;
    ask(&bridge, &four, "delete").await;
    bridge.drain().await;
    let all = erasures(&bridge).await;
    assert_eq!(
        (&all[0]["state"], &all[0]["accounts_left"]),
        (&json!("done"), &json!(1)),
        "{all:?}"
    );
    assert_eq!(
        app.named("person4@acme.example")["active"],
        true,
        "a protected account"
    );
}

/// Covers: item 9
#[tokio::test]
async fn who_left_is_kept_while_an_account_is_open() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    let mut company = Company::of(6);
    bridge.clock.set("2026-01-01T08:00:00Z");
    done(&bridge, &company).await;
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let refused = Arc::new(Mutex::new(true));
    let refuses = Arc::clone(&refused);
    app.stub.rule(move |request| {
        (request.method == "PATCH" && *refuses.lock().unwrap()).then(|| Answer::status(403))
    });
    company.row("4").status = String::new();
    company.row("4").last_day = "2026-01-04".to_owned();
    bridge.clock.set("2026-01-06T08:00:00Z");
    done(&bridge, &company).await;
    command_line::json_of(&bridge, &["retention", "set", "left_people=7d", "--json"]).await;
    bridge.clock.advance(TimeDelta::days(40));
    bridge.drain().await;
    assert_eq!(
        person(&bridge, 4).await["active"],
        false,
        "the account is open: nobody is forgotten"
    );
    assert_eq!(app.named("person4@acme.example")["active"], true);

    *refused.lock().unwrap() = false;
    bridge
        .post(
            "/api/v1/bulk",
            &json!({ "action": "retry", "app": "expenses", "state": "parked" }),
        )
        .await;
    bridge.drain().await;
    assert_eq!(app.named("person4@acme.example")["active"], false);
    bridge.clock.advance(TimeDelta::days(2));
    bridge.drain().await;
    assert!(person(&bridge, 4).await.is_null());
}

/// Covers: item 9
#[tokio::test]
async fn erasures_that_wait_hold_up_no_other() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    done(&bridge, &Company::of(24)).await;
    publish(
        &bridge,
        &file(
            "expenses",
            &app.stub.base_url,
            &json!({ "caps": { "disables": { "count": 1000 } } }),
        ),
    )
    .await;
    bridge.drain().await;
    let last = app.named("person24@acme.example")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    app.stub.rule(move |request| {
        (request.method == "PATCH" && !request.path.ends_with(&format!("/{last}")))
            .then(|| Answer::status(403))
    });
    for n in 2..=24 {
        let of = person(&bridge, n).await;
        ask(&bridge, &of, "disable").await;
        bridge.clock.advance(TimeDelta::minutes(1));
    }
    bridge.drain().await;
    let all = erasures(&bridge).await;
    let waiting = all.iter().filter(|one| one["state"] == "waiting").count();
    assert_eq!((&all[0]["state"], waiting), (&json!("done"), 22));
}

const ACME: &str = r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-22"
provable = true
guide = "1. Click."
[employees]
get = "https://api.acme.example/people"
records = "/data"
required = ["source_id", "status"]
[employees.map]
source_id = "/id"
given_name = "/given"
family_name = "/family"
work_email = "/email"
title = "/title"
status = { at = "/state", words = { on = "active", off = "left" } }
"#;

/// Covers: item 9
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_erased_while_a_run_reads_is_not_made_anew() {
    let folder = std::env::temp_dir().join(format!("scim-bridge-erased-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("acme.toml"), ACME).unwrap();
    let settings = Settings {
        environment: vec![("SCIM_BRIDGE_CONNECTORS_DIR", folder.display().to_string())],
        ..Settings::default()
    };
    let bridge = Arc::new(Bridge::spawn_with(settings).await);
    std::fs::remove_dir_all(&folder).unwrap();
    let hr = Stub::start().await;
    let (asked, is_asked) = mpsc::channel::<()>();
    let (release, is_released) = mpsc::channel::<()>();
    let gate = Mutex::new((asked, is_released, 0));
    hr.rule(move |_| {
        let mut gate = gate.lock().unwrap();
        gate.2 += 1;
        if gate.2 == 2 {
            gate.0.send(()).unwrap();
            gate.1.recv().unwrap();
        }
        let one = |n: u32| {
            json!({ "id": n, "given": format!("Given{n}"), "family": format!("Zuckmayer{n}"), "state": "on",
                    "email": format!("person{n}@acme.example"), "title": format!("Title {}", gate.2) })
        };
        let all: Vec<Value> = (1..=4).map(one).collect();
        Some(Answer::json(200, &json!({ "data": all })))
    });
    let settings = json!({ "name": "people", "connector": "acme", "settings": { "base_url": hr.base_url },
                           "schedule": { "every": "1h" } });
    let put = bridge.request(Method::PUT, "/api/v1/connections/people?publish=true");
    good(with_json(put, &settings)).await;
    bridge.drain().await;
    let three = person(&bridge, 3).await;

    bridge.clock.advance(TimeDelta::hours(2));
    let reading = tokio::spawn({
        let bridge = Arc::clone(&bridge);
        async move { bridge.drain().await }
    });
    tokio::task::spawn_blocking(move || is_asked.recv().unwrap())
        .await
        .unwrap();
    ask(&bridge, &three, "leave").await;
    bridge.drain().await;
    assert_eq!(erasures(&bridge).await[0]["state"], "done");
    release.send(()).unwrap();
    reading.await.unwrap();
    bridge.drain().await;
    assert!(person(&bridge, 3).await.is_null());
    assert_eq!(person(&bridge, 2).await["title"], "Title 2", "the run went on");
    let left = dump(bridge.database_url()).await;
    assert_eq!(found_in(&left, &["person3@acme.example", "Zuckmayer3"]), [""; 0]);
}

/// A stub app that keeps the next PATCH waiting: what says that it came, and what lets it go on.
fn hold_next_patch(app: &StubApp) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (came, has_come) = mpsc::channel::<()>();
    let (release, is_released) = mpsc::channel::<()>();
    let gate = Mutex::new((came, is_released, true));
    app.stub.rule(move |request| {
        if request.method == "PATCH" {
            let mut gate = gate.lock().unwrap();
            if std::mem::take(&mut gate.2) {
                gate.0.send(()).unwrap();
                gate.1.recv().unwrap();
            }
        }
        None
    });
    (has_come, release)
}

/// Covers: item 9
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_erase_waits_for_a_call_under_way_and_not_for_one_that_nobody_will_end() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    done(&bridge, &Company::of(6)).await;
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let bridge = Arc::new(bridge);
    for (n, pauses) in [(2, false), (3, true)] {
        let of = person(&bridge, n).await;
        let (has_come, release) = hold_next_patch(&app);
        let change = json!([{ "op": "replace", "path": "nickName", "value": "Called" }]);
        patch(&bridge, &format!("/scim/v2/Users/{}", id_of(&of)), &change).await;
        let pushing = tokio::spawn({
            let bridge = Arc::clone(&bridge);
            async move { bridge.drain().await }
        });
        tokio::task::spawn_blocking(move || has_come.recv().unwrap())
            .await
            .unwrap();
        ask(&bridge, &of, "leave").await;
        bridge.drain().await;
        let waits = erasures(&bridge).await[0].clone();
        assert_eq!(
            (&waits["state"], &waits["waits_for"][0]["under_way"]),
            (&json!("waiting"), &json!(true)),
            "{waits}"
        );
        if pauses {
            bridge.post("/api/v1/apps/expenses/pause", &json!({})).await;
            bridge.drain().await;
            assert_eq!(
                erasures(&bridge).await[0]["state"],
                "done",
                "nobody leads that call any more"
            );
        }
        release.send(()).unwrap();
        pushing.await.unwrap();
        bridge.drain().await;
        assert_eq!(erasures(&bridge).await[0]["state"], "done");
        assert_eq!(
            app.named(of["userName"].as_str().unwrap())["active"],
            true,
            "left as it was"
        );
    }
    let left = dump(bridge.database_url()).await;
    assert_eq!(
        found_in(&left, &["person2@acme.example", "person3@acme.example"]),
        [""; 0]
    );
}

/// Covers: item 9
#[tokio::test]
async fn notes_of_who_was_erased_count_at_the_read_and_when_a_plan_is_applied() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    company.add(neighbour("77", "10001", "peter@acme.example"));
    done(&bridge, &company).await;
    let victim = user(&bridge, "peter@acme.example").await;
    ask(&bridge, &victim, "leave").await;
    bridge.drain().await;
    // As an earlier version wrote it, or after the key was changed: the mark is made when it is asked for.
    let rows = bridge.rows().await;
    rows.execute("UPDATE erased_record SET mark = NULL", &[])
        .await
        .unwrap();
    done(&bridge, &company).await;
    assert!(user(&bridge, "peter@acme.example").await.is_null());
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM erased_record WHERE mark IS NOT NULL")
            .await,
        1
    );

    // The note comes while a plan waits that has the record.
    rows.batch_execute("CREATE TABLE aside AS SELECT * FROM erased_record; DELETE FROM erased_record")
        .await
        .unwrap();
    for n in (2..=20).step_by(2) {
        let row = company.row(&n.to_string());
        row.status = String::new();
        row.last_day = "2020-11-20".to_owned();
    }
    let waiting = run(&bridge, &company).await;
    assert_eq!(
        (&waiting["state"], &waiting["counts"]["create"]),
        (&json!("awaiting_approval"), &json!(1)),
        "{waiting}"
    );
    rows.batch_execute("INSERT INTO erased_record SELECT * FROM aside; DROP TABLE aside")
        .await
        .unwrap();
    let approve = format!("/api/v1/runs/{}/approve", waiting["id"].as_str().unwrap());
    let (status, said) = answer(with_json(bridge.request(Method::POST, &approve), &json!({}))).await;
    assert_eq!(status, 202, "{said}");
    bridge.drain().await;
    assert!(user(&bridge, "peter@acme.example").await.is_null());
    assert_eq!(active_users(&bridge).await, 10, "everything else was applied");
    let items = format!(
        "/api/v1/plans/{}/items?state=refused",
        waiting["plan"].as_str().unwrap()
    );
    let refused = bridge.get(&items).await["items"][0].clone();
    assert!(refused["note"].as_str().unwrap().contains("erased"), "{refused}");
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM source_record WHERE source_id = '77'")
            .await,
        0
    );
}
