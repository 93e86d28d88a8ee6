//! The SCIM store: resources of every type, who is in which group, what each client calls them, and the log of
//! every change.
//!
//! *Comes in:* whole resources from runs ([`Directory::put_many`]), requests of SCIM clients
//! ([`Directory::create`], [`Directory::replace`], [`Directory::patch`], [`Directory::delete`]), members
//! ([`Directory::change_members`]). *Goes out:* single resources, pages of a search, and rows of `change`.
//! *Owns:* `definition`, `resource`, `resource_key`, `external_id`, `membership`, `change`, `walk`, `tombstone`; reads
//! `resource_total`.
//! *Must not know:* HR, apps, HTTP.
//!
//! Rules that hold for every write, whoever causes it:
//! - The change row (before and after per attribute path, origin, salt, digest) commits with the state it tells of;
//!   what changes nothing writes nothing.
//! - `active` follows from who holds the user disabled (`resource.disabled_by`): the parties are `hr`, `admin`,
//!   `client:<id>` and `app:<id>`; a party takes away only its own hold. Without any hold, `active` is true.
//! - Of a user who comes from HR, `resource.writers` names whose value stands where it is not HR's; what a client may
//!   not change is refused ([`Authorities`]). A client's or an admin's DELETE leaves a tombstone for the person, and no
//!   run makes the user again before it is released; nothing of it is seen over SCIM.
//! - Values of `password` and of every other attribute that is never returned are dropped at the door.
//!
//! Writes of a single user by a client are one statement each, guarded by the version that was read, so they need no
//! transaction of their own; everything that changes members, deletes, or comes in batches wants the caller's.

mod authority;
mod batch;
mod cause;
mod client;
mod delete;
mod error;
mod filter_index;
mod filter_rows;
mod filter_sql;
mod key;
mod lift;
mod log;
mod member;
mod read;
mod realm;
mod resource;
mod row;
mod schema;
mod search;
mod store;
mod tombstone;

pub use authority::Authorities;
pub use cause::{Actor, Cause};
pub use error::Error;
pub use log::{MembersDelta, digest_of};
pub use member::MembersWritten;
pub use realm::{RealmUser, realm_of};
pub use resource::{Answer, Expected, Found, GroupRef, MemberRow, Put, Stored, Want, Written};
pub use schema::{Defined, SCHEMA_CHANNEL};
pub use search::{Among, From, Key, Page, Reader, Search};
pub use store::connections_of;
pub use tombstone::Tombstone;

use std::sync::Arc;

use schema::Registries;

/// The door to the store. Cheap to clone; clones remember the tenants' schemas together.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    registries: Arc<Registries>,
}
