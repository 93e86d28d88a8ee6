//! The forecast, and whether it comes true.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::World;
use crate::push::command_line;

/// The whole forecast, a few entries a page.
async fn forecast(world: &World, query: &str) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), String::new());
    loop {
        let page = world
            .bridge
            .get(&format!("/api/v1/calendar?limit=3{query}{after}"))
            .await;
        entries.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            return entries;
        };
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        after = format!("&after={next}");
    }
}

/// What apps were sent, as the forecast words it: app, action, userName.
fn happened(world: &World, names: &mut HashMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, app) in &world.apps {
        for user in app.all("Users") {
            let id = format!("{name}{}", user["id"].as_str().unwrap());
            names.insert(id, user["userName"].as_str().unwrap().to_owned());
        }
        for call in app.mutations() {
            let (method, rest) = call.split_once(' ').unwrap();
            let (path, body) = rest.split_once(' ').unwrap_or((rest, "null"));
            let body: Value = serde_json::from_str(body).unwrap();
            let id = format!("{name}{}", path.rsplit('/').next().unwrap());
            let (action, who) = match method {
                "POST" => ("create", body["userName"].as_str().unwrap().to_owned()),
                "DELETE" => ("remove", names[&id].clone()),
                _ if call.contains(r#""path":"active","value":false"#) => ("disable", names[&id].clone()),
                _ => ("update", names[&id].clone()),
            };
            found.push(format!("{name} {action} {who}"));
        }
    }
    found.sort();
    found
}

async fn user_changes(world: &World) -> i64 {
    world
        .bridge
        .count("SELECT count(*) FROM change WHERE kind = 'User'")
        .await
}

#[tokio::test]
async fn the_forecast_of_the_calendar_comes_true_to_the_second_and_nothing_else_happens() {
    let mut world = World::new(&json!({ "zone": "Europe/Berlin", "pre_hire": "3d" })).await;
    world.read().await;
    let steps = json!([{ "do": "disable" }, { "do": "delete", "after": "14d" }]);
    world
        .app("mail", &json!({ "deprovision": { "leaver": steps } }))
        .await;
    world
        .app(
            "wages",
            &json!({ "lifecycle": { "leave": "end_of_month", "pre_hire": "0d" } }),
        )
        .await;
    world.app("there", &json!({ "entity": "761" })).await;
    // One has left already, and waits to be deleted; others come, go, and do both.
    world.row("9").to = "2026-11-30".to_owned();
    world.row("3").to = "2026-12-10".to_owned();
    world.row("4").to = "2026-12-31".to_owned();
    world.hire("4b", "4", "761", "2026-12-20");
    world.hire("11", "11", "760", "2026-12-15");
    world.hire("12", "12", "761", "2026-12-15");
    world.row("12").to = "2027-01-15".to_owned();
    world.hire("13", "13", "760", "2027-06-01");
    world.read().await;
    let mut names = HashMap::new();
    happened(&world, &mut names);

    let entries = forecast(&world, "&to=2027-01-31T00:00:00Z").await;
    let mut ordered = entries.clone();
    ordered.sort_by_key(|entry| entry["at"].as_str().unwrap().to_owned());
    let instants = |entries: &[Value]| -> Vec<String> {
        entries
            .iter()
            .map(|entry| entry["at"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(instants(&entries), instants(&ordered));
    let mut by_instant: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in entries {
        assert!(!entry["rule"].as_str().unwrap().is_empty(), "{entry}");
        by_instant
            .entry(entry["at"].as_str().unwrap().to_owned())
            .or_default()
            .push(entry);
    }
    assert!(by_instant.len() >= 8, "{by_instant:#?}");
    for (at, entries) in &by_instant {
        let instant: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
        let before = user_changes(&world).await;
        world
            .at(&(instant - chrono::TimeDelta::seconds(1)).to_rfc3339())
            .await;
        assert_eq!(happened(&world, &mut names), Vec::<String>::new(), "before {at}");
        assert_eq!(user_changes(&world).await, before, "before {at}");
        world.at(at).await;
        let mut foretold: Vec<String> = entries
            .iter()
            .filter(|entry| entry["app"].is_string())
            .map(|entry| {
                let text = |member: &str| entry[member].as_str().unwrap().to_owned();
                format!("{} {} {}", text("app"), text("action"), text("user_name"))
            })
            .collect();
        foretold.sort();
        assert_eq!(happened(&world, &mut names), foretold, "at {at}");
        let in_directory = entries.iter().filter(|entry| entry["app"].is_null()).count();
        let changes = user_changes(&world).await - before;
        assert_eq!(
            changes,
            i64::try_from(in_directory).unwrap(),
            "at {at}: {entries:#?}"
        );
    }
    world.at("2027-01-31T00:00:00Z").await;
    assert_eq!(happened(&world, &mut names), Vec::<String>::new());
}

#[tokio::test]
async fn the_calendar_is_asked_by_app_and_by_connection_and_over_the_command_line() {
    let mut world = World::new(&json!({})).await;
    world.read().await;
    world.app("mail", &json!({})).await;
    world
        .app("wages", &json!({ "lifecycle": { "leave": "end_of_month" } }))
        .await;
    world.row("3").to = "2026-12-10".to_owned();
    world.read().await;
    let said = |entries: &[Value]| -> Vec<String> {
        entries
            .iter()
            .map(|entry| {
                format!(
                    "{} {} {}",
                    entry["at"].as_str().unwrap(),
                    entry["app"],
                    entry["action"]
                )
            })
            .collect()
    };
    let (directory, mail, wages) = (
        r#"2026-12-11T00:00:00Z null "disable""#,
        r#"2026-12-11T00:00:00Z "mail" "disable""#,
        r#"2027-01-01T00:00:00Z "wages" "disable""#,
    );
    let days = "&to=2027-01-31T00:00:00Z";
    assert_eq!(said(&forecast(&world, days).await), [directory, mail, wages]);
    assert_eq!(
        said(&forecast(&world, &format!("{days}&connection=people")).await),
        [directory, mail, wages]
    );
    assert_eq!(
        said(&forecast(&world, &format!("{days}&app=wages")).await),
        [wages]
    );
    assert_eq!(said(&forecast(&world, "&days=5").await), Vec::<String>::new());
    let shown = command_line::json_of(&world.bridge, &["calendar", "--days", "20", "--json"]).await;
    assert_eq!(said(shown["items"].as_array().unwrap()), [directory, mail]);
    assert_eq!(shown["items"][0]["rule"], "the last day has passed");
    for bad in ["days=400", "days=-1", "to=2020-01-01T00:00:00Z", "after=x"] {
        let request = world
            .bridge
            .request(reqwest::Method::GET, &format!("/api/v1/calendar?{bad}"));
        assert_eq!(crate::kit::answer(request).await.0, 400, "{bad}");
    }
}
