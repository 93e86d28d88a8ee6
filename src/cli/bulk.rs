//! `bulk`: one order about many accounts or users, and one account deleted by hand, over the API.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

/// What is done.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Action {
    /// Look at the app's accounts now, whatever they waited for, and send what they lack
    Push,
    /// The same for the accounts that the app refused
    Retry,
    /// Delete accounts in the app
    Remove,
    /// Disable users in the admins' name, in every app
    Suspend,
    /// Lift what the admins hold
    Release,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Retry => "retry",
            Self::Remove => "remove",
            Self::Suspend => "suspend",
            Self::Release => "release",
        }
    }
}

/// `bulk`.
#[derive(Debug, Args)]
pub(super) struct Order {
    /// What is done
    action: Action,
    /// The app whose accounts are meant
    #[arg(long)]
    app: Option<String>,
    /// Only accounts in this state, such as parked or unmatched
    #[arg(long, group = "who")]
    state: Option<String>,
    /// Only users that this SCIM filter finds
    #[arg(long, group = "who")]
    filter: Option<String>,
    /// Only these, by id; may be given more than once
    #[arg(long = "id", group = "who")]
    ids: Vec<String>,
    /// Why; kept in the audit trail
    #[arg(long, default_value = "")]
    reason: String,
}

fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Exits 3 when the plan waits for an approval.
pub(super) async fn bulk(order: Order, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let mut body = json!({ "action": order.action.word(), "reason": order.reason });
    if let Some(members) = body.as_object_mut() {
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(key.to_owned(), value);
            }
        };
        put("app", order.app.map(Value::from));
        put("state", order.state.map(Value::from));
        put("filter", order.filter.map(Value::from));
        put("ids", (!order.ids.is_empty()).then(|| json!(order.ids)));
    }
    let done = client.post("/bulk", &body).await?;
    let waits = text(&done, "state") == "awaiting_approval";
    output.show(&done, || {
        let counts = done.get("counts").cloned().unwrap_or_default();
        let sums: Vec<String> = ["creates", "updates", "disables", "removals"]
            .iter()
            .map(|member| format!("{member} {}", text(&counts, member)))
            .collect();
        let sums = sums.join(", ");
        if waits {
            let plan = text(&done, "plan");
            let reasons = done.get("reasons").and_then(Value::as_array).into_iter().flatten();
            let reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
            format!(
                "nothing is done yet ({sums}): {}\nplan {plan} awaits approval; `scim-bridge plan approve {plan} --plan {}`",
                reasons.join("; "),
                text(&done, "plan_hash")
            )
        } else {
            sums
        }
    })?;
    Ok(if waits { Exit::AwaitingApproval } else { Exit::Done })
}

/// Deletes one account in its app.
pub(super) async fn remove(
    client: &Client,
    id: &str,
    app: Option<&str>,
    output: Output,
) -> Result<Exit, Error> {
    let escape = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let query = app.map_or_else(String::new, |app| format!("?app={}", escape(app)));
    client.delete(&format!("/accounts/{}{query}", escape(id))).await?;
    output.show(&json!({ "id": id }), || {
        format!("account {id} is being deleted in the app")
    })?;
    Ok(Exit::Done)
}
