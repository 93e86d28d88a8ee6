//! From a request to whoever sent it: the same for every API; each says "no" in its own words.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, ResponseError as _};

use super::{Problem, State};
use crate::access::{self, Caller, Denied, Identity, Operator, Scope};

/// The one path of the management API that needs no token: the description of all the others.
const OPEN: &str = "/api/v1/openapi.json";

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
    /// It asks too often; in so many seconds it may again.
    #[error("too many requests: this client may ask again in {0} s")]
    TooFast(u32),
    /// Tokens cannot be looked up now.
    #[error("tokens cannot be looked up")]
    Unavailable(#[source] access::Error),
}

impl AuthFailure {
    /// The HTTP status: 401, 403, 429 or 503.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Missing | Self::Invalid => 401,
            Self::Scope(_) | Self::NotATenant | Self::NotTheOperator | Self::OtherTenant => 403,
            Self::TooFast(_) => 429,
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
            Denied::TooFast { wait } => Self::TooFast(wait),
            Denied::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// Lets nobody into the management API without a good token, before anything of the request's body is read.
pub(super) async fn at_the_door(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if request.path().starts_with("/api/v1/") && request.path() != OPEN {
        match authenticate(request.request()).await {
            Ok(identity) => {
                request.extensions_mut().insert(identity);
            }
            Err(failure) => {
                let refused = Problem::from(failure).error_response();
                return Ok(request.into_response(refused).map_into_right_body());
            }
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Whoever sent the request (RFC 6750 §2.1: tokens come in the header only, never in the query).
///
/// # Errors
/// When there is no token or it is not good.
pub async fn authenticate(request: &HttpRequest) -> Result<Identity, AuthFailure> {
    if let Some(identity) = request.extensions().get::<Identity>() {
        return Ok(identity.clone());
    }
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

/// The client that `at_the_door` let in, if its token has the scope.
///
/// # Errors
/// When it may not.
pub(super) fn caller_let_in(request: &HttpRequest, scope: Scope) -> Result<Caller, AuthFailure> {
    match request.extensions().get::<Identity>() {
        Some(identity) => allowed(identity.clone(), scope),
        None => Err(AuthFailure::Missing),
    }
}

/// The operator, if `at_the_door` let it in.
///
/// # Errors
/// When it was somebody else.
pub(super) fn operator_let_in(request: &HttpRequest) -> Result<Operator, AuthFailure> {
    match request.extensions().get::<Identity>() {
        Some(Identity::Operator(operator)) => Ok(*operator),
        Some(Identity::Caller(_)) => Err(AuthFailure::NotTheOperator),
        None => Err(AuthFailure::Missing),
    }
}

fn allowed(identity: Identity, scope: Scope) -> Result<Caller, AuthFailure> {
    match identity {
        Identity::Caller(caller) if caller.may(scope) => Ok(caller),
        Identity::Caller(_) => Err(AuthFailure::Scope(scope)),
        Identity::Operator(_) => Err(AuthFailure::NotATenant),
    }
}

/// The tenant's client that sent the request, if its token has the scope.
///
/// # Errors
/// When it may not.
pub async fn caller_with(request: &HttpRequest, scope: Scope) -> Result<Caller, AuthFailure> {
    allowed(authenticate(request).await?, scope)
}
