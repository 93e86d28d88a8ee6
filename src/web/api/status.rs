//! The status: accounts by state, per app.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::{Data, Json, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::freezes::FrozenBody;
use super::{ApiCaller, ProvisioningRead};
use crate::insight;

/// This path in the document.
#[derive(OpenApi)]
#[openapi(paths(status))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(status);
}

/// An app in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppStatusBody {
    name: String,
    /// observe, link, live or paused.
    mode: String,
    /// Accounts by state.
    counts: BTreeMap<String, i64>,
    /// What is wrong with it as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// It asked to be left alone until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_at: Option<DateTime<Utc>>,
}

impl From<insight::AppStatus> for AppStatusBody {
    fn from(app: insight::AppStatus) -> Self {
        Self {
            name: app.name,
            mode: app.mode,
            counts: app.counts,
            trouble: app.trouble,
            resume_at: app.resume_at,
        }
    }
}

/// How a tenant stands.
#[derive(Debug, Serialize, ToSchema)]
struct StatusBody {
    apps: Vec<AppStatusBody>,
    /// Whether every change committed before this request has reached every app that is not paused. Accounts that are
    /// held, parked, quarantined or wait for a delayed step do not count as pending.
    settled: bool,
    /// What has no effect before somebody thaws it; it is not waited for.
    frozen: Vec<FrozenBody>,
}

impl From<insight::Error> for Problem {
    fn from(error: insight::Error) -> Self {
        match error {
            insight::Error::Store(error) => error.into(),
            insight::Error::Db(error) => error.into(),
            insight::Error::Value(said) => Self::bad_request("invalid-query", said),
            insight::Error::Forgotten => Self::new(
                actix_web::http::StatusCode::GONE,
                "forgotten",
                "what stood then is no longer kept: see `scim-bridge retention show`",
            ),
            insight::Error::Sync(error) => error.into(),
            insight::Error::Provision(error) => error.into(),
            insight::Error::Directory(_) | insight::Error::Delivery(_) | insight::Error::Plan(_) => {
                Self::internal(&error)
            }
        }
    }
}

/// Accounts by state per app, and whether anything is still to come.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "status", responses((status = 200, body = StatusBody)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/status")]
async fn status(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<StatusBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let found = insight::status(&mut conn, caller.tenant, state.clock.now()).await?;
    Ok(Json(StatusBody {
        apps: found.apps.into_iter().map(AppStatusBody::from).collect(),
        settled: found.is_settled,
        frozen: found.frozen.into_iter().map(FrozenBody::from).collect(),
    }))
}
