//! Why the embedded Postgres does not run. Each text is for people: it says what to do.

use std::path::PathBuf;

/// Why the embedded Postgres does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server binaries on this machine.
    #[error(
        "no PostgreSQL server binaries (15 or newer) were found: install them ({install}), or name their folder in \
         SCIM_BRIDGE_PG_BIN, or give a database in DATABASE_URL"
    )]
    NoBinaries {
        /// The command that installs them here.
        install: &'static str,
    },
    /// Only too old binaries.
    #[error(
        "the PostgreSQL server binaries in {folder} are version {found}; 15 or newer is needed: install it \
         ({install}), or name its folder in SCIM_BRIDGE_PG_BIN, or give a database in DATABASE_URL"
    )]
    TooOld {
        /// Where they are.
        folder: PathBuf,
        /// Their version.
        found: u32,
        /// The command that installs newer ones here.
        install: &'static str,
    },
    /// The folder that was named holds no binaries.
    #[error("SCIM_BRIDGE_PG_BIN names {folder}, but there is no working `postgres` and `initdb` in it")]
    NotThere {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// The data were made by another major version.
    #[error(
        "the data in {data_dir} were made by PostgreSQL {made_by}, whose server binaries are not installed here \
         (found: {found}): install version {made_by}, or move the data with pg_dump"
    )]
    OtherVersion {
        /// The data directory.
        data_dir: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The major versions on this machine.
        found: String,
    },
    /// Another server uses the data directory.
    #[error(
        "another scim-bridge server is using the data directory {data_dir}: stop it first, or give this one its own \
         SCIM_BRIDGE_DATA_DIR; several servers can share one database by DATABASE_URL"
    )]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// Somebody else has been starting or stopping the cluster for too long.
    #[error(
        "another scim-bridge process has been starting or stopping the database in {data_dir} for too long"
    )]
    Busy {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("{doing} {path}")]
    File {
        /// What was being done, as in "cannot create".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The Unix user that must run the server cannot reach the data.
    #[error(
        "the Unix user {user}, as whom the database must run since PostgreSQL refuses to run as root, cannot reach \
         {data_dir}: choose a SCIM_BRIDGE_DATA_DIR below folders that everybody may enter, such as /var/lib/scim-bridge"
    )]
    Unreachable {
        /// The unprivileged user.
        user: String,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// No unprivileged user exists.
    #[error("PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody")]
    NoUser,
    /// Somebody else owns the folder of the socket.
    #[error(
        "the folder {path} for the database's socket belongs to somebody else or is open to others: remove it"
    )]
    StrangeSocketFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Which one.
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// `initdb` failed.
    #[error("initdb failed: {said}")]
    Init {
        /// Its last words.
        said: String,
    },
    /// The server ended while it started.
    #[error("the database server ended while it was starting; its log {log} says: {said}")]
    Died {
        /// The server's log.
        log: PathBuf,
        /// Its last words.
        said: String,
    },
    /// The server does not answer.
    #[error("the database server did not answer within {seconds} seconds; see its log {log}")]
    Silent {
        /// The server's log.
        log: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The server did not stop.
    #[error("the database server (process {pid}) did not stop within {seconds} seconds")]
    WillNotStop {
        /// Its process id.
        pid: i32,
        /// How long we waited.
        seconds: u64,
    },
}

impl Error {
    /// For `map_err`: a file or folder that cannot be used.
    pub(super) fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
