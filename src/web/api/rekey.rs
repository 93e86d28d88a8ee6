//! Moving the links of people from one connection to another.

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::runs::RunBody;
use super::{Admin, ApiCaller};
use crate::sync::{RekeyBy, RekeyOrder};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(rekey))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(rekey);
}

/// What moves, and by what records are recognised.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The connection that takes over, by name; a draft will do.
    to: String,
    /// remote_id, source_id, employee_number, in order; remote_id and then employee_number when absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    by: Vec<RekeyBy>,
    /// Pairs of source ids, old and new. They go before all else; without `by`, only they count.
    #[serde(default)]
    pairs: Vec<(String, String)>,
}

/// Finds out who would move from this connection to another: a run of the other one, whose plan always waits for
/// approval. Approved, it pauses this connection, moves the links and lets the other one go live; nobody is created,
/// changed or disabled. Errors of the run name keys that are claimed twice, warnings those who are not found.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/rekey", tag = "connections",
    params(("name" = String, Path)), request_body = Order,
    responses(
        (status = 202, body = RunBody),
        (status = 404, description = "no such connection"),
        (status = 409, description = "the old connection was never published, or the new one has no file"),
        (status = 422, description = "both are one, or the pairs contradict each other"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/rekey")]
async fn rekey(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<Order>,
) -> Result<HttpResponse, Problem> {
    let order = order.into_inner();
    let order = RekeyOrder {
        to: order.to,
        by: order.by,
        pairs: order.pairs,
    };
    let run = state
        .sync
        .rekey(caller.tenant, &name, &order, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(RunBody::of(run, &order.to, None)))
}
