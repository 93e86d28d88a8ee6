//! `scim-bridge bench`: how fast this machine serves, beside what it could do at all.
//!
//! *Comes in:* how many users, over how many tenants, for how long. *Goes out:* a table in Markdown. *Owns:* the tables
//! `limit_…` of its own throw-away databases. *Must not know:* how the bridge works inside, but for the loading, which
//! goes through the directory's own door.
//!
//! For every number of users it makes a Postgres cluster in a scratch folder, durable as in life, loads the tenants, and
//! starts two processes of this program: the server, and the *limit server* (`limit`), which is the same framework,
//! pool and database with one bare statement for each request. A third process, this one, sends the same
//! kind of request to one and then to the other over 16 connections. All share the machine with Postgres, so the ratio
//! says more than the numbers.
//!
//! The load comes from a loop of our own over plain sockets (`load`): nothing has to be installed, requests
//! can depend on each other (walks through pages), and it costs about 10 µs of CPU for each request, on both sides alike.

mod error;
mod limit;
mod load;
mod people;
mod requests;
mod run;
mod server;
mod store;

pub use error::Error;
pub use limit::serve as serve_limit;
pub use run::{Options, run};
