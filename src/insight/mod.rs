//! What stands where, for people and programs that ask. Read-only.
//!
//! *Comes in:* a tenant, and what the asker holds: an e-mail address, a number, a name. *Goes out:* accounts by state
//! per app ([`status`](fn@status)), people and users ([`find`](fn@find)),
//! one user with its story ([`explain`](fn@explain)). *Owns:* no table; reads those of the modules below.
//! *Must not know:* HTTP.

mod error;
mod explain;
mod find;
mod status;
mod store;

pub use error::Error;
pub use explain::{Change, Doer, Explained, Source, Standing, explain, history};
pub use find::{By, Person, find};
pub use status::{AppStatus, FrozenView, Status, frozen, status};
