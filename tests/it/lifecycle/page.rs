//! The page about coming and going says what is true: its settings are taken and its commands do what they say.

use serde_json::{Value, json};

use super::World;
use crate::push::command_line::run;

const PAGE: &str = include_str!("../../../docs/lifecycle.md");

/// The blocks of a language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    PAGE.split(begin.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The words of a command, without its comment; what stands in quotes is one.
fn words(line: &str) -> Vec<String> {
    let line = line.split('#').next().unwrap();
    line.split('"')
        .enumerate()
        .flat_map(|(at, part)| -> Vec<String> {
            if at % 2 == 1 {
                return vec![part.to_owned()];
            }
            part.split_whitespace().map(str::to_owned).collect()
        })
        .collect()
}

fn table(block: &str) -> Value {
    let table: toml::Table = toml::from_str(block).unwrap();
    serde_json::to_value(table).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_coming_and_going_holds_line_by_line() {
    let [connection, app] = blocks("toml").try_into().unwrap();
    let mut world = World::new(&table(connection)["lifecycle"]).await;
    world.row("4").to = "2026-12-10".to_owned();
    world.row("5").from = "2026-12-15".to_owned();
    world.read().await;
    world.app("expenses", &table(app)).await;

    // The connection keeps the leaver to the end of the month, the app to the last day, and removes 30 days later.
    assert!(
        !world.user(5).await.is_null(),
        "fourteen days before the first day"
    );
    let said = run(&world.bridge, &["calendar", "--days", "90", "--json"]).await;
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let of_four: Vec<(&str, &str)> = said["items"]
        .as_array()
        .unwrap_or_else(|| said.as_array().unwrap())
        .iter()
        .filter(|entry| entry["user_name"] == "p4@x.example")
        .map(|entry| (entry["action"].as_str().unwrap(), entry["at"].as_str().unwrap()))
        .collect();
    assert_eq!(
        of_four,
        [
            ("disable", "2026-12-10T23:00:00Z"),
            ("disable", "2026-12-31T23:00:00Z"),
            ("remove", "2027-01-09T23:00:00Z"),
        ],
        "{said}"
    );

    let id = world.user(3).await["id"].as_str().unwrap().to_owned();
    let lines = blocks("sh").into_iter().flat_map(str::lines);
    let mut active = Vec::new();
    for line in lines {
        let words: Vec<String> = words(line)
            .into_iter()
            .map(|word| if word == "ID" { id.clone() } else { word })
            .collect();
        assert_eq!(words[0], "scim-bridge", "{line}");
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let done = run(&world.bridge, &arguments).await;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{line}: {said}");
        assert!(!done.stdout.is_empty(), "{line}");
        world.bridge.drain().await;
        if arguments[0] == "user" {
            active.push((arguments[1].to_owned(), world.is_active(3).await));
        }
    }
    let expected: Vec<(String, bool)> = [
        ("terminate", true),
        ("terminate", true),
        ("terminate", false),
        ("release", true),
        ("suspend", false),
        ("release", true),
        ("remove", true),
        ("release", true),
        ("provisioning", true),
    ]
    .map(|(command, active)| (command.to_owned(), active))
    .into();
    assert_eq!(active, expected);

    // And what was foretold of the leaver comes true.
    world.sent("expenses");
    world.at("2026-12-10T22:59:59Z").await;
    assert!(world.sent("expenses").is_empty());
    world.at("2026-12-10T23:00:00Z").await;
    assert_eq!(world.held("expenses", 4)["active"], json!(false));
    assert!(world.is_active(4).await);
    world.at("2026-12-31T23:00:00Z").await;
    assert!(!world.is_active(4).await);
    world.at("2027-01-09T23:00:00Z").await;
    assert!(world.held("expenses", 4).is_null());
}
