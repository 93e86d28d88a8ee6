//! What people look at and decide: accounts, operations, and whether an app answers.

mod check;
mod counterparts;
pub(super) mod store;

pub use check::{Check, check, is_there};
pub use counterparts::{Counterparts, counterparts};
pub use store::{AccountView, Attempt, OperationView, accounts, accounts_of, operations, retry, skip};
