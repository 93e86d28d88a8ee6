//! Records that a caller uploads: at once, or page by page in a session.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, BytesMut, Data, Json, Path, Payload, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::runs::RunBody;
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PushSessionId, RunId};
use crate::sync::{PushSession, SessionKind, SessionState, Shape};

/// The largest page, in bytes.
const LARGEST_PAGE: usize = 8 * 1024 * 1024;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(records, open, list, show, put_page, commit, abort))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(records)
        .service(open)
        .service(list)
        .service(show)
        .service(put_page)
        .service(commit)
        .service(abort);
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
struct SessionBody {
    #[schema(value_type = String, format = Uuid)]
    id: PushSessionId,
    /// complete or changes.
    #[schema(value_type = String)]
    kind: SessionKind,
    /// open, committed, aborted or expired.
    #[schema(value_type = String)]
    state: SessionState,
    created_at: DateTime<Utc>,
    created_by: String,
    /// When an open session is over unless a page comes.
    expires_at: DateTime<Utc>,
    /// The run that reads it.
    #[schema(value_type = Option<String>)]
    run: Option<RunId>,
    /// How many pages it holds; their contents are deleted when the run has ended.
    pages: i64,
    records: i64,
}

impl From<PushSession> for SessionBody {
    fn from(session: PushSession) -> Self {
        Self {
            id: session.id,
            kind: session.kind,
            state: session.state,
            created_at: session.created_at,
            created_by: session.created_by,
            expires_at: session.expires_at,
            run: session.run,
            pages: session.pages,
            records: session.records,
        }
    }
}

fn id_of(text: &str) -> Result<PushSessionId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no session {text}")))
}

/// How a body is written, by its content type.
fn shape(request: &HttpRequest) -> Result<Shape, Problem> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => Ok(Shape::Canonical),
        "application/scim+json" => Ok(Shape::Scim),
        "text/csv" => Ok(Shape::Csv),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "records are application/json (canonical fields), application/scim+json (SCIM users) or text/csv",
        )),
    }
}

async fn body(mut payload: Payload) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| Problem::bad_request("cut-off", "the page did not arrive whole"))?;
        if body.len().saturating_add(part.len()) > LARGEST_PAGE {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("a page has at most {LARGEST_PAGE} bytes: open a session and send more pages"),
            ));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// Whether the records are everybody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsQuery {
    #[serde(default)]
    complete: bool,
}

/// Takes records in one go: a session of one page, committed at once. At most 1,000 records and 8 MiB; more go page by
/// page through a session. With `complete=true` they are everybody, and who is not among them is missing; else of all
/// others nothing is said. Records that cannot be read are told by index and field, and are not written.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/records", tag = "push",
    params(("name" = String, Path), ("complete" = Option<bool>, Query)),
    request_body(content((Object = "application/json"), (Object = "application/scim+json"), (String = "text/csv"))),
    responses(
        (status = 202, description = "the run that was queued, and errors: index, source_id, field, message"),
        (status = 409, description = "the connection is a draft or paused"),
        (status = 413, description = "too large for one page"),
        (status = 422, description = "not a page of records, or not a connection of connector push"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/records")]
async fn records(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<RecordsQuery>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let shape = shape(&request)?;
    let body = body(payload).await?;
    let kind = if query.complete {
        SessionKind::Complete
    } else {
        SessionKind::Changes
    };
    let (tenant, actor) = (caller.tenant, caller.actor());
    let session = state.sync.open_push(tenant, &name, kind, &actor).await?;
    let at = (session.id, 1);
    let accepted = match state.sync.push_page(tenant, &name, at, shape, &body).await {
        Ok(accepted) => accepted,
        Err(error) => {
            state.sync.abort_push(tenant, &name, session.id).await?;
            return Err(error.into());
        }
    };
    let committed = state.sync.commit_push(tenant, &name, session.id, Some(1), &actor);
    let run = match committed.await {
        Ok(run) => run,
        Err(error) => {
            // Of no use to anybody: the caller does not know its id. One that was committed all the same stays.
            state.sync.abort_push(tenant, &name, session.id).await.ok();
            return Err(error.into());
        }
    };
    Ok(HttpResponse::Accepted().json(json!({
        "session": session.id, "records": accepted.records, "errors": accepted.errors,
        "run": RunBody::of(run, &name, None),
    })))
}

/// A session to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionOrder {
    /// complete: it will have everybody; changes: only some.
    #[schema(value_type = String)]
    kind: SessionKind,
}

/// Opens a session for records that come page by page. Nothing counts before it is committed; without a page for 24 hours
/// it is over. At most 5 are open at a time.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/sessions", tag = "push",
    params(("name" = String, Path)), request_body = SessionOrder,
    responses(
        (status = 201, body = SessionBody),
        (status = 409, description = "the connection is a draft or paused, or too many sessions are open"),
        (status = 422, description = "not a connection of connector push"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/sessions")]
async fn open(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<SessionOrder>,
) -> Result<HttpResponse, Problem> {
    let session = state
        .sync
        .open_push(caller.tenant, &name, order.kind, &caller.actor())
        .await?;
    Ok(HttpResponse::Created().json(SessionBody::from(session)))
}

/// Lists the sessions of a connection, newest first.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/sessions", tag = "push",
    params(("name" = String, Path), PageQuery),
    responses((status = 200, body = List<SessionBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/sessions")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<SessionBody>>, Problem> {
    let limit = page.limit()?;
    let found = state
        .sync
        .push_sessions(caller.tenant, &name, page.after()?, limit.saturating_add(1))
        .await?;
    let items = found.into_iter().map(SessionBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &SessionBody| {
        one.id.to_string()
    })))
}

/// Shows a session.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/sessions/{id}", tag = "push",
    params(("name" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = SessionBody), (status = 404, description = "no such session")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/sessions/{id}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    path: Path<(String, String)>,
) -> Result<Json<SessionBody>, Problem> {
    let (name, id) = path.into_inner();
    let session = state.sync.push_session(caller.tenant, &name, id_of(&id)?).await?;
    Ok(Json(session.into()))
}

/// Takes a page of a session: at most 1,000 records and 8 MiB. Pages are numbered from 1 without a gap; the same number
/// again takes the page's place.
#[utoipa::path(
    put, path = "/api/v1/connections/{name}/sessions/{id}/pages/{number}", tag = "push",
    params(("name" = String, Path), ("id" = String, Path), ("number" = i32, Path)),
    request_body(content((Object = "application/json"), (Object = "application/scim+json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "records, and errors: index, source_id, field, message"),
        (status = 409, description = "the session is over or full"),
        (status = 413, description = "too large"),
        (status = 422, description = "not a page of records"),
    ),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/connections/{name}/sessions/{id}/pages/{number}")]
async fn put_page(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String, i32)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (name, id, number) = path.into_inner();
    let shape = shape(&request)?;
    let body = body(payload).await?;
    let accepted = state
        .sync
        .push_page(caller.tenant, &name, (id_of(&id)?, number), shape, &body)
        .await?;
    Ok(HttpResponse::Ok().json(json!({
        "page": number, "records": accepted.records, "errors": accepted.errors,
    })))
}

/// How a session is committed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct CommitOrder {
    /// How many pages were sent: fewer or more here is refused.
    pages: Option<i64>,
}

/// Commits a session: a run reads it. Asked again, it names the same run.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/sessions/{id}/commit", tag = "push",
    params(("name" = String, Path), ("id" = String, Path)), request_body = CommitOrder,
    responses((status = 202, body = RunBody), (status = 409, description = "pages are missing, or the session is over")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/sessions/{id}/commit")]
async fn commit(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
    order: Json<CommitOrder>,
) -> Result<HttpResponse, Problem> {
    let (name, id) = path.into_inner();
    let run = state
        .sync
        .commit_push(caller.tenant, &name, id_of(&id)?, order.pages, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(RunBody::of(run, &name, None)))
}

/// Gives a session up: nothing of it counts.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/sessions/{id}/abort", tag = "push",
    params(("name" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = SessionBody), (status = 409, description = "the session is over")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/sessions/{id}/abort")]
async fn abort(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
) -> Result<Json<SessionBody>, Problem> {
    let (name, id) = path.into_inner();
    let id = id_of(&id)?;
    state.sync.abort_push(caller.tenant, &name, id).await?;
    let session = state.sync.push_session(caller.tenant, &name, id).await?;
    Ok(Json(session.into()))
}
