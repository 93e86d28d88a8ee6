//! `user explain`, `user show --at`, `user diff`: where values come from, and what stood when.

use serde_json::{Value, json};

use super::output::table;
use super::user::{escaped, items, known_id, short, text, who};
use super::{Client, Error, Exit, Output};

pub(super) async fn explain(client: &Client, id: &str, output: Output) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    let body = client
        .get(&format!("/users/{}/explain", escaped(&id)), &[])
        .await?;
    output.show(&body, || page(&body))?;
    Ok(Exit::Done)
}

/// The whole page for people.
fn page(body: &Value) -> String {
    let mut lines = vec![head(body)];
    for party in items(body, "held_by") {
        lines.push(format!("  held disabled by {}", who(Some(party))));
    }
    if let Some(deleted) = body.get("deleted").filter(|deleted| !deleted.is_null()) {
        lines.push(format!(
            "  deleted by {} at {}: release it to have it made again",
            who(deleted.get("by")),
            text(deleted, "at")
        ));
    }
    for record in items(body, "records") {
        lines.push(format!(
            "  from connection {} ({}), record {}, {} since {}",
            text(record, "connection"),
            text(record, "connector"),
            text(record, "source_id"),
            text(record, "outcome"),
            text(record, "changed_at")
        ));
    }
    if let Some(rule) = body
        .get("lifecycle")
        .map(|verdict| text(verdict, "rule"))
        .filter(|rule| !rule.is_empty())
    {
        lines.push(format!("  lifecycle: {rule}"));
    }
    let rows: Vec<Vec<String>> = items(body, "attributes").map(attribute).collect();
    let columns = [
        "attribute",
        "value",
        "from",
        "by the line",
        "policy",
        "written by",
        "at",
    ];
    lines.push(String::new());
    lines.push(table(&columns, &rows));
    for app in items(body, "apps") {
        lines.push(String::new());
        lines.extend(of_app(app));
    }
    lines.join("\n")
}

fn head(body: &Value) -> String {
    let named = |what: &str, member: &str| match text(body, member) {
        id if id.is_empty() => format!("no {what}"),
        id => format!("{what} {id}"),
    };
    let state = match body.get("active").and_then(Value::as_bool) {
        Some(true) => " is active",
        Some(false) => " is not active",
        None => "",
    };
    format!("{} ({}){state}", named("user", "id"), named("person", "person"))
}

fn attribute(one: &Value) -> Vec<String> {
    let lines: Vec<&Value> = items(one, "mapping").collect();
    let joined = |of: &dyn Fn(&Value) -> String| -> String {
        let all: Vec<String> = lines
            .iter()
            .map(|line| of(line))
            .filter(|text| !text.is_empty())
            .collect();
        all.join("; ")
    };
    let from = joined(&|line| {
        let fields: Vec<String> = items(line, "fields")
            .map(
                |field| match field.get("at").and_then(|at| at.get(0)).and_then(Value::as_str) {
                    Some(at) => format!("{} at {at}", text(field, "field")),
                    None => text(field, "field"),
                },
            )
            .collect();
        fields.join(", ")
    });
    let rule = joined(&|line| match text(line, "from") {
        from if from.is_empty() => text(line, "set_in"),
        from => format!("{from} ({})", text(line, "set_in")),
    });
    vec![
        text(one, "path"),
        short(one.get("value")),
        from,
        rule,
        joined(&|line| text(line, "policy")),
        who(one.get("writer").filter(|writer| !writer.is_null())),
        text(one, "written_at"),
    ]
}

fn of_app(app: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "app {} ({}): {} since {}{}",
        text(app, "app"),
        text(app, "mode"),
        text(app, "state"),
        text(app, "since"),
        match text(app, "reason") {
            reason if reason.is_empty() => String::new(),
            reason => format!(", {reason}"),
        }
    )];
    if text(app, "in_scope") != "yes" {
        lines.push(format!("  in scope: {}", text(app, "in_scope")));
    }
    if let Some(last) = app.get("last").filter(|last| !last.is_null()) {
        lines.push(format!(
            "  last: {} {} at {}, {}{}",
            text(last, "method"),
            text(last, "action"),
            text(last, "created_at"),
            text(last, "state"),
            match (last.get("status").and_then(Value::as_i64), text(last, "answer")) {
                (Some(status), answer) if answer.is_empty() => format!(", answered {status}"),
                (Some(status), answer) => format!(", answered {status}: {answer}"),
                (None, _) => String::new(),
            }
        ));
    }
    for hold in items(app, "holds") {
        lines.push(format!(
            "  waits for a decision: {} from {} to {} (hold {})",
            text(hold, "field"),
            short(hold.get("old")),
            short(hold.get("new")),
            text(hold, "id")
        ));
    }
    let rows: Vec<Vec<String>> = items(app, "values")
        .filter(|value| value.get("known") != value.get("wanted"))
        .map(|value| {
            vec![
                text(value, "path"),
                short(value.get("known")),
                short(value.get("wanted")),
                text(value, "policy"),
            ]
        })
        .collect();
    if rows.is_empty() {
        lines.push("  holds what it should".to_owned());
    } else {
        lines.push(table(&["differs", "it holds", "it should hold", "policy"], &rows));
    }
    lines
}

pub(super) async fn show(client: &Client, id: &str, at: &str, output: Output) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    let body = client
        .get(&format!("/users/{}", escaped(&id)), &[("at", at)])
        .await?;
    let rows: Vec<Vec<String>> = body
        .get("attributes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| vec![name.clone(), short(Some(value))])
        .collect();
    output.table(&body, &["attribute", "value"], &rows)?;
    Ok(Exit::Done)
}

pub(super) async fn diff(
    client: &Client,
    id: &str,
    from: &str,
    to: Option<&str>,
    output: Output,
) -> Result<Exit, Error> {
    let id = known_id(client, id).await?;
    let mut query = vec![("from", from)];
    query.extend(to.map(|to| ("to", to)));
    let body = client
        .get(&format!("/users/{}/diff", escaped(&id)), &query)
        .await?;
    let mut rows: Vec<Vec<String>> = items(&body, "changes")
        .map(|line| {
            vec![
                text(line, "path"),
                short(line.get("before")),
                short(line.get("after")),
            ]
        })
        .collect();
    rows.extend(items(&body, "accounts").map(|account| {
        vec![
            format!("account in {}", text(account, "app")),
            text(account, "before"),
            text(account, "after"),
        ]
    }));
    output.table(&json!(body), &["what", "before", "after"], &rows)?;
    Ok(Exit::Done)
}
