//! Plans of every cause: what would be done item by item, and decisions about them.

use actix_web::web::{Bytes, Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PersonId, PlanId, RunId, TenantId};
use crate::delivery;
use crate::guard::{Action, Cause, Chosen, ItemFilter, ItemState, Picks, Plan, PlanFilter, PlanState};
use crate::insight::{self, ItemView};
use crate::sync::{Approval, Run};

/// How many items are read together when a plan is streamed.
const BATCH: i64 = 500;
/// The most items of a page that is shown with calls.
const MOST_WITH_CALLS: i64 = 200;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, show, list_items, export, approve, reject))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(show)
        .service(list_items)
        .service(export)
        .service(approve)
        .service(reject);
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
struct PlanBody {
    #[schema(value_type = String, format = Uuid)]
    id: PlanId,
    /// run, app, due, reconcile, bulk, undo or decision.
    #[schema(value_type = String)]
    cause: Cause,
    /// The run or app that made it.
    #[schema(value_type = String, format = Uuid)]
    owner: Uuid,
    /// The run that made it; none for plans of other causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    run: Option<RunId>,
    /// open, dry, awaiting_approval, approved, applied, rejected, superseded or failed.
    #[schema(value_type = String)]
    state: PlanState,
    /// Over all of it: an approval names it.
    hash: String,
    /// Over what the items do, whatever their ids: a preview and the plan of the publication have the same.
    effects: Option<String>,
    #[schema(value_type = Object)]
    counts: Value,
    /// Items by action and how far they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    items: Option<Value>,
    /// What the guard said: ok, and each limit that is passed.
    #[schema(value_type = Object)]
    guard: Value,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
    /// Why it failed or was superseded.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl PlanBody {
    fn of(plan: Plan, run: Option<&Run>) -> Self {
        Self {
            id: plan.id,
            cause: plan.cause,
            owner: plan.owner,
            run: run.map(|run| run.id),
            state: plan.state,
            hash: plan.hash_hex(),
            effects: plan.effects_hex(),
            counts: plan.counts,
            items: None,
            guard: json!({ "ok": plan.verdict.ok, "reasons": plan.verdict.reasons }),
            created_at: plan.created_at,
            decided_at: plan.decided_at,
            decided_by: plan.decided_by,
            reason: plan.reason,
        }
    }
}

/// Which plans to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PlanQuery {
    /// open, dry, awaiting_approval, approved, applied, rejected, superseded or failed.
    #[param(value_type = Option<String>)]
    state: Option<PlanState>,
    /// run, app, due, reconcile, bulk, undo or decision.
    #[param(value_type = Option<String>)]
    cause: Option<Cause>,
    /// Of one run or app, by its id.
    #[param(value_type = Option<String>)]
    owner: Option<Uuid>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

pub(super) fn id_of(text: &str) -> Result<PlanId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no plan {text}")))
}

/// Lists plans of every cause, newest first.
#[utoipa::path(
    get, path = "/api/v1/plans", tag = "plans", params(PlanQuery),
    responses((status = 200, body = List<PlanBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/plans")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<PlanQuery>,
) -> Result<Json<List<PlanBody>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let filter = PlanFilter {
        state: query.state,
        cause: query.cause,
        owner: query.owner,
        before: page.after()?,
    };
    let found = state
        .sync
        .plans(caller.tenant, &filter, limit.saturating_add(1))
        .await?;
    let items = found.into_iter().map(|plan| PlanBody::of(plan, None)).collect();
    Ok(Json(List::page(items, limit, |plan: &PlanBody| {
        plan.id.to_string()
    })))
}

/// Shows a plan: counts, what the guard said, who decided.
#[utoipa::path(
    get, path = "/api/v1/plans/{id}", tag = "plans", params(("id" = String, Path)),
    responses((status = 200, body = PlanBody), (status = 404, description = "no such plan")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/plans/{id}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
) -> Result<Json<PlanBody>, Problem> {
    Ok(Json(body(&state, caller.tenant, id_of(&id)?).await?))
}

async fn body(state: &State, tenant: TenantId, id: PlanId) -> Result<PlanBody, Problem> {
    let plan = state.sync.plan(tenant, id).await?;
    let run = state.sync.run_of_plan(&plan, tenant).await?;
    let mut items: Map<String, Value> = Map::new();
    for (action, state, count) in state.sync.plan_counts(tenant, id).await? {
        let of = items.entry(action.as_str()).or_insert_with(|| json!({}));
        if let Value::Object(of) = of {
            of.insert(state.as_str().to_owned(), count.into());
        }
    }
    let mut body = PlanBody::of(plan, run.as_ref());
    body.items = Some(Value::Object(items));
    Ok(body)
}

/// Which items to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ItemQuery {
    /// create, link, update, hold, disable, remove, skip or conflict.
    #[param(value_type = Option<String>)]
    action: Option<Action>,
    /// planned, applied, refused or declined.
    #[param(value_type = Option<String>)]
    state: Option<ItemState>,
    /// About one person, by its id.
    #[param(value_type = Option<String>)]
    person: Option<PersonId>,
    /// With the calls that each app would get, of items that are still open; at most 200 items a page.
    #[serde(default)]
    calls: bool,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// Lists what a plan would do, or did, person by person. Sensitive values are masked.
#[utoipa::path(
    get, path = "/api/v1/plans/{id}/items", tag = "plans", params(("id" = String, Path), ItemQuery),
    responses((status = 200, description = "items: ordinal, action, person, user, state, reason, note, changes (path, old, new); with calls=true also calls (app, method, path, body; or app, state, reason)")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/plans/{id}/items")]
async fn list_items(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<ItemQuery>,
) -> Result<Json<List<ItemView>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let filter = ItemFilter {
        action: query.action,
        state: query.state,
        person: query.person,
    };
    let plan = state.sync.plan(caller.tenant, id_of(&id)?).await?;
    if query.calls {
        let asked = (caller.tenant, plan.id);
        return Ok(Json(page_with_calls(&state, asked, &filter, &page).await?));
    }
    Ok(Json(
        page_of(&state, caller.tenant, plan.id, &filter, &page).await?,
    ))
}

/// A page of a plan's items.
pub(super) async fn page_of(
    state: &State,
    tenant: TenantId,
    plan: PlanId,
    filter: &ItemFilter,
    page: &PageQuery,
) -> Result<List<ItemView>, Problem> {
    let limit = page.limit()?;
    let after: Option<i32> = page.after()?;
    let views = views(
        state,
        tenant,
        plan,
        filter,
        after.unwrap_or_default(),
        limit.saturating_add(1),
    )
    .await?;
    Ok(List::page(views, limit, |item: &ItemView| {
        item.ordinal.to_string()
    }))
}

async fn page_with_calls(
    state: &State,
    (tenant, plan): (TenantId, PlanId),
    filter: &ItemFilter,
    page: &PageQuery,
) -> Result<List<ItemView>, Problem> {
    let limit = page.limit()?.min(MOST_WITH_CALLS);
    let after: Option<i32> = page.after()?;
    let found = state
        .sync
        .found_items(
            tenant,
            plan,
            filter,
            after.unwrap_or_default(),
            limit.saturating_add(1),
        )
        .await?;
    let mut conn = state.db.conn().await?;
    let now = state.clock.now();
    let views = insight::plan_items_with_calls(&mut conn, &state.directory, tenant, found, now).await?;
    Ok(List::page(views, limit, |item: &ItemView| {
        item.ordinal.to_string()
    }))
}

async fn views(
    state: &State,
    tenant: TenantId,
    plan: PlanId,
    filter: &ItemFilter,
    after: i32,
    limit: i64,
) -> Result<Vec<ItemView>, Problem> {
    let found = state.sync.found_items(tenant, plan, filter, after, limit).await?;
    let mut conn = state.db.conn().await?;
    Ok(insight::plan_items(&mut conn, &state.directory, tenant, found).await?)
}

/// How a plan is exported.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// json or csv; json when absent.
    format: Option<String>,
    /// Only items with this action.
    #[param(value_type = Option<String>)]
    action: Option<Action>,
}

/// Streams a whole plan: as JSON the plan with its items, as CSV a line for each change of each item.
#[utoipa::path(
    get, path = "/api/v1/plans/{id}/export", tag = "plans", params(("id" = String, Path), ExportQuery),
    responses((status = 200, description = "CSV: ordinal, action, person, user, state, reason, note, path, old, new")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/plans/{id}/export")]
async fn export(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let csv = match query.format.as_deref() {
        Some("csv") => true,
        None | Some("json") => false,
        Some(_) => return Err(Problem::bad_request("invalid-query", "format is csv or json")),
    };
    let id = id_of(&id)?;
    let plan = body(&state, caller.tenant, id).await?;
    let walk = Walk {
        state: state.clone(),
        tenant: caller.tenant,
        id,
        filter: ItemFilter {
            action: query.action,
            ..ItemFilter::default()
        },
        csv,
        head: Some(plan),
        after: 0,
        done: false,
    };
    let body = stream::unfold(walk, |mut walk| async move {
        if walk.done {
            return None;
        }
        match walk.next().await {
            Ok(bytes) => Some((Ok(bytes), walk)),
            Err(problem) => {
                walk.done = true;
                Some((Err(std::io::Error::other(problem.to_string())), walk))
            }
        }
    });
    let kind = if csv {
        "text/csv; charset=utf-8"
    } else {
        "application/json"
    };
    Ok(HttpResponse::Ok().content_type(kind).streaming(body))
}

/// Where a stream of items is. One batch is held at a time.
struct Walk {
    state: Data<State>,
    tenant: TenantId,
    id: PlanId,
    filter: ItemFilter,
    csv: bool,
    head: Option<PlanBody>,
    after: i32,
    done: bool,
}

impl Walk {
    async fn next(&mut self) -> Result<Bytes, Problem> {
        let items = views(&self.state, self.tenant, self.id, &self.filter, self.after, BATCH).await?;
        self.done = i64::try_from(items.len()).unwrap_or(BATCH) < BATCH;
        let head = self.head.take();
        let text = if self.csv {
            lines(head.is_some(), &items)
        } else {
            self.objects(head, &items)
        };
        self.after = items.last().map_or(self.after, |item| item.ordinal);
        Ok(text.into())
    }

    fn objects(&self, head: Option<PlanBody>, items: &[ItemView]) -> String {
        let first = head.is_some();
        let mut text = String::new();
        if let Some(plan) = head {
            text = format!("{{\"plan\":{},\"items\":[", json!(plan));
        }
        for (at, item) in items.iter().enumerate() {
            if at > 0 || !first {
                text.push(',');
            }
            text.push_str(&json!(item).to_string());
        }
        if self.done {
            text.push_str("]}");
        }
        text
    }
}

fn lines(first: bool, items: &[ItemView]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    if first {
        let _ = writer.write_record(insight::ITEM_COLUMNS);
    }
    for row in items.iter().flat_map(|item| insight::item_rows(&json!(item))) {
        let _ = writer.write_record(row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// An approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApprovalBody {
    /// The plan's hash, or its first 8 digits or more: approves only that plan.
    plan: Option<String>,
    /// Only these items: `items` (ordinals), `people` (ids), `actions`. All others that have an effect are declined.
    #[schema(value_type = Option<Object>)]
    only: Option<Picks>,
    /// All but these items, which are declined.
    #[schema(value_type = Option<Object>)]
    except: Option<Picks>,
}

impl ApprovalBody {
    pub(super) fn read(self) -> Result<Approval, Problem> {
        let chosen = match (self.only, self.except) {
            (None, None) => Chosen::All,
            (Some(only), None) => Chosen::Only(only),
            (None, Some(except)) => Chosen::Except(except),
            (Some(_), Some(_)) => {
                return Err(Problem::unprocessable(
                    "invalid-choice",
                    "give only or except, not both",
                ));
            }
        };
        Ok(Approval {
            hash: self.plan,
            chosen,
        })
    }
}

/// Approves a plan that waits, whole or in part; what is left out is declined. It is applied next: ask for the run, or
/// for the plan, until it rests.
#[utoipa::path(
    post, path = "/api/v1/plans/{id}/approve", tag = "plans", params(("id" = String, Path)), request_body = ApprovalBody,
    responses(
        (status = 202, body = PlanBody),
        (status = 409, description = "it does not wait, or it is another plan: plan_hash is the present one"),
        (status = 422, description = "the choice does not fit the plan"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/plans/{id}/approve")]
async fn approve(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    approval: Json<ApprovalBody>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    let approval = approval.into_inner().read()?;
    state
        .sync
        .approve_plan(caller.tenant, id, &approval, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(body(&state, caller.tenant, id).await?))
}

/// A rejection.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RejectionBody {
    /// The plan's hash, or its first 8 digits or more: rejects only that plan.
    pub(super) plan: Option<String>,
}

/// Rejects a plan that waits: it never has an effect.
#[utoipa::path(
    post, path = "/api/v1/plans/{id}/reject", tag = "plans", params(("id" = String, Path)), request_body = RejectionBody,
    responses((status = 200, body = PlanBody), (status = 409, description = "it does not wait, or it is another plan")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/plans/{id}/reject")]
async fn reject(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    rejection: Json<RejectionBody>,
) -> Result<Json<PlanBody>, Problem> {
    let (id, actor) = (id_of(&id)?, caller.actor());
    state
        .sync
        .reject_plan(caller.tenant, id, rejection.plan.as_deref(), &actor)
        .await?;
    let mut conn = state.db.conn().await?;
    delivery::leave_out(&mut conn, caller.tenant, id, &actor).await?;
    drop(conn);
    Ok(Json(body(&state, caller.tenant, id).await?))
}
