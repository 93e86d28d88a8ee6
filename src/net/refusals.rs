//! What other sides said when they refused, for the one who sets a connection up.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// So much of a refusal's body is kept, in bytes.
const KEPT: usize = 16 * 1024;

/// The last answer with an error status that a client of [`Net::noting`](super::Net::noting) got. Never logged.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Option<Refused>>>);

/// An answer with an error status.
#[derive(Debug, Clone)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The beginning of its body.
    pub body: Vec<u8>,
}

impl Refusals {
    pub(super) fn note(&self, status: u16, headers: &HeaderMap, body: &[u8]) {
        let refused = Refused {
            status,
            headers: headers.clone(),
            body: body.get(..KEPT).unwrap_or(body).to_vec(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
    }

    /// The last one, if there was any.
    #[must_use]
    pub fn last(&self) -> Option<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Refused {
    /// Whether the body is a page for browsers, as gateways and sign-in pages send.
    #[must_use]
    pub fn is_page(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE);
        kind.and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html"))
    }
}
