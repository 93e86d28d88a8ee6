//! Subscriptions: addresses that are told of events by HTTP.

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, ProvisioningRead};
use crate::audit;
use crate::base::{Chain, Secret};
use crate::db::Transactional as _;
use crate::notice::{self, EventKind, Language, NewSubscription, Preset, Replay, Subscription};

/// So many events are sent again by one request.
const MOST: i64 = 10_000;
/// The longest list of a subscription.
const LONGEST_LIST: usize = 200;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, add, change, end, again))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(add)
        .service(change)
        .service(end)
        .service(again);
}

/// A subscription, without its address and its secret.
#[derive(Debug, Serialize, ToSchema)]
struct SubscriptionBody {
    id: Uuid,
    name: String,
    /// standard, slack or teams.
    #[schema(value_type = String)]
    preset: Preset,
    /// Kinds of events; empty: all.
    #[schema(value_type = Vec<String>)]
    events: Vec<EventKind>,
    /// Only events of these legal entities; empty: of all, and of what belongs to none.
    entities: Vec<String>,
    /// Whether it is sent names and addresses of people; else ids.
    names: bool,
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// active, paused, or disabled after failing for days.
    state: String,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    last_failure: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Subscription> for SubscriptionBody {
    fn from(one: Subscription) -> Self {
        Self {
            id: one.id,
            name: one.name,
            preset: one.preset,
            events: one.events,
            entities: one.entities,
            names: one.names,
            language: one.language,
            state: one.state,
            failures: one.failures,
            failing_since: one.failing_since,
            last_failure: one.last_failure,
            created_at: one.created_at,
        }
    }
}

/// Lists subscriptions.
#[utoipa::path(
    get, path = "/api/v1/subscriptions", tag = "notices",
    responses((status = 200, body = List<SubscriptionBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/subscriptions")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<List<SubscriptionBody>>, Problem> {
    let mut conn = state.db.conn().await?;
    let found = notice::subscriptions(&mut conn, caller.tenant).await?;
    Ok(Json(List {
        items: found.into_iter().map(SubscriptionBody::from).collect(),
        next: None,
    }))
}

/// A new subscription.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBody {
    /// Unique in the tenant: 1 to 64 letters, digits, - and _.
    name: String,
    /// Where: http or https. Kept sealed and never shown again.
    url: String,
    /// standard, slack or teams.
    #[serde(default = "standard")]
    #[schema(value_type = String)]
    preset: Preset,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    events: Vec<EventKind>,
    #[serde(default)]
    entities: Vec<String>,
    /// Whether it is sent names and addresses of people; else ids.
    #[serde(default)]
    names: bool,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
}

fn standard() -> Preset {
    Preset::Standard
}

/// A subscription that was added.
#[derive(Debug, Serialize, ToSchema)]
struct AddedBody {
    id: Uuid,
    name: String,
    /// What signs (Standard Webhooks), this once.
    secret: String,
}

fn refused(detail: impl Into<String>) -> Problem {
    Problem::unprocessable("invalid-subscription", detail)
}

/// Adds an address that is told of events. The answer shows the secret that signs, this once.
#[utoipa::path(
    post, path = "/api/v1/subscriptions", tag = "notices", request_body = NewBody,
    responses(
        (status = 201, body = AddedBody),
        (status = 409, description = "the name is taken"),
        (status = 422, description = "it cannot be used"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/subscriptions")]
async fn add(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    body: Json<NewBody>,
) -> Result<HttpResponse, Problem> {
    let body = body.into_inner();
    let is_name = (1..=64).contains(&body.name.len())
        && body
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_name {
        return Err(refused("name is 1 to 64 letters, digits, - and _"));
    }
    if body.events.len() > LONGEST_LIST || body.entities.len() > LONGEST_LIST {
        return Err(refused(format!(
            "events and entities have at most {LONGEST_LIST} entries"
        )));
    }
    let url = Url::parse(&body.url).map_err(|_| refused("url is no address"))?;
    state
        .net
        .check(&url)
        .map_err(|error| refused(format!("url: {}", Chain(&error))))?;
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let name = body.name.clone();
    let new = NewSubscription {
        name: body.name,
        url: Secret::new(body.url),
        preset: body.preset,
        events: body.events,
        entities: body.entities,
        names: body.names,
        language: body.language,
    };
    let mut conn = state.db.conn().await?;
    let (id, secret) = conn
        .transaction(async |conn| {
            let added = notice::add_subscription(conn, tenant, new, &state.sealer, (&actor, now)).await?;
            let Some((id, secret)) = added else {
                let detail = format!("there is a subscription {name} already");
                return Err(Problem::conflict("name-taken", detail));
            };
            let subject = format!("subscription:{id}");
            let detail = json!({ "name": name });
            audit::note(
                conn,
                Some(tenant),
                now,
                &actor,
                "subscription.add",
                &subject,
                detail,
            )
            .await?;
            Ok((id, secret))
        })
        .await?;
    Ok(HttpResponse::Created().json(AddedBody {
        id,
        name,
        secret: secret.expose().to_owned(),
    }))
}

/// What is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// active or paused.
    state: String,
}

fn unknown(id: &Uuid) -> Problem {
    Problem::not_found(format!("there is no subscription {id}"))
}

/// Switches a subscription on or off. What happens while it is off can be sent again afterwards.
#[utoipa::path(
    patch, path = "/api/v1/subscriptions/{id}", tag = "notices", params(("id" = Uuid, Path)), request_body = ChangeBody,
    responses((status = 204), (status = 404, description = "no such subscription")),
    security(("token" = ["admin"])),
)]
#[patch("/api/v1/subscriptions/{id}")]
async fn change(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<Uuid>,
    body: Json<ChangeBody>,
) -> Result<HttpResponse, Problem> {
    if !matches!(body.state.as_str(), "active" | "paused") {
        return Err(refused("state is active or paused"));
    }
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        if !notice::set_state(conn, tenant, *id, &body.state).await? {
            return Err(unknown(&id));
        }
        let subject = format!("subscription:{id}");
        let detail = json!({ "state": body.state });
        audit::note(
            conn,
            Some(tenant),
            now,
            &actor,
            "subscription.change",
            &subject,
            detail,
        )
        .await?;
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends a subscription; what it was to be sent is forgotten.
#[utoipa::path(
    delete, path = "/api/v1/subscriptions/{id}", tag = "notices", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, description = "no such subscription")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/subscriptions/{id}")]
async fn end(state: Data<State>, caller: ApiCaller<Admin>, id: Path<Uuid>) -> Result<HttpResponse, Problem> {
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        if !notice::drop_subscription(conn, tenant, *id).await? {
            return Err(unknown(&id));
        }
        let subject = format!("subscription:{id}");
        audit::note(
            conn,
            Some(tenant),
            now,
            &actor,
            "subscription.end",
            &subject,
            json!({}),
        )
        .await?;
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is sent again: one event, or those of a span.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// One event, by its id.
    #[serde(default)]
    event: Option<Uuid>,
    /// Events from this instant on …
    #[serde(default)]
    from: Option<DateTime<Utc>>,
    /// … and before this one.
    #[serde(default)]
    to: Option<DateTime<Utc>>,
}

/// How many are sent again.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayedBody {
    replayed: usize,
}

/// Sends events again, under the ids that they had: one, or up to 10,000 of a span. Events are kept for 90 days.
#[utoipa::path(
    post, path = "/api/v1/subscriptions/{id}/replay", tag = "notices", params(("id" = Uuid, Path)),
    request_body = ReplayBody,
    responses((status = 200, body = ReplayedBody), (status = 422, description = "neither an event nor a span")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/subscriptions/{id}/replay")]
async fn again(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<Uuid>,
    body: Json<ReplayBody>,
) -> Result<Json<ReplayedBody>, Problem> {
    let what = match (body.event, body.from, body.to) {
        (Some(event), None, None) => Replay::Event(event),
        (None, Some(from), Some(to)) if from < to => Replay::Span(from, to),
        _ => return Err(refused("name an `event`, or a span by `from` and `to`")),
    };
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    let replayed = conn
        .transaction(async |conn| {
            let replayed = notice::replay(conn, tenant, *id, what, (now, MOST)).await?;
            let subject = format!("subscription:{id}");
            let detail = json!({ "events": replayed });
            audit::note(
                conn,
                Some(tenant),
                now,
                &actor,
                "subscription.replay",
                &subject,
                detail,
            )
            .await?;
            Ok::<_, Problem>(replayed)
        })
        .await?;
    Ok(Json(ReplayedBody { replayed }))
}
