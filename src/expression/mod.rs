//! Expressions of customers: minijinja, checked against the known fields when saved, bounded when run.
//!
//! *Comes in:* a text such as `employee.entity.id == "760"`, the [`Fields`] it may name, and an employee or a user as
//! context. *Goes out:* a value or nothing, or a [`Truth`] of three values. *Owns:* no table.
//! *Must not know:* which file a text came from, SQL, HTTP.
//!
//! What holds for every expression
//! - **Names are checked when compiled.** An unknown field, filter or test is an [`Error`] with line, column and the
//!   nearest known names. A field that has parts (`employee.entity`) can only be tested (`is defined`), not compared:
//!   such a comparison would be false for everybody.
//! - **Empty is undefined.** An empty value of a known field is undefined; filters hand undefined on, so
//!   `employee.preferred_name | lower | default("x")` works; comparing, joining or calculating with it makes the
//!   whole value undefined. `a or b` takes the first that is there.
//! - **Truth has three values** (Kleene's logic). A comparison with an undefined value is neither true nor false;
//!   `and` and `or` are decided by the part that decides: false `and` undefined is false, true `or` undefined is true.
//!   `is defined` is always decided. So a filter can never exclude a person because a value is missing.
//! - **Bounded:** text length, steps (fuel) and output size. `*` and `**` are refused, since they can multiply texts.
//!
//! Filters: `lower upper trim title replace split join first last length round int default`. Tests: `defined
//! undefined none startingwith endingwith in`. There are no functions and no methods.
//!
//! Names under `user`: core attributes as in RFC 7643 (`user.userName`, `user.name.givenName`); multi-valued ones by
//! their type (`user.emails.work`, `user.phoneNumbers.mobile`, `user.addresses.work.locality`); the enterprise extension
//! both as `user.enterprise.department` and short (`user.department`, `user.employeeNumber`, `user.costCenter`,
//! `user.division`, `user.organization`, `user.manager.value`, `user.manager.displayName`); the HR extension as
//! `user.hr` (`user.hr.entity.id`, `user.hr.employmentType`; in an app also `user.hr.directReports`, how many report to them); another extension as `user["urn:…"].attribute`.

mod compile;
mod context;
mod error;
mod fields;
mod filters;
mod logic;
mod names;
mod reads;
mod scan;
mod template;

/// What an expression is run against: made by [`employee_context`] or [`user_context`].
pub use minijinja::Value as Context;

pub use compile::{Expression, MAX_OUTPUT, MAX_TEXT};
pub use context::{change_context, employee_context, user_context};
pub use error::Error;
pub use fields::Fields;
pub use logic::Truth;
pub use template::{MAX_RENDERED, MAX_TEMPLATE, Markup, Template};

#[cfg(test)]
mod tests;
