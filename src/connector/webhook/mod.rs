//! Deliveries of an HR system's webhooks: are they genuine, and whom do they ask us to look at?
//!
//! *Comes in:* a request's headers, query and body, the connection's secrets. *Goes out:* ids of employees, or that all
//! should be read. Nothing else of a delivery is believed. *Owns:* no table. *Must not know:* HTTP servers, tenants.

mod hear;
mod proof;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use utoipa::ToSchema;

use super::rule::Rules;

pub(super) use hear::check_over;
pub use hear::{Delivery, Echo, Heard, Hook, Refusal, Whom};

/// `[webhooks]` of a manifest. A *place* is a JSON Pointer in the body when it starts with `/`, else a header's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhooks {
    /// What to do in the HR system.
    pub guide: String,
    /// Who makes the secret.
    #[serde(default)]
    pub secret: SecretMaker,
    /// How a delivery proves itself.
    #[serde(default)]
    pub verify: Verify,
    /// Place of the time of sending.
    pub timestamp: Option<String>,
    /// Place of the delivery's id.
    pub id: Option<String>,
    /// How the HR system sees whether the address is ours.
    pub challenge: Option<Challenge>,
    /// Status of the answer to a good delivery.
    #[serde(default)]
    pub answer: Thanks,
    /// A list of events in one body; `event` and `employee` start at its elements.
    pub each: Option<String>,
    /// Place of the event's name.
    pub event: Option<String>,
    /// The events that concern an employee; a trailing `*` stands for any ending. Empty: all.
    #[serde(default)]
    pub events: Vec<String>,
    /// Where the employee's id is. Without it all are read.
    pub employee: Option<Spanned<Rules>>,
}

/// Who makes the secret of a connection's webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretMaker {
    /// The HR system shows it; it is entered here.
    Given,
    /// We make it; it is entered there.
    Made,
    /// There is none but the address itself.
    #[default]
    None,
}

/// How a delivery proves that it comes from the HR system.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::connector) enum Verify {
    /// Only the random address is secret.
    Url {},
    /// A place holds the secret itself.
    Token {
        /// The place; with `each`, a pointer is read in every event.
        at: String,
        /// Taken off where it is there.
        prefix: Option<String>,
    },
    /// HTTP basic auth with the secret as password.
    Basic {
        /// The user's name.
        user: Option<String>,
    },
    /// A keyed digest in a header.
    Hmac {
        /// The header; it may hold several signatures separated by blanks.
        header: String,
        #[serde(default)]
        hash: Hash,
        #[serde(default)]
        encoding: Encoding,
        /// Taken off each signature where it is there.
        prefix: Option<String>,
        /// What is signed: a template of `body`, `timestamp` and `id`.
        over: Option<String>,
        #[serde(default)]
        key: KeyForm,
    },
    /// Standard Webhooks, and Svix (github.com/standard-webhooks/standard-webhooks, spec).
    Standard {},
}

impl Default for Verify {
    fn default() -> Self {
        Self::Url {}
    }
}

/// Hash of a keyed digest.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hash {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// In either case.
    #[default]
    Hex,
    /// In either alphabet, padded or not.
    Base64,
}

/// How the secret becomes the key.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyForm {
    /// Its bytes.
    #[default]
    Text,
    /// What it says in base64; a leading `whsec_` is dropped first.
    Base64,
}

/// How the HR system sees whether the address is ours: its value is given back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Challenge {
    /// The query parameter that holds it.
    pub query: Option<String>,
    /// The header that holds it.
    pub header: Option<String>,
    /// The member under which it is given back in JSON; without it, as plain text.
    pub json: Option<String>,
}

/// Status of the answer to a good delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub(super) struct Thanks(pub u16);

impl Default for Thanks {
    fn default() -> Self {
        Self(200)
    }
}

impl TryFrom<u16> for Thanks {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        if matches!(status, 200 | 202 | 204) {
            Ok(Self(status))
        } else {
            Err("answer must be 200, 202 or 204")
        }
    }
}
