//! Operations: what was sent to apps, and what to do about what they refused.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery};
use crate::audit;
use crate::base::{OperationId, ResourceId};
use crate::db::Transactional as _;
use crate::delivery::{self, OperationView};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, retry, skip))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(retry).service(skip);
}

/// One change to one account, over HTTP.
#[derive(Debug, Serialize, ToSchema)]
struct OperationBody {
    #[schema(value_type = String, format = Uuid)]
    id: OperationId,
    app: String,
    /// Our user or group.
    #[schema(value_type = String, format = Uuid)]
    user: ResourceId,
    /// create, update, disable, delete or members.
    action: String,
    method: String,
    /// Below the app's base URL.
    path: String,
    /// pending, unknown, done or refused.
    state: String,
    /// The state that the account is in.
    account_state: String,
    /// What the app held is not kept with the operation.
    old: Value,
    /// What was sent.
    new: Value,
    /// The app's words at the last try.
    detail: String,
    /// The app's status at the last try.
    status: Option<i32>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    attempted_at: Option<DateTime<Utc>>,
}

impl From<OperationView> for OperationBody {
    fn from(view: OperationView) -> Self {
        let (attempted_at, status, detail) = match view.last {
            Some(last) => (Some(last.at), last.status, last.detail),
            None => (None, None, String::new()),
        };
        Self {
            id: view.id,
            app: view.app,
            user: view.resource,
            action: view.action,
            method: view.method,
            path: view.path,
            state: view.state,
            account_state: view.account_state,
            old: Value::Null,
            new: view.body.unwrap_or_default(),
            detail,
            status,
            created_at: view.created_at,
            finished_at: view.finished_at,
            attempted_at,
        }
    }
}

/// Which operations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OperationQuery {
    /// Only those of this app.
    app: Option<String>,
    /// Only those in this state: pending, unknown, done, refused; or parked: refused, and the account still is parked.
    state: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    limit: Option<i64>,
}

/// Lists operations, the newest first.
#[utoipa::path(
    get, path = "/api/v1/operations", tag = "operations", params(OperationQuery),
    responses((status = 200, body = List<OperationBody>)), security(("token" = ["admin"])),
)]
#[get("/api/v1/operations")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    query: Query<OperationQuery>,
) -> Result<Json<List<OperationBody>>, Problem> {
    const STATES: [&str; 5] = ["pending", "unknown", "done", "refused", "parked"];
    if query.state.as_deref().is_some_and(|word| !STATES.contains(&word)) {
        let words = STATES.join(", ");
        return Err(Problem::bad_request(
            "invalid-query",
            format!("state is one of {words}"),
        ));
    }
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let (app, word) = (query.app.as_deref(), query.state.as_deref());
    let most = limit.saturating_add(1);
    let found = delivery::operations(&mut conn, caller.tenant, app, word, page.after()?, most).await?;
    let items = found.into_iter().map(OperationBody::from).collect();
    Ok(Json(List::page(items, limit, |operation: &OperationBody| {
        operation.id.to_string()
    })))
}

fn id_of(text: &str) -> Result<OperationId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("there is no such operation"))
}

/// Has the operation's account looked at again at once: what is sent is what it lacks by then.
#[utoipa::path(
    post, path = "/api/v1/operations/{id}/retry", tag = "operations", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "no such operation")), security(("token" = ["admin"])),
)]
#[post("/api/v1/operations/{id}/retry")]
async fn retry(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, tenant, actor, now) = (id_of(&id)?, caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction::<_, delivery::Error, _>(async |conn| {
        delivery::retry(conn, tenant, id, now).await?;
        audit::note(
            conn,
            Some(tenant),
            now,
            &actor,
            "operation.retry",
            &id.to_string(),
            json!({}),
        )
        .await?;
        Ok(())
    })
    .await?;
    state.db.signals().accounts_wait();
    Ok(HttpResponse::NoContent().finish())
}

/// Leaves the account of a refused operation alone until something changes.
#[utoipa::path(
    post, path = "/api/v1/operations/{id}/skip", tag = "operations", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "no such refused operation")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/operations/{id}/skip")]
async fn skip(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, tenant, actor, now) = (id_of(&id)?, caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction::<_, delivery::Error, _>(async |conn| {
        delivery::skip(conn, tenant, id, &actor, now).await?;
        audit::note(
            conn,
            Some(tenant),
            now,
            &actor,
            "operation.skip",
            &id.to_string(),
            json!({}),
        )
        .await?;
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
