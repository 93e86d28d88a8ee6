//! The cluster: made, started, adopted, used, stopped.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use tokio::process::{Child, Command};
use tokio_postgres::error::SqlState;

use super::lock::Lock;
use super::postmaster::{self, User};
use super::tuning::Tuning;
use super::{Binaries, Error};

const POLL: Duration = Duration::from_millis(50);
const LONGEST_START: Duration = Duration::from_secs(600);
const LONGEST_STOP: Duration = Duration::from_secs(120);
/// A log longer than this is begun anew at the next start.
const LONGEST_LOG: u64 = 10 * 1024 * 1024;
/// How often a start is repeated while the children of a killed server are still going away.
const STARTS: u32 = 20;
/// How the folders of unfinished clusters begin.
const DRAFT: &str = "postgres.new-";
const DATABASE: &str = "scim_bridge";

/// How to run the cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SCIM_BRIDGE_DATA_DIR`.
    pub data_dir: PathBuf,
    /// `SCIM_BRIDGE_PG_BIN`.
    pub bin_dir: Option<PathBuf>,
    /// The folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// Whether what is committed survives a power cut. Off only for throw-away clusters of tests.
    pub durable: bool,
}

/// Who wants the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A server: at most one per data directory.
    Server,
    /// A command: uses the running cluster, or starts it for its own duration.
    Command,
}

/// A running cluster, in use by this process until [`Cluster::close`]. Dropped without that, it goes on running.
#[derive(Debug)]
pub struct Cluster {
    folders: Folders,
    child: Option<Child>,
    users: Lock,
    _server: Option<Lock>,
}

#[derive(Debug, Clone)]
struct Folders {
    data_dir: PathBuf,
    pgdata: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    user: Option<User>,
}

impl Cluster {
    /// The cluster of a data directory, running: adopted, or started, or made and started.
    ///
    /// # Errors
    /// When another server uses the directory, the binaries are missing, or Postgres refuses.
    #[tracing::instrument(name = "db.cluster.open", skip_all)]
    pub async fn open(settings: &Settings, role: Role) -> Result<Self, Error> {
        let folders = Folders::make(&settings.data_dir)?;
        let server = match role {
            Role::Command => None,
            Role::Server => Some(
                Lock::try_alone(&folders.data_dir.join("server.lock"))?.ok_or_else(|| Error::InUse {
                    data_dir: folders.data_dir.clone(),
                })?,
            ),
        };
        let _starting = folders.starting().await?;
        let child = match folders.probe().await {
            Probe::Ready => {
                tracing::info!("the database server is running already");
                None
            }
            _ => folders.start(settings).await?,
        };
        let users = loop {
            // Who stops the cluster holds this lock alone, but only under `starting.lock`, which is ours.
            if let Some(lock) = Lock::try_shared(&folders.users())? {
                break lock;
            }
            tokio::time::sleep(POLL).await;
        };
        Ok(Self {
            folders,
            child,
            users,
            _server: server,
        })
    }

    /// Its address, for [`Db::open`](crate::db::Db::open).
    #[must_use]
    pub fn url(&self) -> String {
        self.folders.url(DATABASE)
    }

    /// The address of another database in it.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        self.folders.url(database)
    }

    /// Ends this process' use of the cluster; the last user stops it, in an orderly way.
    ///
    /// # Errors
    /// When the server does not stop.
    #[tracing::instrument(name = "db.cluster.close", skip_all)]
    pub async fn close(mut self) -> Result<(), Error> {
        let _starting = self.folders.starting().await?;
        drop(self.users);
        let Some(_alone) = Lock::try_alone(&self.folders.users())? else {
            tracing::info!("the database server goes on for its other users");
            return Ok(());
        };
        self.folders.stop(self.child.as_mut()).await
    }
}

enum Probe {
    Ready,
    /// The server is there but does not let anybody in yet, or no more.
    Busy,
    Nobody,
}

impl Folders {
    fn make(data_dir: &Path) -> Result<Self, Error> {
        let user = User::for_server()?;
        // The server's user must get through to its folder below, but not list what lies here.
        let mode = if user.is_some() { 0o711 } else { 0o700 };
        if !data_dir.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(data_dir)
                .map_err(Error::file("cannot create the data directory", data_dir))?;
        }
        let data_dir = data_dir
            .canonicalize()
            .map_err(Error::file("cannot find the data directory", data_dir))?;
        if let Some(user) = &user
            && !postmaster::can_enter(user, &data_dir)
        {
            return Err(Error::Unreachable {
                user: user.name.clone(),
                data_dir,
            });
        }
        let digest = crate::base::digest(data_dir.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let owner = user
            .as_ref()
            .map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
        let folders = Self {
            pgdata: data_dir.join("postgres"),
            log: data_dir.join("postgres.log"),
            sockets: PathBuf::from(format!("/tmp/scim-bridge-{owner}-{short}")),
            data_dir,
            user,
        };
        folders.make_private(&folders.sockets)?;
        Ok(folders)
    }

    /// A folder that only the server's user may enter. One that is there already must be just that.
    fn make_private(&self, path: &Path) -> Result<(), Error> {
        let made = DirBuilder::new().mode(0o700).create(path);
        match (&self.user, made) {
            (Some(user), Ok(())) => {
                chown(path, Some(user.uid), Some(user.gid)).map_err(Error::file("cannot give away", path))?
            }
            (None, Ok(())) => {}
            (_, Err(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            (_, Err(source)) => return Err(Error::file("cannot create", path)(source)),
        }
        let meta = std::fs::symlink_metadata(path).map_err(Error::file("cannot look at", path))?;
        let owner = self
            .user
            .as_ref()
            .map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
        if meta.is_dir() && meta.uid() == owner && meta.permissions().mode() & 0o077 == 0 {
            Ok(())
        } else {
            Err(Error::StrangeSocketFolder {
                path: path.to_owned(),
            })
        }
    }

    fn users(&self) -> PathBuf {
        self.data_dir.join("users.lock")
    }

    async fn starting(&self) -> Result<Lock, Error> {
        Lock::alone(&self.data_dir.join("starting.lock"), &self.data_dir).await
    }

    fn url(&self, database: &str) -> String {
        format!(
            "host={} user={DATABASE} dbname={database} sslmode=disable",
            self.sockets.display()
        )
    }

    /// Whether the server answers; creates our database when it is missing.
    async fn probe(&self) -> Probe {
        match self.ask(DATABASE, None).await {
            Ok(()) => Probe::Ready,
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_DATABASE) => {
                let create = format!("CREATE DATABASE {DATABASE}");
                match self.ask("postgres", Some(&create)).await {
                    Ok(()) => Probe::Ready,
                    Err(_) => Probe::Busy,
                }
            }
            Err(error) if error.code().is_some() => Probe::Busy,
            Err(_) => Probe::Nobody,
        }
    }

    async fn ask(&self, database: &str, statement: Option<&str>) -> Result<(), tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(&self.sockets)
            .user(DATABASE)
            .dbname(database)
            .connect_timeout(Duration::from_secs(5));
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        let driver = tokio::spawn(connection);
        let asked = match statement {
            Some(statement) => client.batch_execute(statement).await,
            None => Ok(()),
        };
        drop(client);
        let ended = driver.await;
        tracing::trace!(clean = ended.is_ok(), "asked the database server");
        asked
    }

    /// Starts the server and waits until it answers. A server that lives but does not answer (it recovers, or it is
    /// on its way down) is waited for.
    async fn start(&self, settings: &Settings) -> Result<Option<Child>, Error> {
        let binaries = self.binaries(settings)?;
        self.initialise(&binaries, settings).await?;
        let mut child: Option<Child> = None;
        let mut starts = 0;
        let mut waited = Duration::ZERO;
        while waited < LONGEST_START {
            if matches!(self.probe().await, Probe::Ready) {
                return Ok(child);
            }
            if let Some(started) = &mut child
                && let Ok(Some(_)) = started.try_wait()
            {
                if starts >= STARTS || !self.worth_repeating() {
                    return Err(Error::Died {
                        log: self.log.clone(),
                        said: last_words(&self.log),
                    });
                }
                child = None;
                tokio::time::sleep(POLL.saturating_mul(5)).await;
            }
            if child.is_none() && postmaster::running(&self.pgdata).is_none() {
                self.forget_stranger()?;
                starts += 1;
                child = Some(self.spawn(&binaries, settings)?);
            }
            tokio::time::sleep(POLL).await;
            waited = waited.saturating_add(POLL);
        }
        Err(Error::Silent {
            log: self.log.clone(),
            seconds: LONGEST_START.as_secs(),
        })
    }

    /// The children of a killed server hold its shared memory for a moment longer.
    fn worth_repeating(&self) -> bool {
        let said = last_words(&self.log);
        said.contains("shared memory block") || said.contains("postmaster.pid")
    }

    /// Postgres believes its `postmaster.pid` when any process has that number now; we know better.
    fn forget_stranger(&self) -> Result<(), Error> {
        let file = self.pgdata.join("postmaster.pid");
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("cannot remove the stale file", &file)(error))
            }
            _ => Ok(()),
        }
    }

    fn binaries(&self, settings: &Settings) -> Result<Binaries, Error> {
        let made_by = std::fs::read_to_string(self.pgdata.join("PG_VERSION"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .map(|major| (self.data_dir.as_path(), major));
        Binaries::find(settings.bin_dir.as_deref(), &settings.path, made_by)
    }

    /// Makes the cluster, if there is none, beside its place, and moves it there when it is whole.
    async fn initialise(&self, binaries: &Binaries, settings: &Settings) -> Result<(), Error> {
        if self.pgdata.join("PG_VERSION").exists() {
            return Ok(());
        }
        self.remove_drafts()?;
        // A name of its own: the initdb of a killed process may still be writing to its draft.
        let fresh = self
            .data_dir
            .join(format!("{DRAFT}{}", uuid::Uuid::now_v7().simple()));
        self.make_private(&fresh)?;
        tracing::info!(major = binaries.major, "making a database cluster");
        let program = binaries.program("initdb");
        let mut command = self.command(&program);
        command
            .arg("-D")
            .arg(&fresh)
            .args([
                "-U",
                DATABASE,
                "-E",
                "UTF8",
                "--locale=C",
                "--data-checksums",
                "--no-instructions",
            ])
            .args(["--auth-local=trust", "--auth-host=reject"])
            .stdin(Stdio::null());
        if !settings.durable {
            command.arg("--no-sync");
        }
        let done = command
            .output()
            .await
            .map_err(|source| Error::Run { program, source })?;
        if !done.status.success() {
            return Err(Error::Init {
                said: tail(&String::from_utf8_lossy(&done.stderr)),
            });
        }
        std::fs::rename(&fresh, &self.pgdata).map_err(Error::file("cannot put in place", &self.pgdata))
    }

    /// Removes what starts that were killed have left.
    fn remove_drafts(&self) -> Result<(), Error> {
        let unreadable = || Error::file("cannot list", &self.data_dir);
        for entry in std::fs::read_dir(&self.data_dir).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let draft = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(DRAFT));
            if draft && let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(error = %error, "an unfinished cluster is left for the next start to remove");
            }
        }
        Ok(())
    }

    /// A command that runs as the server's user, away from our terminal's process group: an interrupt from the
    /// keyboard is for us, we stop the server when we have drained.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .process_group(0)
            .current_dir("/")
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn spawn(&self, binaries: &Binaries, settings: &Settings) -> Result<Child, Error> {
        let program = binaries.program("postgres");
        let log = self.open_log()?;
        let errors = log.try_clone().map_err(Error::file("cannot share", &self.log))?;
        let tuning = Tuning {
            durable: settings.durable,
            memory_mib: Tuning::memory_of_machine(),
        };
        let mut command = self.command(&program);
        command.arg("-D").arg(&self.pgdata).arg("-k").arg(&self.sockets);
        for setting in tuning.settings() {
            command.arg("-c").arg(setting);
        }
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|source| Error::Run { program, source })
    }

    fn open_log(&self) -> Result<File, Error> {
        let long = std::fs::metadata(&self.log).is_ok_and(|meta| meta.len() > LONGEST_LOG);
        OpenOptions::new()
            .create(true)
            .append(!long)
            .write(true)
            .truncate(long)
            .mode(0o600)
            .open(&self.log)
            .map_err(Error::file("cannot open the log", &self.log))
    }

    async fn stop(&self, child: Option<&mut Child>) -> Result<(), Error> {
        let Some(pid) = postmaster::running(&self.pgdata) else {
            return Ok(());
        };
        postmaster::ask_to_stop(pid);
        let gone = async {
            match child.filter(|child| child.id().and_then(|id| i32::try_from(id).ok()) == Some(raw(pid))) {
                Some(child) => drop(child.wait().await),
                None => {
                    while postmaster::running(&self.pgdata) == Some(pid) {
                        tokio::time::sleep(POLL).await;
                    }
                }
            }
        };
        tokio::time::timeout(LONGEST_STOP, gone)
            .await
            .map_err(|_| Error::WillNotStop {
                pid: raw(pid),
                seconds: LONGEST_STOP.as_secs(),
            })
    }
}

const fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

fn last_words(log: &Path) -> String {
    tail(&String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()))
}

/// The last lines of what a program said, on one line.
fn tail(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(4);
    lines.get(from..).unwrap_or_default().join(" | ")
}
