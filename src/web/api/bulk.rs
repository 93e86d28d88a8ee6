//! Bulk actions, and the same for one: push a user, delete an account in an app.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::audit;
use crate::base::{ResourceId, TenantId};
use crate::db::Transactional as _;
use crate::delivery::{self, BulkAction, Order, Ordered, Proposed, Selection};
use crate::guard::Effects;
use crate::provision;
use crate::scim::filter;

/// Ids in one order: more are named by a state or a filter.
const MOST_IDS: usize = 10_000;
const LONGEST_REASON: usize = 500;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(bulk, push, remove))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(bulk).service(push).service(remove);
}

/// One order about many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    /// push, retry or remove (accounts of one app); suspend or release (users, in every app).
    #[schema(value_type = String)]
    action: BulkAction,
    /// The app whose accounts are meant.
    app: Option<String>,
    /// Only these: ids of users or groups, or of accounts that nobody of ours has. At most 10,000.
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<ResourceId>>,
    /// Only the app's accounts in this state; `unmatched` are those that nobody of ours has.
    state: Option<String>,
    /// Only the users that this SCIM filter finds (RFC 7644 §3.4.2.2).
    filter: Option<String>,
    /// Why; kept in the audit trail.
    #[serde(default)]
    reason: String,
}

/// What became of an order.
#[derive(Debug, Serialize, ToSchema)]
struct OrderedBody {
    /// `applied`, or `awaiting_approval`.
    state: String,
    plan: String,
    /// The approval names it.
    plan_hash: String,
    /// What it does: accounts, creates, updates, disables, removals, cleared.
    #[schema(value_type = Object)]
    counts: Effects,
    /// The limits that are passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl OrderedBody {
    fn of(state: &str, proposed: Proposed) -> Self {
        Self {
            state: state.to_owned(),
            plan: proposed.plan.to_string(),
            plan_hash: proposed.hash,
            counts: proposed.effects,
            reasons: proposed
                .verdict
                .reasons
                .into_iter()
                .map(|reason| reason.message)
                .collect(),
        }
    }
}

async fn selection(state: &State, tenant: TenantId, body: &BulkBody) -> Result<Selection, Problem> {
    let wrong = |words: &str| Problem::unprocessable("invalid", words.to_owned());
    match (&body.ids, &body.state, &body.filter) {
        (Some(ids), None, None) if ids.len() <= MOST_IDS => Ok(Selection::Ids(ids.clone())),
        (Some(_), None, None) => Err(wrong("names more than 10000 ids: use state or filter")),
        (None, Some(word), None) => provision::State::of(word).map(Selection::State).ok_or_else(|| {
            let words = provision::State::words().join(", ");
            wrong(&format!("state is one of {words}"))
        }),
        (None, None, Some(text)) => {
            let parsed = filter::parse(text).map_err(|error| wrong(&format!("filter: {error}")))?;
            let mut conn = state.db.conn().await?;
            let kind = state
                .directory
                .kind(&mut conn, tenant, "User")
                .await
                .map_err(|error| Problem::internal(&error))?;
            let bound = filter::bind(&parsed, &kind).map_err(|error| wrong(&format!("filter: {error}")))?;
            Ok(Selection::Filter(Box::new(bound)))
        }
        _ => Err(wrong("say who is meant by one of ids, state and filter")),
    }
}

/// Does something to many accounts or users. The order is a plan, judged as a whole: within the limits it is applied at
/// once, over one of them nothing happens before somebody approves it (202).
#[utoipa::path(
    post, path = "/api/v1/bulk", tag = "bulk", request_body = BulkBody,
    responses(
        (status = 200, body = OrderedBody),
        (status = 202, body = OrderedBody, description = "the plan awaits approval"),
        (status = 404, description = "no such app"),
        (status = 422, description = "it cannot be done so"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/bulk")]
async fn bulk(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    body: Json<BulkBody>,
) -> Result<HttpResponse, Problem> {
    if body.reason.chars().count() > LONGEST_REASON {
        return Err(Problem::unprocessable(
            "invalid",
            "a reason has at most 500 characters",
        ));
    }
    let order = Order {
        action: body.action,
        app: body.app.clone(),
        selection: selection(&state, caller.tenant, &body).await?,
        reason: body.reason.clone(),
        token: caller.token,
        actor: caller.actor(),
    };
    let now = state.clock.now();
    let ordered = delivery::bulk(&state.db, &state.directory, caller.tenant, &order, now).await?;
    state.db.signals().changed();
    state.db.signals().accounts_wait();
    let (status, body) = match ordered {
        Ordered::Applied(proposed) => (StatusCode::OK, OrderedBody::of("applied", proposed)),
        Ordered::Waits(proposed) => (
            StatusCode::ACCEPTED,
            OrderedBody::of("awaiting_approval", proposed),
        ),
    };
    Ok(HttpResponse::build(status).json(body))
}

/// Which app.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AppQuery {
    /// Only in this app.
    app: Option<String>,
}

/// Where a user is pushed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct PushBody {
    /// Only to this app; to all without it.
    app: Option<String>,
}

/// The apps that look at the user now.
#[derive(Debug, Serialize, ToSchema)]
struct PushedBody {
    apps: Vec<String>,
}

fn id_of(text: &str) -> Result<ResourceId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("there is no such user or account"))
}

/// Has the accounts of a user or group looked at now, whatever they waited for: refused, left out of a plan, removed by
/// hand. What is sent is what they lack.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/push", tag = "users", params(("id" = String, Path)), request_body = PushBody,
    responses((status = 202, body = PushedBody), (status = 404, description = "no such user or app")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/users/{id}/push")]
async fn push(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    body: Json<PushBody>,
) -> Result<HttpResponse, Problem> {
    let (id, tenant, actor, now) = (id_of(&id)?, caller.tenant, caller.actor(), state.clock.now());
    let app = body.app.as_deref();
    let mut conn = state.db.conn().await?;
    let pushed = conn
        .transaction::<_, delivery::Error, _>(async |conn| {
            let pushed = delivery::push(conn, tenant, (id, app), now).await?;
            let (subject, detail) = (format!("user:{id}"), json!({ "apps": pushed.apps }));
            audit::note(conn, Some(tenant), now, &actor, "user.push", &subject, detail).await?;
            Ok(pushed)
        })
        .await?;
    state.db.signals().accounts_wait();
    Ok(HttpResponse::Accepted().json(PushedBody { apps: pushed.apps }))
}

/// Deletes an account in its app, by hand: of one of our users or groups, or (by the account's own id) of nobody of ours.
/// The deletion is an operation that is stored before it is sent; the account is not made again before somebody pushes
/// it.
#[utoipa::path(
    delete, path = "/api/v1/accounts/{id}", tag = "apps", params(("id" = String, Path), AppQuery),
    responses(
        (status = 202, description = "it is being deleted"),
        (status = 404, description = "no such account"),
        (status = 422, description = "several apps have one and none is named, or it is protected"),
    ),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/accounts/{id}")]
async fn remove(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    query: Query<AppQuery>,
) -> Result<HttpResponse, Problem> {
    let (id, tenant, actor, now) = (id_of(&id)?, caller.tenant, caller.actor(), state.clock.now());
    let named = query.app.as_deref();
    let mut conn = state.db.conn().await?;
    conn.transaction::<_, delivery::Error, _>(async |conn| {
        let app = delivery::remove_account(conn, tenant, (id, named), &actor).await?;
        let (subject, detail) = (format!("account:{id}"), json!({ "app": app }));
        audit::note(
            conn,
            Some(tenant),
            now,
            &actor,
            "account.remove",
            &subject,
            detail,
        )
        .await?;
        Ok(())
    })
    .await?;
    state.db.signals().accounts_wait();
    Ok(HttpResponse::Accepted().finish())
}
