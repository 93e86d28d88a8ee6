//! Records that a caller uploads, where nothing reads an HR system.
//!
//! *Comes in:* pages of records: JSON in canonical fields, SCIM users, CSV. *Goes out:* runs that read them like any other
//! source. *Owns:* `push_session`, `push_page`. *Must not know:* HTTP.
//!
//! - A session is opened as *complete* (it will have everybody) or *changes*, takes pages by number, and is committed or
//!   aborted. Until the commit nothing of it counts; who does not touch it for a day has given it up. The same page number
//!   again takes the page's place, so that a caller may repeat what it is not sure of, over kills on either side.
//! - A commit queues one run, in one transaction. Only the run of a complete session has seen everybody: leavers by absence
//!   come from nowhere else. A record that could not be read counts as there; one without an id makes the read partial.
//! - A run that no session is behind (by hand, a decision, new settings) looks again at what was pushed before.
//! - Pages are sealed, and deleted once their run has ended.

mod record;
mod session;
pub(in crate::sync) mod source;
pub(in crate::sync) mod store;

pub use record::{RecordError, Shape};
pub use session::{Accepted, PushSession, SessionKind, SessionState};
pub(in crate::sync) use source::{GONE, Pushed};
