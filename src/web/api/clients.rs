//! SCIM clients: what is particular about each, for the admins of its tenant.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{get, patch};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery};
use crate::access::{self, ClientView, Profile, ProfileChange};
use crate::base::{ClientId, ConnectionId};
use crate::db::Transactional as _;
use crate::directory::{Want, realm_of};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, show, change))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(show).service(change);
}

/// A SCIM client. It is made with its first token and stays when tokens change.
#[derive(Debug, Serialize, ToSchema)]
struct ClientBody {
    #[schema(value_type = String, format = Uuid)]
    id: ClientId,
    name: String,
    /// Its settings: dialect (standard, entra, strict), user (the resource that /Me leads to), rate
    /// ({per_second, burst}), caps ({create, disable, delete, clear}, each {percent, count} in 24 hours), patch_answer
    /// (resource, nothing), unknown_members (refuse, leave_out). What is absent is as the standard has it.
    #[schema(value_type = Object)]
    profile: Profile,
    /// The connection it writes into; absent when it writes into the directory.
    #[schema(value_type = Option<String>, format = Uuid)]
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionId>,
    created_at: DateTime<Utc>,
}

impl From<ClientView> for ClientBody {
    fn from(view: ClientView) -> Self {
        Self {
            id: view.id,
            name: view.name,
            profile: view.profile,
            connection: view.connection,
            created_at: view.created_at,
        }
    }
}

/// A change of a client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClientChange {
    /// The settings to change: null drops one, those not named stay.
    #[schema(value_type = Object)]
    profile: ProfileChange,
}

/// Lists the SCIM clients of one's own tenant.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients", params(PageQuery),
    responses((status = 200, body = List<ClientBody>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/clients")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    page: Query<PageQuery>,
) -> Result<Json<List<ClientBody>>, Problem> {
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let clients = access::clients(&mut conn, caller.tenant, page.after()?, limit.saturating_add(1)).await?;
    let items = clients.into_iter().map(ClientBody::from).collect();
    Ok(Json(List::page(items, limit, |client: &ClientBody| {
        client.id.to_string()
    })))
}

/// Shows a SCIM client.
#[utoipa::path(
    get, path = "/api/v1/clients/{client}", tag = "clients",
    params(("client" = String, Path, description = "its name or id")),
    responses((status = 200, body = ClientBody), (status = 404, description = "no such client")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/clients/{client}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    which: Path<String>,
) -> Result<Json<ClientBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let found = access::find_client(&mut conn, caller.tenant, &which).await?;
    Ok(Json(found.into()))
}

/// Changes the settings of a SCIM client, for its next request.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client}", tag = "clients", request_body = ClientChange,
    params(("client" = String, Path, description = "its name or id")),
    responses(
        (status = 200, body = ClientBody),
        (status = 404, description = "no such client"),
        (status = 422, description = "the user that /Me is to lead to does not exist"),
    ),
    security(("token" = ["admin"])),
)]
#[patch("/api/v1/clients/{client}")]
async fn change(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    which: Path<String>,
    body: Json<ClientChange>,
) -> Result<Json<ClientBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let mut found = access::find_client(&mut conn, caller.tenant, &which).await?;
    if let Some(user) = body.profile.user() {
        let home = found.connection.map_or(caller.tenant, realm_of);
        let target = (home, user, "User");
        let there = state
            .directory
            .get(&mut conn, target, None, Want::default())
            .await;
        let there = there.map_err(|error| Problem::internal(&error))?;
        if there.is_none() {
            let detail =
                format!("there is no user {user} among those that the client sees: /Me would lead nowhere");
            return Err(Problem::unprocessable("no-such-user", detail));
        }
    }
    found.profile = conn
        .transaction(async |conn| {
            let (actor, now) = (caller.actor(), state.clock.now());
            access::change_profile(conn, caller.tenant, found.id, &body.profile, &actor, now).await
        })
        .await?;
    state.doorkeeper.forget();
    Ok(Json(found.into()))
}
