//! Looking ahead: what a draft would do, and what apps would be sent of a plan.

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::plans::id_of;
use super::runs::RunBody;
use super::{Admin, ApiCaller, ProvisioningRead};
use crate::insight::Foretelling;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(preview, apps))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(preview).service(apps);
}

/// How a draft is looked at.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct PreviewOrder {
    /// Read the HR system even where the stored records would do.
    read: bool,
}

/// Queues a preview of the draft over everybody: a run that ends with a plan and has no effect. It reads the HR system
/// only where the draft looks at other people, fields or settings than the live revision, or where nothing was read yet.
/// The plan's items and what apps would be sent are those of any plan.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/preview", tag = "connections",
    params(("name" = String, Path)), request_body = PreviewOrder,
    responses(
        (status = 202, body = RunBody),
        (status = 409, description = "there is no draft"),
        (status = 422, description = "the draft has problems: errors lists each with its place"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/preview")]
async fn preview(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<PreviewOrder>,
) -> Result<HttpResponse, Problem> {
    let run = state
        .sync
        .preview(caller.tenant, &name, order.read, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(RunBody::of(run, &name, None)))
}

/// Counts what each app would be sent if the items of a plan that are still open were applied.
#[utoipa::path(
    get, path = "/api/v1/plans/{id}/apps", tag = "plans", params(("id" = String, Path)),
    responses((status = 200, description = "items: app, mode, counts (create, update, disable, remove, none)")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/plans/{id}/apps")]
async fn apps(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
) -> Result<Json<Value>, Problem> {
    let plan = state.sync.plan(caller.tenant, id_of(&id)?).await?;
    let mut conn = state.db.conn().await?;
    let foretelling = Foretelling::load(&mut conn, &state.directory, caller.tenant).await?;
    let items = foretelling
        .of_plan(
            &mut conn,
            &state.directory,
            (caller.tenant, plan.id),
            state.clock.now(),
        )
        .await?;
    Ok(Json(json!({ "items": items })))
}
