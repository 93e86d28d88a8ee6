//! The full compare: what somebody else changed in an app is found, reported and, if the settings say so, repaired.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ENTERPRISE, StubApp, file, patch, publish, state, user};
use crate::kit::{Answer, Bridge, Settings, Stub, answer, good, with_json};

/// An HR system that is read over HTTP.
const ACME: &str = r#"[connector]
key = "acme"
name = "Acme People"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "1. Click."

[settings]
api_key = { ask = "Key", secret = true, form = "word" }

[auth]
kind = "bearer"
token = "{{ api_key }}"

[employees]
get = "https://api.acme.example/people"
records = "/data"
required = ["source_id", "status"]

[employees.map]
source_id = "/id"
given_name = "/first"
family_name = "/last"
work_email = "/email"
title = "/title"
status = { at = "/state", words = { on = "active", off = "left" } }
"#;

/// An HR system, the bridge, and an app with everybody in it.
struct World {
    hr: Stub,
    bridge: Bridge,
    app: StubApp,
    titles: BTreeMap<u32, String>,
}

impl World {
    async fn with(people: u32, more: &Value) -> Self {
        let folder = std::env::temp_dir().join(format!("scim-bridge-compare-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("acme.toml"), ACME).unwrap();
        let settings = Settings {
            environment: vec![("SCIM_BRIDGE_CONNECTORS_DIR", folder.display().to_string())],
            ..Settings::default()
        };
        let bridge = Bridge::spawn_with(settings).await;
        std::fs::remove_dir_all(&folder).unwrap();
        let world = Self {
            hr: Stub::start().await,
            bridge,
            app: StubApp::start().await,
            titles: (1..=people).map(|id| (id, "Engineer".to_owned())).collect(),
        };
        world.tell();
        let connection = json!({"name": "people", "connector": "acme",
                                "settings": {"api_key": "k", "base_url": world.hr.base_url}});
        let put = world
            .bridge
            .request(Method::PUT, "/api/v1/connections/people?publish=true");
        good(with_json(put, &connection)).await;
        world.run().await;
        publish(&world.bridge, &file("app", &world.app.stub.base_url, more)).await;
        world.bridge.drain().await;
        assert_eq!(world.app.all("Users").len(), world.titles.len());
        world.app.mutations();
        world
    }

    fn tell(&self) {
        let all: Vec<Value> = self
            .titles
            .iter()
            .map(|(id, title)| {
                json!({"id": id, "first": format!("Given{id}"), "last": format!("Family{id}"),
                       "email": format!("p{id}@acme.example"), "title": title, "state": "on"})
            })
            .collect();
        self.hr
            .on("GET", "/people", Answer::json(200, &json!({ "data": all })));
    }

    async fn run(&self) {
        self.bridge
            .post("/api/v1/connections/people/runs", &json!({}))
            .await;
        self.bridge.drain().await;
    }

    fn path(&self, id: u32) -> String {
        let account = self.app.named(&format!("p{id}@acme.example"));
        format!("/Users/{}", account["id"].as_str().unwrap())
    }

    /// Somebody edits an account in the app by hand.
    fn edit(&self, id: u32, attribute: &str, value: &Value) {
        let path = self.path(id);
        let mut held = self.app.held.lock().unwrap();
        held.resources.get_mut(&path).unwrap()[attribute] = value.clone();
    }

    fn title(&self, id: u32) -> Value {
        self.app.named(&format!("p{id}@acme.example"))["title"].clone()
    }

    /// Has the app compared; what was found.
    async fn compare(&self) -> Value {
        compare(&self.bridge).await
    }

    /// What was sent to HR since this was last asked that is no question.
    fn written_to_hr(&self) -> usize {
        let received = self.hr.take_received();
        assert!(!received.is_empty(), "HR was read");
        received.iter().filter(|request| request.method != "GET").count()
    }
}

async fn compare(bridge: &Bridge) -> Value {
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    let found = bridge.get("/api/v1/apps/app/drift").await;
    assert_eq!(found["compare"]["state"], "done", "{found}");
    found
}

fn repairing() -> Value {
    json!({"reconcile": {"every": "24h", "repair": true}})
}

/// Covers: LEAP-12, LEAP-14, EXP-3, EXP-4, EXP-5, PROB-4
#[tokio::test]
async fn an_edit_by_hand_is_restored_and_reported_and_never_reaches_hr() {
    let mut world = World::with(6, &repairing()).await;
    assert_eq!(
        world.compare().await["items"],
        json!([]),
        "0 differences after a run"
    );
    world.edit(1, "title", &json!("King"));
    world.edit(2, "title", &json!("Boss"));
    world.edit(3, "nickName", &json!("the app's own"));
    // Of the second, HR says by now what the app says.
    world.titles.insert(2, "Boss".to_owned());
    world.tell();
    world.run().await;
    world.app.mutations();
    assert_eq!(world.title(1), "King", "a run looks only at what changed in HR");

    let found = world.compare().await;
    assert_eq!(
        found["compare"]["counts"],
        json!({"accounts": 6, "changed": 1, "vanished": 0, "unknown": 0})
    );
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let one = &found["items"][0];
    assert_eq!(
        (&one["kind"], &one["name"], &one["differences"], &one["repair"]),
        (
            &json!("changed"),
            &json!("p1@acme.example"),
            &json!([{"path": "title", "expected": "Engineer", "found": "King"}]),
            &json!("released"),
        )
    );
    // HR's value is back, with one call; what is equal and what is the app's own is left alone.
    assert_eq!(world.title(1), "Engineer");
    assert_eq!(world.title(2), "Boss");
    assert_eq!(world.app.named("p3@acme.example")["nickName"], "the app's own");
    let sent = world.app.mutations();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(
        sent[0].contains("\"path\":\"title\"") && sent[0].contains("Engineer"),
        "{sent:?}"
    );
    let plan = world
        .bridge
        .get(&format!(
            "/api/v1/plans/{}/items",
            found["compare"]["plan"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        plan["items"][0]["reason"],
        "somebody else changed the account in the app"
    );
    assert_eq!(plan["items"][0]["changes"][0]["old"], "King");
    let verified = "SELECT count(*) FROM account WHERE verified_at IS NOT NULL";
    assert_eq!(world.bridge.count(verified).await, 6);
    assert_eq!(
        world.compare().await["items"],
        json!([]),
        "and then nothing differs"
    );
    // One way: nothing was ever written to HR, and HR's people are as they were.
    assert_eq!(world.written_to_hr(), 0);
    let title = crate::sync_kit::user(&world.bridge, "p1@acme.example").await["title"].clone();
    assert_eq!(title, "Engineer");
}

/// Covers: EXP-5, LEAP-13
#[tokio::test]
async fn what_hr_says_too_is_left_alone_and_a_paused_app_keeps_its_edits() {
    let mut world = World::with(3, &repairing()).await;
    // The app is edited first, then HR says the same: there is nothing to be sent.
    world.edit(1, "title", &json!("Boss"));
    world.titles.insert(1, "Boss".to_owned());
    world.tell();
    world.run().await;
    assert_eq!(world.title(1), "Boss");
    world.app.mutations();
    assert_eq!(world.compare().await["items"], json!([]));
    assert!(world.app.mutations().is_empty());
    // Disabled, edited, and a week goes by.
    world.bridge.post("/api/v1/apps/app/pause", &json!({})).await;
    world.edit(2, "title", &json!("King"));
    world.app.stub.take_received();
    for _ in 0..7 {
        world.bridge.clock.advance(TimeDelta::hours(24));
        world.run().await;
    }
    let ask = world.bridge.request(Method::POST, "/api/v1/apps/app/reconcile");
    assert_eq!(answer(with_json(ask, &json!({}))).await.0, 409);
    world.bridge.drain().await;
    assert!(world.app.stub.received().is_empty());
    assert_eq!(world.title(2), "King");
}

#[tokio::test]
async fn a_compare_comes_by_itself_reports_without_repairing_and_enables_nobody() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(user(&bridge, &format!("u{n}@x"), &json!({"title": "T"})).await);
    }
    app.has("Users", &json!({"userName": "stranger@x", "active": true}));
    let settings = json!({"reconcile": {"every": "24h"}});
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    bridge.drain().await;
    let path = |name: &str| format!("/Users/{}", app.named(name)["id"].as_str().unwrap());
    let (first, second, third) = (path("u0@x"), path("u1@x"), path("u2@x"));
    {
        let mut held = app.held.lock().unwrap();
        held.resources.get_mut(&first).unwrap()["title"] = json!("X");
        held.resources.get_mut(&second).unwrap()["active"] = json!(false);
        held.resources.remove(&third);
    }
    app.has("Users", &json!({"userName": "late@x", "active": true}));
    app.mutations();
    bridge.clock.advance(TimeDelta::hours(23));
    bridge.drain().await;
    assert_eq!(bridge.get("/api/v1/apps/app/drift").await["compare"], Value::Null);
    bridge.clock.advance(TimeDelta::hours(2));
    bridge.drain().await;
    let found = bridge.get("/api/v1/apps/app/drift").await;
    assert_eq!(found["compare"]["asked_by"], "schedule");
    assert_eq!(
        found["compare"]["counts"],
        json!({"accounts": 5, "changed": 2, "vanished": 1, "unknown": 1}),
        "{found}"
    );
    let mut said: Vec<(String, String)> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["kind"].as_str().unwrap().to_owned(),
                one["repair"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    said.sort();
    let pair = |kind: &str, repair: &str| (kind.to_owned(), repair.to_owned());
    assert_eq!(
        said,
        [
            pair("changed", "never"),
            pair("changed", "no"),
            pair("unknown", "no"),
            pair("vanished", "no")
        ]
    );
    assert!(app.mutations().is_empty(), "it is only reported");
    let strangers = bridge.get("/api/v1/apps/app/accounts?state=unmatched").await;
    assert_eq!(strangers["items"].as_array().unwrap().len(), 2);

    // With repair: the title comes back and who vanished is made again; who was disabled by hand stays disabled.
    publish(&bridge, &file("app", &app.stub.base_url, &repairing())).await;
    bridge.drain().await;
    app.mutations();
    let limits =
        json!({"reconcile": {"every": "24h", "repair": true}, "guard": {"removals": {"share": 0.5}}});
    publish(&bridge, &file("app", &app.stub.base_url, &limits)).await;
    compare(&bridge).await;
    let mut sent = app.mutations();
    sent.sort();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(
        sent[0].starts_with("PATCH") && sent[0].contains("title"),
        "{sent:?}"
    );
    assert!(
        sent[1].starts_with("POST /Users") && sent[1].contains("u2@x"),
        "{sent:?}"
    );
    assert_eq!(app.get(&second)["active"], false);
    // A change in HR does not enable either: only the title goes out.
    let put = json!([{"op": "replace", "path": "title", "value": "S"}]);
    patch(&bridge, &format!("/scim/v2/Users/{}", ids[1]), &put).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(app.get(&second)["active"], false);
    assert_eq!(state(&bridge, &ids[2]).await, "in_sync");
}

#[tokio::test]
async fn a_repair_over_the_limit_asks_and_a_killed_compare_goes_on() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    for n in 0..250 {
        user(
            &bridge,
            &format!("u{n}@x"),
            &json!({"title": "T", ENTERPRISE: {"department": "D"}}),
        )
        .await;
    }
    let settings = json!({"reconcile": {"every": "24h", "repair": true}, "guard": {"updates": {"count": 3}}});
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    bridge.drain().await;
    for account in app.all("Users").iter().take(5) {
        let path = format!("/Users/{}", account["id"].as_str().unwrap());
        app.held.lock().unwrap().resources.get_mut(&path).unwrap()[ENTERPRISE]["department"] = json!("E");
    }
    app.stub.take_received();
    // The app breaks off after the first page: what was read is not read again.
    app.stub.queue("GET", "/Users", app.first_page());
    app.stub
        .queue("GET", "/Users", Answer::status(503).header("retry-after", "60"));
    bridge.post("/api/v1/apps/app/reconcile", &json!({})).await;
    bridge.drain().await;
    assert_eq!(
        bridge.get("/api/v1/apps/app/drift").await["compare"]["state"],
        "reading"
    );
    app.stub.take_received();
    bridge.clock.advance(TimeDelta::seconds(61));
    bridge.drain().await;
    let asked: Vec<String> = app
        .stub
        .take_received()
        .iter()
        .filter_map(|request| request.param("startIndex"))
        .collect();
    assert_eq!(asked.first().map(String::as_str), Some("101"), "{asked:?}");
    let found = bridge.get("/api/v1/apps/app/drift?limit=1000").await;
    assert_eq!(found["compare"]["counts"]["changed"], 5, "{found}");
    assert_eq!(found["compare"]["counts"]["vanished"], 0, "{found}");
    assert_eq!(found["compare"]["plan_state"], "awaiting_approval");
    assert!(app.mutations().is_empty());
    let plan = found["compare"]["plan"].as_str().unwrap();
    let order = json!({"only": {"items": [1, 2]}});
    let path = format!("/api/v1/plans/{plan}/approve");
    assert_eq!(
        answer(with_json(bridge.request(Method::POST, &path), &order))
            .await
            .0,
        202
    );
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 2);
    let found = bridge.get("/api/v1/apps/app/drift?limit=1000").await;
    let of = |repair: &str| {
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["repair"] == repair)
            .count()
    };
    assert_eq!((of("released"), of("declined")), (2, 3), "{found}");
}
