//! A real server process, for benches.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Why a bench did not come to its end.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A server process that ends with the bench.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        self.0.wait().ok();
    }
}

/// The program on a data folder and an address.
pub fn bridge(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
    command
        .env("SCIM_BRIDGE_DATA_DIR", data)
        .env("SCIM_BRIDGE_LISTEN", listen)
        .env("SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS", "true")
        .env("RUST_LOG", "warn");
    command
}

/// What a command printed.
pub fn said(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
