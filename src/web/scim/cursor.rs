//! Cursors (RFC 9865): a place in a list, sealed, so that nothing of a walk is kept in the server and nobody can read
//! or make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::CURSOR_SECONDS;
use crate::base::Sealer;
use crate::directory::{From, Key};
use crate::scim::{Error, ScimType};

/// What a walk by cursor goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The place.
    #[serde(rename = "p")]
    place: Key,
    /// Whether the page ends before it; else it begins behind it.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    back: bool,
    /// The total as counted with the first page.
    #[serde(rename = "t")]
    pub total: u64,
    /// The `count` of the walk.
    #[serde(rename = "c")]
    count: u64,
    /// The second since 1970 from which on it is not good any more.
    #[serde(rename = "e")]
    ends: i64,
}

/// Makes and reads the cursors of one query of one token.
#[derive(Debug)]
pub struct Cursors<'a> {
    pub sealer: &'a Sealer,
    /// Tenant, token, types, filter, sorting and projection: a cursor is good for nothing else.
    pub about: String,
    /// The `count` of the query.
    pub count: u64,
    pub now: DateTime<Utc>,
}

impl Cursors<'_> {
    /// Reads a cursor that a client sent.
    ///
    /// # Errors
    /// The `400 invalidCursor`, `400 expiredCursor` and `400 invalidCount` of RFC 9865 §2.1.
    pub fn read(&self, text: &str) -> Result<Cursor, Error> {
        let invalid = || {
            let detail = "the cursor is none of this query's: send nextCursor or previousCursor as it was given, with \
                          the same token and parameters, or an empty cursor for the first page";
            Error::of(400, ScimType::InvalidCursor, detail)
        };
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let plain = self.sealer.open(&self.about, &sealed).map_err(|_| invalid())?;
        let cursor: Cursor = serde_json::from_slice(&plain).map_err(|_| invalid())?;
        if cursor.ends <= self.now.timestamp() {
            let detail = format!(
                "the cursor is older than {CURSOR_SECONDS} seconds: begin again with an empty cursor"
            );
            return Err(Error::of(400, ScimType::ExpiredCursor, detail));
        }
        if cursor.count != self.count {
            let detail = "count must be what it was in the request for the first page";
            return Err(Error::of(400, ScimType::InvalidCount, detail));
        }
        Ok(cursor)
    }

    /// The cursor of the page behind a place.
    pub fn after(&self, place: Key, total: u64) -> Option<String> {
        self.write(place, false, total)
    }

    /// The cursor of the page before a place.
    pub fn before(&self, place: Key, total: u64) -> Option<String> {
        self.write(place, true, total)
    }

    fn write(&self, place: Key, back: bool, total: u64) -> Option<String> {
        let ends = self.now + TimeDelta::seconds(CURSOR_SECONDS.into());
        let cursor = Cursor {
            place,
            back,
            total,
            count: self.count,
            ends: ends.timestamp(),
        };
        let plain = serde_json::to_vec(&cursor).ok()?;
        let sealed = self.sealer.seal(&self.about, &plain).ok()?;
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }
}

impl Cursor {
    /// Where its page is.
    pub fn from(&self) -> From {
        if self.back {
            From::Before(self.place.clone())
        } else {
            From::After(self.place.clone())
        }
    }
}
