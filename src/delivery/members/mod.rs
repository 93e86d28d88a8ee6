//! Who is in which group of an app: compared set against set in the database, sent in batches.

mod store;

pub(super) use store::{MemberRow, forget, put, take_away, to_add, to_remove};
