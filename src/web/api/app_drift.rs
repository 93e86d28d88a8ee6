//! Full compares of apps: asking for one, and what it found.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery};
use crate::base::ResourceId;
use crate::delivery::{self, Asked, CompareId, Comparison, Drift};
use crate::provision;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(reconcile, drift))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(reconcile).service(drift);
}

/// A full compare.
#[derive(Debug, Serialize, ToSchema)]
struct CompareBody {
    #[schema(value_type = String, format = Uuid)]
    id: CompareId,
    /// reading, done or failed.
    state: String,
    began_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// Who asked for it, or `schedule`.
    asked_by: String,
    /// accounts, changed, vanished, unknown.
    counts: Value,
    /// The plan that repairs what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// applied, awaiting_approval, approved, rejected, superseded or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_state: Option<String>,
    /// The app's words when it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl From<Comparison> for CompareBody {
    fn from(found: Comparison) -> Self {
        Self {
            id: found.id,
            state: found.state,
            began_at: found.began_at,
            ended_at: found.ended_at,
            asked_by: found.asked_by,
            counts: found.counts,
            plan: found.plan.map(|plan| plan.to_string()),
            plan_state: found.plan_state,
            message: found.words,
        }
    }
}

/// Asks for a full compare: the app's users and groups are read to the end and held against what it is known to hold.
/// Nothing in the app is changed before a plan that repairs it is judged. Ask for the drift until the compare is done.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/reconcile", tag = "apps", params(("name" = String, Path)),
    responses(
        (status = 202, body = CompareBody),
        (status = 404, description = "no such app"),
        (status = 409, description = "the app is paused or was never published"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/reconcile")]
async fn reconcile(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    let id = match delivery::ask(&mut conn, tenant, &name, &actor, now).await? {
        Asked::Compare(id) => id,
        Asked::NotWorking => {
            return Err(Problem::conflict(
                "not-working",
                "no call is made to an app that is paused or was never published: publish it first",
            ));
        }
    };
    state.db.signals().accounts_wait();
    let app = provision::app(&mut conn, tenant, &name).await?;
    let found = delivery::comparison(&mut conn, (tenant, app.id), id).await?;
    let body = found.map(CompareBody::from);
    Ok(HttpResponse::Accepted().json(body))
}

/// An account that differs.
#[derive(Debug, Serialize, ToSchema)]
struct DriftBody {
    /// Our user or group; absent for an account that nobody of ours has.
    #[schema(value_type = Option<String>, format = Uuid)]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<ResourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The app's id.
    remote_id: String,
    /// changed, vanished or unknown.
    kind: String,
    /// Each with path, expected (what the app last acknowledged) and found. Of `members` of a group: users who are
    /// missing there, and users of ours whom somebody else put there, up to 20 each, with how many there are; foreign ones
    /// in a group that was there before us are left alone.
    differences: Value,
    /// no: only reported; never: a compare enables nobody; planned; released: handed to delivery; declined.
    repair: String,
    /// The account's state now.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    found_at: DateTime<Utc>,
    #[serde(skip)]
    cursor: ResourceId,
}

impl From<Drift> for DriftBody {
    fn from(found: Drift) -> Self {
        Self {
            user: (found.kind != "unknown").then_some(found.resource),
            name: found.name,
            remote_id: found.remote_id,
            kind: found.kind,
            differences: found.differences,
            repair: found.repair,
            state: found.state,
            found_at: found.found_at,
            cursor: found.resource,
        }
    }
}

/// What a compare found.
#[derive(Debug, Serialize, ToSchema)]
struct DriftsBody {
    /// The compare; null when none was ever made.
    compare: Option<CompareBody>,
    items: Vec<DriftBody>,
    /// Where the next page goes on: send it as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which drift.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DriftQuery {
    /// The compare; the newest when absent.
    #[param(value_type = Option<String>, format = Uuid)]
    compare: Option<CompareId>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    limit: Option<i64>,
}

/// Lists what a compare found otherwise than it is known: per account and attribute, accounts that vanished, and those
/// that nobody of ours has.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/drift", tag = "apps", params(("name" = String, Path), DriftQuery),
    responses((status = 200, body = DriftsBody), (status = 404, description = "no such app or compare")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/drift")]
async fn drift(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<DriftQuery>,
) -> Result<Json<DriftsBody>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let at = (caller.tenant, app.id);
    let compare = match query.compare {
        Some(id) => {
            let found = delivery::comparison(&mut conn, at, id).await?;
            Some(found.ok_or_else(|| Problem::not_found("there is no such compare"))?)
        }
        None => delivery::last_comparison(&mut conn, at).await?,
    };
    let items = match &compare {
        Some(compare) => {
            delivery::drift(&mut conn, at, compare.id, page.after()?, limit.saturating_add(1)).await?
        }
        None => Vec::new(),
    };
    let items = items.into_iter().map(DriftBody::from).collect();
    let List { items, next } = List::page(items, limit, |one: &DriftBody| one.cursor.to_string());
    Ok(Json(DriftsBody {
        compare: compare.map(CompareBody::from),
        items,
        next,
    }))
}
