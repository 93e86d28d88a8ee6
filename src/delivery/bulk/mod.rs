//! Bulk actions: one order about many accounts or users. Made as a plan, judged as a whole, approved if it is too much,
//! applied once.
//!
//! *Comes in:* what is to be done, and to whom. *Goes out:* a plan; once it may be applied, accounts that are let go, or
//! users that are suspended or released, in the name of the admin who asked. Nothing is sent from here.

mod accounts;
mod apply;
mod order;
mod removal;
mod store;
mod users;

pub(super) use apply::apply;
pub use order::{BulkAction, Order, Ordered, Selection, bulk};
pub use store::{Push, push, remove};
