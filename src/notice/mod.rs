//! Tells people and other programs what happened: mail and webhooks out.
//!
//! *Comes in:* events, raised in the transaction of what happened. *Goes out:* mails and signed HTTP requests.
//! *Owns:* `event`. *Must not know:* SCIM, HR, runs, apps: an event carries what its text needs.
//!
//! An event is raised exactly once per kind and key, however often the step that raises it is repeated.

mod error;
mod event;
mod store;

pub use error::Error;
pub use event::{EventKind, NewEvent};
pub use store::{raise, raise_all, raise_at};
