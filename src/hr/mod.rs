//! What HR systems tell us, in one form: the canonical employee, employments, org units, a page of them, coverage.
//!
//! *Comes in:* decoded records of a connector. *Goes out:* [`Employee`]. *Owns:* no table.
//! *Must not know:* which vendor it was, SCIM, SQL.

mod employee;
mod field;
mod page;

pub use employee::{Address, BankAccount, Employee, Employment, ManagerRef, OrgUnit, Status};
pub use field::{FIELDS, Field, field};
pub use page::{Coverage, Page, Problem};
