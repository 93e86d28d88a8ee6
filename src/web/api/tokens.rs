//! Tokens: of one's own tenant for its admins, of any tenant and of the operator for the operator.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, ApiOperator, List, PageQuery};
use crate::access::{self, NewToken, Scope, Scopes};
use crate::base::{ClientId, TenantId, TokenId};
use crate::db::Transactional as _;
use crate::sync;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(
    create,
    list,
    revoke,
    create_for_tenant,
    list_of_tenant,
    revoke_of_tenant,
    create_for_operator,
    list_of_operator,
    revoke_of_operator
))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(create)
        .service(list)
        .service(revoke)
        .service(create_for_tenant)
        .service(list_of_tenant)
        .service(revoke_of_tenant)
        .service(create_for_operator)
        .service(list_of_operator)
        .service(revoke_of_operator);
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenOrder {
    /// Its name, which is also the name of the client that uses it.
    name: String,
    /// What it opens: scim:read, scim:write, provisioning:read, admin, sensitive:read.
    #[serde(default)]
    scopes: Vec<String>,
    /// For how long: a number and m, h or d, such as 90d. For ever when absent.
    expires_in: Option<String>,
    /// The connection (with connector scim) that the client writes into, by name; the directory when absent. A client
    /// that is there already stays where it writes.
    connection: Option<String>,
}

impl TokenOrder {
    fn checked(&self, tenant: Option<TenantId>, now: DateTime<Utc>) -> Result<NewToken, Problem> {
        let scopes = self
            .scopes
            .iter()
            .map(|name| {
                name.parse::<Scope>()
                    .map_err(|error| Problem::unprocessable("invalid", error.to_string()))
            })
            .collect::<Result<Scopes, Problem>>()?;
        if tenant.is_none() && !scopes.is_empty() {
            return Err(Problem::unprocessable(
                "invalid",
                "a token of the operator has no scopes",
            ));
        }
        if tenant.is_none() && self.connection.is_some() {
            return Err(Problem::unprocessable(
                "invalid",
                "a token of the operator writes into no connection",
            ));
        }
        let expires_at = self
            .expires_in
            .as_deref()
            .map(|text| access::end_of(text, now))
            .transpose()?;
        Ok(NewToken {
            tenant,
            name: self.name.parse()?,
            scopes,
            expires_at,
        })
    }
}

/// A token; its secret is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
struct TokenBody {
    #[schema(value_type = String, format = Uuid)]
    id: TokenId,
    /// The client that uses it; absent for the operator's.
    #[schema(value_type = Option<String>, format = Uuid)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
    name: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    /// The token itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<access::TokenView> for TokenBody {
    fn from(view: access::TokenView) -> Self {
        Self {
            id: view.id,
            client: view.client,
            name: view.name,
            scopes: view.scopes.names(),
            created_at: view.created_at,
            expires_at: view.expires_at,
            revoked_at: view.revoked_at,
            last_used_at: view.last_used_at,
            token: None,
        }
    }
}

async fn made(
    state: &State,
    new: &NewToken,
    connection: Option<&str>,
    actor: &str,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let mut conn = state.db.conn().await?;
    let (view, secret) = conn
        .transaction(async |conn| {
            if let (Some(connection), Some(tenant)) = (connection, new.tenant) {
                let connection = sync::inbound_connection(conn, tenant, connection).await?;
                access::client_into(conn, tenant, &new.name, connection, now).await?;
            }
            Ok::<_, Problem>(access::create_token(conn, new, actor, now).await?)
        })
        .await?;
    let mut body = TokenBody::from(view);
    body.token = Some(secret.expose().to_owned());
    Ok(HttpResponse::Created().json(body))
}

async fn listed(
    state: &State,
    tenant: Option<TenantId>,
    page: &PageQuery,
) -> Result<Json<List<TokenBody>>, Problem> {
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let tokens = access::tokens(&mut conn, tenant, page.after()?, limit.saturating_add(1)).await?;
    let items = tokens.into_iter().map(TokenBody::from).collect();
    Ok(Json(List::page(items, limit, |token: &TokenBody| {
        token.id.to_string()
    })))
}

async fn revoked(
    state: &State,
    tenant: Option<TenantId>,
    id: &str,
    actor: &str,
) -> Result<HttpResponse, Problem> {
    let id: TokenId = id.parse().map_err(|_| access::Error::NoSuchToken)?;
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| access::revoke_token(conn, tenant, id, actor, state.clock.now()).await)
        .await?;
    state.doorkeeper.forget();
    Ok(HttpResponse::NoContent().finish())
}

async fn tenant_of_path(state: &State, which: &str) -> Result<TenantId, Problem> {
    let mut conn = state.db.conn().await?;
    Ok(access::find_tenant(&mut conn, which).await?.id)
}

/// Makes a token of one's own tenant. It opens nothing that the caller's own token does not open.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 201, body = TokenBody)),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/tokens")]
async fn create(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    body: Json<TokenOrder>,
) -> Result<HttpResponse, Problem> {
    let new = body.checked(Some(caller.tenant), state.clock.now())?;
    if let Some(scope) = new.scopes.iter().find(|scope| !caller.may(*scope)) {
        return Err(Problem::forbidden(format!(
            "a token without the scope {scope} cannot give it"
        )));
    }
    made(&state, &new, body.connection.as_deref(), &caller.actor()).await
}

/// Lists the tokens of one's own tenant, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, body = List<TokenBody>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/tokens")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    page: Query<PageQuery>,
) -> Result<Json<List<TokenBody>>, Problem> {
    listed(&state, Some(caller.tenant), &page).await
}

/// Revokes a token of one's own tenant, at once.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "no such token")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/tokens/{id}")]
async fn revoke(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    revoked(&state, Some(caller.tenant), &id, &caller.actor()).await
}

/// Makes a token of a tenant.
#[utoipa::path(
    post, path = "/api/v1/tenants/{tenant}/tokens", tag = "tokens", request_body = TokenOrder,
    params(("tenant" = String, Path, description = "its name or id")),
    responses((status = 201, body = TokenBody), (status = 404, description = "no such tenant")),
    security(("token" = ["operator"])),
)]
#[post("/api/v1/tenants/{tenant}/tokens")]
async fn create_for_tenant(
    state: Data<State>,
    operator: ApiOperator,
    tenant: Path<String>,
    body: Json<TokenOrder>,
) -> Result<HttpResponse, Problem> {
    let tenant = tenant_of_path(&state, &tenant).await?;
    let new = body.checked(Some(tenant), state.clock.now())?;
    made(&state, &new, body.connection.as_deref(), &operator.actor()).await
}

/// Lists the tokens of a tenant, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/tenants/{tenant}/tokens", tag = "tokens",
    params(("tenant" = String, Path, description = "its name or id"), PageQuery),
    responses((status = 200, body = List<TokenBody>), (status = 404, description = "no such tenant")),
    security(("token" = ["operator"])),
)]
#[get("/api/v1/tenants/{tenant}/tokens")]
async fn list_of_tenant(
    state: Data<State>,
    _operator: ApiOperator,
    tenant: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<TokenBody>>, Problem> {
    let tenant = tenant_of_path(&state, &tenant).await?;
    listed(&state, Some(tenant), &page).await
}

/// Revokes a token of a tenant, at once.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{tenant}/tokens/{id}", tag = "tokens",
    params(("tenant" = String, Path, description = "its name or id"), ("id" = String, Path)),
    responses((status = 204), (status = 404, description = "no such tenant or token")),
    security(("token" = ["operator"])),
)]
#[delete("/api/v1/tenants/{tenant}/tokens/{id}")]
async fn revoke_of_tenant(
    state: Data<State>,
    operator: ApiOperator,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (tenant, id) = path.into_inner();
    let tenant = tenant_of_path(&state, &tenant).await?;
    revoked(&state, Some(tenant), &id, &operator.actor()).await
}

/// Makes a token of the operator.
#[utoipa::path(
    post, path = "/api/v1/operator/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 201, body = TokenBody)),
    security(("token" = ["operator"])),
)]
#[post("/api/v1/operator/tokens")]
async fn create_for_operator(
    state: Data<State>,
    operator: ApiOperator,
    body: Json<TokenOrder>,
) -> Result<HttpResponse, Problem> {
    let new = body.checked(None, state.clock.now())?;
    made(&state, &new, None, &operator.actor()).await
}

/// Lists the tokens of the operator, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/operator/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, body = List<TokenBody>)),
    security(("token" = ["operator"])),
)]
#[get("/api/v1/operator/tokens")]
async fn list_of_operator(
    state: Data<State>,
    _operator: ApiOperator,
    page: Query<PageQuery>,
) -> Result<Json<List<TokenBody>>, Problem> {
    listed(&state, None, &page).await
}

/// Revokes a token of the operator, at once.
#[utoipa::path(
    delete, path = "/api/v1/operator/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "no such token")),
    security(("token" = ["operator"])),
)]
#[delete("/api/v1/operator/tokens/{id}")]
async fn revoke_of_operator(
    state: Data<State>,
    operator: ApiOperator,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    revoked(&state, None, &id, &operator.actor()).await
}
