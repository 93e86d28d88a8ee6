//! Webhooks: an HR system tells of a change, and a run looks.
//!
//! *Comes in:* deliveries at a random address. *Goes out:* rows of `look`, and the runs that read them: one employee by
//! its id where the HR system can be asked so, all of them else. *Owns:* `webhook`, `webhook_delivery`, `look`.
//!
//! A delivery is never believed: it says *look now*, and what is seen then goes the way of every read, through plan and
//! guard. So a forged, doubled or replayed one costs at most a read. However many deliveries name an employee, it is one
//! row; looks at the same one keep a distance; many at once become one read of all. A delivery that is lost is made good
//! by the next scheduled run.
//!
//! Nobody leaves because a single read finds nothing: that asks for a read of all, which may prove an absence.

mod hear;
mod operate;
mod sheet;
mod start;
pub(in crate::sync) mod store;

pub use hear::Answered;
pub use sheet::WebhookSheet;
pub(in crate::sync) use start::{STORM, ask_for_all};
