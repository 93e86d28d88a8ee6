//! `user invite` and `user invitations`.

use clap::Args;
use serde_json::{Value, json};

use super::recipient::short;
use super::{Client, Error, Exit, Output};

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// The users' ids
    #[arg(required_unless_present = "pending")]
    users: Vec<String>,
    /// Into which app
    #[arg(long)]
    app: String,
    /// All whose account was created and who were not invited yet
    #[arg(long, conflicts_with = "users")]
    pending: bool,
}

#[derive(Debug, Args)]
pub(super) struct Invitations {
    /// Of this app
    #[arg(long)]
    app: Option<String>,
    /// Only those in this state: pending, invited, by_app
    #[arg(long)]
    state: Option<String>,
}

pub(super) async fn invite(client: &Client, order: Invite, output: Output) -> Result<Exit, Error> {
    let body = json!({ "app": order.app, "users": order.users, "pending": order.pending });
    let (mut invited, mut left_out) = (Vec::new(), Vec::new());
    let mut path = "/invitations".to_owned();
    loop {
        let done = client.post(&path, &body).await?;
        let of = |member: &str| {
            done.get(member)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        invited.extend(of("invited"));
        left_out.extend(of("left_out"));
        match done.get("next").and_then(Value::as_str) {
            Some(next) => path = format!("/invitations?after={next}"),
            None => break,
        }
    }
    let all = json!({ "invited": invited, "left_out": left_out });
    output.show(&all, || {
        let mut said = format!("{} invited", invited.len());
        if !left_out.is_empty() {
            let ids: Vec<String> = left_out.iter().map(|id| short(Some(id))).collect();
            said.push_str(&format!(
                "\nnot invited, since we created no account for them, they have no mail address, or the app invites them \
                 itself:\n{}",
                ids.join("\n")
            ));
        }
        said
    })?;
    Ok(if left_out.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

pub(super) async fn list(client: &Client, order: Invitations, output: Output) -> Result<Exit, Error> {
    let query: Vec<(&str, &str)> = [("app", &order.app), ("state", &order.state)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    let items = client.all("/invitations", &query).await?;
    let head = ["user", "app", "state", "times", "invited_at", "mail", "reason"];
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| head.map(|member| short(item.get(member))).to_vec())
        .collect();
    output.table(
        &json!({ "items": items }),
        &["user", "app", "state", "times", "invited at", "mail", "why"],
        &rows,
    )?;
    Ok(Exit::Done)
}
