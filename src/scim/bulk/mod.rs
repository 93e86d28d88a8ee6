//! Bulk (RFC 7644 §3.7): its message, the references between its operations, and in which order they can be done.
//!
//! *Comes in:* the body, and afterwards the fate of each operation. *Goes out:* the next thing to do
//! ([`Schedule::next`]). *Must not know:* how an operation is done.

mod reference;
mod request;
mod schedule;

pub use request::{BULK_REQUEST, BULK_RESPONSE, Method, Operation, Request, Wish, parse};
pub use schedule::{Circle, Schedule, Step};
