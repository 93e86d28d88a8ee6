//! The addresses of the SCIM end points.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{Data, ServiceConfig, delete, get, patch, post, put, resource, scope, to};
use actix_web::{HttpRequest, HttpResponse};

use super::super::State;
use super::super::routes::SCIM_PREFIXES;
use super::refusal::Refusal;
use super::{bulk, discovery, list, me, openapi, resource as one};

/// All of them, below both prefixes.
pub fn routes(cfg: &mut ServiceConfig) {
    for prefix in SCIM_PREFIXES {
        cfg.service(scope(prefix).configure(end_points).default_service(to(nothing)));
    }
}

fn end_points(cfg: &mut ServiceConfig) {
    cfg.service(
        resource("/ServiceProviderConfig")
            .route(get().to(discovery::config))
            .default_service(to(only_get)),
    )
    .service(
        resource(["/ServiceProviderConfigs", "/serviceConfiguration"])
            .route(get().to(discovery::config_elsewhere))
            .default_service(to(only_get)),
    )
    .service(
        resource("/ResourceTypes")
            .route(get().to(discovery::resource_types))
            .default_service(to(only_get)),
    )
    .service(
        resource("/ResourceTypes/{id}")
            .route(get().to(discovery::resource_type))
            .default_service(to(only_get)),
    )
    .service(
        resource("/Schemas")
            .route(get().to(discovery::schemas))
            .default_service(to(only_get)),
    )
    .service(
        resource("/Schemas/{id}")
            .route(get().to(discovery::schema))
            .default_service(to(only_get)),
    )
    .service(
        resource("/openapi.json")
            .route(get().to(openapi::document))
            .default_service(to(only_get)),
    )
    .service(
        resource("/Bulk")
            .route(post().to(bulk::bulk))
            .default_service(to(only_post)),
    )
    .service(
        resource("/Me")
            .route(get().to(me::get))
            .route(put().to(me::put))
            .route(patch().to(me::patch))
            .route(delete().to(me::delete))
            .route(post().to(me::post))
            .default_service(to(not_on_me)),
    )
    .service(
        resource("/.search")
            .route(post().to(list::search_all))
            .default_service(to(only_post)),
    )
    .service(
        resource("")
            .route(get().to(list::list_all))
            .default_service(to(only_get)),
    )
    .service(
        resource("/")
            .route(get().to(list::list_all))
            .default_service(to(only_get)),
    )
    .service(
        resource("/{endpoint}/.search")
            .route(post().to(list::search))
            .default_service(to(only_post)),
    )
    .service(
        resource("/{endpoint}/{id}")
            .route(get().to(one::get))
            .route(put().to(one::put))
            .route(patch().to(one::patch))
            .route(delete().to(one::delete))
            .default_service(to(not_on_one)),
    )
    .service(
        resource("/{endpoint}")
            .route(get().to(list::list))
            .route(post().to(one::post))
            .default_service(to(not_on_all)),
    );
}

async fn nothing() -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_found())
}

/// The answer to a method that an address does not have; OPTIONS asks just for what it has, without a token.
fn other_method(request: &HttpRequest, allowed: &'static str) -> Result<HttpResponse, Refusal> {
    if request.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent().insert_header((ALLOW, allowed)).finish());
    }
    Err(Refusal::method(allowed))
}

async fn only_get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    other_method(&request, "GET, HEAD, OPTIONS")
}

async fn only_post(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    other_method(&request, "POST, OPTIONS")
}

async fn not_on_me(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    other_method(&request, me::ALLOWED)
}

async fn not_on_one(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    known(&request, &state).await?;
    other_method(&request, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")
}

async fn not_on_all(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refusal> {
    known(&request, &state).await?;
    other_method(&request, "GET, HEAD, POST, OPTIONS")
}

async fn known(request: &HttpRequest, state: &State) -> Result<(), Refusal> {
    let endpoint = request.match_info().get("endpoint").unwrap_or_default();
    let registry = discovery::registry(request, state).await?;
    let kind = registry.by_endpoint(endpoint);
    kind.map(|_| ()).ok_or_else(Refusal::not_found)
}
