//! What is written before calls (intents) and after them (what they taught).

mod outcome;
mod row;
mod store;

pub(super) use outcome::{Health, record};
pub(super) use row::{AttemptRow, Intent, Learnt, Outcome, Settled};
use store::{end, forget_unmatched, holders, learn};
pub(super) use store::{intend, resolve_under, settle};
