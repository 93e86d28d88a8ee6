//! Taking back what a run did: a compensating plan, judged and approved like any other.
//!
//! *Comes in:* a run that ended, its applied items, the change log since. *Goes out:* a plan that gives every attribute
//! and membership which the run changed, and nobody changed since, its old value; conflicts for what others changed,
//! with who did. *Owns:* no table; what was undone is kept back by the guard.
//!
//! - Users that the run made are disabled in the admins' name, or deleted if that was asked for; both last until
//!   somebody releases the user. Users that it deleted are not made again: they are conflicts, and the next run that
//!   finds the person in HR makes a new one.
//! - It waits for an approval of its hash, unless whoever asks says otherwise and no limit is passed.
//! - **HR still says what was undone.** The next run would do it again, so each part is kept back
//!   (`kept_back`): runs leave it as it is, list it as a declined item with a warning, and do it again only when
//!   HR says something else than it said then, or when somebody releases it.
//! - It is a run of its own (cause `undo`), so one lease leads it, kills lose and double nothing, and it never works
//!   beside another run of its connection.

mod apply;
mod compensate;
mod order;
mod plan;
mod store;

pub(in crate::sync) use apply::apply;
pub use order::{Made, UndoOrder};
pub(in crate::sync) use plan::plan;
