//! The first step of a run: page by page from the HR system into staging.
//!
//! *Comes in:* pages of employees. *Goes out:* what is new or changed, in `staging_record`; who was seen, a row per
//! page in `staging_page`; whether the read was complete, and what it looks like as a whole (`profile`). *Owns:* the two
//! unlogged staging tables, `read_mark` and `read_base`.
//!
//! A record is compared by its digest alone: an unchanged one costs one comparison and no write. A read that was
//! interrupted begins again, since HR systems give no pages twice in the same way.
//!
//! Where the HR system can tell who changed, scheduled reads ask for that alone, from where the last committed read came to;
//! once a day everybody is read. Only a complete read can prove that somebody is gone; a read of changes makes leavers of
//! those alone of whom the HR system says so.

mod look;
mod profile;
mod pull;
mod realm;
mod record;
pub(in crate::sync) mod store;

#[cfg(test)]
pub(in crate::sync) use profile::Part;
pub(in crate::sync) use profile::Profile;
pub(in crate::sync) use pull::{is_back, read};
pub(in crate::sync) use record::{Remark, join};
