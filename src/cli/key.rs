//! `key`: the master key, over the API with an operator's token.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Seal everything anew under the first key of SCIM_BRIDGE_MASTER_KEY; goes on where it was interrupted
    Rotate,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let Command::Rotate = command;
    let client = Client::from_env()?;
    let mut resealed = 0_u64;
    loop {
        let done = client.post("/keys/rotate", &json!({})).await?;
        let now = done.get("resealed").and_then(Value::as_u64).unwrap_or_default();
        resealed = resealed.saturating_add(now);
        if done.get("more").and_then(Value::as_bool) != Some(true) {
            break;
        }
    }
    output.show(&json!({ "resealed": resealed }), || {
        format!(
            "{resealed} values were sealed anew: every other key may be taken from SCIM_BRIDGE_MASTER_KEY now"
        )
    })?;
    Ok(Exit::Done)
}
