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
    /// Show or change the language, the size of digests, and who is told when plans wait, for the whole tenant
    Settings(Settings),
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The mail address
    address: String,
    /// Only these kinds of events, such as run_failed; all without it
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<String>,
    /// Only events of these legal entities, each by its id, code or name in HR
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
    /// After so long (4h, 2d) a plan that still waits is told again; `never` ends that
    #[arg(long, value_name = "TIME")]
    escalate_after: Option<String>,
    /// To whom; without anybody, to the same people
    #[arg(long, value_name = "ADDRESS")]
    escalate_to: Vec<String>,
}

impl Settings {
    /// What is to be changed, by its name.
    fn wanted(self) -> Vec<(&'static str, Value)> {
        let after = self.escalate_after.map(|after| match after.as_str() {
            "never" => Value::Null,
            _ => after.into(),
        });
        let to = (!self.escalate_to.is_empty()).then(|| self.escalate_to.into());
        [
            ("language", self.language.map(Value::from)),
            ("digest_above", self.digest_above.map(Value::from)),
            ("escalate_after", after),
            ("escalate_to", to),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
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
            let wanted = settings.wanted();
            if !wanted.is_empty() {
                if let Some(all) = now.as_object_mut() {
                    all.extend(wanted.into_iter().map(|(name, value)| (name.to_owned(), value)));
                }
                now = client.put("/notice-settings", &now).await?;
            }
            output.show(&now, || {
                let (after, to) = (short(now.get("escalate_after")), short(now.get("escalate_to")));
                let again = match (after.as_str(), to.as_str()) {
                    ("", _) => "a plan that waits is told once".to_owned(),
                    (after, "") => format!("a plan that waits is told again after {after}"),
                    (after, to) => format!("a plan that waits is told again after {after}, to {to}"),
                };
                format!(
                    "language {}, a digest above {}, {again}",
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
