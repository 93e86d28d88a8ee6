//! One file over SFTP, by the machine's OpenSSH client (`sftp`, `ssh-keyscan`).
//!
//! A library of our own choice would bring some ninety crates of cryptography, several of them doubled; OpenSSH is kept
//! up to date by the operating system. The private-address guard stays ours: the name is resolved here and the client is
//! given an address. The server's key is compared with the pinned fingerprint before anything else is said to it, and
//! the client is then told to accept that very key alone. Nothing of the user's own SSH configuration is read.

use std::fs::DirBuilder;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::address::is_public;
use super::{Net, TIME_OUT};
use crate::base::{Secret, digest, random_token};

/// Between two looks at the file, which must show the same: else it is still being written.
const STABLE: Duration = Duration::from_secs(2);
/// How often the size of what was fetched so far is looked at.
const WATCH: Duration = Duration::from_millis(200);
/// The programs, wherever a system keeps them.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin";

/// A file on a server.
#[derive(Debug, Clone)]
pub struct SftpFile<'a> {
    /// The server's name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Who signs in.
    pub user: &'a str,
    /// With a password.
    pub password: Option<&'a Secret>,
    /// With a private key without a pass phrase, as a PEM block.
    pub private_key: Option<&'a Secret>,
    /// The server's key that is accepted, as `SHA256:…`; none: no key is.
    pub host_key: Option<&'a str>,
    /// Where the file is. `*` and `?` in its last part stand for any characters: then the newest is taken.
    pub path: &'a str,
    /// The largest file, in bytes.
    pub cap: u64,
}

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// The machine has no OpenSSH client.
    #[error("the OpenSSH client ({program}) is not installed: apt-get install openssh-client")]
    NoClient {
        /// Which program is missing.
        program: &'static str,
    },
    /// The server is in a private network.
    #[error(
        "{host} is in a private network: the operator can allow such targets with SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS"
    )]
    Private {
        /// Its name.
        host: String,
    },
    /// Nothing answers there.
    #[error("no SSH server answers at {host} port {port}")]
    Unreachable {
        /// Its name.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The server's key is not the pinned one, or none is pinned.
    #[error("the key of {host} is not the one in host_key; it shows {offered}")]
    HostKey {
        /// Its name.
        host: String,
        /// The fingerprints of its keys, with their kinds.
        offered: String,
    },
    /// The server does not accept user and password or key.
    #[error("{host} does not accept the user with this password or key")]
    Credentials {
        /// Its name.
        host: String,
    },
    /// The file is not there, or may not be read.
    #[error("{0}")]
    NoFile(&'static str),
    /// The file changed while it was looked at.
    #[error("the file is still being written")]
    Unstable,
    /// The file is larger than the cap.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// A path, user or key that cannot be used.
    #[error("{0}")]
    Setting(&'static str),
    /// It took too long.
    #[error("{host} took too long")]
    TimedOut {
        /// Its name.
        host: String,
    },
    /// The machine's own files.
    #[error("a private folder for the transfer cannot be made or used")]
    Folder(#[source] std::io::Error),
    /// Another reason, which the client gave only its user.
    #[error("the SFTP client failed (exit code {0})")]
    Client(i32),
}

impl SftpError {
    /// Whether the same may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Unstable | Self::TimedOut { .. }
        )
    }
}

impl Net {
    /// Fetches a file. It must be whole: one that changes while it is looked at is refused.
    ///
    /// # Errors
    /// Why it could not be fetched.
    #[tracing::instrument(name = "net.sftp.fetch", skip_all)]
    pub async fn fetch_by_sftp(&self, file: &SftpFile<'_>) -> Result<Bytes, SftpError> {
        let sound = file.user.chars().all(|c| c.is_ascii_graphic()) && !file.user.starts_with('-');
        if file.user.is_empty() || !sound {
            return Err(SftpError::Setting(
                "the user name has characters that cannot be used",
            ));
        }
        let path = quoted(file.path)?;
        let address = self.address_of(file).await?;
        let known = pinned(file, address).await?;
        let folder = Folder::make().map_err(SftpError::Folder)?;
        let session = Session {
            file,
            address,
            folder: &folder,
            algorithm: known.algorithm,
        };
        session.prepare(&known.line).map_err(SftpError::Folder)?;
        let path = if file.path.contains(['*', '?']) {
            session.newest(&path).await?
        } else {
            path
        };
        let before = session.look(&path).await?;
        self.sleeper().sleep(STABLE).await;
        let bytes = session.fetch(&path, &before).await?;
        tracing::info!(bytes = bytes.len(), "a file was fetched");
        Ok(bytes)
    }

    async fn address_of(&self, file: &SftpFile<'_>) -> Result<IpAddr, SftpError> {
        let unreachable = || SftpError::Unreachable {
            host: file.host.to_owned(),
            port: file.port,
        };
        let found = tokio::net::lookup_host((file.host, file.port))
            .await
            .map_err(|_| unreachable())?;
        let all: Vec<IpAddr> = found.map(|address: SocketAddr| address.ip()).collect();
        if all.is_empty() {
            return Err(unreachable());
        }
        all.into_iter()
            .find(|address| self.allows_private() || is_public(*address))
            .ok_or_else(|| SftpError::Private {
                host: file.host.to_owned(),
            })
    }
}

/// A private folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        let path = Path::new("/tmp").join(format!("scim-bridge-sftp-{}", random_token()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, mode: u32, text: &str) -> std::io::Result<()> {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.0.join(name))?;
        file.write_all(text.as_bytes())
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// The server's key that is pinned.
struct Known {
    /// For the file of known hosts.
    line: String,
    /// The algorithms by which it signs.
    algorithm: String,
}

/// Asks the server for its keys and takes the pinned one.
async fn pinned(file: &SftpFile<'_>, address: IpAddr) -> Result<Known, SftpError> {
    let mut command = program("ssh-keyscan");
    let port = file.port.to_string();
    command.args(["-T", "10", "-p", &port, "--", &address.to_string()]);
    let output = finish(command, None, "ssh-keyscan", file.host).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut offered = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split_ascii_whitespace().skip(1);
        let (Some(kind), Some(key)) = (parts.next(), parts.next()) else {
            continue;
        };
        let Ok(bytes) = STANDARD.decode(key) else { continue };
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&bytes)));
        if file
            .host_key
            .is_some_and(|known| known.trim_end_matches('=') == fingerprint)
        {
            let algorithm = match kind {
                "ssh-rsa" => "rsa-sha2-512,rsa-sha2-256".to_owned(),
                kind => kind.to_owned(),
            };
            return Ok(Known {
                line: format!("pinned {kind} {key}\n"),
                algorithm,
            });
        }
        offered.push(format!("{fingerprint} ({kind})"));
    }
    if offered.is_empty() {
        return Err(SftpError::Unreachable {
            host: file.host.to_owned(),
            port: file.port,
        });
    }
    Err(SftpError::HostKey {
        host: file.host.to_owned(),
        offered: offered.join(", "),
    })
}

/// What the client is started with.
struct Session<'a> {
    file: &'a SftpFile<'a>,
    address: IpAddr,
    folder: &'a Folder,
    algorithm: String,
}

impl Session<'_> {
    /// Writes what the client reads: the known key, and the private key or what gives the password.
    fn prepare(&self, known: &str) -> std::io::Result<()> {
        self.folder.write("known", 0o600, known)?;
        if let Some(key) = self.file.private_key {
            let text = key.expose().replace("\\n", "\n").replace('\r', "");
            self.folder.write("key", 0o600, &format!("{}\n", text.trim()))?;
        }
        // The password itself goes by the environment, which only this user may read.
        let script = "#!/bin/sh\nprintf '%s\\n' \"$SCIM_BRIDGE_SFTP_PASSWORD\"\n";
        self.folder.write("askpass", 0o700, script)
    }

    fn command(&self) -> Command {
        let mut command = program("sftp");
        let options = [
            format!("Port={}", self.file.port),
            format!("User={}", self.file.user),
            format!("UserKnownHostsFile={}", self.folder.path("known")),
            format!("HostKeyAlgorithms={}", self.algorithm),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "HostKeyAlias=pinned".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "BatchMode=no".to_owned(),
            "NumberOfPasswordPrompts=1".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "ConnectTimeout=10".to_owned(),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=2".to_owned(),
            "ControlPath=none".to_owned(),
            "LogLevel=ERROR".to_owned(),
            match self.file.private_key {
                Some(_) => "PreferredAuthentications=publickey".to_owned(),
                None => "PreferredAuthentications=password,keyboard-interactive".to_owned(),
            },
            match self.file.private_key {
                Some(_) => format!("IdentityFile={}", self.folder.path("key")),
                None => "PubkeyAuthentication=no".to_owned(),
            },
        ];
        command.args(["-F", "/dev/null"]);
        for option in options {
            command.arg("-o").arg(option);
        }
        // After BatchMode, since the first word about an option counts and -b says yes.
        command.args(["-b", "-", "--"]);
        command.arg(match self.address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        });
        command.env("HOME", &self.folder.0);
        command.env("SSH_ASKPASS", self.folder.path("askpass"));
        command.env("SSH_ASKPASS_REQUIRE", "force");
        let password = self.file.password.map_or("", Secret::expose);
        command.env("SCIM_BRIDGE_SFTP_PASSWORD", password);
        command
    }

    /// Sends orders to the server; what it said, without the echo of the orders.
    async fn order(&self, orders: &str) -> Result<Vec<String>, SftpError> {
        let output = finish(self.command(), Some(orders), "sftp", self.file.host).await?;
        if !output.status.success() {
            return Err(self.understand(&output));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| !line.starts_with("sftp> "));
        Ok(lines
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect())
    }

    fn understand(&self, output: &Output) -> SftpError {
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        let host = self.file.host.to_owned();
        let has = |words: &str| said.contains(words);
        if has("permission denied (") || has("too many authentication failures") {
            SftpError::Credentials { host }
        } else if has("host key verification failed") || has("no matching host key") {
            SftpError::HostKey {
                host,
                offered: "another one than a moment ago".into(),
            }
        } else if has("invalid format") || has("error in libcrypto") {
            SftpError::Setting("the private key cannot be read: it must be a key without a pass phrase")
        } else if has("not found") || has("no such file") || has("not a regular file") || has("non-regular") {
            SftpError::NoFile("there is no such plain file on the server")
        } else if has("permission denied") {
            SftpError::NoFile("the user may not read the file")
        } else if has("connection refused")
            || has("connection closed")
            || has("timed out")
            || has("reset by peer")
        {
            SftpError::Unreachable {
                host,
                port: self.file.port,
            }
        } else {
            SftpError::Client(output.status.code().unwrap_or(-1))
        }
    }

    /// The newest file that the pattern fits.
    async fn newest(&self, pattern: &str) -> Result<String, SftpError> {
        let found = self.order(&format!("ls -1t {pattern}\n")).await?;
        let first = found
            .first()
            .ok_or(SftpError::NoFile("no file fits the pattern"))?;
        quoted(first.trim_start())
    }

    /// What the server says of the file: rights, size, time, name.
    async fn look(&self, path: &str) -> Result<Vec<String>, SftpError> {
        let found = self.order(&format!("ls -ln {path}\n")).await?;
        let size = size_of(&found)?;
        if size > self.file.cap {
            return Err(SftpError::TooLarge(self.file.cap));
        }
        Ok(found)
    }

    /// Fetches the file, if it is now and afterwards what it was before.
    async fn fetch(&self, path: &str, before: &[String]) -> Result<Bytes, SftpError> {
        let local = self.folder.0.join("file");
        let orders = format!(
            "ls -ln {path}\nget {path} {}\nls -ln {path}\n",
            self.folder.path("file")
        );
        let said = tokio::select! {
            said = self.order(&orders) => said?,
            () = self.outgrown(&local) => return Err(SftpError::TooLarge(self.file.cap)),
        };
        let looks: Vec<&String> = said.iter().filter(|line| line.starts_with('-')).collect();
        let size = size_of(before)?;
        let same = looks.len() == 2 && looks.iter().all(|line| Some(*line) == before.first());
        let bytes = tokio::fs::read(&local).await.map_err(SftpError::Folder)?;
        if !same || u64::try_from(bytes.len()) != Ok(size) {
            return Err(SftpError::Unstable);
        }
        Ok(bytes.into())
    }

    /// Ends when more has come than may.
    async fn outgrown(&self, local: &Path) {
        loop {
            tokio::time::sleep(WATCH).await;
            let length = tokio::fs::metadata(local).await.map_or(0, |about| about.len());
            if length > self.file.cap {
                return;
            }
        }
    }
}

/// The size in a line such as `-rw-r--r--    1 1000     1000         2048 Nov 22 03:00 people.csv`.
fn size_of(looks: &[String]) -> Result<u64, SftpError> {
    let [line] = looks else {
        return Err(SftpError::NoFile("the path names no single file"));
    };
    if !line.starts_with('-') {
        return Err(SftpError::NoFile("the path names no plain file"));
    }
    line.split_ascii_whitespace()
        .nth(4)
        .and_then(|size| size.parse().ok())
        .ok_or(SftpError::NoFile("the server does not tell the size of the file"))
}

/// A path for the client's orders: in quotes, with nothing that would leave them. A pattern may stand in the last part.
fn quoted(path: &str) -> Result<String, SftpError> {
    let bad = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '[' | ']');
    if path.is_empty()
        || path.len() > 1024
        || path.starts_with('-')
        || path.ends_with('/')
        || path.chars().any(bad)
    {
        return Err(SftpError::Setting(
            "the path is empty, begins with - or ends with /, or has quotes, brackets or control characters",
        ));
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.contains(['*', '?']) {
        return Err(SftpError::Setting(
            "a pattern may stand in the last part of the path only",
        ));
    }
    if path.contains(['*', '?']) {
        // Quotes would make the pattern a name.
        let plain = path.replace(' ', "\\ ");
        return Ok(plain);
    }
    Ok(format!("\"{path}\""))
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a program to its end, within the time for one request.
async fn finish(
    mut command: Command,
    orders: Option<&str>,
    name: &'static str,
    host: &str,
) -> Result<Output, SftpError> {
    let mut child = command
        .spawn()
        .map_err(|_| SftpError::NoClient { program: name })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A client that ends before it reads its orders says why by itself.
        let _closed = stdin.write_all(orders.unwrap_or_default().as_bytes()).await;
    }
    let output = tokio::time::timeout(TIME_OUT, child.wait_with_output()).await;
    output
        .map_err(|_| SftpError::TimedOut {
            host: host.to_owned(),
        })?
        .map_err(SftpError::Folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_their_quotes() {
        assert_eq!(quoted("/out/people.csv").unwrap(), "\"/out/people.csv\"");
        assert_eq!(quoted("my folder/p.csv").unwrap(), "\"my folder/p.csv\"");
        assert_eq!(quoted("my folder/p-*.csv").unwrap(), "my\\ folder/p-*.csv");
        for bad in ["", "-l", "a\"b", "a\nrm *", "a\\b", "[a]", "*/people.csv", "a'b"] {
            assert!(quoted(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_size_is_that_of_one_plain_file() {
        let line = |text: &str| vec![text.to_owned()];
        let size = |text: &str| size_of(&line(text)).ok();
        assert_eq!(
            size("-rw-r--r--    1 1000     1000         2048 Nov 22 03:00 people.csv"),
            Some(2048)
        );
        assert_eq!(
            size("drwxr-xr-x    2 0        0            4096 Nov 22 03:00 out"),
            None
        );
        assert!(size_of(&[line("-rw- 1 1 1 1"), line("-rw- 1 1 1 1")].concat()).is_err());
    }
}
