//! Why the database did not do what was asked.

use diesel::result::ConnectionError;
use diesel_async::pooled_connection::deadpool::{BuildError, PoolError};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `DATABASE_URL` cannot be read.
    #[error("the database address cannot be read: {reason}")]
    Address {
        /// What is wrong with it, without its user name and password.
        reason: String,
    },
    /// The certificates that the address asks for cannot be used.
    #[error("the certificates for TLS to the database cannot be used: {reason}")]
    Certificates {
        /// What is wrong with them.
        reason: String,
    },
    /// The pool cannot be made.
    #[error("the connection pool cannot be made")]
    Build(#[from] BuildError),
    /// No connection came in time, or the server refused.
    #[error("no connection to the database")]
    Connect(#[from] PoolError),
    /// All connections stayed lent.
    #[error("no connection of the pool became free within {seconds} seconds")]
    Exhausted {
        /// How long somebody waited.
        seconds: u64,
    },
    /// A connection beside the pool could not be made.
    #[error("no direct connection to the database")]
    Direct(#[from] ConnectionError),
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[from] diesel::result::Error),
    /// A migration failed; the database is as it was before it.
    #[error("migration {name} failed")]
    Migration {
        /// The folder of the migration.
        name: &'static str,
        /// What Postgres said.
        #[source]
        source: diesel::result::Error,
    },
    /// Another process has been migrating for too long.
    #[error("another process has been migrating the database for over {seconds} seconds")]
    MigrationBusy {
        /// How long this one waited.
        seconds: u64,
    },
    /// The database was migrated by a newer program.
    #[error("the database has a migration that this program does not know ({name}): use the newer program")]
    Newer {
        /// The unknown migration.
        name: String,
    },
    /// The pooler in between does not know prepared statements.
    #[error(
        "the connection pooler at DATABASE_URL loses prepared statements: use PgBouncer 1.21 or newer with \
         max_prepared_statements above 0 (the default since 1.24), or pool_mode = session"
    )]
    PoolerForgets,
    /// The server is too old.
    #[error("the database server is PostgreSQL {found}; 15 or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The embedded cluster does not run.
    #[error("the embedded Postgres does not run")]
    Embedded(#[from] super::embedded::Error),
}

/// The unique constraint or index that a statement ran into, if that is why it failed.
#[must_use]
pub fn violated_unique(error: &diesel::result::Error) -> Option<&str> {
    match error {
        diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, what) => {
            Some(what.constraint_name().unwrap_or_default())
        }
        _ => None,
    }
}

/// Whether a row did not fit the tables: the same statement fails again, whenever it is made.
#[must_use]
pub const fn is_misfit(error: &diesel::result::Error) -> bool {
    use diesel::result::DatabaseErrorKind::{
        CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
    };
    matches!(
        error,
        diesel::result::Error::DatabaseError(
            CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation,
            _
        )
    )
}

/// Whether repeating the transaction may help: it met another one (serialisation failure, dead-lock), the server is
/// on its way up or down, or the connection broke.
#[must_use]
pub fn is_transient(error: &diesel::result::Error) -> bool {
    use diesel::result::DatabaseErrorKind::{ClosedConnection, SerializationFailure};
    match error {
        diesel::result::Error::DatabaseError(SerializationFailure | ClosedConnection, _)
        | diesel::result::Error::BrokenTransactionManager => true,
        diesel::result::Error::DatabaseError(_, what) => {
            what.message().contains("deadlock detected") || what.message().contains("shutting down")
        }
        _ => false,
    }
}

/// Whether a statement reached the time limit that was set for it.
#[must_use]
pub fn is_too_long(error: &diesel::result::Error) -> bool {
    match error {
        diesel::result::Error::DatabaseError(_, what) => what.message().contains("statement timeout"),
        _ => false,
    }
}

/// Whether Postgres broke the transaction off because it met another one (serialisation failure, dead-lock): nothing
/// of it was done, and it may be tried again at once.
#[must_use]
pub fn met_another(error: &diesel::result::Error) -> bool {
    use diesel::result::DatabaseErrorKind::SerializationFailure;
    match error {
        diesel::result::Error::DatabaseError(SerializationFailure, _) => true,
        diesel::result::Error::DatabaseError(_, what) => what.message().contains("deadlock detected"),
        _ => false,
    }
}

/// Whether a text had a character in it that Postgres cannot keep: NUL.
#[must_use]
pub fn is_unstorable(error: &diesel::result::Error) -> bool {
    match error {
        diesel::result::Error::DatabaseError(_, what) => what.message().contains("invalid byte sequence"),
        _ => false,
    }
}
