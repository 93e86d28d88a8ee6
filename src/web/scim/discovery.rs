//! What the server says of itself (RFC 7644 §4). Open to everybody, who then sees what every tenant has; with a token,
//! the schemas and resource types of its tenant are there too.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, ETAG};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::super::{State, authenticate};
use super::refusal::Refusal;
use super::{LIMITS, condition, media, session};
use crate::access::Identity;
use crate::base::digest;
use crate::scim::message::ListResponse;
use crate::scim::{Registry, Shape, discovery};

/// What is supported and how much.
pub async fn config(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    let base = session::base(&request, &state);
    shown(&request, &discovery::service_provider_config(&LIMITS, &base))
}

/// The same, at addresses that it has elsewhere.
pub async fn config_elsewhere(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    state.metrics.tolerated(Shape::ConfigAddress, "none");
    config(request, state).await
}

/// All resource types.
pub async fn resource_types(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    let base = session::base(&request, &state);
    let registry = registry(&request, &state).await?;
    all(&request, discovery::resource_types(&registry, &base))
}

/// One resource type.
pub async fn resource_type(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    let base = session::base(&request, &state);
    let name = request.match_info().get("id").unwrap_or_default();
    let registry = registry(&request, &state).await?;
    let kind = registry.kind_called(name).ok_or_else(Refusal::not_found)?;
    shown(&request, &discovery::resource_type(kind, &base))
}

/// All schemas.
pub async fn schemas(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    let base = session::base(&request, &state);
    let registry = registry(&request, &state).await?;
    all(&request, discovery::schemas(&registry, &base))
}

/// One schema.
pub async fn schema(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    let base = session::base(&request, &state);
    let urn = request.match_info().get("id").unwrap_or_default();
    let registry = registry(&request, &state).await?;
    let schema = discovery::schema_of(&registry, urn, &base).ok_or_else(Refusal::not_found)?;
    shown(&request, &schema)
}

/// What the sender may know of: without a token what comes with the program, with one what its tenant has.
pub(super) async fn registry(request: &HttpRequest, state: &State) -> Result<Arc<Registry>, Refusal> {
    if !request.headers().contains_key(AUTHORIZATION) {
        return Ok(Registry::builtin());
    }
    match authenticate(request).await? {
        Identity::Caller(caller) => {
            session::check_tenant(request, &caller)?;
            session::registry(state, caller.tenant).await
        }
        Identity::Operator(_) => Ok(Registry::builtin()),
    }
}

/// A filter on discovery is refused; sorting, paging and projection are ignored (RFC 7644 §4).
fn all(request: &HttpRequest, resources: Vec<Value>) -> Result<HttpResponse, Refusal> {
    let filtered = url::form_urlencoded::parse(request.query_string().as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("filter"));
    if filtered {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "filters are not served here"));
    }
    let total = u64::try_from(resources.len()).unwrap_or(u64::MAX);
    let list = serde_json::to_value(ListResponse::indexed(total, 1, resources)).unwrap_or_default();
    shown(request, &list)
}

/// The answer with its ETag, or 304 to who has it already. Its version is a digest of the text: what is shown follows
/// from the program, from what the tenant defines and from the address that the client uses.
fn shown(request: &HttpRequest, body: &Value) -> Result<HttpResponse, Refusal> {
    let media = media::wanted(request)?;
    let text = body.to_string();
    let digest = digest(text.as_bytes());
    let version: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = (ETAG, format!("W/\"{version}\""));
    if condition::names(request, &version) {
        return Ok(HttpResponse::NotModified().insert_header(tag).finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header(tag)
        .content_type(media)
        .body(text))
}
