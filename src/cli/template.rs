//! `template`: the words of mails.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::refused;
use super::recipient::short;
use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every kind of mail, and which of them say it in your own words
    List,
    /// Show the words of one kind, and what they may name
    Show(Which),
    /// Say it in your own words: checked before it is kept
    Set(Set),
    /// Go back to the words that come with the program
    Reset(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The kind of event, such as welcome
    kind: String,
    /// de, en, fr or nl
    #[arg(long, default_value = "en")]
    language: String,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    which: Which,
    /// A TOML file with `subject`, `body` and, if you like, `html`
    #[arg(long)]
    file: PathBuf,
}

fn path(which: &Which) -> String {
    let escaped = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    format!("/templates/{}/{}", escaped(&which.kind), escaped(&which.language))
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List => {
            let items = client.all("/templates", &[]).await?;
            let head = ["kind", "language", "own_since"];
            let rows: Vec<Vec<String>> = items
                .iter()
                .map(|item| head.map(|member| short(item.get(member))).to_vec())
                .collect();
            output.table(
                &json!({ "items": items }),
                &["kind", "language", "own since"],
                &rows,
            )?;
        }
        Command::Show(which) => {
            let words = client.get(&path(&which), &[]).await?;
            output.show(&words, || page(&words))?;
        }
        Command::Set(set) => {
            let at = set.file.display();
            let text = std::fs::read_to_string(&set.file)
                .map_err(|error| Error::Usage(format!("{at} cannot be read: {error}")))?;
            let body: Value =
                toml::from_str(&text).map_err(|error| Error::Usage(format!("{at}: {error}")))?;
            let words = client
                .put(&path(&set.which), &body)
                .await
                .map_err(|error| refused(&set.file, &text, error))?;
            output.show(&words, || page(&words))?;
        }
        Command::Reset(which) => {
            client.delete(&path(&which)).await?;
            output.show(&json!({ "reset": which.kind }), || {
                format!("{} is said as the program says it", which.kind)
            })?;
        }
    }
    Ok(Exit::Done)
}

fn page(words: &Value) -> String {
    let names: Vec<String> = words
        .get("names")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, example)| format!("  {name}: {}", short(Some(example))))
        .collect();
    format!(
        "subject: {}\n\n{}\n\nWhat may be named, with an example:\n{}",
        short(words.get("subject")),
        short(words.get("body")).trim(),
        names.join("\n")
    )
}
