//! The schemas and resource types of each tenant.
//!
//! *Comes in:* definitions as an administrator gives them. *Goes out:* one [`Registry`](crate::scim::Registry) per
//! tenant, remembered by the process. *Owns:* `definition`. *Must not know:* HTTP, who may do this.

mod change;
mod registries;
mod store;

pub use change::Defined;
pub(super) use registries::Registries;
pub use registries::SCHEMA_CHANNEL;
