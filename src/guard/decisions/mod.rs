//! Decisions about many values at once: by one order of a human, or by a rule of the settings.
//!
//! *Comes in:* holds that a rule covers, ids of holds. *Goes out:* the same as decided. Writes `hold`.

mod store;

pub use store::{decide_holds, rule_holds};
