//! `account`: whose an app's account is, said by hand.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output, bulk};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say that an unmatched account of an app is this user's
    Link {
        /// The user's id
        user: String,
        /// The account's id in the app
        remote_id: String,
        /// The app
        #[arg(long)]
        app: String,
    },
    /// Cut the link of a user to its account in an app; the account is left as it is
    Unlink {
        /// The user's id
        user: String,
        /// The app
        #[arg(long)]
        app: String,
    },
    /// Delete one account in its app; it is not made again before somebody pushes it
    Remove {
        /// The user's id, or the account's own when nobody of ours has it
        id: String,
        /// The app, when several have an account of the user
        #[arg(long)]
        app: Option<String>,
    },
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    let path = |app: &str, user: &str, rest: &str| {
        let encoded =
            |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        format!("/apps/{}/accounts/{}/{rest}", encoded(app), encoded(user))
    };
    let text = |body: &Value| {
        let of = |member: &str| {
            body.get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let is_linked = body.get("linked") == Some(&Value::Bool(true));
        let deed = if is_linked {
            "is linked to"
        } else {
            "is no longer linked to"
        };
        format!("user {} {deed} account {}", of("user"), of("remote_id"))
    };
    let body = match command {
        Command::Link { user, remote_id, app } => {
            let order = json!({ "remote_id": remote_id });
            client.post(&path(&app, &user, "link"), &order).await?
        }
        Command::Remove { id, app } => return bulk::remove(&client, &id, app.as_deref(), output).await,
        Command::Unlink { user, app } => client.post(&path(&app, &user, "unlink"), &json!({})).await?,
    };
    output.show(&body, || text(&body))?;
    Ok(Exit::Done)
}
