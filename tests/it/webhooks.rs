//! Webhooks of HR systems: a delivery makes a run look, and the app is told.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Settings, Stub, answer, good, with_json};

/// An HR system that tells of changes.
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

[webhooks]
secret = "made"
verify = { kind = "token", at = "X-Acme-Token" }
id = "/id"
answer = 202
challenge = { query = "challenge" }
event = "/type"
events = ["person.*"]
employee = "/person"
guide = "1. Enter the URL and the secret under Webhooks."
"#;

/// What a manifest says whose employees can be read one by one.
const ONE: &str = r#"
[employees.one]
get = "https://api.acme.example/people/{{ id }}"
records = "/data"
"#;

/// The HR system and a bridge that reads it.
struct Acme {
    hr: Stub,
    bridge: Bridge,
    people: std::collections::BTreeMap<u32, Value>,
}

fn person(id: u32) -> Value {
    json!({"id": id, "first": format!("Given{id}"), "last": format!("Family{id}"), "email": format!("p{id}@acme.example"),
           "title": "Engineer", "state": "on"})
}

impl Acme {
    async fn with(people: u32, manifest: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("scim-bridge-hooks-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("acme.toml"), manifest).unwrap();
        let settings = Settings {
            environment: vec![("SCIM_BRIDGE_CONNECTORS_DIR", folder.display().to_string())],
            ..Settings::default()
        };
        let bridge = Bridge::spawn_with(settings).await;
        std::fs::remove_dir_all(&folder).unwrap();
        let mut acme = Self {
            hr: Stub::start().await,
            bridge,
            people: (1..=people).map(|id| (id, person(id))).collect(),
        };
        acme.publish_people();
        let file = json!({"name": "people", "connector": "acme",
                          "settings": {"api_key": "k", "base_url": acme.hr.base_url}});
        let put = acme
            .bridge
            .request(Method::PUT, "/api/v1/connections/people?publish=true");
        good(with_json(put, &file)).await;
        acme.bridge
            .post("/api/v1/connections/people/runs", &json!({}))
            .await;
        acme.bridge.drain().await;
        assert_eq!(acme.reads(), (1, Vec::new()));
        acme
    }

    /// Lets the HR system say what `people` say now.
    fn publish_people(&mut self) {
        let all: Vec<Value> = self.people.values().cloned().collect();
        self.hr
            .on("GET", "/people", Answer::json(200, &json!({ "data": all })));
        let people = self.people.clone();
        self.hr.rule(move |request| {
            let id = request.path.strip_prefix("/people/")?.parse().ok()?;
            Some(match people.get(&id) {
                Some(person) => Answer::json(200, &json!({ "data": person })),
                None => Answer::json(404, &json!({})),
            })
        });
    }

    fn change(&mut self, id: u32, member: &str, value: &str) {
        self.people.get_mut(&id).unwrap()[member] = value.into();
        self.publish_people();
    }

    /// How often all were read since this was last asked, and which single ones.
    fn reads(&self) -> (usize, Vec<String>) {
        let received = self.hr.take_received();
        let all = received
            .iter()
            .filter(|request| request.path == "/people")
            .count();
        let single = received
            .iter()
            .filter_map(|request| request.path.strip_prefix("/people/"));
        (all, single.map(str::to_owned).collect())
    }

    /// Makes the webhook: its path and its secret.
    async fn hook(&self) -> (String, String) {
        let put = self
            .bridge
            .request(Method::PUT, "/api/v1/connections/people/webhook");
        let made = good(with_json(put, &json!({}))).await;
        let url = made["url"].as_str().unwrap();
        let path = url.strip_prefix(&self.bridge.base_url).unwrap_or(url).to_owned();
        (path, made["secret"].as_str().unwrap().to_owned())
    }

    async fn deliver(&self, hook: &(String, String), body: &Value) -> u16 {
        let url = format!("{}{}", self.bridge.base_url, hook.0);
        let request = self.bridge.http.post(url).header("x-acme-token", &hook.1);
        with_json(request, body).send().await.unwrap().status().as_u16()
    }

    async fn user(&self, id: u32) -> Value {
        crate::sync_kit::user(&self.bridge, &format!("p{id}@acme.example")).await
    }

    async fn sheet(&self) -> Value {
        self.bridge.get("/api/v1/connections/people/webhook").await
    }

    async fn last_run(&self) -> Value {
        self.bridge.get("/api/v1/runs?limit=1").await["items"][0].clone()
    }
}

fn about(delivery: u32, person: u32) -> Value {
    json!({"id": format!("d{delivery}"), "type": "person.updated", "person": person.to_string()})
}

#[tokio::test]
async fn a_delivery_without_a_single_read_makes_all_be_read_once() {
    let mut acme = Acme::with(3, ACME).await;
    let hook = acme.hook().await;
    acme.change(2, "title", "Director");
    for number in 0..20 {
        assert_eq!(acme.deliver(&hook, &about(number, number % 3 + 1)).await, 202);
    }
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, Vec::new()), "more may be told in these seconds");
    acme.bridge.clock.advance(TimeDelta::seconds(6));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (1, Vec::new()));
    assert_eq!(acme.user(2).await["title"], "Director");
    let run = acme.last_run().await;
    assert_eq!(
        (&run["cause"], &run["state"]),
        (&"webhook".into(), &"done".into())
    );

    acme.deliver(&hook, &about(100, 1)).await;
    acme.bridge.clock.advance(TimeDelta::seconds(60));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, Vec::new()), "reads of all keep a distance");
    acme.bridge.clock.advance(TimeDelta::seconds(900));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (1, Vec::new()));
}

#[tokio::test]
async fn what_is_no_delivery_is_answered_and_never_a_failure() {
    let acme = Acme::with(1, ACME).await;
    let (path, secret) = acme.hook().await;
    let url = format!("{}{path}", acme.bridge.base_url);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let http = &acme.bridge.http;
    let unknown = format!("{}/hooks/{}", acme.bridge.base_url, "x".repeat(43));
    for address in [
        unknown.as_str(),
        &format!("{}/hooks/short", acme.bridge.base_url),
        &format!("{}/hooks/%00", acme.bridge.base_url),
    ] {
        assert_eq!(status(http.post(address).body("{}")).await, 404, "{address}");
    }
    let echo = http
        .get(format!("{url}?challenge=a%3Cb%3E"))
        .send()
        .await
        .unwrap();
    assert_eq!(echo.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(echo.headers()["x-content-type-options"], "nosniff");
    assert_eq!(echo.text().await.unwrap(), "a<b>");
    assert_eq!(status(http.get(&url)).await, 405);
    assert_eq!(status(http.put(&url).body("{}")).await, 405);
    assert_eq!(status(http.post(&url).body("{}")).await, 401);
    assert_eq!(
        status(http.post(&url).header("x-acme-token", "other").body("{}")).await,
        401
    );
    let long = "x".repeat(300 * 1024);
    assert_eq!(
        status(http.post(&url).header("x-acme-token", &secret).body(long)).await,
        413
    );
    for body in [
        "",
        "Ping test",
        "{",
        "[]",
        "null",
        "\"x\"",
        &"[".repeat(10_000),
        r#"{"type":"person.updated","person":{"id":1}}"#,
        r#"{"type":["person"]}"#,
        "{\"type\":\"person.x\",\"person\":\"\\u0000\"}",
    ] {
        let request = http
            .post(&url)
            .header("x-acme-token", &secret)
            .body(body.to_owned());
        assert_eq!(status(request).await, 202, "{body:.40}");
    }
    let sheet = acme.sheet().await;
    assert_eq!(sheet["refused"], 2);
    assert_eq!(sheet["unreadable"], 4, "{sheet}");
    assert_eq!(sheet["last_failure"], "the body is no JSON");
    assert!(
        sheet.get("url").is_none() && sheet.get("secret").is_none(),
        "{sheet}"
    );
    let text = acme
        .bridge
        .http
        .get(format!("{}/metrics", acme.bridge.base_url))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.contains("bridge_webhook_deliveries_total{outcome=\"refused\"} 2"),
        "{text}"
    );
    acme.bridge.clock.advance(TimeDelta::seconds(10));
    acme.bridge.drain().await;
}

#[tokio::test]
async fn the_same_delivery_twice_counts_once_and_events_of_others_mean_nothing() {
    let acme = Acme::with(1, ACME).await;
    let hook = acme.hook().await;
    assert_eq!(acme.deliver(&hook, &about(1, 1)).await, 202);
    assert_eq!(acme.deliver(&hook, &about(1, 1)).await, 202);
    assert_eq!(
        acme.deliver(
            &hook,
            &json!({"id": "d2", "type": "absence.created", "person": "1"})
        )
        .await,
        202
    );
    let sheet = acme.sheet().await;
    assert_eq!(
        [&sheet["looked"], &sheet["repeated"], &sheet["ignored"]],
        [&json!(1), &json!(1), &json!(1)]
    );
    acme.bridge.clock.advance(TimeDelta::days(8));
    acme.bridge.drain().await;
    assert_eq!(
        acme.bridge.count("SELECT count(*) FROM webhook_delivery").await,
        0
    );
    assert_eq!(acme.bridge.count("SELECT count(*) FROM look").await, 1);
}

#[tokio::test]
async fn an_address_can_be_rotated_without_a_gap_and_ended() {
    let acme = Acme::with(1, ACME).await;
    let first = acme.hook().await;
    let again = good(with_json(
        acme.bridge
            .request(Method::PUT, "/api/v1/connections/people/webhook"),
        &json!({}),
    ))
    .await;
    assert!(
        again.get("secret").is_none() && again["has_secret"] == true,
        "a secret is shown once: {again}"
    );
    let rotated = acme
        .bridge
        .post(
            "/api/v1/connections/people/webhook/rotate",
            &json!({"keep_hours": 2}),
        )
        .await;
    let path = |sheet: &Value| {
        sheet["url"]
            .as_str()
            .unwrap()
            .strip_prefix(&acme.bridge.base_url)
            .unwrap()
            .to_owned()
    };
    let second = (path(&rotated), rotated["secret"].as_str().unwrap().to_owned());
    assert!(first.0 != second.0 && first.1 != second.1);
    assert_eq!(acme.deliver(&first, &about(1, 1)).await, 202);
    assert_eq!(acme.deliver(&second, &about(2, 1)).await, 202);
    assert_eq!(
        acme.deliver(&(first.0.clone(), second.1.clone()), &about(3, 1))
            .await,
        401
    );
    acme.bridge.clock.advance(TimeDelta::hours(3));
    assert_eq!(acme.deliver(&first, &about(4, 1)).await, 404);
    assert_eq!(acme.deliver(&second, &about(5, 1)).await, 202);
    let other = acme.bridge.make_tenant("other").await;
    let token = acme
        .bridge
        .make_token(other, "other", &scim_bridge::access::Scope::ALL)
        .await;
    for (method, more) in [
        (Method::GET, ""),
        (Method::PUT, ""),
        (Method::POST, "/rotate"),
        (Method::DELETE, ""),
    ] {
        let path = format!("/api/v1/connections/people/webhook{more}");
        let request = with_json(acme.bridge.request_as(&token, method, &path), &json!({}));
        assert_eq!(answer(request).await.0, 404, "{path}");
    }
    let delete = acme
        .bridge
        .request(Method::DELETE, "/api/v1/connections/people/webhook");
    assert_eq!(answer(delete).await.0, 204);
    assert_eq!(acme.deliver(&second, &about(6, 1)).await, 404);
    let gone = answer(
        acme.bridge
            .request(Method::GET, "/api/v1/connections/people/webhook"),
    )
    .await;
    assert_eq!(gone.0, 404);
}

#[tokio::test]
async fn the_secret_of_the_hr_system_can_be_entered_and_is_missed_before() {
    let manifest = ACME.replace("secret = \"made\"", "secret = \"given\"");
    let acme = Acme::with(1, &manifest).await;
    let put = |body: &Value| {
        with_json(
            acme.bridge
                .request(Method::PUT, "/api/v1/connections/people/webhook"),
            body,
        )
    };
    let made = good(put(&json!({}))).await;
    assert_eq!((&made["has_secret"], made.get("secret")), (&json!(false), None));
    let path = made["url"]
        .as_str()
        .unwrap()
        .strip_prefix(&acme.bridge.base_url)
        .unwrap()
        .to_owned();
    let hook = (path, "the vendor's own".to_owned());
    assert_eq!(acme.deliver(&hook, &about(1, 1)).await, 401);
    assert!(
        acme.sheet().await["last_failure"]
            .as_str()
            .unwrap()
            .contains("no secret has been entered")
    );
    assert_eq!(answer(put(&json!({"secret": "short"}))).await.0, 422);
    assert_eq!(answer(put(&json!({"secret": "with\nbreak in it"}))).await.0, 422);
    let kept = good(put(&json!({"secret": hook.1}))).await;
    assert_eq!(
        (&kept["has_secret"], kept.get("secret"), &kept["url"]),
        (&json!(true), None, &made["url"])
    );
    assert_eq!(acme.deliver(&hook, &about(2, 1)).await, 202);
    let rows = acme.bridge.rows().await;
    let row = rows.query_one("SELECT sealed FROM webhook", &[]).await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    assert!(
        !String::from_utf8_lossy(&sealed).contains("vendor"),
        "sealed at rest"
    );
}

#[tokio::test]
async fn a_connection_that_does_not_work_is_not_read_because_of_a_delivery() {
    let acme = Acme::with(1, ACME).await;
    let hook = acme.hook().await;
    acme.deliver(&hook, &about(1, 1)).await;
    acme.bridge
        .post("/api/v1/connections/people/pause", &json!({}))
        .await;
    assert_eq!(acme.deliver(&hook, &about(2, 1)).await, 202);
    acme.bridge.clock.advance(TimeDelta::seconds(30));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, Vec::new()));
    assert_eq!(acme.sheet().await["ignored"], 1);
    let csv = json!({"name": "file", "connector": "csv", "settings": {"path": "x.csv"}, "fields": {"source_id": "Id", "work_email": "Mail"}});
    good(with_json(
        acme.bridge.request(Method::PUT, "/api/v1/connections/file"),
        &csv,
    ))
    .await;
    let (status, problem) = answer(with_json(
        acme.bridge
            .request(Method::PUT, "/api/v1/connections/file/webhook"),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 409);
    assert!(
        problem["detail"].as_str().unwrap().contains("no webhooks"),
        "{problem}"
    );
}

#[tokio::test]
async fn the_employee_that_a_delivery_names_is_read_alone_and_at_once() {
    let mut acme = Acme::with(30, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    acme.change(2, "title", "Director");
    for number in 0..20 {
        assert_eq!(acme.deliver(&hook, &about(number, 2)).await, 202);
    }
    acme.bridge.drain().await;
    assert_eq!(
        acme.reads(),
        (0, vec!["2".to_owned()]),
        "twenty deliveries are one read"
    );
    assert_eq!(acme.user(2).await["title"], "Director");
    let run = acme.last_run().await;
    assert_eq!((&run["cause"], &run["state"]), (&"look".into(), &"done".into()));
    assert_eq!(acme.sheet().await["reads_one"], true);

    acme.deliver(&hook, &about(100, 2)).await;
    acme.bridge.drain().await;
    assert_eq!(
        acme.reads(),
        (0, Vec::new()),
        "looks at the same one keep a distance"
    );
    acme.bridge.clock.advance(TimeDelta::seconds(11));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, vec!["2".to_owned()]));

    acme.people.insert(31, person(31));
    acme.publish_people();
    acme.deliver(&hook, &about(101, 31)).await;
    acme.bridge.drain().await;
    assert_eq!(acme.user(31).await["active"], true, "a new one is hired at once");
    assert_eq!(acme.user(30).await["active"], true);
}

#[tokio::test]
async fn prob_1_a_storm_of_deliveries_is_one_read_of_all() {
    let acme = Acme::with(80, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    for number in 1..=80 {
        acme.deliver(&hook, &about(number, number)).await;
    }
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (1, Vec::new()));
    assert_eq!(acme.last_run().await["cause"], "webhook");
}

#[tokio::test]
async fn only_an_explicit_word_makes_a_leaver() {
    let mut acme = Acme::with(20, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    acme.change(3, "state", "off");
    acme.deliver(&hook, &about(1, 3)).await;
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, vec!["3".to_owned()]));
    assert_eq!(
        acme.user(3).await["active"],
        false,
        "the single read says that they left"
    );

    acme.people.remove(&4);
    acme.publish_people();
    acme.deliver(
        &hook,
        &json!({"id": "d2", "type": "person.deleted", "person": "4"}),
    )
    .await;
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, vec!["4".to_owned()]));
    assert_eq!(
        acme.user(4).await["active"],
        true,
        "nobody leaves because a single read finds nothing"
    );
    acme.bridge.clock.advance(TimeDelta::seconds(6));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (1, Vec::new()), "it asks for a read of all");
    assert_eq!(
        acme.user(4).await["active"],
        true,
        "and one such read is not enough by default"
    );
    assert_eq!(
        acme.bridge
            .count("SELECT count(*) FROM source_record WHERE missing_reads = 1")
            .await,
        1
    );

    acme.change(5, "state", "quantum");
    acme.deliver(&hook, &about(3, 5)).await;
    acme.bridge.drain().await;
    assert_eq!(acme.user(5).await["active"], true, "an unknown word is held");
}

#[tokio::test]
async fn many_leavers_at_once_meet_the_guard_and_a_waiting_plan_stays() {
    let mut acme = Acme::with(20, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    for id in 5..=15 {
        acme.change(id, "state", "off");
        acme.deliver(&hook, &about(id, id)).await;
    }
    acme.bridge.drain().await;
    let waiting = acme.last_run().await;
    assert_eq!(
        (&waiting["cause"], &waiting["state"]),
        (&"look".into(), &"awaiting_approval".into())
    );
    assert_eq!(crate::sync_kit::active_users(&acme.bridge).await, 20);
    acme.change(1, "title", "Director");
    acme.deliver(&hook, &about(100, 1)).await;
    acme.bridge.drain().await;
    assert_eq!(acme.user(1).await["title"], "Director");
    let id = waiting["id"].as_str().unwrap();
    let still = acme.bridge.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(
        still["state"], "awaiting_approval",
        "a look at one person does not take the place of a plan"
    );
}

#[tokio::test]
async fn an_hr_system_that_fails_is_asked_again_in_a_while_and_not_in_a_loop() {
    let acme = Acme::with(5, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    acme.hr.on("GET", "/people/1", Answer::status(403));
    acme.deliver(&hook, &about(1, 1)).await;
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, vec!["1".to_owned()]));
    assert_eq!(acme.last_run().await["state"], "failed");
    acme.bridge.clock.advance(TimeDelta::seconds(60));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (1, Vec::new()), "all are read once in its place");
    acme.bridge.clock.advance(TimeDelta::seconds(60));
    acme.bridge.drain().await;
    assert_eq!(acme.reads(), (0, Vec::new()));
}

/// From the delivery to the app's PATCH, with everything running as in production.
#[tokio::test]
async fn prob_1_a_delivery_reaches_the_app_within_seconds() {
    let mut acme = Acme::with(50, &format!("{ACME}{ONE}")).await;
    let hook = acme.hook().await;
    let app = crate::push::StubApp::start().await;
    let file = crate::push::file("app", &app.stub.base_url, &json!({}));
    good(with_json(
        acme.bridge.request(Method::PUT, "/api/v1/apps/app"),
        &file,
    ))
    .await;
    acme.bridge.post("/api/v1/apps/app/publish", &json!({})).await;
    acme.bridge.drain().await;
    assert_eq!(app.all("Users").len(), 50);
    let (heard, mut patched) = tokio::sync::mpsc::unbounded_channel();
    app.stub.rule(move |request| {
        if request.method == "PATCH" {
            let _gone = heard.send(request.json());
        }
        None
    });
    acme.change(7, "title", "Director");
    let mut worker = scim_bridge::worker::Worker::default();
    worker.start(&acme.bridge.app.context);
    let started = std::time::Instant::now();
    acme.deliver(&hook, &about(1, 7)).await;
    let patch = tokio::time::timeout(std::time::Duration::from_secs(30), patched.recv()).await;
    let took = started.elapsed();
    worker.stop().await;
    let patch = patch.expect("the app is told").unwrap();
    assert!(patch.to_string().contains("Director"), "{patch}");
    assert!(took < std::time::Duration::from_secs(10), "it took {took:?}");
    eprintln!("from the delivery to the PATCH: {took:?}");
    assert_eq!(acme.reads(), (0, vec!["7".to_owned()]));
}

#[tokio::test]
async fn the_command_line_makes_shows_and_rotates_it() {
    let acme = Acme::with(1, ACME).await;
    let run = async |arguments: &[&str]| {
        let done = crate::push::command_line::run(&acme.bridge, arguments).await;
        let (out, err) = (
            String::from_utf8(done.stdout).unwrap(),
            String::from_utf8(done.stderr).unwrap(),
        );
        (done.status.code(), out, err)
    };
    let (code, made, err) = run(&["connection", "webhook", "people"]).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(
        made.contains(&format!("URL     {}/hooks/", acme.bridge.base_url)),
        "{made}"
    );
    assert!(
        made.contains("shown this once") && made.contains("Enter the URL and the secret under Webhooks"),
        "{made}"
    );
    let (_, again, _) = run(&["connection", "webhook", "people"]).await;
    assert!(
        again.contains("is not shown again") && again.contains("last never"),
        "{again}"
    );
    let (_, rotated, _) = run(&["connection", "webhook", "people", "--rotate", "--keep-hours", "2"]).await;
    assert!(rotated.contains("the URL before is heard until"), "{rotated}");
    assert_ne!(made.lines().next(), rotated.lines().next());
    let (code, _, err) = run(&["connection", "webhook", "people", "--secret", "short"]).await;
    assert!(code == Some(1) && err.contains("8 to 1024 characters"), "{err}");
    let (code, ended, _) = run(&["connection", "webhook", "people", "--off"]).await;
    assert!(code == Some(0) && ended.contains("has ended"), "{ended}");
}
