//! The record of who did what.
//!
//! *Comes in:* a deed, inside its own transaction. *Goes out:* nothing but rows. *Owns:* `audit_entry`.
//! *Must not know:* what the deed means. Entries carry ids and settings, never personal data, and are never changed.

mod store;

pub use store::note;
