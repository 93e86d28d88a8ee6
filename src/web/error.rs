//! Errors of the management API: problem details (RFC 9457). SCIM routes have their own body (`scim::error`).

use std::error::Error;
use std::fmt;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use super::AuthFailure;
use crate::{access, base, db, notice};

/// The answer to a request that cannot be fulfilled, as `application/problem+json`.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: Map<String, Value>,
    challenge: Option<String>,
    /// In so many seconds.
    retry_after: u32,
}

impl Problem {
    /// A problem: `code` is its stable name for programs (`not-found`), `detail` tells people what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            more: Map::new(),
            challenge: None,
            retry_after: 5,
        }
    }

    /// 400: the request is wrong in itself.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 403: this caller may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: there is no such thing, or it is not the caller's.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 409: it does not fit what is there.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: understood, but its content cannot be accepted.
    #[must_use]
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 503: later, perhaps.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// 500: nobody foresaw it. The chain of causes is logged here, once; the outside is told nothing of it.
    #[must_use]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %base::Chain(error), "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed that should not; the server's log says more under this request's id",
        )
    }

    /// The same with a further member, such as `errors`.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.more.insert(member.to_owned(), value);
        self
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": format!("urn:scim-bridge:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(self.more.clone());
        }
        let mut response = HttpResponse::build(self.status).json(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self
            .challenge
            .as_deref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.status) {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        response
    }
}

/// The answer to a method that an address does not have (RFC 9110 §15.5.6); OPTIONS asks just for what it has.
pub(super) fn other_method(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let mut answer = if request.method() == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let detail = format!("this address takes {allowed}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail).error_response()
    };
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    answer
}

impl From<AuthFailure> for Problem {
    fn from(failure: AuthFailure) -> Self {
        let challenge = failure.challenge();
        let mut problem = match failure {
            AuthFailure::Missing => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send a token: Authorization: Bearer …",
            ),
            AuthFailure::Invalid => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "the token is unknown, ended or revoked",
            ),
            AuthFailure::Scope(scope) => {
                Self::forbidden(format!("this needs a token with the scope {scope}"))
            }
            AuthFailure::NotATenant => Self::forbidden("this needs a token of a tenant, not the operator's"),
            AuthFailure::NotTheOperator => Self::forbidden("this needs a token of the operator"),
            AuthFailure::OtherTenant => Self::forbidden("this token belongs to another tenant"),
            AuthFailure::TooFast(wait) => {
                let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", failure.to_string());
                problem.retry_after = wait;
                problem
            }
            AuthFailure::Unavailable(error) => {
                tracing::error!(error = %base::Chain(&error), "tokens cannot be looked up");
                Self::unavailable("the database does not answer")
            }
        };
        problem.challenge = challenge;
        problem
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        tracing::error!(error = %base::Chain(&error), "the database does not answer");
        Self::unavailable("the database does not answer")
    }
}

impl From<db::QueryError> for Problem {
    fn from(error: db::QueryError) -> Self {
        if db::is_transient(&error) {
            tracing::warn!(error = %base::Chain(&error), "a request met another one or a restart");
            Self::unavailable("try again")
        } else if db::is_unstorable(&error) {
            Self::bad_request("invalid-text", "a text has a NUL character in it")
        } else {
            Self::internal(&error)
        }
    }
}

impl From<notice::Error> for Problem {
    fn from(error: notice::Error) -> Self {
        match error {
            notice::Error::Store(error) => error.into(),
            notice::Error::Db(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<access::Error> for Problem {
    fn from(error: access::Error) -> Self {
        use access::Error as E;
        match error {
            E::OtherRoad => Self::conflict("other-road", error.to_string()),
            E::NameTaken => Self::conflict("name-taken", error.to_string()),
            E::NoSuchTenant | E::NoSuchToken | E::NoSuchClient => Self::not_found(error.to_string()),
            E::BadName | E::BadLifetime | E::NoScope => Self::unprocessable("invalid", error.to_string()),
            E::Store(error) => error.into(),
            E::Reach(error) => error.into(),
        }
    }
}
