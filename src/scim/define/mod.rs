//! Schemas and resource types that a tenant defines: reading them strictly, and what a change of them demands of the
//! resources that are there.
//!
//! *Comes in:* JSON in the form of RFC 7643 §6 and §7, one definition, a list, or a ListResponse. *Goes out:*
//! definitions with every characteristic written out, flaws with their place, demands. *Must not know:* the store.

mod attribute;
mod demand;
mod document;
mod flaw;
mod limits;
mod whole;

pub use demand::{Demand, demands};
pub use document::{Definitions, read};
pub use flaw::Flaw;
pub use whole::check;
