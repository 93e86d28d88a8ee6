//! The full compare: reads an app's users and groups to the end, says what is otherwise than we know it, and by policy
//! makes the plan that repairs it.
//!
//! *Comes in:* an app that is leased and whose compare is due. *Goes out:* rows of `drift`, `account.verified_at`,
//! accounts that nobody of ours has, a plan. *Owns:* `compare`, `drift`, `drift_member`. Only GETs.
//!
//! A compare goes on where a killed one stopped. It never turns `active` true: whom somebody disabled in the app by
//! hand is reported and stays disabled. An account that is missing from the list counts as vanished only when the app,
//! asked for it by its id, says so too: lists lose people.

mod members;
mod order;
mod read;
mod repair;
mod store;

pub(super) use members::foresee_members;
pub(super) use order::schedule;
pub use order::{Asked, ask};
pub(super) use read::{Compared, compare};
pub(super) use repair::apply;
pub use store::{Comparison, Drift, comparison, drift, last_comparison};
pub(super) use store::{read_by, take_over};

/// The id of a compare.
pub type CompareId = uuid::Uuid;
