//! An app's settings over time: earlier revisions, and the file itself.

use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery};
use crate::provision;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(revisions, export))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(revisions).service(export);
}

/// One revision of an app's settings.
#[derive(Debug, Serialize, ToSchema)]
struct RevisionBody {
    revision: i32,
    created_at: DateTime<Utc>,
    /// The token that wrote it.
    created_by: String,
    /// Whether it is in force.
    is_live: bool,
    /// Whether it waits for publication.
    is_draft: bool,
    /// Whether a token is kept with it.
    has_token: bool,
    /// The settings, without the token.
    file: Value,
}

/// Lists the revisions of an app's settings, the newest first, without secrets.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/revisions", tag = "apps", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = List<RevisionBody>), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/revisions")]
async fn revisions(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<RevisionBody>>, Problem> {
    let limit = page.limit()?;
    let before: Option<i32> = page.after()?;
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let most = limit.saturating_add(1);
    let found = provision::revisions(&mut conn, caller.tenant, app.id, before, most).await?;
    let items = found
        .into_iter()
        .map(|one| RevisionBody {
            revision: one.number,
            created_at: one.created_at,
            is_live: app.live_revision == Some(one.number),
            is_draft: app.draft_revision == Some(one.number),
            has_token: one.has_token(),
            file: serde_json::to_value(&one.settings).unwrap_or_default(),
            created_by: one.created_by,
        })
        .collect();
    Ok(Json(List::page(items, limit, |one: &RevisionBody| {
        one.revision.to_string()
    })))
}

/// Which revision.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// A revision; the newest when absent.
    revision: Option<i32>,
}

/// Gives the app file, as TOML or, with `Accept: application/json`, as JSON. It has no token: applied again, the one
/// that is kept stays.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/export", tag = "apps", params(("name" = String, Path), ExportQuery),
    responses(
        (status = 200, body = String, content_type = "application/toml"),
        (status = 404, description = "no such app"),
        (status = 409, description = "no such revision"),
    ),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/export")]
async fn export(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<ExportQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let revision = match query.revision {
        Some(number) => provision::revision(&mut conn, caller.tenant, app.id, number).await?,
        None => provision::draft(&mut conn, caller.tenant, &app).await?,
    };
    let wants_json = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("json"));
    if wants_json {
        return Ok(HttpResponse::Ok().json(&revision.settings));
    }
    let text = toml::to_string(&revision.settings).map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type("application/toml").body(text))
}
