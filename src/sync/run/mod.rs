//! Runs: their state, what they have to say of single people, their lease.
//!
//! *Owns:* `run`, `run_outcome`.

mod operate;
mod outcome;
mod plans;
mod state;
pub(in crate::sync) mod store;

pub use outcome::{Outcome, Severity};
pub use plans::Approval;
pub use state::{Run, RunCause, RunState};
pub use store::RunFilter;
