//! Settings from the environment: the only place that reads it.
//!
//! *Comes in:* environment variables. *Goes out:* [`Config`]. *Owns:* no table. *Must not know:* what is done with them.

mod environment;
mod error;
mod master_key;
mod reference;

pub use environment::{Config, LogFormat, MAX_CONNECTIONS, ServerAddress, program};
pub use error::Error;
pub use reference::{BadReference, resolve};
