//! What stands where, for people and programs that ask. Read-only.
//!
//! *Comes in:* a tenant, and what the asker holds: an e-mail address, a number, a name. *Goes out:* accounts by state
//! per app ([`status`](fn@status)), people and users ([`find`](fn@find)),
//! one user with its story ([`explain`](fn@explain)), the items of plans as people read them
//! ([`plan_items`]). *Owns:* no table; reads those of the modules below.
//! *Must not know:* HTTP.

mod error;
mod explain;
mod find;
mod plan;
mod status;
mod store;

pub use error::Error;
pub use explain::{Change, Doer, Explained, Source, Standing, explain, history};
pub use find::{By, Person, find};
pub use plan::{ITEM_COLUMNS, ItemChange, ItemView, item_rows, plan_items};
pub use status::{AppStatus, FrozenView, Status, frozen, status};
