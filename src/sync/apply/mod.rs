//! The last step of a run: exactly what was planned, batch by batch.
//!
//! *Comes in:* the items of an approved plan. *Goes out:* users, groups and members in the directory; people, records,
//! reviews, holds. *Owns:* no table of its own.
//!
//! Each batch is one transaction that also marks its items and holds the run's lease, so that a process killed at any
//! instruction loses nothing and doubles nothing: whoever takes the run over goes on with the items that are not
//! marked. An item whose user moved since it was planned is computed again on the user as it is now: what HR says of
//! the attributes that the plan names, and nothing else. A disable never depends on a version.

mod again;
mod batch;
mod groups;
mod overlay;
mod steps;
mod told;

pub(in crate::sync) use batch::refusal;
pub(in crate::sync) use overlay::overlay;
pub(in crate::sync) use steps::{apply, approved};
