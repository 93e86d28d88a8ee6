//! Consent to connections, and setup links.

use actix_web::web::{Bytes, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::sync::Consent;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(authorize, setup_link))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(authorize).service(setup_link);
}

/// How somebody's consent to a connection stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsentBody {
    /// given, or needed: the HR system refused to renew, and somebody must consent again.
    state: &'static str,
    given_at: DateTime<Utc>,
    /// Who had asked for it.
    given_by: String,
    /// Since when it is needed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_at: Option<DateTime<Utc>>,
    /// Set when it was lost after a renewal that broke off, whose token was good for one use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    renewal_broke_off: bool,
}

impl From<Consent> for ConsentBody {
    fn from(consent: Consent) -> Self {
        Self {
            state: if consent.lost_at.is_some() {
                "needed"
            } else {
                "given"
            },
            given_at: consent.given_at,
            given_by: consent.given_by,
            lost_at: consent.lost_at,
            renewal_broke_off: consent.interrupted,
        }
    }
}

/// A link to be passed on.
#[derive(Debug, Serialize, ToSchema)]
struct LinkBody {
    /// The whole address.
    link: String,
    /// When it ends.
    expires_at: DateTime<Utc>,
}

/// What happens when somebody has consented.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct ConsentOrder {
    /// The settings that were asked with go live; with a schedule the first run then starts by itself.
    publish: bool,
}

/// Makes the link by which somebody consents at the HR system; it is good for one answer, for a day.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/authorize", tag = "connections",
    params(("name" = String, Path)), request_body = ConsentOrder,
    responses(
        (status = 201, body = LinkBody),
        (status = 404, description = "no such connection"),
        (status = 422, description = "it is not connected by consent, or no OAuth client is set"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/authorize")]
async fn authorize(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let order: ConsentOrder = if body.is_empty() {
        ConsentOrder::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| Problem::bad_request("invalid-json", error.to_string()))?
    };
    let redirect = state.link("/oauth/callback");
    let asked = state
        .sync
        .ask_consent(caller.tenant, &name, (&redirect, order.publish), &caller.actor())
        .await?;
    Ok(HttpResponse::Created().json(LinkBody {
        link: asked.link,
        expires_at: asked.expires_at,
    }))
}

/// How long a setup link lasts.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct SetupOrder {
    /// In seconds, at most 30 days; seven days when absent.
    expires_in: Option<u32>,
    /// What was entered goes live when it is proven; with a schedule the first run then starts by itself.
    publish: bool,
}

/// Makes a one-time link with which somebody without an account connects the HR system: it shows the guide, asks for keys
/// or consent, and says what the check finds. It ends the links made before.
#[utoipa::path(
    post, path = "/api/v1/connections/{name}/setup-link", tag = "connections",
    params(("name" = String, Path)), request_body = SetupOrder,
    responses((status = 201, body = LinkBody), (status = 404, description = "no such connection")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/connections/{name}/setup-link")]
async fn setup_link(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<SetupOrder>,
) -> Result<HttpResponse, Problem> {
    let life = order.expires_in.map(|seconds| TimeDelta::seconds(seconds.into()));
    let made = state
        .sync
        .make_setup_link(caller.tenant, &name, (life, order.publish), &caller.actor())
        .await?;
    Ok(HttpResponse::Created().json(LinkBody {
        link: state.link(&format!("/setup/{}", made.token.expose())),
        expires_at: made.expires_at,
    }))
}
