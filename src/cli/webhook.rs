//! `connection webhook`: the address and the secret at which an HR system tells of changes.

use clap::Args;
use serde_json::{Value, json};

use super::connection::path;
use super::{Client, Error, Output};
use crate::base::Chain;
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Order {
    /// The connection's name
    name: String,
    /// Enter the secret that the HR system shows: itself, env:NAME or file:PATH
    #[arg(long)]
    secret: Option<String>,
    /// Make a new address and, where it is ours to make, a new secret
    #[arg(long, conflicts_with_all = ["secret", "off"])]
    rotate: bool,
    /// With --rotate: hours for which the address before is still heard
    #[arg(long, requires = "rotate", default_value_t = 24)]
    keep_hours: u16,
    /// End the address at once
    #[arg(long, conflicts_with = "secret")]
    off: bool,
}

pub(super) async fn run(client: &Client, order: Order, output: Output) -> Result<(), Error> {
    let at = path(&order.name, "/webhook");
    if order.off {
        client.delete(&at).await?;
        let done = json!({ "ended": true });
        return output.show(&done, || {
            "The address has ended; changes are found by the schedule.".to_owned()
        });
    }
    let webhook = if order.rotate {
        let body = json!({ "keep_hours": order.keep_hours });
        client.post(&path(&order.name, "/webhook/rotate"), &body).await?
    } else {
        let secret = order.secret.map(|given| config::resolve(&given)).transpose();
        let secret = secret.map_err(|error| Error::Usage(format!("--secret: {}", Chain(&error))))?;
        client.put(&at, &json!({ "secret": secret })).await?
    };
    output.show(&webhook, || page(&order.name, &webhook))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn truth(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or_default()
}

/// A webhook for people to read.
fn page(name: &str, webhook: &Value) -> String {
    let mut lines = vec![format!("URL     {}", text(webhook, "url"))];
    if let Some(user) = webhook.get("user").and_then(Value::as_str) {
        lines.push(format!("user    {user}"));
    }
    lines.push(match (webhook.get("secret").and_then(Value::as_str), text(webhook, "secret_maker")) {
        (Some(secret), _) => format!("secret  {secret}\n        (shown this once; --rotate makes another)"),
        (None, "none") => "secret  none: the URL is the secret, keep it like a password".to_owned(),
        (None, _) if truth(webhook, "has_secret") => "secret  is there and is not shown again".to_owned(),
        _ => format!(
            "secret  missing: every delivery is refused until you enter the one that the HR system shows:\n        \
             scim-bridge connection webhook {name} --secret env:NAME"
        ),
    });
    if let Some(until) = webhook.get("earlier_until").and_then(Value::as_str) {
        lines.push(format!("        the URL before is heard until {until}"));
    }
    lines.push(format!("\n{}\n", text(webhook, "guide")));
    lines.push(if truth(webhook, "reads_one") {
        "A delivery makes the employee that it names be read at once.".to_owned()
    } else {
        "A delivery makes all employees be read, after a moment in which more may come.".to_owned()
    });
    let count = |member: &str| webhook.get(member).and_then(Value::as_i64).unwrap_or_default();
    lines.push(format!(
        "So far: {} looked at, {} not for us, {} repeated, {} unreadable, {} refused; last {}",
        count("looked"),
        count("ignored"),
        count("repeated"),
        count("unreadable"),
        count("refused"),
        Some(text(webhook, "last_at"))
            .filter(|at| !at.is_empty())
            .unwrap_or("never"),
    ));
    if let Some(why) = webhook.get("last_failure").and_then(Value::as_str) {
        lines.push(format!(
            "Last failure, {}: {why}",
            text(webhook, "last_failed_at")
        ));
    }
    lines.join("\n")
}
