//! What went wrong with a SCIM request, as RFC 7644 §3.12 tells it to the client.

use serde::Serialize;
use serde_json::{Value, json};

/// The detail error keyword of RFC 7644 §3.12 and RFC 9865 §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ScimType {
    /// The filter does not parse, or attribute and operator do not fit.
    InvalidFilter,
    /// The query gives more than the server will do.
    TooMany,
    /// A value that must be unique is in use.
    Uniqueness,
    /// A readOnly or immutable attribute was touched, or a required one removed.
    Mutability,
    /// The body does not parse or breaks the message's schema.
    InvalidSyntax,
    /// A PATCH path is malformed or names an unknown attribute.
    InvalidPath,
    /// A PATCH path gave nothing to work on.
    NoTarget,
    /// A required value is missing, or a value has the wrong type.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVers,
    /// Sensitive data in the address of a request.
    Sensitive,
    /// The cursor was not given out by this server, or for another query (RFC 9865).
    InvalidCursor,
    /// The cursor is too old (RFC 9865).
    ExpiredCursor,
    /// The count does not fit the cursor (RFC 9865).
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in the error body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal with the status it is answered with. The detail names attributes and positions, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// HTTP status.
    pub status: u16,
    /// Keyword, where the RFC has one.
    pub scim_type: Option<ScimType>,
    /// For humans: what is wrong, and what to send instead where we know.
    pub detail: String,
}

impl Error {
    /// Schema of the error body.
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:Error";

    /// An error with a status and no keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
        }
    }

    /// An error with a status and a keyword.
    pub fn of(status: u16, scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: Some(scim_type),
            detail: detail.into(),
        }
    }

    /// `400 invalidFilter`.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::InvalidFilter, detail)
    }

    /// `400 invalidSyntax`.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::InvalidSyntax, detail)
    }

    /// `400 invalidPath`.
    pub fn path(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::InvalidPath, detail)
    }

    /// `400 invalidValue`.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::InvalidValue, detail)
    }

    /// `400 mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::Mutability, detail)
    }

    /// `403 sensitive`: values of the attribute must not stand in filters, which end up in logs (RFC 7644 §7.5.2).
    pub fn sensitive(path: impl std::fmt::Display) -> Self {
        let detail = format!("{path} is sensitive: it is neither filtered nor sorted by");
        Self::of(403, ScimType::Sensitive, detail)
    }

    /// `400 noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::of(400, ScimType::NoTarget, detail)
    }

    /// `409 uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::of(409, ScimType::Uniqueness, detail)
    }

    /// `404`.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// The body of the answer: `status` is a string there.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [Self::SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(body)) = (self.scim_type, body.as_object_mut()) {
            body.insert("scimType".to_owned(), Value::from(scim_type.as_str()));
        }
        body
    }
}
