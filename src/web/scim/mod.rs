//! SCIM 2.0 over HTTP (RFC 7644), under `/scim/v2` and `/t/{tenant}/scim/v2`.
//!
//! *Comes in:* requests of SCIM clients. *Goes out:* answers with SCIM bodies, also for every refusal. *Owns:*
//! nothing. *Must not know:* SQL; which resource types there are (they are data of the registry).
//!
//! Handlers extract (a `Session` is a client with the scope), call the directory once, and render. A
//! resource that nobody asked to be cut goes from the row to the wire as text: only what is computed is spliced in.

mod answer;
mod body;
mod bulk;
mod condition;
mod cursor;
mod dialect;
mod discovery;
mod list;
mod me;
mod media;
mod members;
mod openapi;
mod payroll;
mod refusal;
mod render;
mod resource;
mod routes;
mod session;
mod standing;
mod write;

pub use refusal::Refusal;
pub use routes::routes;
pub use standing::Standings;

use crate::scim::discovery::Limits;

/// Resources in one answer when the client does not say.
const PAGE_DEFAULT: u64 = 100;
/// Resources in one answer at most.
const PAGE_MAX: u64 = 1_000;
/// Seconds that a cursor is good for.
const CURSOR_SECONDS: u32 = 3_600;
/// Milliseconds that the database may work on a page that no index serves.
const QUERY_MILLISECONDS: u32 = 10_000;
/// Bytes of a body: 100,000 members fit.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// What is served and how much; ServiceProviderConfig is made of it.
const LIMITS: Limits = Limits {
    patch: true,
    bulk: true,
    bulk_operations: 1_000,
    payload_bytes: 8 * 1024 * 1024,
    page_max: PAGE_MAX,
    page_default: PAGE_DEFAULT,
    sort: true,
    etag: true,
    change_password: false,
    cursor: true,
    cursor_seconds: CURSOR_SECONDS,
};
