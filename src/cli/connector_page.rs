//! A connector as `connector show` prints it.

use serde_json::Value;

pub(super) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn truth(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or_default()
}

pub(super) fn items<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// A connector for people to read.
pub(super) fn page(connector: &Value) -> String {
    let mut page = format!(
        "{} ({})\n{}\n",
        text(connector, "name"),
        text(connector, "key"),
        text(connector, "docs"),
    );
    if let Some(checked) = connector.get("checked").and_then(Value::as_str) {
        page.push_str(&format!("Compared with {checked}\n"));
    }
    page.push_str(&format!("\n{}\n", text(connector, "guide")));
    let permissions: Vec<String> = items(connector, "permissions")
        .filter_map(Value::as_str)
        .map(|one| format!("  {one}"))
        .collect();
    section(&mut page, "Least permissions", permissions);
    page.push_str(&format!(
        "\nTo read fewer people\n  {}\n",
        text(connector, "limit_access")
    ));
    section(
        &mut page,
        "Settings",
        items(connector, "settings").map(setting).collect(),
    );
    fields(&mut page, connector);
    statuses(&mut page, connector);
    if let Some(webhooks) = connector.get("webhooks") {
        let what = if truth(webhooks, "names_employees") {
            "a delivery makes the employee it names be read at once"
        } else {
            "a delivery makes all employees be read"
        };
        let lines = vec![
            format!("  {what}; set up with `scim-bridge connection webhook NAME`"),
            indented(text(webhooks, "guide")),
        ];
        section(&mut page, "Webhooks", lines);
    }
    if let Some(schedule) = connector.get("schedule") {
        let line = |member: &str| format!("  {member} = {:?}", text(schedule, member));
        section(
            &mut page,
            "[schedule] to begin with",
            vec![line("every"), line("jitter")],
        );
    }
    let assumed = items(connector, "facts").filter(|fact| text(fact, "sure") == "assumed");
    section(
        &mut page,
        "Not confirmed; all else is, by the source above",
        assumed
            .map(|fact| format!("  {}: {}", text(fact, "fact"), text(fact, "because")))
            .collect(),
    );
    page.trim_end().to_owned()
}

fn section(page: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        page.push_str(&format!("\n{title}\n{}\n", lines.join("\n")));
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

fn setting(setting: &Value) -> String {
    let mut notes = Vec::new();
    if truth(setting, "required") {
        notes.push("required".to_owned());
    }
    if truth(setting, "secret") {
        notes.push("secret".to_owned());
    }
    let choices: Vec<&str> = items(setting, "choices").filter_map(Value::as_str).collect();
    if !choices.is_empty() {
        notes.push(format!("one of {}", choices.join(", ")));
    }
    for (member, word) in [("default", "default"), ("example", "such as")] {
        if let Some(value) = setting.get(member).and_then(Value::as_str) {
            notes.push(format!("{word} {value}"));
        }
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" [{}]", notes.join("; "))
    };
    format!("  {:<24} {}{notes}", text(setting, "name"), text(setting, "ask"))
}

fn fields(page: &mut String, connector: &Value) {
    let named = |wanted: fn(&Value) -> bool| {
        let names: Vec<&str> = items(connector, "fields")
            .filter(|field| wanted(field))
            .map(|field| text(field, "name"))
            .collect();
        if names.is_empty() {
            Vec::new()
        } else {
            vec![format!("  {}", names.join(", "))]
        }
    };
    let groups = [
        ("Always read", named(|field| truth(field, "required"))),
        (
            "May be deselected",
            named(|field| !truth(field, "required") && !truth(field, "sensitive")),
        ),
        (
            "Sensitive, read only by choice",
            named(|field| !truth(field, "required") && truth(field, "sensitive")),
        ),
    ];
    for (title, names) in groups {
        section(page, title, names);
    }
}

fn statuses(page: &mut String, connector: &Value) {
    let mut lines: Vec<String> = items(connector, "statuses")
        .map(|status| {
            let word = match text(status, "word") {
                "" => "(nothing)",
                word => word,
            };
            format!("  {word:<24} {}", text(status, "meaning"))
        })
        .collect();
    if let Some(other) = connector.get("other_statuses").and_then(Value::as_str) {
        let other = match other {
            "hold" => "held and reported, never guessed",
            "by_dates" => "the first and the last day decide",
            other => other,
        };
        lines.push(format!("  {:<24} {other}", "any other word"));
    }
    section(page, "What its status words mean", lines);
}
