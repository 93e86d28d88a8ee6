//! The webhook of a connection: its address, its secret, what came.

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, ProvisioningRead};
use crate::base::Secret;
use crate::connector::SecretMaker;
use crate::sync::WebhookSheet;

/// An address that was replaced is heard for so many hours when nothing else is said.
const KEEP_HOURS: u16 = 24;
/// And for so many at the most.
const MOST_HOURS: u16 = 24 * 30;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(show, make, rotate, end))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(show).service(make).service(rotate).service(end);
}

/// A connection's webhook.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookBody {
    /// Where the HR system delivers; keep it as you keep a password. Shown to admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Who makes the secret: `given` by the HR system, `made` here, or `none`.
    secret_maker: SecretMaker,
    /// Whether there is a secret. Without a `given` one every delivery is refused.
    has_secret: bool,
    /// The secret we made, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The user's name for HTTP basic auth, where that is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// What to do in the HR system.
    guide: String,
    /// Whether the employee that a delivery names is read alone; else all are.
    reads_one: bool,
    made_at: DateTime<Utc>,
    /// Until when the address before this one is heard too.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_until: Option<DateTime<Utc>>,
    /// Deliveries that asked to look at somebody.
    looked: i64,
    /// Genuine deliveries that mean nothing to us.
    ignored: i64,
    /// Genuine deliveries that had come before.
    repeated: i64,
    /// Genuine deliveries whose body is no JSON.
    unreadable: i64,
    /// Deliveries that did not prove themselves.
    refused: i64,
    /// When the last genuine delivery came.
    last_at: Option<DateTime<Utc>>,
    /// When the last one came that was refused or unreadable.
    last_failed_at: Option<DateTime<Utc>>,
    /// Why it was.
    last_failure: Option<String>,
}

impl WebhookBody {
    fn of(state: &State, sheet: WebhookSheet) -> Self {
        let counts = sheet.counts;
        Self {
            url: Some(state.link(&format!("/hooks/{}", sheet.key.expose()))),
            secret_maker: sheet.secret_maker,
            has_secret: sheet.has_secret,
            secret: sheet.secret.map(|secret| secret.expose().to_owned()),
            user: sheet.user,
            guide: sheet.guide,
            reads_one: sheet.reads_one,
            made_at: sheet.made_at,
            earlier_until: sheet.earlier_until,
            looked: counts.looked,
            ignored: counts.ignored,
            repeated: counts.repeated,
            unreadable: counts.unreadable,
            refused: counts.refused,
            last_at: counts.last_at,
            last_failed_at: counts.last_failed_at,
            last_failure: counts.last_failure,
        }
    }
}

/// Shows a connection's webhook: what came and what failed, without its address and its secret.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/webhook", tag = "connections",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = WebhookBody),
        (status = 404, description = "no such connection, or it has no webhook yet"),
        (status = 409, description = "its HR system sends none"),
    ),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/webhook")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
) -> Result<Json<WebhookBody>, Problem> {
    let found = state.sync.webhook(caller.tenant, &name).await?;
    let sheet =
        found.ok_or_else(|| Problem::not_found("this connection has no webhook yet: PUT makes one"))?;
    let mut body = WebhookBody::of(&state, sheet);
    body.url = None;
    Ok(Json(body))
}

/// A secret to be entered.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct WebhookOrder {
    /// The secret that the HR system gave.
    secret: Option<String>,
}

/// Makes a connection's webhook, or shows the one that is there, and enters the secret that the HR system gave. A secret
/// that we make is shown once.
#[utoipa::path(
    put, path = "/api/v1/connections/{name}/webhook", tag = "connections",
    params(("name" = String, Path)), request_body = WebhookOrder,
    responses(
        (status = 200, body = WebhookBody),
        (status = 404, description = "no such connection"),
        (status = 409, description = "its HR system sends none"),
        (status = 422, description = "the secret will not do"),
    ),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/connections/{name}/webhook")]
async fn make(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<WebhookOrder>,
) -> Result<Json<WebhookBody>, Problem> {
    let order = order.into_inner();
    let sheet = state
        .sync
        .make_webhook(
            caller.tenant,
            &name,
            order.secret.map(Secret::new),
            &caller.actor(),
        )
        .await?;
    Ok(Json(WebhookBody::of(&state, sheet)))
}

/// How long the address before is heard.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RotateOrder {
    /// Hours; 24 when absent, 720 at most, 0 to end it at once.
    keep_hours: Option<u16>,
}

/// Gives the webhook a new address and, where we make it, a new secret; a secret that the HR system gives must be entered
/// anew.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/webhook/rotate", tag = "connections",
    params(("name" = String, Path)), request_body = RotateOrder,
    responses(
        (status = 200, body = WebhookBody),
        (status = 404, description = "no such connection"),
        (status = 409, description = "its HR system sends none"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/webhook/rotate")]
async fn rotate(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<RotateOrder>,
) -> Result<Json<WebhookBody>, Problem> {
    let hours = order.keep_hours.unwrap_or(KEEP_HOURS).min(MOST_HOURS);
    let keep = TimeDelta::hours(hours.into());
    let sheet = state
        .sync
        .rotate_webhook(caller.tenant, &name, keep, &caller.actor())
        .await?;
    Ok(Json(WebhookBody::of(&state, sheet)))
}

/// Ends every address of a connection's webhook at once. Its changes are then found by the schedule alone.
#[utoipa::path(
    delete, path = "/api/v1/connections/{name}/webhook", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 204, description = "ended"), (status = 404, description = "no such connection")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/connections/{name}/webhook")]
async fn end(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    state
        .sync
        .end_webhook(caller.tenant, &name, &caller.actor())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
