//! The program's own Postgres, for when no `DATABASE_URL` is given.
//!
//! The server binaries installed on the machine run a cluster in `<data dir>/postgres`, reachable only by a Unix
//! socket in a private folder. Who may touch it is settled by three lock files, which the kernel releases whatever
//! kills a process:
//! - `server.lock`: held by a server as long as it runs, so that two servers never share one data directory;
//! - `starting.lock`: held for the moments in which somebody starts or stops the cluster;
//! - `users.lock`: shared by everybody who uses the cluster; who leaves last stops it.
//!
//! A cluster that outlived its program is adopted, one that did not end cleanly is recovered by Postgres itself.

mod binaries;
mod cluster;
mod error;
mod lock;
mod postmaster;
mod tuning;

pub use binaries::{Binaries, OLDEST};
pub use cluster::{Cluster, Role, Settings};
pub use error::Error;
