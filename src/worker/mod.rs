//! Everything that runs without being asked over HTTP.
//!
//! *Comes in:* signals, notifications, time. *Goes out:* steps of the modules below. *Owns:* nothing; `lease` through
//! the store of `db`. *Must not know:* HTTP.
//!
//! A task does one step, says whether there was something to do, and is called again until there is not; then it
//! sleeps until a signal or its timer. Steps are short and safe to repeat: a process may be killed in any of them.
//! [`tasks`](tasks::tasks) is the one list.

mod caps;
mod context;
mod erasures;
mod notices;
mod run;
pub mod tasks;

pub use context::Context;
pub use run::{Failure, Task, Worker};
