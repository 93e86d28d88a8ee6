//! What stands where, for people and programs that ask. Read-only.
//!
//! *Comes in:* a tenant, and what the asker holds: an e-mail address, a number, a name. *Goes out:* accounts by state
//! per app ([`status`](fn@status)), people and users ([`find`](fn@find)),
//! one user with its story ([`explain`](fn@explain)), what the days to come
//! bring ([`calendar`](fn@calendar)), what somebody who is to help
//! needs to see ([`support`](fn@support)) and where each value comes from ([`lineage`](fn@lineage)), the items of plans as
//! people read them ([`plan_items`]), what stood at a past instant ([`resource_at`]). *Owns:* no table; reads those of the modules below.
//! *Must not know:* HTTP.

mod calendar;
mod error;
mod explain;
mod find;
mod held;
mod lineage;
mod past;
mod plan;
mod plan_calls;
mod status;
mod store;
mod support;

pub use calendar::{Ahead, Entry as CalendarEntry, Window, calendar};
pub use error::Error;
pub use explain::{Change, Doer, Explained, Source, Standing, explain, history};
pub use find::{By, Person, find};
pub use held::accounts_held;
pub use lineage::{
    AppLine, AttributeLine, FieldPlace, Held, LineOfMapping, Lineage, RecordOf, Sent, Step, lineage,
};
pub use past::{
    AccountMoved, MembersMoved, Moved, Past, PastAccount, PastMember, accounts_at, masked, members_at, moved,
    resource_at,
};
pub use plan::{ITEM_COLUMNS, ItemChange, ItemView, item_rows, plan_items, plan_items_with_calls};
pub use plan_calls::{AppCalls, Foretelling};
pub use status::{AppStatus, FrozenView, Status, frozen, status};
pub use support::support;
