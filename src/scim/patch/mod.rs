//! PATCH (RFC 7644 §3.5.2): a body to a [`Request`], and its effect on a resource. All operations take effect or none.
//!
//! Members of a group are rows beside the resource: what a PATCH does to them comes out as [`MemberChange`]s, in order,
//! and nobody has to load them.

mod apply;
mod element;
mod members;
#[cfg(test)]
mod model;
mod request;
#[cfg(test)]
mod tests;

pub use apply::{Patched, apply, members_alone};
pub use members::MemberChange;
pub use request::{Operation, OperationKind, Request, parse};
