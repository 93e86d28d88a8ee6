//! Plans of apps after the decision: those that may be applied.

mod store;

pub use store::{approved, lock_approved};
