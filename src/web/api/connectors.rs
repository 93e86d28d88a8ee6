//! The catalogue of connectors.

use actix_web::get;
use actix_web::web::{Data, Json, Path, ServiceConfig};
use utoipa::OpenApi;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List};
use crate::connector::{Manifest, ManifestView};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, show))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(show);
}

/// Lists all connectors, by key, on one page.
#[utoipa::path(
    get, path = "/api/v1/connectors", tag = "connectors",
    responses((status = 200, body = List<ManifestView>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/connectors")]
async fn list(state: Data<State>, _caller: ApiCaller<Admin>) -> Json<List<ManifestView>> {
    let items = state.catalogue.iter().map(Manifest::view).collect();
    Json(List { items, next: None })
}

/// Shows one connector: what it asks, what it can read, where to click.
#[utoipa::path(
    get, path = "/api/v1/connectors/{key}", tag = "connectors",
    params(("key" = String, Path, description = "the connector's key")),
    responses((status = 200, body = ManifestView), (status = 404, description = "there is no such connector")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/connectors/{key}")]
async fn show(
    state: Data<State>,
    _caller: ApiCaller<Admin>,
    key: Path<String>,
) -> Result<Json<ManifestView>, Problem> {
    let found = state.catalogue.get(&key).map(Manifest::view);
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found("there is no such connector"))
}
