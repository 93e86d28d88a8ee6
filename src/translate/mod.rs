//! From a person to a SCIM user, and from their units to groups.
//!
//! *Comes in:* a [`Resolved`](crate::identity::Resolved) person, the verdict on them, the user as it is now, `[mapping]`,
//! `[[group]]` and the required fields of the connection. *Goes out:* the user as it should be, what is held for a
//! decision, what is missing, the groups. *Owns:* no table. *Must not know:* vendors, SQL, apps. Pure.
//!
//! - A line of the mapping names an attribute (`userName`, `name.givenName`, `emails.work`, `department`, a full URN path)
//!   and gives an expression over `employee` and a policy. Lines come on top of the default mapping; one without `from`
//!   keeps the default's expression. In a multi-valued attribute the type follows the dot: `phoneNumbers.mobile`; `emails`
//!   alone is `emails.work`.
//! - The leading record speaks for the person.
//! - [`employee`] goes the other way round, for connections that SCIM clients write into.
//! - Attributes without a line are the clients' own and stay as they are.
//! - An empty source value keeps the old one, unless `clear_when_empty`.
//! - `hold` keeps the old value and asks. userName and e-mails that move together are one decision.
//! - `active`, the HR extension, `externalId`, `groups` and the manager are not mapped: lifecycle, facts and the second
//!   pass set them ([`set_manager`]).

mod config;
mod error;
mod group;
mod hr_facts;
mod inbound;
mod manager;
mod mapping;
mod target;
mod user;
mod user_name;

pub use config::{GroupRule, Line, MappingConfig, Policy};
pub use error::{MappingError, Missing};
pub use group::{GroupKey, groups};
pub use inbound::employee;
pub use manager::{put_manager, set_manager};
pub use mapping::{LineView, Mapping, SetIn};
pub use user::{HeldField, HeldPart, Translated, release, user};
pub use user_name::{BaseName, OnRename, Umlauts, UserNameFile, UserNames};

#[cfg(test)]
mod tests;
