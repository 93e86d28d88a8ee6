//! `app preview`, `app reconcile`, `app drift`: what an app's draft would do, and what the app holds otherwise than known.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

/// How long between two questions whether a compare is done.
const PAUSE: Duration = Duration::from_millis(500);

fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn items(value: &Value) -> Vec<Value> {
    value
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// Shows what the draft would do beside the settings in force. Exits 3 when publishing it would wait for an approval.
pub(super) async fn preview(
    client: &Client,
    (path, whose): (&str, Option<&str>),
    csv: bool,
    output: Output,
) -> Result<Exit, Error> {
    let query: Vec<(&str, &str)> = whose.map(|whose| ("accounts", whose)).into_iter().collect();
    let body = client.get(path, &query).await?;
    let head = ["user", "name", "live", "draft", "state", "reason", "changes"];
    let rows: Vec<Vec<String>> = items(&body).iter().map(row).collect();
    if csv {
        let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
        let written = writer
            .write_record(head)
            .and_then(|()| rows.iter().try_for_each(|row| writer.write_record(row)))
            .and_then(|()| Ok(writer.flush()?));
        written.map_err(std::io::Error::from)?;
    } else {
        output.table(&body, &head, &rows)?;
    }
    let verdict = body.get("verdict").cloned().unwrap_or_default();
    let reasons: Vec<String> = verdict
        .get("reasons")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|reason| text(reason, "message"))
        .collect();
    if reasons.is_empty() {
        Ok(Exit::Done)
    } else {
        eprintln!("publishing it would wait for an approval: {}", reasons.join("; "));
        Ok(Exit::AwaitingApproval)
    }
}

fn row(item: &Value) -> Vec<String> {
    let (live, draft) = (
        item.get("live").cloned().unwrap_or_default(),
        item.get("draft").cloned().unwrap_or_default(),
    );
    let changes: Vec<String> = draft
        .get("changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|change| text(change, "path"))
        .collect();
    vec![
        text(item, "user"),
        text(item, "name"),
        text(&live, "action"),
        text(&draft, "action"),
        text(&draft, "state"),
        text(&draft, "reason"),
        changes.join(" "),
    ]
}

/// Has the app compared now, waits for the end and shows what was found.
pub(super) async fn reconcile(
    client: &Client,
    (ask, drift): (&str, &str),
    no_wait: bool,
    output: Output,
) -> Result<Exit, Error> {
    let asked = client.post(ask, &json!({})).await?;
    if no_wait {
        output.show(&asked, || {
            format!("the compare {} is under way", text(&asked, "id"))
        })?;
        return Ok(Exit::Done);
    }
    let id = text(&asked, "id");
    loop {
        let body = client.get(drift, &[("compare", &id), ("limit", "1")]).await?;
        let state = body.get("compare").map(|compare| text(compare, "state"));
        if state.as_deref() != Some("reading") {
            return show(client, drift, Some(&id), output).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Shows what a compare found; the newest without an id. Exits 3 when its repair waits for an approval, 1 when it failed.
pub(super) async fn show(
    client: &Client,
    drift: &str,
    compare: Option<&str>,
    output: Output,
) -> Result<Exit, Error> {
    let query: Vec<(&str, &str)> = compare.map(|id| ("compare", id)).into_iter().collect();
    let first = client.get(drift, &query).await?;
    let all = client.all(drift, &query).await?;
    let about = first.get("compare").cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for item in &all {
        let of = |path: String, expected: String, found: String| {
            vec![
                text(item, "kind"),
                text(item, "name"),
                path,
                expected,
                found,
                text(item, "repair"),
            ]
        };
        let differences = item
            .get("differences")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if differences.is_empty() {
            rows.push(of(String::new(), String::new(), String::new()));
        }
        for one in differences {
            rows.push(of(
                text(&one, "path"),
                text(&one, "expected"),
                text(&one, "found"),
            ));
        }
    }
    let head = ["kind", "name", "attribute", "expected", "found", "repair"];
    output.table(&json!({ "compare": about, "items": all }), &head, &rows)?;
    if text(&about, "state") == "failed" {
        eprintln!("the compare failed: {}", text(&about, "message"));
        return Ok(Exit::Failed);
    }
    if text(&about, "plan_state") == "awaiting_approval" {
        eprintln!(
            "the plan {} that repairs it awaits approval",
            text(&about, "plan")
        );
        return Ok(Exit::AwaitingApproval);
    }
    Ok(Exit::Done)
}

/// Lists the revisions of an app's settings.
pub(super) async fn revisions(client: &Client, path: &str, output: Output) -> Result<(), Error> {
    let found = client.all(path, &[]).await?;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| {
            let is = |member: &str| one.get(member) == Some(&Value::Bool(true));
            let stands = match (is("is_live"), is("is_draft")) {
                (true, _) => "in force",
                (_, true) => "draft",
                _ => "",
            };
            vec![
                text(one, "revision"),
                stands.to_owned(),
                text(one, "created_at"),
                text(one, "created_by"),
            ]
        })
        .collect();
    let head = ["revision", "", "written", "by"];
    output.table(&json!({ "items": found }), &head, &rows)
}

/// Prints the app file as TOML.
pub(super) async fn export(
    client: &Client,
    path: &str,
    revision: Option<&str>,
    output: Output,
) -> Result<(), Error> {
    let query: Vec<(&str, &str)> = revision.map(|number| ("revision", number)).into_iter().collect();
    let file = client.get(path, &query).await?;
    output.show(&file, || toml::to_string(&file).unwrap_or_default())
}
