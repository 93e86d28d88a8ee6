//! OAuth 2.0: client credentials for clients that cannot send a fixed token (RFC 6749 §4.4).

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{Data, Form, FormConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::State;
use crate::access::Denied;
use crate::base::{Chain, Secret};

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.app_data(FormConfig::default().limit(16 * 1024).error_handler(|error, _| {
        let answer = refusal(StatusCode::BAD_REQUEST, "invalid_request");
        actix_web::error::InternalError::from_response(error, answer).into()
    }))
    .service(token);
}

#[derive(Deserialize)]
struct Request {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

/// The body of RFC 6749 §5.2.
fn refusal(status: StatusCode, error: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"scim-bridge\""));
    }
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "error": error }))
}

/// Gives a short-lived token for the id and the secret of a token, sent as HTTP Basic or in the form (RFC 6749 §2.3.1).
#[post("/oauth/token")]
async fn token(state: Data<State>, request: HttpRequest, form: Form<Request>) -> HttpResponse {
    if form.grant_type != "client_credentials" {
        return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let in_form = form.client_id.clone().zip(form.client_secret.clone());
    let Some((id, secret)) = basic(&request).or(in_form) else {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    match state.doorkeeper.grant(&id, secret.expose()).await {
        Ok((grant, caller)) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({
                "access_token": grant.token.expose(),
                "token_type": "Bearer",
                "expires_in": grant.lifetime_seconds,
                "scope": caller.scopes.names().join(" "),
            })),
        Err(Denied::TooFast { wait }) => {
            let mut refused = refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
            refused.headers_mut().insert(RETRY_AFTER, wait.into());
            refused
        }
        Err(Denied::Token) => refusal(StatusCode::UNAUTHORIZED, "invalid_client"),
        Err(Denied::Unavailable(error)) => {
            tracing::error!(error = %Chain(&error), "tokens cannot be looked up");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    }
}

fn basic(request: &HttpRequest) -> Option<(String, Secret)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id)?, Secret::new(form_decoded(secret)?)))
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are put into the header.
fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("a={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}
