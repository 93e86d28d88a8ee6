//! Runs: their state, what they have to say of single people, their lease.
//!
//! *Owns:* `run`, `run_outcome`.

mod advice;
mod operate;
mod outcome;
mod plans;
mod progress;
mod resume;
mod state;
pub(in crate::sync) mod store;

pub use outcome::{Outcome, Severity};
pub use plans::Approval;
pub use progress::Progress;
pub use state::{Run, RunCause, RunState};
pub use store::RunFilter;
