//! From a request to whoever sent it: the same for every API; each says "no" in its own words.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;

use super::State;
use crate::access::{self, Caller, Denied, Identity, Operator, Scope};

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthFailure {
    /// It carries no bearer token.
    #[error("no bearer token")]
    Missing,
    /// Its token is unknown, ended or revoked.
    #[error("the token is unknown, ended or revoked")]
    Invalid,
    /// Its token lacks a scope.
    #[error("the token lacks the scope {0}")]
    Scope(Scope),
    /// The operator has no business with a tenant's data.
    #[error("the token is the operator's")]
    NotATenant,
    /// Only for the operator.
    #[error("the token is not the operator's")]
    NotTheOperator,
    /// The path names another tenant.
    #[error("the token belongs to another tenant")]
    OtherTenant,
    /// Tokens cannot be looked up now.
    #[error("tokens cannot be looked up")]
    Unavailable(#[source] access::Error),
}

impl AuthFailure {
    /// The HTTP status: 401, 403 or 503.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Missing | Self::Invalid => 401,
            Self::Scope(_) | Self::NotATenant | Self::NotTheOperator | Self::OtherTenant => 403,
            Self::Unavailable(_) => 503,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 §3).
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::Missing => Some("Bearer realm=\"scim-bridge\"".to_owned()),
            Self::Invalid => Some("Bearer realm=\"scim-bridge\", error=\"invalid_token\"".to_owned()),
            Self::Scope(scope) => Some(format!(
                "Bearer realm=\"scim-bridge\", error=\"insufficient_scope\", scope=\"{scope}\""
            )),
            _ => None,
        }
    }
}

impl From<Denied> for AuthFailure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Token => Self::Invalid,
            Denied::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// Whoever sent the request (RFC 6750 §2.1: tokens come in the header only, never in the query).
///
/// # Errors
/// When there is no token or it is not good.
pub async fn authenticate(request: &HttpRequest) -> Result<Identity, AuthFailure> {
    let header = request.headers().get(AUTHORIZATION).ok_or(AuthFailure::Missing)?;
    let token = header
        .to_str()
        .ok()
        .and_then(|value| match value.trim().split_once(' ') {
            Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()),
            // Okta's header mode sends the token alone.
            None => Some(value.trim()),
        })
        .ok_or(AuthFailure::Missing)?;
    let state = request.app_data::<Data<State>>().ok_or(AuthFailure::Missing)?;
    Ok(state.doorkeeper.identify(token).await?)
}

/// The tenant's client that sent the request, if its token has the scope.
///
/// # Errors
/// When it may not.
pub async fn caller_with(request: &HttpRequest, scope: Scope) -> Result<Caller, AuthFailure> {
    match authenticate(request).await? {
        Identity::Caller(caller) if caller.may(scope) => Ok(caller),
        Identity::Caller(_) => Err(AuthFailure::Scope(scope)),
        Identity::Operator(_) => Err(AuthFailure::NotATenant),
    }
}

/// The operator, if it sent the request.
///
/// # Errors
/// When somebody else did.
pub async fn operator(request: &HttpRequest) -> Result<Operator, AuthFailure> {
    match authenticate(request).await? {
        Identity::Operator(operator) => Ok(operator),
        Identity::Caller(_) => Err(AuthFailure::NotTheOperator),
    }
}
