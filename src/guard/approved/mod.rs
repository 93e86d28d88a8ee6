//! Plans of apps after the decision: those that may be applied, and those that a newer one takes the place of.

mod store;

pub use store::{next_approved, set_applied, supersede_of_cause};
