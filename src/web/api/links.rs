//! Whose an app's account is, said by hand.

use actix_web::post;
use actix_web::web::{Data, Json, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::base::ResourceId;
use crate::db::Transactional as _;
use crate::delivery;
use crate::provision::{self, Rules};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(link, unlink))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(link).service(unlink);
}

/// Which account is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkOrder {
    /// The app's id of the account; it is listed as unmatched.
    remote_id: String,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
struct LinkBody {
    #[schema(value_type = String, format = Uuid)]
    user: ResourceId,
    /// The app's id of the account.
    remote_id: String,
    linked: bool,
}

fn id_of(text: &str) -> Result<ResourceId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no user {text}")))
}

/// Says that an account which nobody of ours has is this user's; it is brought to what the user should have there.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/accounts/{user}/link", tag = "apps",
    params(("name" = String, Path), ("user" = String, Path)), request_body = LinkOrder,
    responses(
        (status = 200, body = LinkBody),
        (status = 404, description = "no such app or account"),
        (status = 409, description = "the account is protected, or the user has another one"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/accounts/{user}/link")]
async fn link(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
    order: Json<LinkOrder>,
) -> Result<Json<LinkBody>, Problem> {
    let (name, user) = path.into_inner();
    let user = id_of(&user)?;
    let (now, actor, tenant) = (state.clock.now(), caller.actor(), caller.tenant);
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, tenant, &name).await?;
    let revision = provision::draft(&mut conn, tenant, &app).await?;
    let kind = state
        .directory
        .kind(&mut conn, tenant, "User")
        .await
        .map_err(|error| Problem::internal(&error))?;
    let rules = Rules::compile(revision.settings, &kind).map_err(provision::Error::Settings)?;
    let remote_id = order.remote_id.clone();
    conn.transaction::<_, delivery::Error, _>(async |conn| {
        delivery::link(conn, (tenant, app.id), (user, &remote_id), &rules, &actor, now).await
    })
    .await?;
    state.db.signals().accounts_wait();
    Ok(Json(LinkBody {
        user,
        remote_id,
        linked: true,
    }))
}

/// Cuts the link of a user to its account in the app: it is listed as unmatched from then on, and the user gets no other
/// one before somebody links it. Nothing in the app is changed.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/accounts/{user}/unlink", tag = "apps",
    params(("name" = String, Path), ("user" = String, Path)),
    responses(
        (status = 200, body = LinkBody),
        (status = 404, description = "no such app or account"),
        (status = 409, description = "a call about the account is under way"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/accounts/{user}/unlink")]
async fn unlink(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
) -> Result<Json<LinkBody>, Problem> {
    let (name, user) = path.into_inner();
    let user = id_of(&user)?;
    let (now, actor, tenant) = (state.clock.now(), caller.actor(), caller.tenant);
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, tenant, &name).await?;
    let remote_id = conn
        .transaction::<_, delivery::Error, _>(async |conn| {
            delivery::unlink(conn, (tenant, app.id), user, &actor, now).await
        })
        .await?;
    Ok(Json(LinkBody {
        user,
        remote_id,
        linked: false,
    }))
}
