//! Filters (RFC 7644 §3.4.2.2): text to [`Filter`], bound to a resource type as [`Bound`], which is what the SQL
//! compiler reads and what [`Bound::matches`] evaluates.

mod bind;
mod matches;
mod parse;
mod syntax;
#[cfg(test)]
mod tests;
mod tolerated;

pub use bind::{Bound, Operand, bind, bind_elements, bind_loosely};
pub use parse::{PatchTarget, parse, parse_target};
pub use syntax::{Filter, Literal, Op};
pub use tolerated::tolerated;
pub(super) use tolerated::tolerated_in;
