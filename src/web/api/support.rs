//! The support bundle.

use actix_web::get;
use actix_web::web::{Data, Json, ServiceConfig};
use serde_json::Value;
use utoipa::OpenApi;

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::insight;

/// This path in the document.
#[derive(OpenApi)]
#[openapi(paths(support))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(support);
}

/// Everything for whoever is to help, without a person in it: settings without secrets, the last runs in numbers, what they
/// said and how often, apps by state, what was refused, the last deeds. Addresses are taken out of every text.
#[utoipa::path(
    get, path = "/api/v1/support-bundle", tag = "status",
    responses((status = 200, description = "connections, apps, accounts, runs, said, refused, deeds", body = Object)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/support-bundle")]
async fn support(state: Data<State>, caller: ApiCaller<Admin>) -> Result<Json<Value>, Problem> {
    let mut conn = state.db.conn().await?;
    let now = state.clock.now();
    Ok(Json(
        insight::support(&mut conn, &state.sync, caller.tenant, now).await?,
    ))
}
