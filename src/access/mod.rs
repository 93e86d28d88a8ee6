//! Who may come in, and to what: tenants, clients, tokens.
//!
//! *Comes in:* bearer tokens, and orders of the operator. *Goes out:* [`Identity`]. *Owns:* `tenant`, `client`, `token`.
//! *Must not know:* HTTP, SCIM, what the scopes open.
//!
//! Tokens are random, shown once and kept as SHA-256. A token of a tenant belongs to a [`Client`], which stays when
//! its tokens are changed, with a [`Profile`] of its own; a token without a tenant is the operator's.

mod doorkeeper;
mod error;
mod jwt;
mod lifetime;
mod name;
mod pace;
mod profile;
mod scope;
mod store;

pub use doorkeeper::{ACCESS_CHANNEL, Caller, Denied, Doorkeeper, Identity, Operator};
pub use error::Error;
pub use jwt::{Grant, LIFETIME_SECONDS};
pub use lifetime::end_of;
pub use name::Name;
pub use profile::{Cap, Caps, Dialect, PatchAnswer, Profile, ProfileChange, Rate, UnknownMembers};
pub use scope::{BadScope, Scope, Scopes};
pub use store::{
    Client, ClientView, NewToken, Tenant, TokenView, change_profile, client_for, client_into, clients,
    create_tenant, create_token, find_client, find_tenant, revoke_any_token, revoke_token, tenant_exists,
    tenants, tokens,
};
