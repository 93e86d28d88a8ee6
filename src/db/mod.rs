//! The door to Postgres: pool, TLS, migrations, prepared statements, the embedded cluster, the sequencer, LISTEN.
//!
//! *Comes in:* `DATABASE_URL` or a data directory. *Goes out:* connections and [`Signals`]. *Owns:* `change_chain`,
//! `resource_total`, `lease`, `schema_migration`; numbers the rows of `change`. *Must not know:* SCIM, HR, HTTP.
//!
//! Migrations, LISTEN and session locks need a connection of their own: beside a transaction pooler they go to
//! `SCIM_BRIDGE_DATABASE_DIRECT_URL`. Everything else goes through PgBouncer in transaction mode, from 1.21 on, which
//! knows prepared statements; [`check_pooler`] finds out.

pub mod embedded;
mod error;
mod listen;
mod migrate;
mod pool;
mod pooler;
mod sequencer;
mod signal;
mod statement;
mod target;
mod tls;

pub use diesel::QueryResult;
pub use diesel::result::Error as QueryError;
pub use diesel_async::AsyncConnection as Transactional;
pub use error::{Error, is_misfit, is_too_long, is_transient, is_unstorable, met_another, violated_unique};
pub use listen::listen;
pub use migrate::{MIGRATIONS, Migration, migrate, migrations_digest, pending, revert_all};
pub use pool::{Conn, Db, PooledConn, Settings};
pub use pooler::check_pooler;
pub use sequencer::{
    CHANGE_CHANNEL, Checked, NUMBERED_AT_ONCE, Numbered, beginning, check_chain, link, number_changes,
};
pub use signal::Signals;
pub use statement::{Bound, Statement, Values};
