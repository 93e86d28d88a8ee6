//! `review`: records of which nobody but a human can say whose they are.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List open reviews
    List {
        /// All of them, decided ones too
        #[arg(long)]
        all: bool,
    },
    /// Say whose the records of reviews are; a run acts on it
    Decide {
        /// Their ids; none with --all-of
        #[arg(required_unless_present = "all_of")]
        ids: Vec<String>,
        /// All open reviews of this connection
        #[arg(long, value_name = "CONNECTION", conflicts_with_all = ["ids", "person"])]
        all_of: Option<String>,
        /// They are this candidate, by person id
        #[arg(long, conflicts_with = "as_what", required_unless_present = "as_what")]
        person: Option<String>,
        /// They are the only candidate, one human whom nobody knew, or each a human of its own
        #[arg(long = "as", value_name = "WHAT")]
        as_what: Option<What>,
    },
    /// Take a decision back: the question is open again, the records belong to whom they belonged before
    Undo {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum What {
    /// The only candidate of each review; reviews with several are left
    Candidate,
    /// One human whom nobody knew
    OnePerson,
    /// Each a human of its own
    Separate,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::OnePerson => "one_person",
            Self::Separate => "separate",
        }
    }
}

fn bulk_story(decided: &Value) -> String {
    let count = |member: &str| decided.get(member).and_then(Value::as_array).map_or(0, Vec::len);
    let mut story = format!("{} decided; a run acts on it", count("decided"));
    if count("left") > 0 {
        story.push_str(&format!(
            "\n{} left: they have no candidate or several",
            count("left")
        ));
    }
    if decided.get("more") == Some(&Value::Bool(true)) {
        story.push_str("\nthere are more: run this again");
    }
    story
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { all } => list(&client, all, output).await?,
        Command::Decide {
            ids,
            all_of,
            person,
            as_what,
        } => match (person, ids.as_slice()) {
            (Some(person), [id]) => {
                let order = json!({ "decision": "person", "person": person });
                let decided = client.post(&format!("/reviews/{id}/decide"), &order).await?;
                output.show(&decided, || format!("review {id} is decided; a run acts on it"))?;
            }
            (Some(_), _) => return Err(Error::Usage("--person decides one review".to_owned())),
            (None, _) => {
                let mut order = json!({ "decision": as_what.map_or("separate", What::word), "ids": ids });
                if let (Some(name), Some(order)) = (all_of, order.as_object_mut()) {
                    order.insert("connection".to_owned(), name.into());
                }
                let decided = client.post("/reviews/decide", &order).await?;
                output.show(&decided, || bulk_story(&decided))?;
            }
        },
        Command::Undo { id } => {
            let open = client.post(&format!("/reviews/{id}/reopen"), &json!({})).await?;
            output.show(&open, || format!("review {id} is open again; a run acts on it"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, all: bool, output: Output) -> Result<(), Error> {
    let state = if all { "all" } else { "open" };
    let items = client.all("/reviews", &[("state", state)]).await?;
    let named = |item: &Value, member: &str| {
        let parts: Vec<String> = item
            .get(member)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|one| {
                let part = |member: &str| one.get(member).and_then(Value::as_str).unwrap_or_default();
                match (part("name"), part("id")) {
                    ("", id) => id.to_owned(),
                    (name, id) => format!("{name} ({id})"),
                }
            })
            .collect();
        parts.join(", ")
    };
    let text = |item: &Value, member: &str| {
        item.get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            vec![
                text(item, "id"),
                text(item, "state"),
                named(item, "records"),
                named(item, "people"),
                text(item, "reason"),
            ]
        })
        .collect();
    output.table(
        &json!({ "items": items }),
        &["id", "state", "records", "candidates", "reason"],
        &rows,
    )
}
