//! Connections: their file, their revisions from draft to live, their schedule, the files they hold.
//!
//! *Owns:* `connection`, `setting_revision` (of connections), `upload`.

mod authority;
mod compile;
mod cut;
mod definitions;
mod entity;
mod file;
mod position;
mod preview;
mod reading;
mod revise;
mod schedule;
mod secrets;
mod state;
pub(in crate::sync) mod store;

pub use authority::AuthorityFile;
pub(in crate::sync) use compile::Compiled;
pub use cut::CutAccounts;
pub use entity::{EntityFile, EntityLifecycle};
pub(super) use entity::{Settled, settle};
pub use file::{ConnectionFile, FileProblem, FilterFile, ReadFile};
pub use position::{line_and_column, position_of};
pub use revise::{Applied, SettingDifference};
pub use schedule::{Schedule, ScheduleFile};
pub use state::{Connection, ConnectionState, Revision};
pub use store::Freshness;
