//! Every "no" of the SCIM routes, with the body of RFC 7644 §3.12.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use super::super::AuthFailure;
use crate::access::Caller;
use crate::guard::{self, Frozen};
use crate::scim::message::MEDIA_TYPE;
use crate::{base, db, directory, identity, scim};

/// Why a request is refused.
#[derive(Debug)]
pub struct Refusal {
    error: scim::Error,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal without keyword.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        scim::Error::new(status.as_u16(), detail).into()
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such resource")
    }

    /// 405 with what would be allowed (RFC 9110 §15.5.6).
    pub fn method(allowed: &'static str) -> Self {
        let detail = format!("this address takes {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// 403 to a client that must not write before a human said so.
    pub fn frozen(frozen: &Frozen, caller: &Caller) -> Self {
        let (whom, how) = if frozen.owner == caller.tenant.uuid() {
            ("this tenant is", "scim-bridge thaw".to_owned())
        } else {
            (
                "this client is",
                format!("scim-bridge thaw --client {}", caller.client),
            )
        };
        let detail = format!(
            "{whom} frozen since {} and may read but not write: {}. Nothing was changed. An admin lifts it with `{how}`",
            frozen.since.format("%Y-%m-%d %H:%M UTC"),
            frozen.reason
        );
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 409 without keyword.
    pub fn conflict(detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 503 for what there was no time for.
    pub fn late() -> Self {
        Self::unavailable("there was no time left for it; send it again")
    }

    /// What the body says.
    pub const fn error(&self) -> &scim::Error {
        &self.error
    }

    fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error.status)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).body(self.error.to_json().to_string());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some((name, value)) = &self.header {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

impl From<scim::Error> for Refusal {
    fn from(error: scim::Error) -> Self {
        Self { error, header: None }
    }
}

impl From<AuthFailure> for Refusal {
    fn from(failure: AuthFailure) -> Self {
        let status = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::FORBIDDEN);
        if let AuthFailure::Unavailable(error) = &failure {
            tracing::error!(error = %base::Chain(error), "tokens cannot be looked up");
            return Self::unavailable("the database does not answer");
        }
        let refusal = Self::new(status, failure.to_string());
        if let AuthFailure::TooFast(wait) = failure {
            return refusal.with(RETRY_AFTER, HeaderValue::from(wait));
        }
        match failure
            .challenge()
            .and_then(|text| HeaderValue::from_str(&text).ok())
        {
            Some(challenge) => refusal.with(WWW_AUTHENTICATE, challenge),
            None => refusal,
        }
    }
}

impl From<db::Error> for Refusal {
    fn from(error: db::Error) -> Self {
        tracing::error!(error = %base::Chain(&error), "the database does not answer");
        Self::unavailable("the database does not answer")
    }
}

impl From<db::QueryError> for Refusal {
    fn from(error: db::QueryError) -> Self {
        tracing::error!(error = %base::Chain(&error), "the database does not answer");
        Self::unavailable("try again")
    }
}

impl From<guard::Error> for Refusal {
    fn from(error: guard::Error) -> Self {
        tracing::error!(error = %base::Chain(&error), "what is frozen cannot be looked up");
        Self::unavailable("try again")
    }
}

impl From<identity::Error> for Refusal {
    fn from(error: identity::Error) -> Self {
        tracing::error!(error = %base::Chain(&error), "a record of HR's cannot be read");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a record of the HR system cannot be read",
        )
    }
}

impl From<directory::Error> for Refusal {
    fn from(error: directory::Error) -> Self {
        use directory::Error as E;
        match error {
            E::Scim(error) => error.into(),
            E::NotFound | E::UnknownKind(_) => Self::not_found(),
            E::Uniqueness { .. } => scim::Error::uniqueness(error.to_string()).into(),
            E::Authority { .. } => scim::Error::mutability(format!(
                "{error}: change it in HR, or give the attribute another rule in [authority] of the connection"
            ))
            .into(),
            E::VersionMismatch => Self::new(StatusCode::PRECONDITION_FAILED, error.to_string()),
            E::UnknownReference { .. } | E::Cycle => scim::Error::value(error.to_string()).into(),
            E::Busy => Self::unavailable("the resource keeps changing; try again"),
            E::Store(cause) if db::is_transient(&cause) => {
                tracing::warn!(error = %base::Chain(&cause), "a request met another one or a restart");
                Self::unavailable("try again")
            }
            E::Definitions(_) | E::InUse(_) | E::Schemas(_) | E::Store(_) => {
                tracing::error!(error = %base::Chain(&error), "a SCIM request failed");
                let detail =
                    "something failed that should not; the server's log says more under this request's id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }
}
