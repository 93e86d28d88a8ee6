//! Who is in which group, as rows: adding one member to a group of 100,000 costs the same as to a group of ten.
//!
//! *Comes in:* members to add and to remove. *Goes out:* what really changed, and who is in what.
//! *Owns:* `membership`. *Must not know:* why somebody is a member.
//!
//! *Locks.* Whoever changes a group's members holds the group's row, for its version moves. A user that is added is only
//! kept from being deleted. Only who adds groups to groups takes one lock of the tenant, after its group, under which
//! it looks for a cycle. Who deletes something holds it and its groups first, users before groups and groups by id.

mod change;
mod one;
mod store;

pub use change::MembersWritten;
pub(super) use change::{Delta, finish, leave_all, let_all_go, refuse_cycle};
pub(super) use store::{
    TooManyGroups, add, hold_with_groups, kinds_of, name, remove, remove_all_but, remove_where, show_groups,
    show_indirect,
};
