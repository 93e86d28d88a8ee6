//! Reads employees from HR systems, as manifests in a closed vocabulary say.
//!
//! *Comes in:* a manifest, a connection's settings, an HTTP client, perhaps a file. *Goes out:* pages of
//! [`hr::Employee`](crate::hr::Employee), and whether everybody was seen. *Owns:* no table; a vendor's token is kept through
//! [`TokenCache`]. *Must not know:* SCIM, SQL, tenants, other modules of its floor.
//!
//! The way of a read: [`Source::pull`] makes a [`Pull`]; the first [`Pull::next`] signs in, loads the lists that are joined,
//! and asks for the first page. `feed` walks through the pages for each parent, `paging` finds the next page and the end;
//! `ask` sends in the manifest's pace and repeats what repeating can help; `decode` makes values of JSON, XML and CSV; `join`
//! puts beside each record what belongs to it; `map` makes employees by the `way`s that the manifest's rules were made into.
//!
//! A read is complete when the page chain closed, every page parsed, every record had its own id, none came twice, and the
//! source's count agrees where it gives one. Anything else is partial, and nobody leaves because of it.
//! A file that was cut at the end of a line cannot be told from a whole one: that is for the guard to judge.

mod ask;
mod auth;
mod catalogue;
mod check;
mod condition;
mod custom;
mod date;
mod decode;
mod error;
mod feed;
mod fields;
mod fill;
mod join;
mod list;
mod manifest;
mod map;
mod own;
mod pace;
mod paging;
mod path;
mod pull;
mod request;
mod rule;
mod scope;
mod select;
mod setting;
mod source;
mod standing;
mod tally;
mod template;
mod validate;
mod verdict;
mod view;
mod way;
mod webhook;

pub use auth::{CachedToken, ConsentLink, MemoryTokens, TokenCache, TokenTrouble, Turn};
pub use catalogue::{Catalogue, Manifest};
pub use check::CheckStep;
pub use error::{Error, ManifestProblem, ManifestProblems};
pub use fields::CsvFields;
pub use own::OwnField;
pub use pull::{Attribute, Attributes};
pub use scope::Mark;
pub use setting::{Form, SettingProblem, Settings};
pub use source::{Pull, Source};
pub use standing::stands_in;
pub use view::{FactView, FieldView, ManifestView, SettingView, StatusView, Sureness, WebhookView};
pub use webhook::{Delivery, Echo, Heard, Hook, Refusal, SecretMaker, Whom};
