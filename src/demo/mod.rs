//! The demo, and what it and tests need of the outside world: an HR system with as many people as wanted.
//!
//! *Comes in:* a number of people, a seed, a date. *Goes out:* an HTTP server that speaks Kombo's API; a short story on
//! stdout. *Owns:* no table. *Must not know:* how the bridge works inside: it calls the management API.

mod error;
pub mod sandbox;
mod story;

pub use error::Error;
pub use story::run;
