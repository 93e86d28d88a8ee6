//! Signing in.
//!
//! *Comes in:* the words of `[auth]`, a connection's settings. *Goes out:* a [`Badge`] for each request. *Owns:* no table; a
//! vendor's token is kept through [`TokenCache`]. *Must not know:* what is read with it.
//!
//! `words` is the vocabulary, `check` says what is wrong with its use. The `desk` makes the badge: fixed keys at once; tokens from
//! the cache, or fetched in our turn, since only one process at a time may sign in for a connection. `oauth` says what an
//! authorization server is asked, `consent` how somebody lets us in, `jwt` and `xml` make what is signed.

mod badge;
mod check;
mod consent;
mod desk;
mod jwt;
mod oauth;
mod token;
mod words;
mod xml;

pub(super) use badge::Badge;
pub use consent::ConsentLink;
pub(super) use desk::Desk;
pub use token::{CachedToken, MemoryTokens, TokenCache, TokenTrouble, Turn};
pub(super) use words::{Auth, Entries, Grant};
