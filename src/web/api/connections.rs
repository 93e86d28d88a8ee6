//! Connections to HR systems: file, revisions, check, hand-in of files, start of runs.

use std::collections::BTreeMap;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Data, Json, Path, Payload, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::consents::ConsentBody;
use super::runs::RunBody;
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{ConnectionId, UploadId};
use crate::provision::FieldPolicy;
use crate::sync::{Connection, ConnectionFile, ConnectionState, DaysToCome, Error, Freshness};

/// The largest file that may be handed in, in bytes.
const LARGEST_UPLOAD: usize = 256 * 1024 * 1024;
/// The largest connection file, in bytes.
const LARGEST_FILE: usize = 1024 * 1024;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(
    list, show, apply, check, diff, publish, pause, roll_back, export, revisions, upload, start
))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(show)
        .service(apply)
        .service(check)
        .service(diff)
        .service(publish)
        .service(pause)
        .service(roll_back)
        .service(export)
        .service(revisions)
        .service(upload)
        .service(start);
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionBody {
    #[schema(value_type = String, format = Uuid)]
    id: ConnectionId,
    name: String,
    connector: String,
    /// draft, published or paused.
    #[schema(value_type = String)]
    state: ConnectionState,
    /// The revision that runs work by.
    live_revision: Option<i32>,
    /// A newer revision that is not published.
    draft_revision: Option<i32>,
    /// When the schedule starts the next run.
    next_run_at: Option<DateTime<Utc>>,
    /// When the latest read began whose run was applied: what HR said by then is known.
    fresh_at: Option<DateTime<Utc>>,
    /// Nothing new has been known for longer than `schedule.stale_after`, which is a day and an hour when nothing is said.
    stale: bool,
    created_at: DateTime<Utc>,
    /// The file, with "sealed" in place of secrets; the draft when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    file: Option<Value>,
    /// How each field is treated, by the newest settings; with one connection only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    policies: Vec<FieldPolicy>,
    /// Which credentials are kept, each with a fingerprint: they are never shown again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    credentials: BTreeMap<String, String>,
    /// Whether the HR system took consent back, so that nothing is read before somebody consents again.
    needs_consent: bool,
    /// How consent stands, where it was ever given.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentBody>,
    /// What does not happen by itself while it is paused: who leaves on one of them keeps the access.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_effect: Option<WithoutEffectBody>,
}

/// Days that pass without effect while a connection is paused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WithoutEffectBody {
    /// So many people are due to be looked at: for a first day, a last day, the end of a leave, or what was declined.
    people: u64,
    /// The first of these days.
    first_at: DateTime<Utc>,
}

impl From<DaysToCome> for WithoutEffectBody {
    fn from(days: DaysToCome) -> Self {
        Self {
            people: days.people,
            first_at: days.first,
        }
    }
}

impl From<Connection> for ConnectionBody {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            name: connection.name,
            connector: connection.connector,
            state: connection.state,
            live_revision: connection.live,
            draft_revision: connection.draft,
            next_run_at: connection.next_run_at,
            fresh_at: None,
            stale: false,
            created_at: connection.created_at,
            file: None,
            policies: Vec::new(),
            credentials: BTreeMap::new(),
            needs_consent: false,
            consent: None,
            without_effect: None,
        }
    }
}

impl ConnectionBody {
    fn with(mut self, fresh: Option<&Freshness>) -> Self {
        self.fresh_at = fresh.and_then(|fresh| fresh.fresh_at);
        self.stale = fresh.is_some_and(|fresh| fresh.stale_at.is_some());
        self
    }
}

/// Lists the connections, by name.
#[utoipa::path(
    get, path = "/api/v1/connections", tag = "connections", params(PageQuery),
    responses((status = 200, body = List<ConnectionBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    page: Query<PageQuery>,
) -> Result<Json<List<ConnectionBody>>, Problem> {
    let limit = page.limit()?;
    let after: Option<String> = page.after()?;
    let found = state
        .sync
        .connections(
            caller.tenant,
            after.as_deref().unwrap_or_default(),
            limit.saturating_add(1),
        )
        .await?;
    let lost = state.sync.lost_consents(caller.tenant).await?;
    let ids: Vec<ConnectionId> = found.iter().map(|connection| connection.id).collect();
    let fresh = state.sync.freshness(caller.tenant, &ids).await?;
    let items = found.into_iter().map(|connection| {
        let body = ConnectionBody {
            needs_consent: lost.contains(&connection.id),
            ..connection.into()
        };
        let of = fresh.get(&body.id);
        body.with(of)
    });
    let items = items.collect();
    Ok(Json(List::page(items, limit, |one: &ConnectionBody| {
        one.name.clone()
    })))
}

/// Shows a connection with its file.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, body = ConnectionBody), (status = 404, description = "no such connection")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
) -> Result<Json<ConnectionBody>, Problem> {
    let (connection, file) = state.sync.connection_file(caller.tenant, &name, true).await?;
    let fresh = state.sync.freshness(caller.tenant, &[connection.id]).await?;
    let days = state.sync.days_without_effect(caller.tenant, &connection).await?;
    let mut body = ConnectionBody::from(connection);
    body.without_effect = days.map(Into::into);
    let of = fresh.get(&body.id);
    body = body.with(of);
    body.file = file;
    body.policies = state.sync.field_policies(caller.tenant, &name).await?;
    body.credentials = state.sync.credentials(caller.tenant, &name).await?;
    let consent = state.sync.consent(caller.tenant, body.id).await?;
    body.needs_consent = consent.as_ref().is_some_and(|consent| consent.lost_at.is_some());
    body.consent = consent.map(ConsentBody::from);
    Ok(Json(body))
}

/// What applying a file did.
#[derive(Debug, Serialize, ToSchema)]
struct AppliedBody {
    connection: ConnectionBody,
    /// The revision that holds the file.
    revision: i32,
    /// Whether it is a new one.
    changed: bool,
}

/// Whether to publish at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyQuery {
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    incomplete: bool,
}

/// Keeps a connection file as the draft, and publishes it with `publish=true`. Takes TOML (`application/toml`) or the
/// same as JSON. With `incomplete=true` settings may be unanswered, for a setup link to ask. A secret that is left out, or given as "sealed", stays as it is while the host of base_url stays.
#[utoipa::path(
    put, path = "/api/v1/connections/{name}", tag = "connections",
    params(("name" = String, Path), ("publish" = Option<bool>, Query), ("incomplete" = Option<bool>, Query)),
    request_body(content((Object = "application/json"), (String = "application/toml"))),
    responses(
        (status = 200, body = AppliedBody),
        (status = 422, description = "the file has problems: errors lists each with its place"),
    ),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/connections/{name}")]
async fn apply(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<ApplyQuery>,
    request: HttpRequest,
    body: Bytes,
) -> Result<Json<AppliedBody>, Problem> {
    let file = read_file(&request, &body)?;
    let applied = state
        .sync
        .apply_file(caller.tenant, &name, file, &caller.actor(), query.incomplete)
        .await?;
    let connection = if query.publish {
        let published = state.sync.publish(caller.tenant, &name, &caller.actor()).await?;
        state.doorkeeper.forget();
        published
    } else {
        applied.connection
    };
    Ok(Json(AppliedBody {
        connection: connection.into(),
        revision: applied.revision,
        changed: applied.changed,
    }))
}

fn read_file(request: &HttpRequest, body: &Bytes) -> Result<Value, Problem> {
    if body.len() > LARGEST_FILE {
        return Err(Problem::bad_request(
            "too-long",
            format!("a connection file has at most {LARGEST_FILE} bytes"),
        ));
    }
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    if kind.starts_with("application/toml") || kind.starts_with("text/") {
        let text = std::str::from_utf8(body)
            .map_err(|_| Problem::bad_request("invalid-toml", "the file is not UTF-8"))?;
        let (_, json) = ConnectionFile::from_toml(text).map_err(Error::File)?;
        Ok(json)
    } else {
        serde_json::from_slice(body).map_err(|error| Problem::bad_request("invalid-json", error.to_string()))
    }
}

/// Asks the HR system whether the settings work. The only call that a draft makes.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/check", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, description = "ok, and each step with what was found")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/check")]
async fn check(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<Value>, Problem> {
    let steps = state.sync.check_connection(caller.tenant, &name).await?;
    let ok = steps.iter().all(|step| step.ok);
    Ok(Json(json!({ "ok": ok, "steps": steps })))
}

/// Says what the draft would change in the settings.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/diff", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, description = "items: path, before, after; empty without a draft")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/diff")]
async fn diff(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = state.sync.connection_diff(caller.tenant, &name).await?;
    Ok(Json(json!({ "items": found })))
}

/// Makes the draft live; a paused connection works again. With a schedule, a run starts within a minute.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/publish", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, body = ConnectionBody), (status = 409, description = "there is nothing to publish")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/publish")]
async fn publish(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<ConnectionBody>, Problem> {
    let connection = state.sync.publish(caller.tenant, &name, &caller.actor()).await?;
    state.doorkeeper.forget();
    Ok(Json(connection.into()))
}

/// Lets a connection make no more calls, and cancels its runs that have not begun to apply. Nothing happens on days to
/// come either: `without_effect` says how many people have one.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/pause", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, body = ConnectionBody), (status = 409, description = "it was never published")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/pause")]
async fn pause(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<ConnectionBody>, Problem> {
    let connection = state.sync.pause(caller.tenant, &name, &caller.actor()).await?;
    let days = state.sync.days_without_effect(caller.tenant, &connection).await?;
    Ok(Json(ConnectionBody {
        without_effect: days.map(Into::into),
        ..connection.into()
    }))
}

/// Where to roll back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RollBackOrder {
    /// A revision; the one before the live one when absent.
    revision: Option<i32>,
}

/// Makes an earlier revision live again.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/rollback", tag = "connections",
    params(("name" = String, Path)), request_body = RollBackOrder,
    responses((status = 200, body = ConnectionBody), (status = 404, description = "no such revision")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/rollback")]
async fn roll_back(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<RollBackOrder>,
) -> Result<Json<ConnectionBody>, Problem> {
    let connection = state
        .sync
        .roll_back(caller.tenant, &name, order.revision, &caller.actor())
        .await?;
    state.doorkeeper.forget();
    Ok(Json(connection.into()))
}

/// Gives the connection file, as TOML or, with `Accept: application/json`, as JSON; "sealed" in place of secrets.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/export", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, body = String, content_type = "application/toml")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/export")]
async fn export(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (_, file) = state.sync.connection_file(caller.tenant, &name, true).await?;
    let file = file.unwrap_or_default();
    let wants_json = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("json"));
    if wants_json {
        return Ok(HttpResponse::Ok().json(file));
    }
    let text = toml::to_string(&file).map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type("application/toml").body(text))
}

/// Lists the latest revisions, newest first, without secrets.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/revisions", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, description = "items: revision, created_at, created_by, file")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/revisions")]
async fn revisions(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = state.sync.revisions(caller.tenant, &name).await?;
    let items: Vec<Value> = found
        .into_iter()
        .map(|one| {
            json!({
                "revision": one.number, "created_at": one.created_at, "created_by": one.created_by, "file": one.body,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

/// What was handed in.
#[derive(Debug, Serialize, ToSchema)]
struct UploadBody {
    #[schema(value_type = String, format = Uuid)]
    id: UploadId,
    bytes: usize,
}

/// Hands in a file for the next run, in place of the one before. At most 256 MiB; kept sealed.
#[utoipa::path(
    put, path = "/api/v1/connections/{name}/upload", tag = "connections",
    params(("name" = String, Path)), request_body(content = String, content_type = "text/csv"),
    responses(
        (status = 201, body = UploadBody),
        (status = 409, description = "the connection reads its HR system by itself"),
        (status = 413, description = "the file is too large"),
    ),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/connections/{name}/upload")]
async fn upload(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    mut payload: Payload,
) -> Result<HttpResponse, Problem> {
    let mut file = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| Problem::bad_request("cut-off", "the file did not arrive whole"))?;
        if file.len().saturating_add(part.len()) > LARGEST_UPLOAD {
            return Err(Problem::new(
                actix_web::http::StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("a file has at most {LARGEST_UPLOAD} bytes"),
            ));
        }
        file.extend_from_slice(&part);
    }
    let bytes = file.len();
    let id = state
        .sync
        .keep_upload(caller.tenant, &name, file.freeze(), &caller.actor())
        .await?;
    Ok(HttpResponse::Created().json(UploadBody { id, bytes }))
}

/// A run to be started.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RunOrder {
    /// Stop after the plan.
    dry_run: bool,
}

/// Queues a run. It starts as soon as no other run of this connection is under way.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/runs", tag = "runs",
    params(("name" = String, Path)), request_body = RunOrder,
    responses((status = 202, body = RunBody), (status = 409, description = "the connection is a draft or paused")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/runs")]
async fn start(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<RunOrder>,
) -> Result<HttpResponse, Problem> {
    let run = state
        .sync
        .start(caller.tenant, &name, order.dry_run, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(RunBody::of(run, &name, None)))
}
