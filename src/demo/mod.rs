//! What the demo and tests need of the outside world: an HR system with as many people as wanted.
//!
//! *Comes in:* a number of people, a seed, a date. *Goes out:* an HTTP server that speaks Kombo's API.
//! *Owns:* no table. *Must not know:* how we read it.

pub mod sandbox;
