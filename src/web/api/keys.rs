//! The master key.

use actix_web::post;
use actix_web::web::{Data, Json, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::ApiOperator;
use crate::privacy;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(rotate))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(rotate);
}

/// How far it is.
#[derive(Debug, Serialize, ToSchema)]
struct RotatedBody {
    /// Values that were sealed anew by this call.
    resealed: usize,
    /// Whether there may be more: call again.
    more: bool,
}

/// Seals values of all tenants anew that another key than the first of SCIM_BRIDGE_MASTER_KEY sealed, some thousands of them.
/// Call again until there are no more; then the other keys may go.
#[utoipa::path(
    post, path = "/api/v1/keys/rotate", tag = "operator", responses((status = 200, body = RotatedBody)),
    security(("token" = ["operator"])),
)]
#[post("/api/v1/keys/rotate")]
async fn rotate(state: Data<State>, _operator: ApiOperator) -> Result<Json<RotatedBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let done = privacy::rotate(&mut conn, &state.sealer).await?;
    Ok(Json(RotatedBody {
        resealed: done.resealed,
        more: done.more,
    }))
}
