//! Cutting a connection.

use actix_web::post;
use actix_web::web::{Data, Json, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::connections::WithoutEffectBody;
use super::{Admin, ApiCaller};
use crate::base::RunId;
use crate::sync::{ConnectionState, CutAccounts};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(disconnect))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(disconnect);
}

/// What becomes of the accounts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CutOrder {
    /// keep, disable or remove: it must be said.
    #[schema(value_type = String)]
    accounts: CutAccounts,
}

/// A connection that was cut.
#[derive(Debug, Serialize, ToSchema)]
struct CutBody {
    name: String,
    /// paused, or draft when it was never published.
    #[schema(value_type = String)]
    state: ConnectionState,
    /// The run that plans to disable or remove its users; the guard judges it, and its plan waits for an approval when it is
    /// over the limits.
    #[schema(value_type = Option<String>, format = Uuid)]
    run: Option<RunId>,
    /// With accounts that are kept: the days that pass without effect, because nobody who leaves is disabled any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_effect: Option<WithoutEffectBody>,
}

/// Cuts a connection: its credentials are destroyed, runs stop and the next is refused. Its users are kept, disabled or
/// removed as asked. People, records and links stay: apply a file with new credentials and publish to go on.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/disconnect", tag = "connections",
    params(("name" = String, Path)), request_body = CutOrder,
    responses((status = 200, body = CutBody), (status = 404, description = "no such connection")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/disconnect")]
async fn disconnect(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<CutOrder>,
) -> Result<Json<CutBody>, Problem> {
    let (connection, run) = state
        .sync
        .disconnect(caller.tenant, &name, order.accounts, &caller.actor())
        .await?;
    let days = match order.accounts {
        CutAccounts::Keep => state.sync.days_without_effect(caller.tenant, &connection).await?,
        CutAccounts::Disable | CutAccounts::Remove => None,
    };
    Ok(Json(CutBody {
        without_effect: days.map(Into::into),
        name: connection.name,
        state: connection.state,
        run,
    }))
}
