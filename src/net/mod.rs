//! The one HTTP client: time-outs, a cap on what is read, a guard against private addresses, `Retry-After`.
//!
//! Beside it, a file over SFTP by the machine's OpenSSH client.
//!
//! *Comes in:* a method, an address, headers and a body. *Goes out:* an [`Answer`], or an [`Error`] that says whether the
//! request may have arrived and whether repeating can help. *Owns:* no table.
//! *Must not know:* HR systems, SCIM, tenants.
//!
//! The guard works where it cannot be gone round: names are resolved by our own resolver, which gives the client public
//! addresses only, so a name that changes between check and connect gains nothing; literal addresses are checked when the
//! request is made; redirects stay on the same scheme, host and port. Proxies of the environment are not used, since
//! behind one the guard would judge the proxy's address and not the target's.

mod address;
mod answer;
mod client;
mod error;
mod refusals;
mod sftp;
mod sleeper;

pub use answer::Answer;
pub use client::{BODY_CAP, Net, Request, TIME_OUT};
pub use error::Error;
pub use refusals::{Refusals, Refused};
pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use sftp::{SftpError, SftpFile};
pub use sleeper::Sleeper;
