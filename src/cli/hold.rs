//! `hold`: values that wait for a human.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List open holds
    List {
        /// All of them, decided ones too
        #[arg(long)]
        all: bool,
    },
    /// Write the new value; of one hold, or of all that match
    Approve(Which),
    /// Keep the old value; this new one is not asked for again
    Reject(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its id
    #[arg(conflicts_with_all = ["app", "connection", "field", "rule", "from", "to", "when", "all_matching"])]
    id: Option<String>,
    /// Only those of this app
    #[arg(long, conflicts_with = "connection")]
    app: Option<String>,
    /// Only those of this connection
    #[arg(long)]
    connection: Option<String>,
    /// Only those about this attribute, such as emails
    #[arg(long)]
    field: Option<String>,
    /// Only those that this rule covers: same_local_part_new_domain or only_case
    #[arg(long, conflicts_with = "when")]
    rule: Option<String>,
    /// same_local_part_new_domain: the domain before
    #[arg(long, requires = "rule")]
    from: Option<String>,
    /// same_local_part_new_domain: the domain after
    #[arg(long, requires = "rule")]
    to: Option<String>,
    /// Only those for which an expression over `old` and `new` holds
    #[arg(long)]
    when: Option<String>,
    /// All that match, without a rule
    #[arg(long)]
    all_matching: bool,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List { all } => list(&client, all, output).await?,
        Command::Approve(which) => decide(&client, which, "approve", output).await?,
        Command::Reject(which) => decide(&client, which, "reject", output).await?,
    }
    Ok(Exit::Done)
}

async fn decide(client: &Client, which: Which, what: &str, output: Output) -> Result<(), Error> {
    let Some(id) = &which.id else {
        return decide_many(client, which, what, output).await;
    };
    let hold = client.post(&format!("/holds/{id}/{what}"), &json!({})).await?;
    output.show(&hold, || {
        format!(
            "hold {id} is {}",
            hold.get("state").and_then(Value::as_str).unwrap_or_default()
        )
    })
}

async fn decide_many(client: &Client, which: Which, what: &str, output: Output) -> Result<(), Error> {
    let mut order = json!({ "decision": what, "all": which.all_matching });
    let mut rule = json!({});
    put(&mut order, "app", which.app);
    put(&mut order, "connection", which.connection);
    put(&mut order, "field", which.field);
    put(&mut rule, "rule", which.rule);
    put(&mut rule, "from", which.from);
    put(&mut rule, "to", which.to);
    put(&mut rule, "when", which.when);
    if rule.as_object().is_some_and(|rule| !rule.is_empty())
        && let Some(order) = order.as_object_mut()
    {
        order.insert("rule".to_owned(), rule);
    }
    let done = client.post("/holds/decide", &order).await?;
    output.show(&done, || {
        let count = done.get("decided").and_then(Value::as_u64).unwrap_or_default();
        format!("{count} decided: {what}")
    })
}

fn put(object: &mut Value, member: &str, value: Option<String>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(member.to_owned(), Value::String(value));
    }
}

async fn list(client: &Client, all: bool, output: Output) -> Result<(), Error> {
    let state = if all { "all" } else { "open" };
    let items = client.all("/holds", &[("state", state)]).await?;
    let text = |item: &Value, member: &str| match item.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let head = ["id", "state", "app", "user", "field", "old", "new", "detail"];
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| head.map(|member| text(item, member)).to_vec())
        .collect();
    output.table(&json!({ "items": items }), &head, &rows)
}
