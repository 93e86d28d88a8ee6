//! Everything that answers HTTP: SCIM (`scim`), the management API (`api`), webhooks (`hooks`), health, metrics, OAuth,
//! and pages for people without an account (`pages`).
//!
//! *Comes in:* requests. *Goes out:* answers; the only place that turns errors into HTTP. *Owns:* no table.
//! *Must not know:* SQL, the background tasks. Handlers extract (parsed and allowed already), call once, answer.

pub mod api;
mod auth;
mod error;
mod front;
mod health;
mod hooks;
mod metrics;
mod oauth;
mod pages;
mod routes;
pub mod scim;
mod server;
mod span;
mod state;
mod sync_problem;

pub use auth::{AuthFailure, authenticate, caller_with};
pub use error::Problem;
pub use metrics::Metrics;
pub use pages::Pages;
pub use routes::{SCIM_PREFIXES, routes};
pub use server::{Running, start};
pub use state::State;
