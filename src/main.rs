//! The command `scim-bridge`.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser as _;
use scim_bridge::base::Chain;
use scim_bridge::cli;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("scim-bridge: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(arguments)) {
        Ok(exit) => exit.into(),
        // Whoever reads the output has seen enough: `| head`.
        Err(cli::Error::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scim-bridge: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}
