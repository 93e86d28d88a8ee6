//! The first step of a run: page by page from the HR system into staging.
//!
//! *Comes in:* pages of employees. *Goes out:* what is new or changed, in `staging_record`; who was seen, a row per
//! page in `staging_page`; whether the read was complete. *Owns:* the two unlogged staging tables.
//!
//! A record is compared by its digest alone: an unchanged one costs one comparison and no write. A read that was
//! interrupted begins again, since HR systems give no pages twice in the same way.

mod look;
mod pull;
mod realm;
mod record;
pub(in crate::sync) mod store;

pub(in crate::sync) use pull::read;
pub(in crate::sync) use record::{Remark, join};
