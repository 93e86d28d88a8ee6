//! `plan`: what would be done, whatever the cause, and decisions about it.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::sync::{exit, story, until_it_rests};
use super::{Client, Error, Exit, Output};
use crate::insight::{ITEM_COLUMNS, item_rows};

/// How many plans and items are shown.
const SHOWN: &str = "50";
/// How many items are fetched together for an export.
const PAGE: &str = "1000";
/// How often a plan is asked for that is being applied.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the latest plans
    List {
        /// In one state, such as awaiting_approval
        #[arg(long)]
        state: Option<String>,
        /// Of one cause: run, app, due, reconcile, bulk, undo
        #[arg(long)]
        cause: Option<String>,
        /// Of one run or app, by its id
        #[arg(long)]
        owner: Option<String>,
    },
    /// Show a plan: its numbers, what the guard said, who decided
    Show {
        /// Its id
        id: String,
    },
    /// List what a plan does, person by person
    Items {
        /// Its id
        id: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Print the whole plan
    Export {
        /// Its id
        id: String,
        /// json (one item a line) or csv (one line for each change)
        #[arg(long, default_value = "json", value_parser = ["json", "csv"])]
        format: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Approve a plan that waits, whole or in part; returns when it has been applied
    Approve {
        /// Its id
        id: String,
        /// Only if this is the plan's hash
        #[arg(long)]
        plan: Option<String>,
        #[command(flatten)]
        choice: Choice,
    },
    /// Reject a plan that waits: it never has an effect
    Reject {
        /// Its id
        id: String,
        /// Only if this is the plan's hash
        #[arg(long)]
        plan: Option<String>,
    },
}

/// Which items.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// With one action: create, link, update, hold, disable, remove, skip, conflict
    #[arg(long)]
    action: Option<String>,
    /// In one state: planned, applied, refused, declined
    #[arg(long)]
    state: Option<String>,
    /// About one person, by its id
    #[arg(long)]
    person: Option<String>,
}

impl Filter {
    fn query<'a>(&'a self, limit: &'a str) -> Vec<(&'a str, &'a str)> {
        let members = [
            ("action", &self.action),
            ("state", &self.state),
            ("person", &self.person),
        ];
        let given = members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        std::iter::once(("limit", limit)).chain(given).collect()
    }
}

/// Which items of a plan are approved.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Only these: ordinals, ids of people or actions, separated by commas; the others are declined
    #[arg(long, value_delimiter = ',', conflicts_with = "except")]
    only: Vec<String>,
    /// All but these, which are declined
    #[arg(long, value_delimiter = ',')]
    except: Vec<String>,
}

impl Choice {
    /// The body of an approval.
    pub(super) fn body(&self, plan: Option<String>) -> Result<Value, Error> {
        let mut body = Map::new();
        if let Some(plan) = plan {
            body.insert("plan".to_owned(), plan.into());
        }
        for (name, words) in [("only", &self.only), ("except", &self.except)] {
            if !words.is_empty() {
                body.insert(name.to_owned(), picks(words)?);
            }
        }
        Ok(Value::Object(body))
    }
}

fn picks(words: &[String]) -> Result<Value, Error> {
    let (mut items, mut people, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        if let Ok(ordinal) = word.parse::<i32>() {
            items.push(ordinal);
        } else if word.contains('-') {
            people.push(word);
        } else if ["create", "link", "update", "disable", "remove"].contains(&word.as_str()) {
            actions.push(word);
        } else {
            return Err(Error::Usage(format!(
                "{word} is no ordinal, no id of a person and none of create, link, update, disable, remove"
            )));
        }
    }
    Ok(json!({ "items": items, "people": people, "actions": actions }))
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { state, cause, owner } => {
            list(
                &client,
                [("state", state), ("cause", cause), ("owner", owner)],
                output,
            )
            .await
        }
        Command::Show { id } => {
            let plan = client.get(&format!("/plans/{id}"), &[]).await?;
            output.show(&json!({ "plan": plan }), || told(&plan))?;
            Ok(Exit::Done)
        }
        Command::Items { id, filter } => items(&client, &id, &filter, output).await,
        Command::Export { id, format, filter } => export(&client, &id, &format, &filter).await,
        Command::Approve { id, plan, choice } => approve(&client, &id, &choice.body(plan)?, output).await,
        Command::Reject { id, plan } => {
            let plan = client
                .post(&format!("/plans/{id}/reject"), &json!({ "plan": plan }))
                .await?;
            output.show(&json!({ "plan": plan }), || told(&plan))?;
            Ok(Exit::Done)
        }
    }
}

fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

async fn list(client: &Client, filters: [(&str, Option<String>); 3], output: Output) -> Result<Exit, Error> {
    let given = filters
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let query: Vec<(&str, &str)> = std::iter::once(("limit", SHOWN)).chain(given).collect();
    let page = client.get("/plans", &query).await?;
    let head = ["id", "cause", "owner", "state", "created_at"];
    let rows: Vec<Vec<String>> = page
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|plan| head.map(|member| text(plan, member)).to_vec())
        .collect();
    output.table(&page, &head, &rows)?;
    Ok(Exit::Done)
}

/// A plan in a few lines.
fn told(plan: &Value) -> String {
    let mut lines = vec![
        format!(
            "plan {} ({}): {}",
            text(plan, "id"),
            text(plan, "cause"),
            text(plan, "state")
        ),
        format!("  hash {}", text(plan, "hash")),
    ];
    let actions = plan.get("items").and_then(Value::as_object);
    for (action, states) in actions.into_iter().flatten() {
        let states: Vec<String> = states
            .as_object()
            .into_iter()
            .flatten()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        lines.push(format!("  {action}: {}", states.join(", ")));
    }
    let reasons = plan.pointer("/guard/reasons").and_then(Value::as_array);
    for reason in reasons.into_iter().flatten() {
        lines.push(format!("  over a limit: {}", text(reason, "message")));
    }
    let by = text(plan, "decided_by");
    if !by.is_empty() {
        lines.push(format!("  decided by {by} at {}", text(plan, "decided_at")));
    }
    let reason = text(plan, "reason");
    if !reason.is_empty() {
        lines.push(format!("  {}: {reason}", text(plan, "state")));
    }
    if text(plan, "state") == "awaiting_approval" {
        lines.push(format!(
            "  nothing was done; look at `scim-bridge plan items {id}`, then `scim-bridge plan approve {id}` or `reject`",
            id = text(plan, "id")
        ));
    }
    lines.join("\n")
}

async fn items(client: &Client, id: &str, filter: &Filter, output: Output) -> Result<Exit, Error> {
    let page = client
        .get(&format!("/plans/{id}/items"), &filter.query(SHOWN))
        .await?;
    output.show(&page, || {
        let mut lines = Vec::new();
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            lines.extend(item_lines(item));
        }
        if page.get("next").is_some() {
            lines.push(format!("… and more: scim-bridge plan export {id}"));
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

/// An item with its changes, a line each.
pub(super) fn item_lines(item: &Value) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{:>5} {:8} {:9} {}  {} {}",
            text(item, "ordinal"),
            text(item, "action"),
            text(item, "state"),
            text(item, "person"),
            text(item, "reason"),
            text(item, "note"),
        )
        .trim_end()
        .to_owned(),
    ];
    for change in item
        .get("changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let value = |side| change.get(side).map(Value::to_string).unwrap_or_default();
        lines.push(format!(
            "        {}: {} → {}",
            text(change, "path"),
            value("old"),
            value("new")
        ));
    }
    for call in item.get("calls").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!(
            "        {} {} {} {}",
            text(call, "app"),
            text(call, "method"),
            text(call, "path"),
            text(call, "body")
        ));
    }
    lines
}

/// Prints page by page, so that a plan of any size passes through.
async fn export(client: &Client, id: &str, format: &str, filter: &Filter) -> Result<Exit, Error> {
    let mut out = csv::Writer::from_writer(std::io::stdout());
    let csv = format == "csv";
    if csv {
        out.write_record(ITEM_COLUMNS).map_err(std::io::Error::from)?;
    }
    let mut after: Option<String> = None;
    loop {
        let mut query = filter.query(PAGE);
        if let Some(after) = &after {
            query.push(("after", after));
        }
        let page = client.get(&format!("/plans/{id}/items"), &query).await?;
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            if csv {
                for row in item_rows(item) {
                    out.write_record(row).map_err(std::io::Error::from)?;
                }
            } else {
                super::output::line(&item.to_string())?;
            }
        }
        out.flush()?;
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(Exit::Done),
        }
    }
}

async fn approve(client: &Client, id: &str, body: &Value, output: Output) -> Result<Exit, Error> {
    let mut plan = client.post(&format!("/plans/{id}/approve"), body).await?;
    if let Some(run) = plan.get("run").filter(|run| !run.is_null()) {
        let run = until_it_rests(client, &json!({ "id": run }), output).await?;
        output.show(&json!({ "run": run }), || story(&run))?;
        return Ok(exit(&run));
    }
    while text(&plan, "state") == "approved" {
        tokio::time::sleep(PAUSE).await;
        plan = client.get(&format!("/plans/{id}"), &[]).await?;
    }
    output.show(&json!({ "plan": plan }), || told(&plan))?;
    Ok(Exit::Done)
}
