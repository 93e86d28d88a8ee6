//! Schedules: no drift, the change of the clock, windows, what is proposed and shown; and what starts runs besides.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, AuthServer, Bridge, Stub, good, http_client, with_json};
use crate::sync_kit::{Company, apply, connection_file, upload};

async fn scheduled(schedule: &Value) -> Bridge {
    let bridge = Bridge::spawn().await;
    let mut file = connection_file();
    file["schedule"] = schedule.clone();
    apply(&bridge, &file).await;
    upload(&bridge, &Company::of(3).csv()).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge.drain().await;
    bridge
}

async fn next_run(bridge: &Bridge) -> DateTime<Utc> {
    let shown = bridge.get("/api/v1/connections/people").await;
    shown["next_run_at"].as_str().unwrap().parse().unwrap()
}

/// When the runs of a cause were queued, oldest first.
async fn starts(bridge: &Bridge, cause: &str) -> Vec<DateTime<Utc>> {
    let runs = bridge.get("/api/v1/runs?limit=200").await;
    let mut starts: Vec<DateTime<Utc>> = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["cause"] == cause)
        .map(|run| run["queued_at"].as_str().unwrap().parse().unwrap())
        .collect();
    starts.sort();
    starts
}

/// Lets the server look a little late after each planned start, `times` times. Returns what was planned.
async fn nights(bridge: &Bridge, times: i64) -> Vec<DateTime<Utc>> {
    let mut planned = Vec::new();
    for night in 0..times {
        let next = next_run(bridge).await;
        bridge
            .clock
            .set(&(next + TimeDelta::seconds(1 + 7 * night)).to_rfc3339());
        bridge.drain().await;
        planned.push(next);
    }
    planned
}

#[tokio::test]
async fn payh_28_thirty_days_have_thirty_runs_at_the_same_time_and_nothing_drifts() {
    let bridge = scheduled(&json!({ "every": "24h" })).await;
    let planned = nights(&bridge, 30).await;
    for (day, start) in (1..).zip(&planned) {
        assert_eq!(
            *start,
            "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day)
        );
    }
    let started = starts(&bridge, "schedule").await;
    assert_eq!(started.len(), 30);
    for (start, planned) in started.iter().zip(&planned) {
        assert!(*start - *planned < TimeDelta::minutes(4), "{start} {planned}");
    }
}

#[tokio::test]
async fn exp_8_four_in_the_morning_stays_four_in_the_morning_over_both_changes_of_the_clock_and_is_shown() {
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let four = NaiveTime::from_hms_opt(4, 0, 0).unwrap();
    for schedule in [
        json!({ "at": "04:00", "zone": "Europe/Berlin" }),
        json!({ "cron": "0 4 * * *", "zone": "Europe/Berlin" }),
    ] {
        let bridge = scheduled(&schedule).await;
        for change in ["2027-03-26T12:00:00Z", "2027-10-29T12:00:00Z"] {
            // Months in which the server was off do not pile up.
            bridge.clock.set(change);
            bridge.drain().await;
            let mut planned = nights(&bridge, 4).await;
            planned.push(next_run(&bridge).await);
            assert!(
                planned
                    .iter()
                    .all(|start| start.with_timezone(&zone).time() == four),
                "{planned:?}"
            );
            let hours: Vec<i64> = planned
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).num_hours())
                .collect();
            let changed = if change.starts_with("2027-03") { 23 } else { 25 };
            assert_eq!(
                hours.iter().filter(|hours| **hours == changed).count(),
                1,
                "{planned:?}"
            );
            assert_eq!(
                hours.iter().filter(|hours| **hours == 24).count(),
                3,
                "{planned:?}"
            );
        }
        assert_eq!(starts(&bridge, "schedule").await.len(), 10);
    }
    // The time may change, and the new one is shown.
    let bridge = scheduled(&json!({ "at": "04:00" })).await;
    let mut file = connection_file();
    file["schedule"] = json!({ "at": "05:30", "jitter": "10m" });
    let put = bridge.request(Method::PUT, "/api/v1/connections/people?publish=true");
    good(with_json(put, &file)).await;
    let next = next_run(&bridge).await;
    let window: DateTime<Utc> = "2026-12-02T05:30:00Z".parse().unwrap();
    assert!(next >= window && next < window + TimeDelta::minutes(10), "{next}");
    let listed = bridge.get("/api/v1/connections").await;
    assert_eq!(
        listed["items"][0]["next_run_at"].as_str().unwrap().parse(),
        Ok(next)
    );
}

#[tokio::test]
async fn prob_2_rg_3_what_is_proposed_runs_six_times_a_day_and_what_is_chosen_is_kept_and_used() {
    let bridge = Bridge::spawn().await;
    for key in ["personio", "bamboohr", "csv"] {
        let connector = bridge.get(&format!("/api/v1/connectors/{key}")).await;
        assert_eq!(
            connector["schedule"],
            json!({ "every": "4h", "jitter": "10m" }),
            "{key}"
        );
    }
    let proposed = bridge.get("/api/v1/connectors/csv").await["schedule"].clone();
    let bridge = scheduled(&proposed).await;
    let shown = bridge.get("/api/v1/connections/people").await;
    assert_eq!(shown["file"]["schedule"], proposed, "the choice is stored");
    let start = bridge.clock.now();
    while bridge.clock.now() < start + TimeDelta::hours(24) {
        bridge.clock.advance(TimeDelta::minutes(20));
        bridge.drain().await;
    }
    assert!(starts(&bridge, "schedule").await.len() >= 5);
    bridge.clock.advance(TimeDelta::hours(1));
    bridge.drain().await;
    assert_eq!(starts(&bridge, "schedule").await.len(), 6);
}

#[tokio::test]
async fn exp_6_exp_7_a_run_follows_every_connection_within_a_minute() {
    let vendor = AuthServer::start().await;
    let bridge = crate::consent::bridge().await;
    let mut file = vendor.connection("hr");
    file["schedule"] = json!({ "at": "04:00" });
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/connections/hr?publish=true"),
        &file,
    ))
    .await;
    bridge.drain().await;
    let runs = async || {
        bridge.get("/api/v1/runs").await["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(runs().await[0]["state"], "failed", "nobody has consented yet");
    let consent = async || {
        let made = bridge.post("/api/v1/connections/hr/authorize", &json!({})).await;
        let back = vendor.agree(made["link"].as_str().unwrap());
        assert_eq!(http_client().get(back).send().await.unwrap().status(), 200);
        bridge.drain().await;
    };
    consent().await;
    let latest = runs().await;
    assert_eq!(
        (latest.len(), &latest[0]["state"]),
        (2, &json!("done")),
        "first consent: {latest:?}"
    );
    bridge.clock.advance(TimeDelta::hours(2));
    vendor.revoke();
    consent().await;
    let latest = runs().await;
    assert_eq!(
        (latest.len(), &latest[0]["cause"]),
        (3, &json!("publish")),
        "consent again: {latest:?}"
    );

    bridge.post("/api/v1/connections/hr/pause", &json!({})).await;
    consent().await;
    assert_eq!(runs().await.len(), 3, "one that is paused reads nothing");
    bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
    bridge.drain().await;
    assert_eq!(runs().await.len(), 4, "published after a pause");
    file["settings"]["oauth_client_secret"] = json!("another");
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/connections/hr?publish=true"),
        &file,
    ))
    .await;
    bridge.drain().await;
    let latest = runs().await;
    assert_eq!(latest.len(), 5, "other credentials");
    for run in &latest {
        let at = |member: &str| run[member].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert!(
            at("started_at") - at("queued_at") < TimeDelta::minutes(1),
            "{run}"
        );
    }
}

#[tokio::test]
async fn leap_11_a_connection_that_knows_nothing_new_for_a_day_is_stale_and_said_to_be_once() {
    let bridge = Bridge::spawn().await;
    let hr = Stub::start().await;
    let people = Answer::json(
        200,
        &json!([{ "id": "1", "given": "Ada", "family": "B", "email": "ada@acme.example", "state": "on" }]),
    );
    hr.on("GET", "/people", people.clone());
    let file = json!({
        "name": "people", "connector": "rest",
        "settings": { "base": hr.base_url, "path": "/people", "sign_in": "none" },
        "fields": {
            "source_id": "/id", "given_name": "/given", "family_name": "/family", "work_email": "/email",
            "status": { "at": "/state", "words": { "on": "active" } },
        },
        "schedule": { "every": "4h" },
    });
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/connections/people?publish=true"),
        &file,
    ))
    .await;
    bridge.drain().await;
    let shown = async || bridge.get("/api/v1/connections/people").await;
    let told = async || {
        bridge
            .count("SELECT count(*) FROM event WHERE kind = 'feed_stale'")
            .await
    };
    let metric = async |name: &str| {
        let request = bridge.request(Method::GET, "/metrics");
        let text = request.send().await.unwrap().text().await.unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned();
        line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()
    };
    let first = shown().await;
    assert_eq!(
        (&first["fresh_at"], &first["stale"]),
        (&json!("2026-12-01T08:00:00Z"), &json!(false)),
        "{first}"
    );
    hr.on("GET", "/people", Answer::status(403));
    bridge.clock.set("2026-12-02T08:30:00Z");
    bridge.drain().await;
    assert_eq!((shown().await["stale"].clone(), told().await), (json!(false), 0));
    assert_eq!(metric("bridge_connection_age_seconds{").await, 24 * 3600 + 1800);
    bridge.clock.set("2026-12-02T09:30:00Z");
    bridge.drain().await;
    bridge.clock.set("2026-12-02T13:30:00Z");
    bridge.drain().await;
    assert_eq!(
        (shown().await["stale"].clone(), told().await),
        (json!(true), 1),
        "once"
    );
    assert_eq!(metric("bridge_connections_stale ").await, 1);
    hr.on("GET", "/people", people);
    bridge.clock.set("2026-12-02T16:30:00Z");
    bridge.drain().await;
    let again = shown().await;
    assert_eq!(
        (&again["fresh_at"], &again["stale"]),
        (&json!("2026-12-02T16:30:00Z"), &json!(false)),
        "{again}"
    );
    assert_eq!(metric("bridge_connections_stale ").await, 0);
    // One that runs by hand is never late.
    let mut by_hand = file.clone();
    by_hand.as_object_mut().unwrap().remove("schedule");
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/connections/people?publish=true"),
        &by_hand,
    ))
    .await;
    bridge.clock.set("2026-12-09T16:30:00Z");
    bridge.drain().await;
    assert_eq!((shown().await["stale"].clone(), told().await), (json!(false), 1));
}
