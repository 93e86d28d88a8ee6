//! The door to Postgres: pool, migrations, prepared statements, the embedded cluster, the sequencer, LISTEN/NOTIFY.
//!
//! *Comes in:* `DATABASE_URL` or a data directory. *Goes out:* connections. *Owns:* `change_chain`, `lease`.
//! *Must not know:* SCIM, HR, HTTP.

mod pool;
mod statement;

pub use diesel::result::Error as QueryError;
pub use diesel_async::AsyncConnection as Transactional;
pub use pool::{Conn, Db, Error, PooledConn};
pub use statement::{Bound, Statement, Values};
