//! `connection setup`, `connection attributes`, `connector init`: from the choice of an HR system to its first run.

use serde_json::{Value, json};

use super::connection::path;
use super::connector_page::{items, text};
use super::{Client, Error, Output};

/// Prints the steps of a connection, what to do next, and where to click in the HR system.
pub(super) async fn setup(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let body = client.get(&path(name, "/setup"), &[]).await?;
    output.show(&body, || sheet(&body))
}

fn sheet(body: &Value) -> String {
    let next = text(body, "next");
    let is = |step: &Value, member: &str| step.get(member).and_then(Value::as_bool).unwrap_or_default();
    let mut lines: Vec<String> = items(body, "steps")
        .map(|step| {
            let mark = match (is(step, "done"), is(step, "optional"), text(step, "step") == next) {
                (true, ..) => "done",
                (_, _, true) => "next",
                (_, true, _) => "may",
                _ => "",
            };
            format!("{mark:<4}  {:<10}  {}", text(step, "step"), text(step, "said"))
        })
        .collect();
    if matches!(next, "settings" | "authorise") {
        lines.push(String::new());
        lines.push(text(body, "guide").to_owned());
        for (said, name) in [("Open", "page"), ("To read fewer people", "limit_access")] {
            if !text(body, name).is_empty() {
                lines.push(format!("{said}: {}", text(body, name)));
            }
        }
        let tick: Vec<&str> = items(body, "tick").filter_map(Value::as_str).collect();
        if !tick.is_empty() {
            lines.push(format!(
                "What is read, by its place in the HR system's records:\n  {}",
                tick.join("\n  ")
            ));
        }
    }
    lines.join("\n")
}

/// Prints which attributes the HR system's records have.
pub(super) async fn attributes(client: &Client, name: &str, output: Output) -> Result<(), Error> {
    let body = client.get(&path(name, "/attributes"), &[]).await?;
    let of = body.get("records").and_then(Value::as_u64).unwrap_or_default();
    let rows: Vec<Vec<String>> = items(&body, "items")
        .map(|one| {
            let filled = one.get("filled").and_then(Value::as_u64).unwrap_or_default();
            vec![
                text(one, "path").to_owned(),
                text(one, "label").to_owned(),
                format!("{filled} of {of}"),
                text(one, "field").to_owned(),
            ]
        })
        .collect();
    output.table(&body, &["path", "label", "filled", "read as"], &rows)
}

/// A connection file to begin with: every question of the connector, the fields that may be left out, a schedule.
pub(super) fn begin(connector: &Value) -> String {
    let mut file = String::new();
    for line in text(connector, "guide").lines() {
        file.push_str(format!("# {line}").trim_end());
        file.push('\n');
    }
    let key = text(connector, "key");
    file.push_str(&format!(
        "name = \"{key}\"\nconnector = \"{key}\"\n\n[settings]\n"
    ));
    for setting in items(connector, "settings") {
        file.push_str(&question(setting));
    }
    file.push_str(
        "\n# Six times a day; without [schedule], runs are started by hand.\n[schedule]\nevery = \"4h\"\n",
    );
    let names = |sensitive: bool| -> Vec<Value> {
        let is = |field: &&Value, member: &str| field.get(member).and_then(Value::as_bool) == Some(true);
        items(connector, "fields")
            .filter(|field| !is(field, "required") && is(field, "sensitive") == sensitive)
            .map(|field| json!(text(field, "name")))
            .collect()
    };
    if !names(false).is_empty() {
        file.push_str(&format!(
            "\n# Take out what is not wanted: it is neither asked for nor kept. Sensitive and left out here: {}.\n\
             [read]\noptional = {}\n",
            Value::from(names(true)),
            Value::from(names(false))
        ));
    }
    file
}

/// A line to be answered; what need not be is a comment.
fn question(setting: &Value) -> String {
    let name = text(setting, "name");
    let required = setting.get("required").and_then(Value::as_bool) == Some(true);
    let secret = setting.get("secret").and_then(Value::as_bool) == Some(true);
    let answer = match (setting.get("default").and_then(Value::as_str), secret) {
        (Some(default), _) => default.to_owned(),
        (None, true) => format!("env:{}", name.to_uppercase()),
        (None, false) => text(setting, "example").to_owned(),
    };
    let mark = if required { "" } else { "# " };
    format!("# {}\n{mark}{name} = {}\n", text(setting, "ask"), json!(answer))
}
