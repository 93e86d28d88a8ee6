//! Reads of what changed, between complete reads.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Settings, Stub, good, with_json};

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
[employees.changes]
query = { since = "{{ since }}" }
[employees.map]
source_id = "/id"
given_name = "/given"
family_name = "/family"
work_email = "/email"
title = "/title"
status = { at = "/state", words = { on = "active", off = "left" } }
"#;

struct Acme {
    bridge: Bridge,
    hr: Stub,
    /// What the HR system answers when it is asked for changes, and for everybody.
    answers: Arc<Mutex<(Answer, Answer)>>,
}

fn person(id: u32, title: &str, state: &str) -> Value {
    json!({"id": id, "given": format!("G{id}"), "family": format!("F{id}"), "email": format!("p{id}@acme.example"),
           "title": title, "state": state})
}

fn people(all: &[Value]) -> Answer {
    Answer::json(200, &json!({ "data": all })).header("date", "Tue, 01 Dec 2026 07:59:00 GMT")
}

impl Acme {
    /// Four people, read once when the connection is published.
    async fn published() -> Self {
        let folder = std::env::temp_dir().join(format!("scim-bridge-changes-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("acme.toml"), ACME).unwrap();
        let settings = Settings {
            environment: vec![("SCIM_BRIDGE_CONNECTORS_DIR", folder.display().to_string())],
            ..Settings::default()
        };
        let bridge = Bridge::spawn_with(settings).await;
        std::fs::remove_dir_all(&folder).unwrap();
        let hr = Stub::start().await;
        let everybody: Vec<Value> = (1..=4).map(|id| person(id, "Engineer", "on")).collect();
        let answers = Arc::new(Mutex::new((people(&[]), people(&everybody))));
        let told = Arc::clone(&answers);
        hr.rule(move |request| {
            let (changes, all) = told.lock().unwrap().clone();
            Some(if request.param("since").is_some() {
                changes
            } else {
                all
            })
        });
        let file = json!({"name": "people", "connector": "acme", "settings": {"base_url": hr.base_url},
            "schedule": {"every": "1h"}});
        let put = bridge.request(Method::PUT, "/api/v1/connections/people?publish=true");
        good(with_json(put, &file)).await;
        bridge.drain().await;
        let acme = Self { bridge, hr, answers };
        assert_eq!(acme.last_run().await["coverage"]["complete"], true);
        assert_eq!(acme.hr.take_received().len(), 1);
        acme
    }

    fn answer(&self, changes: Answer, all: Answer) {
        *self.answers.lock().unwrap() = (changes, all);
    }

    /// The next scheduled run, and what the HR system was asked.
    async fn at(&self, time: &str) -> (Value, Vec<Option<String>>) {
        self.bridge.clock.set(time);
        self.bridge.drain().await;
        let asked = self.hr.take_received();
        (
            self.last_run().await,
            asked.iter().map(|request| request.param("since")).collect(),
        )
    }

    async fn last_run(&self) -> Value {
        self.bridge.get("/api/v1/runs").await["items"][0].clone()
    }

    async fn is_active(&self, id: u32) -> Value {
        let path = format!("/api/v1/users?source_id={id}");
        self.bridge.get(&path).await["items"][0]["active"].clone()
    }
}

#[tokio::test]
async fn a_scheduled_run_asks_for_changes_alone_and_only_a_complete_read_proves_that_somebody_is_gone() {
    let acme = Acme::published().await;
    // Changes since the server's own time at the last read, less ten minutes. Those who are not in it have not left.
    acme.answer(
        people(&[person(2, "Lead", "on"), person(3, "Engineer", "off")]),
        Answer::status(500),
    );
    let (run, asked) = acme.at("2026-12-01T09:00:20Z").await;
    assert_eq!(asked, [Some("2026-12-01T07:49:00Z".to_owned())]);
    assert_eq!(
        (&run["state"], &run["counts"]["read"]),
        (&json!("done"), &json!(2)),
        "{run}"
    );
    assert_eq!(run["coverage"]["changes_since"], "2026-12-01T07:59:00Z");
    assert_eq!(run["coverage"]["complete"], Value::Null);
    // Whom the HR system names as left has left; whom it does not name has not.
    let active: Vec<Value> = vec![
        acme.is_active(1).await,
        acme.is_active(2).await,
        acme.is_active(3).await,
    ];
    assert_eq!(active, [json!(true), json!(true), json!(false)]);

    // A day after the complete read everybody is read, and now absence proves something.
    let left = [
        person(1, "Engineer", "on"),
        person(2, "Lead", "on"),
        person(3, "Engineer", "off"),
    ];
    acme.answer(Answer::status(500), people(&left));
    let (run, asked) = acme.at("2026-12-02T08:30:00Z").await;
    assert_eq!(
        (asked, &run["coverage"]["complete"]),
        (vec![None], &json!(true)),
        "{run}"
    );
    assert_eq!(run["counts"]["missing"], 1, "{run}");
}

#[tokio::test]
async fn what_was_kept_counts_only_after_the_run_and_when_it_is_too_old_everybody_is_read() {
    let acme = Acme::published().await;
    // The read of changes fails: the next one asks from the same moment.
    acme.answer(Answer::status(403), Answer::status(500));
    let (run, asked) = acme.at("2026-12-01T09:00:20Z").await;
    assert_eq!((asked.len(), &run["state"]), (1, &json!("failed")), "{run}");
    acme.answer(
        people(&[]).header("date", "Tue, 01 Dec 2026 10:00:00 GMT"),
        Answer::status(500),
    );
    let (run, asked) = acme.at("2026-12-01T10:00:20Z").await;
    assert_eq!(
        (asked, &run["state"]),
        (vec![Some("2026-12-01T07:49:00Z".to_owned())], &json!("done")),
        "{run}"
    );
    // The HR system no longer knows: the same run reads everybody.
    let everybody: Vec<Value> = (1..=4).map(|id| person(id, "Engineer", "on")).collect();
    acme.answer(Answer::status(410), people(&everybody));
    let (run, asked) = acme.at("2026-12-01T11:00:20Z").await;
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (&run["coverage"]["complete"], &run["state"]),
        (&json!(true), &json!("done")),
        "{run}"
    );
    // By hand everybody is read.
    acme.bridge
        .post("/api/v1/connections/people/runs", &json!({}))
        .await;
    acme.bridge.drain().await;
    assert_eq!(acme.hr.take_received()[0].param("since"), None);
}
