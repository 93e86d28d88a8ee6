//! Whether the values of an attribute have counterparts in an app.

use actix_web::get;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use serde::Deserialize;
use utoipa::OpenApi;

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::delivery::{self, Counterparts};
use crate::provision;

/// This path in the document.
#[derive(OpenApi)]
#[openapi(paths(counterparts))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(counterparts);
}

/// Which attribute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    attribute: String,
}

/// Compares the values of an attribute, such as department, that our users would bring to an app by its newest settings
/// with those that its users have and its groups are called: exactly, letter by letter. Only GETs.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/counterparts", tag = "apps",
    params(("name" = String, Path), ("attribute" = String, Query, description = "such as department or costCenter")),
    responses((status = 200, body = Counterparts), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/counterparts")]
async fn counterparts(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    wanted: Query<Wanted>,
) -> Result<Json<Counterparts>, Problem> {
    let (app, token) = {
        let mut conn = state.db.conn().await?;
        let app = provision::app(&mut conn, caller.tenant, &name).await?;
        let revision = provision::draft(&mut conn, caller.tenant, &app).await?;
        let token = revision.token(&state.sealer, caller.tenant, app.id)?;
        (app, token)
    };
    let parts = (&state.db, &state.directory, &state.net);
    let found = delivery::counterparts(parts, caller.tenant, &app, token, &wanted.attribute).await?;
    Ok(Json(found))
}
