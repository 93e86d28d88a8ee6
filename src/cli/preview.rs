//! `connection preview`: what a draft would do, before it is published.

use serde_json::{Value, json};

use super::plan::item_lines;
use super::sync::{hand_in, story, until_it_rests};
use super::{Client, Error, Exit, Output};

/// How many items are shown.
const SHOWN: &str = "20";

/// Asks for a preview of the draft, waits for it, and shows numbers, apps and the first items.
pub(super) async fn run(client: &Client, name: &str, read: bool, output: Output) -> Result<Exit, Error> {
    hand_in(client, name, true).await?;
    let started = client
        .post(&format!("/connections/{name}/preview"), &json!({ "read": read }))
        .await?;
    let run = until_it_rests(client, &started, output).await?;
    let done = run.get("state").and_then(Value::as_str) == Some("done");
    let Some(plan) = run.get("plan").and_then(Value::as_str).filter(|_| done) else {
        output.show(&json!({ "run": run }), || story(&run))?;
        return Ok(Exit::Failed);
    };
    let apps = client.get(&format!("/plans/{plan}/apps"), &[]).await?;
    let page = client
        .get(
            &format!("/plans/{plan}/items"),
            &[("limit", SHOWN), ("calls", "true")],
        )
        .await?;
    let shown = json!({ "run": run, "plan": plan, "apps": apps.get("items"), "items": page.get("items") });
    output.show(&shown, || {
        let mut lines = vec![story(&run), format!("  plan {plan}")];
        for app in list(&apps) {
            let counts: Vec<String> = app
                .get("counts")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(word, count)| format!("{word} {count}"))
                .collect();
            let word = |member| app.get(member).and_then(Value::as_str).unwrap_or_default();
            lines.push(format!(
                "  app {} ({}): {}",
                word("app"),
                word("mode"),
                counts.join(", ")
            ));
        }
        lines.extend(list(&page).flat_map(item_lines));
        if page.get("next").is_some() {
            lines.push(format!("… and more: scim-bridge plan export {plan}"));
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

fn list(page: &Value) -> impl Iterator<Item = &Value> {
    page.get("items").and_then(Value::as_array).into_iter().flatten()
}

/// What the last preview of the draft foresaw, for whoever publishes it; none when nobody looked.
pub(super) async fn foreseen(client: &Client, name: &str) -> Result<Option<Value>, Error> {
    let connection = client.get(&format!("/connections/{name}"), &[]).await?;
    let Some(draft) = connection.get("draft_revision").filter(|draft| !draft.is_null()) else {
        return Ok(None);
    };
    let runs = client
        .get(
            "/runs",
            &[("connection", name), ("state", "done"), ("limit", "50")],
        )
        .await?;
    let is_of_draft = |run: &&Value| {
        let cause = run.get("cause").and_then(Value::as_str).unwrap_or_default();
        cause.starts_with("preview") && run.get("revision") == Some(draft)
    };
    Ok(list(&runs).find(is_of_draft).cloned())
}
