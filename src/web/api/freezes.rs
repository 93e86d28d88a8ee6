//! Freezing: a tenant, an app, a connection or a client has no effect until somebody thaws it.

use actix_web::web::{Data, Json, ServiceConfig};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, ProvisioningRead};
use crate::base::TenantId;
use crate::db::{Conn, Transactional as _};
use crate::insight::FrozenView;
use crate::{access, audit, delivery, guard, insight, provision};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, freeze, thaw))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(freeze).service(thaw);
}

/// Something that is frozen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FrozenBody {
    /// tenant, app, connection or client.
    what: &'static str,
    /// Its name; null for the whole tenant.
    name: Option<String>,
    since: DateTime<Utc>,
    reason: String,
    /// The token that froze it, or `cap`.
    by: String,
}

impl From<FrozenView> for FrozenBody {
    fn from(view: FrozenView) -> Self {
        Self {
            what: view.what,
            name: view.name,
            since: view.since,
            reason: view.reason,
            by: view.by,
        }
    }
}

/// What to freeze or thaw: one of these, or the whole tenant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct FreezeOrder {
    /// The name of an app: nothing is pushed to it.
    app: Option<String>,
    /// The name of a connection: its plans wait for approval.
    connection: Option<String>,
    /// The name or id of a SCIM client: it may read but not write.
    client: Option<String>,
    /// Why, shown to whoever meets the freeze.
    reason: Option<String>,
}

impl FreezeOrder {
    async fn owner(
        &self,
        state: &State,
        conn: &mut Conn,
        tenant: TenantId,
    ) -> Result<(Uuid, String), Problem> {
        Ok(match (&self.app, &self.connection, &self.client) {
            (None, None, None) => (tenant.uuid(), "tenant".to_owned()),
            (Some(app), None, None) => {
                let id = provision::app(conn, tenant, app).await?.id.uuid();
                (id, format!("app:{id}"))
            }
            (None, Some(connection), None) => {
                let id = state.sync.connection(tenant, connection).await?.id.uuid();
                (id, format!("connection:{id}"))
            }
            (None, None, Some(client)) => {
                let id = access::find_client(conn, tenant, client).await?.id.uuid();
                (id, format!("client:{id}"))
            }
            _ => {
                return Err(Problem::unprocessable(
                    "invalid",
                    "name one of app, connection and client, or none for the whole tenant",
                ));
            }
        })
    }
}

/// Everything that is frozen.
#[utoipa::path(
    get, path = "/api/v1/freezes", tag = "freezes", responses((status = 200, body = List<FrozenBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/freezes")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<List<FrozenBody>>, Problem> {
    let mut conn = state.db.conn().await?;
    let found = insight::frozen(&mut conn, caller.tenant).await?;
    let items = found.into_iter().map(FrozenBody::from).collect();
    Ok(Json(List { items, next: None }))
}

/// Freezes an app, a connection, a client, or the whole tenant. What is frozen already stays as it is.
#[utoipa::path(
    post, path = "/api/v1/freeze", tag = "freezes", request_body = FreezeOrder,
    responses((status = 200, body = List<FrozenBody>), (status = 404, description = "no such app, connection or client")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/freeze")]
async fn freeze(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    order: Json<FreezeOrder>,
) -> Result<Json<List<FrozenBody>>, Problem> {
    let now = state.clock.now();
    let reason = order
        .reason
        .clone()
        .unwrap_or_else(|| "an admin froze it".to_owned());
    if reason.chars().count() > LONGEST_REASON {
        return Err(Problem::unprocessable(
            "invalid",
            "a reason has at most 500 characters",
        ));
    }
    let (tenant, actor) = (caller.tenant, caller.actor());
    let mut conn = state.db.conn().await?;
    let (owner, subject) = order.owner(&state, &mut conn, tenant).await?;
    conn.transaction(async |conn| {
        guard::freeze(conn, tenant, owner, &reason, &actor, now).await?;
        let detail = json!({ "reason": reason });
        audit::note(conn, Some(tenant), now, &actor, "freeze", &subject, detail).await?;
        Ok::<_, guard::Error>(())
    })
    .await?;
    state.doorkeeper.forget();
    let found = insight::frozen(&mut conn, tenant).await?;
    let items = found.into_iter().map(FrozenBody::from).collect();
    Ok(Json(List { items, next: None }))
}

/// Lifts a freeze; the 24 hours of a client's caps begin anew. Gives what is still frozen.
#[utoipa::path(
    post, path = "/api/v1/thaw", tag = "freezes", request_body = FreezeOrder,
    responses((status = 200, body = List<FrozenBody>), (status = 404, description = "no such app, connection or client")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/thaw")]
async fn thaw(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    order: Json<FreezeOrder>,
) -> Result<Json<List<FrozenBody>>, Problem> {
    let now = state.clock.now();
    let (tenant, actor) = (caller.tenant, caller.actor());
    let mut conn = state.db.conn().await?;
    let (owner, subject) = order.owner(&state, &mut conn, tenant).await?;
    conn.transaction(async |conn| {
        if guard::thaw(conn, tenant, owner).await? {
            if order.app.is_some() {
                delivery::allow_waiting(conn, (tenant, owner.into()), now).await?;
            }
            audit::note(conn, Some(tenant), now, &actor, "thaw", &subject, json!({})).await?;
        }
        Ok::<_, delivery::Error>(())
    })
    .await?;
    state.doorkeeper.forget();
    state.db.signals().accounts_wait();
    let found = insight::frozen(&mut conn, tenant).await?;
    let items = found.into_iter().map(FrozenBody::from).collect();
    Ok(Json(List { items, next: None }))
}
