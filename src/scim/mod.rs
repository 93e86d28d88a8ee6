//! SCIM 2.0 (RFC 7643, RFC 7644) as pure code.
//!
//! *Comes in:* JSON bodies, filters, paths and lists of names as clients write them, schemas as JSON. *Goes out:*
//! resources in registered spelling ([`Object`]), bound filters, the effect of a PATCH, differences, answers and
//! errors. *Owns:* no table. *Must not know:* tenants, the store, HTTP, the clock.
//!
//! An [`Object`] that is kept has no `id`, `meta`, `externalId`, `groups` and `members`: these are columns and rows of
//! the store. Filters and projections work on the whole resource, with them in it.
//!
//! Where the RFC leaves a choice, the doc of the function says what we chose. What clients send that is no SCIM, but is
//! read all the same, stands in one table: [`TOLERANCES`].

mod authority;
pub mod bulk;
pub mod define;
pub mod diff;
pub mod discovery;
mod error;
pub mod filter;
mod fold;
mod key;
pub mod limits;
pub mod message;
pub mod patch;
mod path;
mod projection;
mod read;
mod registry;
#[cfg(test)]
mod sample;
mod schema;
mod tolerated;
mod value;

pub use authority::{Authority, Rule, holds, transfer};
pub use error::{Error, ScimType};
pub use fold::fold;
pub use key::{SortKey, key_of, keys, sort_key, sort_place};
pub use path::{AttrPath, Place, Target};
pub use projection::Projection;
pub use read::{Incoming, Member, read, replace, set_defaults, set_schemas};
pub use registry::{ENTERPRISE, Extension, GROUP, HR, PAYROLL, Registry, ResourceType, USER, entity_names};
pub use schema::{Attribute, BadSchema, Mutability, Returned, Schema, Type, Uniqueness};
pub use tolerated::{Audience, Manner, Shape, TOLERANCES, Tolerance};
pub use value::instant;

/// A resource, or a part of one: attributes in registered spelling, extensions under their URN.
pub type Object = serde_json::Map<String, serde_json::Value>;
