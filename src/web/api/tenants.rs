//! Tenants: for the operator.

use actix_web::web::{Data, Json, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{ApiOperator, List, PageQuery};
use crate::access;
use crate::base::TenantId;
use crate::db::Transactional as _;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(create, list))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(create).service(list);
}

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// Its name: 1 to 100 characters, unique.
    name: String,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
struct TenantBody {
    #[schema(value_type = String, format = Uuid)]
    id: TenantId,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<access::Tenant> for TenantBody {
    fn from(tenant: access::Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name,
            created_at: tenant.created_at,
        }
    }
}

/// Makes a tenant.
#[utoipa::path(
    post, path = "/api/v1/tenants", tag = "tenants", request_body = NewTenant,
    responses((status = 201, body = TenantBody), (status = 409, description = "the name is taken")),
    security(("token" = ["operator"])),
)]
#[post("/api/v1/tenants")]
async fn create(
    state: Data<State>,
    operator: ApiOperator,
    body: Json<NewTenant>,
) -> Result<HttpResponse, Problem> {
    let name: access::Name = body.name.parse()?;
    let mut conn = state.db.conn().await?;
    let tenant = conn
        .transaction(async |conn| {
            access::create_tenant(conn, &name, &operator.actor(), state.clock.now()).await
        })
        .await?;
    Ok(HttpResponse::Created().json(TenantBody::from(tenant)))
}

/// Lists the tenants.
#[utoipa::path(
    get, path = "/api/v1/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = List<TenantBody>)),
    security(("token" = ["operator"])),
)]
#[get("/api/v1/tenants")]
async fn list(
    state: Data<State>,
    _operator: ApiOperator,
    page: Query<PageQuery>,
) -> Result<Json<List<TenantBody>>, Problem> {
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let tenants = access::tenants(&mut conn, page.after()?, limit.saturating_add(1)).await?;
    let items = tenants.into_iter().map(TenantBody::from).collect();
    Ok(Json(List::page(items, limit, |tenant: &TenantBody| {
        tenant.id.to_string()
    })))
}
