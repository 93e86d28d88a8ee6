//! What is held of a person, and how it goes: export, erase, retention.
//!
//! *Comes in:* a person, or time. *Goes out:* all that is held of the person as JSON; and nothing more held of them.
//! *Owns:* `erasure`, `retention`. Takes rows out of the tables of every module below, and of none of
//! them puts any in. *Must not know:* HTTP.
//!
//! - [`PLACES`] is the one list of where something of a person stands: each place says how it is read and how it is
//!   emptied. A test holds every table of the database against it: a new table is named there, or among those that hold
//!   nothing of people.
//! - An erase is asked for in one short transaction, in which the person's user goes from the directory, so that apps are
//!   told as their settings say, and the records are noted as erased, so that no run makes the person anew. Once every
//!   app has been told (or at once, if the accounts are to be left) a task takes everything away: first what rows of others
//!   say of those who are erased, then their own rows; what stays are numbers, and no name. An erasure that waits for an app
//!   goes on waiting, says so, and holds up no other.
//! - Of others nothing is taken but whole values that name the person and nobody else, and in words the same texts where
//!   they stand by themselves.
//! - The log is chained over salted digests: an erase takes content and salt away, and the chain still verifies.

mod erase;
mod error;
mod export;
mod places;
mod retention;
mod rotate;
mod store;

pub use erase::{Accounts, Order, Receipt, ask, finish_waiting, late, let_go};
pub use error::Error;
pub use export::{Asked, export};
pub use places::{FREE, PLACES, Place, Reach};
pub use retention::{Period, Periods, periods, prune, set_periods};
pub use rotate::{Rotated, rotate};
pub use store::{Late, erasures};
