//! Who is who: which employee records are one human, and which human we know already.
//!
//! *Comes in:* the records of a read ([`Candidate`]), what is known ([`Known`]), the [`Rules`] of the connection.
//! *Goes out:* for each record a [`Correlation`]: linked to a person, part of a new person, or waiting for a human.
//! *Owns:* `person`, `source_record`, `review`. *Must not know:* vendors, SCIM, lifecycle, HTTP.
//! [`correlate`](fn@correlate) is pure; [`store`] reads and writes in batches, with a constant number of statements per batch.
//!
//! The rules (ours)
//! - A record's own source id comes first: it stays with its person whatever else changes.
//! - Records that agree on an exact key (`entity+employee_number` by default; an absent entity is one value of the
//!   connection) are grouped before anything else is asked. Exact is exact: `" 007"` is not `"007"`. A group whose
//!   records agree on neither name nor birth date goes to review as a whole, and none of it is written. A key may be
//!   folded by choice (`{ key = "employee_number", fold = true }`).
//! - A key named in `unique` belongs to one human: records of several people that share it go to review.
//! - An e-mail alone only suggests: numbers are unique per employer, addresses get reused. It links when name or birth
//!   date agrees and the other has not left, else the new record waits for review; somebody who is linked already goes
//!   on undisturbed.
//! - A human's decision is remembered: what was decided to be one is one, what was decided to be two is never asked again.
//! - The result depends neither on the order of the records nor on the order of the keys' values.

mod correlate;
mod error;
mod known;
mod outcome;
mod record;
mod rules;
pub mod store;

pub use correlate::correlate;
pub use error::Error;
pub use known::{Candidate, Decided, Decision, Known, KnownRecord, Traits, entity_key, fold};
pub use outcome::{By, Correlated, Correlation, Review};
pub use record::{Resolved, digest, join, split};
pub use rules::{Key, KeyRule, Rules};

#[cfg(test)]
mod tests;
