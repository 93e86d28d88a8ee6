//! Whole resources written many at a time, with a number of statements that does not grow with them.
//!
//! *Comes in:* [`Put`](super::Put)s of a run or an administrator. *Goes out:* what each of them did.
//! *Owns:* nothing of its own. *Must not know:* where the resources come from.

mod put;
mod store;

pub(super) use put::rewrite;
pub(super) use store::{Line, insert_changes};
