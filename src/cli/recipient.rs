//! `recipient`: admins who are told by mail.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the tenant's recipients
    List,
    /// Add a recipient, or change the one of that address
    Set(Set),
    /// Take a recipient away
    Remove {
        /// Its id
        id: String,
    },
    /// Show or change the language and the size of digests for the whole tenant
    Settings(Settings),
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The mail address
    address: String,
    /// Only these kinds of events, such as run_failed; all without it
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<String>,
    /// Only events of these legal entities, by their ids
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<String>,
    /// de, en, fr or nl; the tenant's without it
    #[arg(long)]
    language: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// For whoever has no language of their own: de, en, fr or nl
    #[arg(long)]
    language: Option<String>,
    /// So many deactivated by one run are told one by one; of more, one mail tells
    #[arg(long)]
    digest_above: Option<u16>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List => {
            let items = client.all("/recipients", &[]).await?;
            let rows: Vec<Vec<String>> = items
                .iter()
                .map(|item| {
                    ["id", "address", "language", "events", "entities"]
                        .map(|member| short(item.get(member)))
                        .to_vec()
                })
                .collect();
            let head = ["id", "address", "language", "events", "entities"];
            output.table(&json!({ "items": items }), &head, &rows)?;
        }
        Command::Set(set) => {
            let body = json!({
                "address": set.address, "events": set.events, "entities": set.entities, "language": set.language,
            });
            let kept = client.put("/recipients", &body).await?;
            output.show(&kept, || format!("{} is told", short(kept.get("address"))))?;
        }
        Command::Remove { id } => {
            client.delete(&format!("/recipients/{id}")).await?;
            output.show(&json!({ "removed": id }), || {
                format!("recipient {id} is told no more")
            })?;
        }
        Command::Settings(settings) => {
            let mut now = client.get("/notice-settings", &[]).await?;
            if settings.language.is_some() || settings.digest_above.is_some() {
                if let (Some(all), Some(language)) = (now.as_object_mut(), settings.language) {
                    all.insert("language".to_owned(), language.into());
                }
                if let (Some(all), Some(above)) = (now.as_object_mut(), settings.digest_above) {
                    all.insert("digest_above".to_owned(), above.into());
                }
                now = client.put("/notice-settings", &now).await?;
            }
            output.show(&now, || {
                format!(
                    "language {}, a digest above {}",
                    short(now.get("language")),
                    short(now.get("digest_above"))
                )
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn short(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let parts: Vec<String> = parts.iter().map(|part| short(Some(part))).collect();
            parts.join(",")
        }
        Some(other) => other.to_string(),
    }
}
