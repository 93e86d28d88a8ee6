//! The environment variables, each read once.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{Error, master_key};
use crate::base::{Clock, Sealer, Secret};
use crate::db;
use crate::notice::MailServer;

/// The most connections that one process keeps to the database.
pub const MAX_CONNECTIONS: usize = 24;
/// Where the server listens unless `SCIM_BRIDGE_LISTEN` says otherwise.
const LISTEN: &str = "127.0.0.1:8080";
/// How long a SCIM request may take unless `SCIM_BRIDGE_REQUEST_SECONDS` says otherwise.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// Where root keeps data, since the database server must run as another user and could not enter root's folders.
const DATA_OF_ROOT: &str = "/var/lib/scim-bridge";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// All settings of the server.
#[derive(Debug, Clone)]
pub struct Config {
    /// `SCIM_BRIDGE_LISTEN`: default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// `DATABASE_URL`: none means the embedded Postgres.
    pub database_url: Option<Secret>,
    /// `SCIM_BRIDGE_DATABASE_DIRECT_URL`: migrations and LISTEN, when `DATABASE_URL` leads through a transaction pooler.
    pub database_direct_url: Option<Secret>,
    /// `SCIM_BRIDGE_DATA_DIR`: default `./data`, for root `/var/lib/scim-bridge`.
    pub data_dir: PathBuf,
    /// `SCIM_BRIDGE_MASTER_KEY`: base64 keys, separated by commas, of which the first seals.
    pub master_key: Option<Secret>,
    /// `SCIM_BRIDGE_PUBLIC_URL`: how the outside reaches us; default `http://` and the listen address.
    pub public_url: Option<Url>,
    /// `SCIM_BRIDGE_PG_BIN`: the folder of the PostgreSQL server binaries.
    pub pg_bin: Option<PathBuf>,
    /// The folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// `SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS`: whether private and link-local addresses may be called.
    pub allow_private_targets: bool,
    /// `SCIM_BRIDGE_FILES_DIR`: below it, one folder per tenant, CSV files may be read by the server.
    pub files_dir: Option<PathBuf>,
    /// `SCIM_BRIDGE_CONNECTORS_DIR`: further manifests.
    pub connectors_dir: Option<PathBuf>,
    /// `SCIM_BRIDGE_SMTP_URL`: where mail goes, in the name of `SCIM_BRIDGE_MAIL_FROM`, trusting `SCIM_BRIDGE_SMTP_CA` too;
    /// without it no mail is sent.
    pub mail: Option<MailServer>,
    /// `SCIM_BRIDGE_CLOCK`: a file with the current instant, for tests.
    pub clock: Option<PathBuf>,
    /// `SCIM_BRIDGE_LOG`: `json` or `text`.
    pub log: LogFormat,
    /// `RUST_LOG`: which log lines are written.
    pub log_filter: Option<String>,
    /// `SCIM_BRIDGE_REQUEST_SECONDS`: how long a SCIM request may take until its answer begins; default 60.
    pub request_limit: Duration,
    /// Whether the embedded database survives a power cut; off only in tests.
    pub durable: bool,
}

/// Where the commands find the server.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// `SCIM_BRIDGE_URL`: default `http://127.0.0.1:8080`.
    pub url: Url,
    /// `SCIM_BRIDGE_TOKEN`.
    pub token: Option<Secret>,
}

fn refused(variable: &'static str, reason: impl ToString) -> Error {
    Error::Variable {
        variable,
        reason: reason.to_string(),
    }
}

/// Looks variables up; empty ones count as not set.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    fn raw(&self, name: &'static str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.raw(name)
            .map(|value| value.into_string().map_err(|_| refused(name, "it is not UTF-8")))
            .transpose()
    }

    fn secret(&self, name: &'static str) -> Result<Option<Secret>, Error> {
        Ok(self.text(name)?.map(Secret::new))
    }

    fn folder(&self, name: &'static str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    fn url(&self, name: &'static str) -> Result<Option<Url>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let url = Url::parse(&text).map_err(|error| refused(name, error))?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Some(url))
        } else {
            Err(refused(name, "it must be an http or https URL"))
        }
    }

    fn truth(&self, name: &'static str) -> Result<bool, Error> {
        match self.text(name)?.as_deref() {
            None | Some("0" | "false" | "no") => Ok(false),
            Some("1" | "true" | "yes") => Ok(true),
            Some(_) => Err(refused(name, "it must be true or false")),
        }
    }
}

/// The mail server. Who sends is `SCIM_BRIDGE_MAIL_FROM`, else `scim-bridge` at the host of the public address. Certificates in
/// the file `SCIM_BRIDGE_SMTP_CA` are trusted beside those of this machine.
fn mail<F: Fn(&str) -> Option<OsString>>(env: &Variables<F>) -> Result<Option<MailServer>, Error> {
    let Some(url) = env.secret("SCIM_BRIDGE_SMTP_URL")? else {
        return Ok(None);
    };
    let from = match env.text("SCIM_BRIDGE_MAIL_FROM")? {
        Some(from) => from,
        None => {
            let public = env.url("SCIM_BRIDGE_PUBLIC_URL")?;
            let host = public.as_ref().and_then(Url::domain).unwrap_or("localhost");
            format!("scim-bridge@{host}")
        }
    };
    let from = from.parse().map_err(|_| {
        let reason = "it must be an address such as bridge@acme.example or Bridge <bridge@acme.example>";
        refused("SCIM_BRIDGE_MAIL_FROM", reason)
    })?;
    let server =
        MailServer::parse(url.expose(), from).map_err(|error| refused("SCIM_BRIDGE_SMTP_URL", error))?;
    let Some(path) = env.folder("SCIM_BRIDGE_SMTP_CA") else {
        return Ok(Some(server));
    };
    let unusable = |error: &dyn std::fmt::Display| refused("SCIM_BRIDGE_SMTP_CA", error);
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    server.trusting(&pem).map(Some).map_err(|error| unusable(&error))
}

impl Config {
    /// From the environment of this process.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var_os(name))
    }

    /// From any way to look variables up.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let env = Variables(variable);
        let listen_text = env
            .text("SCIM_BRIDGE_LISTEN")?
            .unwrap_or_else(|| LISTEN.to_owned());
        let listen: SocketAddr = listen_text.parse().map_err(|_| {
            refused(
                "SCIM_BRIDGE_LISTEN",
                "it must be an address and a port such as 0.0.0.0:8080",
            )
        })?;
        let clock = env.folder("SCIM_BRIDGE_CLOCK");
        if clock.is_some() && !listen.ip().is_loopback() {
            return Err(Error::ClockInPublic);
        }
        let default_data = if rustix::process::geteuid().is_root() {
            DATA_OF_ROOT
        } else {
            "data"
        };
        Ok(Self {
            listen,
            database_url: env.secret("DATABASE_URL")?,
            database_direct_url: env.secret("SCIM_BRIDGE_DATABASE_DIRECT_URL")?,
            data_dir: env
                .folder("SCIM_BRIDGE_DATA_DIR")
                .unwrap_or_else(|| PathBuf::from(default_data)),
            master_key: env.secret("SCIM_BRIDGE_MASTER_KEY")?,
            public_url: env.url("SCIM_BRIDGE_PUBLIC_URL")?,
            pg_bin: env.folder("SCIM_BRIDGE_PG_BIN"),
            path: env
                .raw("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
            allow_private_targets: env.truth("SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS")?,
            files_dir: env.folder("SCIM_BRIDGE_FILES_DIR"),
            connectors_dir: env.folder("SCIM_BRIDGE_CONNECTORS_DIR"),
            mail: mail(&env)?,
            clock,
            log: match env.text("SCIM_BRIDGE_LOG")?.as_deref() {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(_) => return Err(refused("SCIM_BRIDGE_LOG", "it must be json or text")),
            },
            log_filter: env.text("RUST_LOG")?,
            request_limit: match env
                .text("SCIM_BRIDGE_REQUEST_SECONDS")?
                .as_deref()
                .map(str::parse)
            {
                None => REQUEST_LIMIT,
                Some(Ok(seconds @ 1..=3_600)) => Duration::from_secs(seconds),
                Some(_) => {
                    let reason = "it must be a number of seconds, from 1 to 3600";
                    return Err(refused("SCIM_BRIDGE_REQUEST_SECONDS", reason));
                }
            },
            durable: true,
        })
    }

    /// The same for the demo: a free port of this machine, whose own addresses may be called.
    #[must_use]
    pub fn for_demo(self) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            allow_private_targets: true,
            ..self
        }
    }

    /// The clock: the machine's, or the file of `SCIM_BRIDGE_CLOCK`.
    ///
    /// # Errors
    /// When the clock file holds no instant.
    pub fn clock(&self) -> Result<Clock, Error> {
        Ok(match &self.clock {
            Some(path) => Clock::file(path)?,
            None => Clock::system(),
        })
    }

    /// The sealer: the key from the environment, or with the embedded database the file `master.key` of the data
    /// directory (mode 0600), made at the first start.
    ///
    /// # Errors
    /// When there is no key or it cannot be used.
    pub fn sealer(&self) -> Result<Sealer, Error> {
        match (&self.master_key, &self.database_url) {
            (Some(list), _) => Ok(Sealer::from_list(list.expose())?),
            (None, Some(_)) => Err(Error::NoMasterKey),
            (None, None) => master_key::from_file(&self.data_dir.join("master.key")),
        }
    }

    /// How to run the embedded database.
    #[must_use]
    pub fn embedded(&self) -> db::embedded::Settings {
        db::embedded::Settings {
            data_dir: self.data_dir.clone(),
            bin_dir: self.pg_bin.clone(),
            path: self.path.clone(),
            durable: self.durable,
        }
    }
}

/// The file that this program runs from.
///
/// # Errors
/// When the system does not tell.
pub fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

impl ServerAddress {
    /// From the environment of this process.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let env = Variables(|name: &str| std::env::var_os(name));
        let url = match env.url("SCIM_BRIDGE_URL")? {
            Some(url) => url,
            None => {
                Url::parse(&format!("http://{LISTEN}")).map_err(|error| refused("SCIM_BRIDGE_URL", error))?
            }
        };
        Ok(Self {
            url,
            token: env.secret("SCIM_BRIDGE_TOKEN")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Error> {
        Config::read(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn nothing_set_is_enough() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.database_url.is_none() && config.durable && !config.allow_private_targets);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (name, value) in [
            ("SCIM_BRIDGE_LISTEN", "localhost"),
            ("SCIM_BRIDGE_PUBLIC_URL", "ftp://x"),
            ("SCIM_BRIDGE_LOG", "xml"),
            ("SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS", "maybe"),
            ("SCIM_BRIDGE_SMTP_URL", "http://mail"),
            ("SCIM_BRIDGE_SMTP_CA", "/nowhere"),
            ("SCIM_BRIDGE_SMTP_CA", "/dev/null"),
        ] {
            let text = read(&[(name, value), ("SCIM_BRIDGE_SMTP_URL", "smtp://mail")])
                .unwrap_err()
                .to_string();
            assert!(text.starts_with(name), "{text}");
        }
    }

    #[test]
    fn a_test_clock_is_refused_where_others_can_reach_us() {
        let pairs = [("SCIM_BRIDGE_CLOCK", "/x"), ("SCIM_BRIDGE_LISTEN", "0.0.0.0:1")];
        assert!(matches!(read(&pairs), Err(Error::ClockInPublic)));
    }

    #[test]
    fn a_foreign_database_needs_a_key_from_the_environment() {
        let config = read(&[("DATABASE_URL", "postgres://h/d")]).unwrap();
        assert!(matches!(config.sealer(), Err(Error::NoMasterKey)));
        let key = Sealer::new_key();
        let config = read(&[
            ("DATABASE_URL", "postgres://h/d"),
            ("SCIM_BRIDGE_MASTER_KEY", &key),
        ])
        .unwrap();
        assert!(config.sealer().is_ok());
        assert!(!format!("{config:?}").contains(&key));
    }
}
