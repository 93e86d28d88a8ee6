//! The second step of a run: what would be done, person by person, stored before anything is done; and the guard's
//! word on the whole.
//!
//! *Comes in:* staged records, people whose day has come, people whom others have changed. *Goes out:* plan items that
//! hold all that `apply` needs, outcomes, a verdict. *Owns:* no table of its own.
//!
//! 1. `assign`: whose is each new or changed record (hashes and keys of all of them are held in memory, the records
//!    are not).
//! 2. `person`: batch by batch, each person from all their records: where they stand, what their user would be, what
//!    differs. People whose managers are made in the same run come after them.
//! 3. `sizes`: the plan in numbers, for the guard; `compare` and `health` say what a record and the whole read look like
//!    beside earlier ones.

mod absence;
mod assign;
mod compare;
mod digest;
mod effect;
mod foresee;
mod health;
pub(in crate::sync) mod kept;
mod naming;
mod person;
mod remark;
mod ruled;
mod sizes;
mod steps;
pub(in crate::sync) mod store;
mod stored;
mod surroundings;
mod view;

pub(in crate::sync) use effect::{Effect, GroupAt, HoldAt};
pub use foresee::{DayCursor, DaysToCome, Foreseen, ForeseenDay};
pub(in crate::sync) use naming::give as give_names;
pub(in crate::sync) use steps::plan;
pub use view::Planned;
