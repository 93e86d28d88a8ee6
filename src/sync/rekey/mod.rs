//! Moving the links of people from one connection to another: a customer changes the HR system, or the unified API
//! through which it is read.
//!
//! *Comes in:* an order with the old and the new connection, by what records are recognised, and perhaps pairs of ids.
//! *Goes out:* a run of the new connection of cause `rekey`, whose plan says who moves, who does not, and which keys are
//! claimed twice. *Owns:* `rekey`. *Must not know:* vendors, HTTP.
//!
//! - The run reads the new connection as any run does, also while it is a draft: somebody asked for it. Its plan always
//!   waits for approval and creates, changes and disables nobody.
//! - Approved, it pauses the old connection first, in one transaction in which no run of that one is under way. Then
//!   batch by batch, each in one transaction that marks its items, the new records are stored as their people's and the
//!   old ones let go. At the end the groups of units move too, and the new connection goes live as it was read.
//! - The moved records count as changed: the next run of the new connection looks at all of them, finds everybody's
//!   person by the record's own id, and therefore makes nobody and lets nobody go.
//! - Who is not found keeps the old record, and nothing happens to them. Back again is the same with the two swapped.

mod apply;
mod find;
mod order;
mod plan;
mod store;

pub(super) use apply::apply;
pub(super) use plan::plan;

pub use order::{RekeyBy, RekeyOrder};
