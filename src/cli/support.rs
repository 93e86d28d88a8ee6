//! `support-bundle`: what somebody who is to help needs to see.

use std::path::PathBuf;

use clap::Args;

use super::{Client, Error, Exit, Output};

#[derive(Debug, Args)]
pub(super) struct Command {
    /// Write it to a file instead of stdout
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let bundle = Client::from_env()?.get("/support-bundle", &[]).await?;
    let text = format!("{bundle:#}");
    match command.out {
        Some(file) => {
            std::fs::write(&file, text)
                .map_err(|error| Error::Usage(format!("{} cannot be written: {error}", file.display())))?;
            eprintln!("written to {}: read it before you pass it on", file.display());
        }
        None => output.show(&bundle, || text)?,
    }
    Ok(Exit::Done)
}
