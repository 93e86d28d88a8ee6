//! The catalogue of connectors.

use actix_web::get;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use serde::Deserialize;
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

/// Which connectors are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    q: String,
}

/// Lists all connectors, by key, on one page. With `q` only those whose key, name or other names have all of its words.
#[utoipa::path(
    get, path = "/api/v1/connectors", tag = "connectors",
    params(("q" = Option<String>, Query, description = "words to look for")),
    responses((status = 200, body = List<ManifestView>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/connectors")]
async fn list(
    state: Data<State>,
    _caller: ApiCaller<Admin>,
    wanted: Query<Wanted>,
) -> Json<List<ManifestView>> {
    let found = state
        .catalogue
        .iter()
        .filter(|manifest| manifest.is_meant_by(&wanted.q));
    let items = found.map(Manifest::view).collect();
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
