//! Where a person stands: not started, employed, left, or rescinded; and when that may change next.
//!
//! *Comes in:* the employees of a person, the [`Policy`] of the connection (or of an app), the last verdict, the clock.
//! *Goes out:* a [`Verdict`]. *Owns:* no table. *Must not know:* vendors, SCIM, SQL. Pure.
//!
//! The rules
//! - A person is employed from the start of the first day to the end of the last day, by the clock of the employee's
//!   time zone, else of the policy's. `leave = "end_of_month"` keeps the access to the end of that month.
//! - **Dates win over words.** `active` after the last day is left; `active` or `pre_hire` before the first day is a
//!   pre-hire, after it active; `left` with a last day ahead is active until then. A word decides where no date does:
//!   `left` without a last day is left now; without any date, everybody else is active, `pre_hire` a pre-hire. `left`
//!   before the first day, or a last day before the first, is rescinded. An unknown word holds.
//! - Up to 7 days between two employments, of one record or of several, are no interruption.
//! - Of several employments the best one counts: active, held, pre-hire, left, rescinded.
//! - A pre-hire has access from `pre_hire` days before the first day.
//! - A leave that was recorded late (the day had passed when we first saw it, and the person was active for us) takes
//!   effect at once, or with `late_leave = "end_of_current_month"` at the end of the month in which we saw it: the
//!   last verdict is the memory of that, so it must be handed in.
//! - On leave is active; with `on_leave = "disable"` there is no access while away, and nothing else changes.
//! - `next` is the first instant at which the answer changes without any change in HR.
//! - An [`Ending`] set by hand is what it says: no policy lengthens it.
//!
//! [`Facts`] are what of a person's records this needs, so that an app with another policy, or bound to one entity, can
//! be judged without the records themselves.

mod calendar;
mod facts;
mod judge;
mod policy;
mod verdict;

pub use facts::{Differences, Ending, Facts, RecordFacts};
pub use judge::{best, judge, judge_all};
pub use policy::{
    BadPeriod, Days, LateLeave, Leave, Missing, MissingAction, OnLeave, Period, Policy, WhileLeaving, Zone,
};
pub use verdict::{State, Verdict};

#[cfg(test)]
mod tests;
