//! Holds: values that wait for a human.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{AppId, HoldId, PersonId, ResourceId};
use crate::guard::{Decision, Hold};
use crate::provision::{self, Approvals, Approve, ApproveRule};
use crate::sync::ManyHolds;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, approve, reject, decide))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(approve).service(reject).service(decide);
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
struct HoldBody {
    #[schema(value_type = String, format = Uuid)]
    id: HoldId,
    /// The connection or app whose policy asks.
    owner: Uuid,
    /// The app, when only one is meant.
    #[schema(value_type = Option<String>)]
    app: Option<AppId>,
    #[schema(value_type = Option<String>)]
    person: Option<PersonId>,
    #[schema(value_type = Option<String>)]
    user: Option<ResourceId>,
    field: String,
    #[schema(value_type = Option<Object>)]
    old: Option<Value>,
    #[schema(value_type = Option<Object>)]
    new: Option<Value>,
    detail: String,
    /// open, approved, rejected or gone.
    state: String,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
}

impl From<Hold> for HoldBody {
    fn from(hold: Hold) -> Self {
        let asked = hold.asked;
        Self {
            id: hold.id,
            owner: asked.owner,
            app: asked.app,
            person: asked.person,
            user: asked.resource,
            field: asked.field,
            old: asked.old,
            new: asked.new,
            detail: asked.detail,
            state: hold.state,
            created_at: hold.created_at,
            decided_at: hold.decided_at,
            decided_by: hold.decided_by,
        }
    }
}

/// Which holds to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct HoldQuery {
    /// open (the default), approved, rejected, gone or all.
    state: Option<String>,
    /// Of one connection or app, by id.
    owner: Option<Uuid>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// Lists holds, oldest first.
#[utoipa::path(
    get, path = "/api/v1/holds", tag = "holds", params(HoldQuery),
    responses((status = 200, body = List<HoldBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/holds")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<HoldQuery>,
) -> Result<Json<List<HoldBody>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let wanted = match query.state.as_deref() {
        None => Some("open"),
        Some("all") => None,
        Some(state) => Some(state),
    };
    let found = state
        .sync
        .holds(
            caller.tenant,
            wanted,
            query.owner,
            page.after()?,
            limit.saturating_add(1),
        )
        .await?;
    let items = found.into_iter().map(HoldBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &HoldBody| {
        one.id.to_string()
    })))
}

/// Approves: the new value is written.
#[utoipa::path(
    post, path = "/api/v1/holds/{id}/approve", tag = "holds", params(("id" = String, Path)),
    responses((status = 200, body = HoldBody), (status = 409, description = "it does not wait any more")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/holds/{id}/approve")]
async fn approve(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<HoldBody>, Problem> {
    decided(&state, &caller, &id, Decision::Approve).await
}

/// Rejects: the old value stays, and this new one is not asked for again.
#[utoipa::path(
    post, path = "/api/v1/holds/{id}/reject", tag = "holds", params(("id" = String, Path)),
    responses((status = 200, body = HoldBody), (status = 409, description = "it does not wait any more")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/holds/{id}/reject")]
async fn reject(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<HoldBody>, Problem> {
    decided(&state, &caller, &id, Decision::Reject).await
}

/// One decision about many holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecideOrder {
    /// approve or reject.
    decision: String,
    /// Only those of this app, by name.
    app: Option<String>,
    /// Only those of this connection, by name.
    connection: Option<String>,
    /// Only those about this attribute; `emails` means `emails.work` too, and a login that moves with the address.
    field: Option<String>,
    /// Only those that this rule covers, as in `[[approve]]`: `{"rule": "same_local_part_new_domain", "to": "…"}`, or
    /// `{"when": "…"}` over `old` and `new`.
    #[schema(value_type = Option<Object>)]
    rule: Option<Approve>,
    /// Needed without a rule: all that match are meant.
    #[serde(default)]
    all: bool,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
struct DecidedBody {
    /// Holds that were decided.
    decided: u64,
}

/// Decides every open hold that matches as one decision: a move of all addresses to another domain, say. Asked again
/// after a failure it goes on where it stopped.
#[utoipa::path(
    post, path = "/api/v1/holds/decide", tag = "holds", request_body = DecideOrder,
    responses(
        (status = 200, body = DecidedBody),
        (status = 404, description = "no such app or connection"),
        (status = 422, description = "an order that is not clear"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/holds/decide")]
async fn decide(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    order: Json<DecideOrder>,
) -> Result<Json<DecidedBody>, Problem> {
    let unclear = |said: &str| Problem::unprocessable("invalid-order", said);
    let decision = match order.decision.as_str() {
        "approve" => Decision::Approve,
        "reject" => Decision::Reject,
        _ => return Err(unclear("decision is approve or reject")),
    };
    if order.rule.is_none() && !order.all {
        return Err(unclear(
            "say which holds are meant: a rule, or all = true for all that match",
        ));
    }
    let owner = match (&order.app, &order.connection) {
        (Some(_), Some(_)) => return Err(unclear("either an app or a connection, not both")),
        (Some(app), None) => {
            let mut conn = state.db.conn().await?;
            Some(provision::app(&mut conn, caller.tenant, app).await?.id.uuid())
        }
        (None, Some(name)) => Some(state.sync.connection(caller.tenant, name).await?.id.uuid()),
        (None, None) => None,
    };
    let approvals = order
        .rule
        .as_ref()
        .map(|rule| Approvals::compile(std::slice::from_ref(rule)));
    let approvals = approvals.transpose().map_err(provision::Error::Settings)?;
    let rule = order.rule.as_ref().map(|rule| {
        let own = rule.rule.map_or("when", ApproveRule::word);
        rule.name.clone().unwrap_or_else(|| own.to_owned())
    });
    let order = ManyHolds {
        decision,
        owner,
        field: order.field.clone(),
        approvals,
        rule,
    };
    let decided = state
        .sync
        .decide_holds(caller.tenant, &order, caller.token, &caller.actor())
        .await?;
    Ok(Json(DecidedBody { decided }))
}

async fn decided(
    state: &State,
    caller: &ApiCaller<Admin>,
    id: &str,
    decision: Decision,
) -> Result<Json<HoldBody>, Problem> {
    let id: HoldId = id
        .parse()
        .map_err(|_| Problem::not_found(format!("there is no hold {id}")))?;
    let mut hold = state
        .sync
        .decide_hold(caller.tenant, id, decision, caller.token, &caller.actor())
        .await?;
    hold.state = match decision {
        Decision::Approve => "approved".to_owned(),
        Decision::Reject => "rejected".to_owned(),
    };
    hold.decided_by = Some(caller.actor());
    Ok(Json(hold.into()))
}
