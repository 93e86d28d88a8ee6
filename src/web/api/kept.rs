//! What was declined or undone and is kept back; taking runs back.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::runs::{RunBody, id_of};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PersonId, PlanId};
use crate::guard::{KeptBack, KeptWhy};
use crate::sync::{Made, UndoOrder};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(undo, kept, release))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(undo).service(kept).service(release);
}

/// How a run is undone.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct UndoBody {
    /// What becomes of users that the run made: disable (the default) or remove.
    #[schema(value_type = Option<String>)]
    made: Made,
    /// Do not wait for an approval unless a limit is passed.
    yes: bool,
}

/// Takes back what a run changed and nobody changed since. Queues a run of its own, whose plan waits for an approval;
/// what others changed is listed in it as conflicts. What HR still says is kept back afterwards.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/undo", tag = "runs", params(("id" = String, Path)), request_body = UndoBody,
    responses((status = 202, body = RunBody), (status = 409, description = "it did nothing, or has not ended")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/runs/{id}/undo")]
async fn undo(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<UndoBody>,
) -> Result<HttpResponse, Problem> {
    let order = UndoOrder {
        made: order.made,
        yes: order.yes,
    };
    let run = state
        .sync
        .undo(caller.tenant, id_of(&id)?, order, &caller.actor())
        .await?;
    let connection = state.sync.connection_by_id(run.tenant, run.connection).await?;
    Ok(HttpResponse::Accepted().json(RunBody::of(run, &connection.name, None)))
}

/// A part of an effect that no run has by itself.
#[derive(Debug, Serialize, ToSchema)]
struct KeptBody {
    /// The person's id, or `record:` and the source id of somebody who is not there yet.
    subject: String,
    #[schema(value_type = Option<String>, format = Uuid)]
    person: Option<PersonId>,
    /// An attribute path, `group:` and its key or id, `active`, create, disable or remove.
    path: String,
    /// declined or undone.
    #[schema(value_type = String)]
    why: KeptWhy,
    /// The plan that was decided.
    #[schema(value_type = String, format = Uuid)]
    plan: PlanId,
    at: DateTime<Utc>,
    by: String,
}

impl From<KeptBack> for KeptBody {
    fn from(one: KeptBack) -> Self {
        Self {
            subject: one.kept.subject,
            person: one.kept.person,
            path: one.kept.path,
            why: one.why,
            plan: one.plan,
            at: one.at,
            by: one.by,
        }
    }
}

/// Lists what was declined or undone: no run does it again before HR says something else, or it is released.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/kept", tag = "plans", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = List<KeptBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/kept")]
async fn kept(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<KeptBody>>, Problem> {
    let limit = page.limit()?;
    let (subject, path) = match &page.after {
        None => (String::new(), String::new()),
        Some(cursor) => serde_json::from_str(cursor)
            .map_err(|_| Problem::bad_request("invalid-query", "after is not a cursor that was given out"))?,
    };
    let found = state
        .sync
        .kept_back(caller.tenant, &name, (&subject, &path), limit.saturating_add(1))
        .await?;
    let items = found.into_iter().map(KeptBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &KeptBody| {
        json!([one.subject, one.path]).to_string()
    })))
}

/// What is released.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct ReleaseOrder {
    /// Subjects: ids of people, `record:` and a source id.
    subjects: Vec<String>,
    /// What one plan decided.
    #[schema(value_type = Option<String>, format = Uuid)]
    plan: Option<PlanId>,
    /// Everything.
    all: bool,
}

/// Keeps something back no longer: the next run does again what HR says.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/kept/release", tag = "plans", params(("name" = String, Path)),
    request_body = ReleaseOrder,
    responses((status = 200, description = "released: how many parts"), (status = 422, description = "nothing is named")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/kept/release")]
async fn release(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<ReleaseOrder>,
) -> Result<Json<Value>, Problem> {
    if order.subjects.is_empty() && order.plan.is_none() && !order.all {
        return Err(Problem::unprocessable(
            "invalid-choice",
            "name subjects, a plan, or all",
        ));
    }
    let released = state
        .sync
        .release_kept(
            caller.tenant,
            &name,
            (&order.subjects, order.plan, order.all),
            &caller.actor(),
        )
        .await?;
    Ok(Json(json!({ "released": released })))
}
