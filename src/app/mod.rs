//! Assembly: from settings to a running program.
//!
//! *Comes in:* [`Config`](crate::config::Config). *Goes out:* a running [`App`]. *Owns:* no table.
//! *Must not know:* what the parts do.

mod database;
mod error;
mod logging;
mod serve;

pub use database::Database;
pub use error::Error;
pub use logging::log_as;
pub use serve::{App, Background, Stop, serve};
