//! Who is in which group, as rows: adding one member to a group of 100,000 costs the same as to a group of ten.
//!
//! *Comes in:* members to add and to remove. *Goes out:* what really changed, and who is in what.
//! *Owns:* `membership`. *Must not know:* why somebody is a member.

mod change;
mod store;

pub use change::MembersWritten;
pub(super) use change::{Delta, finish, leave_all};
pub(super) use store::{add, holds_cycle, kinds_of, remove, remove_all_but, remove_where};
