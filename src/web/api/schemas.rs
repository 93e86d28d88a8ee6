//! A tenant's own schemas and resource types.

use std::sync::Arc;

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{delete, get, post};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List};
use crate::base::TenantId;
use crate::db::{Conn, Transactional as _};
use crate::directory::{Defined, Error};
use crate::provision;
use crate::scim::define::{self, Definitions, Flaw};
use crate::scim::{Registry, ResourceType, discovery};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, show, apply, remove, list_types, show_type, remove_type))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(show)
        .service(apply)
        .service(remove)
        .service(list_types)
        .service(show_type)
        .service(remove_type);
}

/// A schema or resource type in a list.
#[derive(Debug, Serialize, ToSchema)]
struct Item {
    /// URN of a schema, name of a type.
    name: String,
    description: String,
    /// Whether the tenant defined it; of a type that comes with the program, whether the tenant extends it.
    own: bool,
    /// Of a schema the resource types that have it, of a type its core schema and its extensions.
    used: Vec<String>,
}

/// What became of one definition.
#[derive(Debug, Serialize, ToSchema)]
struct DefinedBody {
    /// schema or type.
    kind: &'static str,
    /// URN of a schema, name of a type.
    name: String,
    /// created, changed, unchanged or removed.
    outcome: &'static str,
}

fn done(defined: Vec<Defined>) -> Json<List<DefinedBody>> {
    let items = defined
        .into_iter()
        .map(|one| DefinedBody {
            kind: one.kind,
            name: one.name,
            outcome: one.outcome,
        })
        .collect();
    Json(List { items, next: None })
}

async fn registry(state: &State, caller: &ApiCaller<Admin>) -> Result<Arc<Registry>, Problem> {
    let mut conn = state.db.conn().await?;
    state
        .directory
        .registry(&mut conn, caller.tenant)
        .await
        .map_err(problem)
}

/// Lists the schemas: what comes with the program, and the tenant's own.
#[utoipa::path(
    get, path = "/api/v1/schemas", tag = "schemas",
    responses((status = 200, body = List<Item>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/schemas")]
async fn list(state: Data<State>, caller: ApiCaller<Admin>) -> Result<Json<List<Item>>, Problem> {
    let registry = registry(&state, &caller).await?;
    let builtin = Registry::builtin();
    let items = registry
        .schemas()
        .map(|schema| Item {
            name: schema.id.clone(),
            description: text(&schema.definition, "description"),
            own: builtin.schema(&schema.id).is_none(),
            used: registry
                .kinds()
                .filter(|kind| kind.schema.id == schema.id || kind.extension(&schema.id).is_some())
                .map(|kind| kind.name.clone())
                .collect(),
        })
        .collect();
    Ok(Json(List { items, next: None }))
}

/// Shows a schema, every characteristic written out (RFC 7643 §7).
#[utoipa::path(
    get, path = "/api/v1/schemas/{urn}", tag = "schemas", params(("urn" = String, Path)),
    responses((status = 200, body = Object), (status = 404, description = "no such schema")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/schemas/{urn}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    urn: Path<String>,
) -> Result<Json<Value>, Problem> {
    let registry = registry(&state, &caller).await?;
    let schema = registry.schema(&urn).ok_or_else(unknown)?;
    Ok(Json(schema.definition.clone()))
}

/// Adds schemas and resource types, or puts them in place of those of the same name: all of the document or nothing.
#[utoipa::path(
    post, path = "/api/v1/schemas", tag = "schemas", request_body = Object,
    responses(
        (status = 200, body = List<DefinedBody>),
        (status = 409, description = "resources have values that the change would make invalid: see errors"),
        (status = 422, description = "the definitions cannot be used: see errors"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/schemas")]
async fn apply(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    document: Json<Value>,
) -> Result<Json<List<DefinedBody>>, Problem> {
    let given = define::read(&document).map_err(|flaws| problem(Error::Definitions(flaws)))?;
    carry_out(&state, &caller, Order::Define(given)).await
}

/// What is to become of a tenant's definitions.
enum Order<'a> {
    Define(Definitions),
    Schema(&'a str),
    Type(&'a str),
}

/// Carries it out in one transaction, and forgets what this process knew of them.
async fn carry_out(
    state: &State,
    caller: &ApiCaller<Admin>,
    order: Order<'_>,
) -> Result<Json<List<DefinedBody>>, Problem> {
    let (directory, tenant, actor) = (&state.directory, caller.tenant, caller.actor());
    let by = (actor.as_str(), state.clock.now());
    let mut conn = state.db.conn().await?;
    let defined = conn
        .transaction(async |conn| {
            let before = users(state, conn, tenant).await?;
            let defined = match order {
                Order::Define(given) => directory.define(conn, tenant, given, by).await,
                Order::Schema(urn) => directory.undefine_schema(conn, tenant, urn, by).await,
                Order::Type(name) => directory.undefine_type(conn, tenant, name, by).await,
            };
            let defined = defined.map_err(problem)?;
            let after = users(state, conn, tenant).await?;
            heed_settings(state, conn, tenant, (&before, &after)).await?;
            Ok::<_, Problem>(defined)
        })
        .await?;
    directory.forget_registries();
    Ok(done(defined))
}

/// The type of the tenant's users by the definitions that this transaction sees.
async fn users(state: &State, conn: &mut Conn, tenant: TenantId) -> Result<Arc<ResourceType>, Problem> {
    let own = state.directory.definitions(conn, tenant).await.map_err(problem)?;
    let registry = Registry::builtin().with(&own.schemas, &own.kinds);
    let registry = registry.map_err(|error| Problem::internal(&error))?;
    let users = registry.kind("User").cloned();
    users.ok_or_else(unknown)
}

/// Refuses a change after which a connection's or an app's settings, drafted or live, would not work any more.
async fn heed_settings(
    state: &State,
    conn: &mut Conn,
    tenant: TenantId,
    (before, after): (&Arc<ResourceType>, &Arc<ResourceType>),
) -> Result<(), Problem> {
    let mut flaws: Vec<Flaw> = Vec::new();
    for (name, wrong) in state.sync.broken_by(conn, tenant, (before, after)).await? {
        flaws.push(Flaw {
            at: format!("connection {name}"),
            message: format!("{}: {}", wrong.at.unwrap_or_default(), wrong.message),
        });
    }
    for (name, wrong) in provision::broken_by(conn, tenant, (before, after)).await? {
        flaws.push(Flaw {
            at: format!("app {name}"),
            message: format!("{}: {}", wrong.at, wrong.message),
        });
    }
    if flaws.is_empty() {
        return Ok(());
    }
    let detail = "settings name what would be gone: change these first, see errors";
    Err(Problem::conflict("in-use", detail).with("errors", json!(flaws)))
}

/// Takes one of the tenant's schemas away, and from the types that it extends.
#[utoipa::path(
    delete, path = "/api/v1/schemas/{urn}", tag = "schemas", params(("urn" = String, Path)),
    responses(
        (status = 200, body = List<DefinedBody>),
        (status = 404, description = "the tenant has no such schema"),
        (status = 409, description = "it is in use: see errors"),
    ),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/schemas/{urn}")]
async fn remove(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    urn: Path<String>,
) -> Result<Json<List<DefinedBody>>, Problem> {
    carry_out(&state, &caller, Order::Schema(&urn)).await
}

/// Lists the resource types: what comes with the program, and the tenant's own.
#[utoipa::path(
    get, path = "/api/v1/resource-types", tag = "schemas",
    responses((status = 200, body = List<Item>)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/resource-types")]
async fn list_types(state: Data<State>, caller: ApiCaller<Admin>) -> Result<Json<List<Item>>, Problem> {
    let registry = registry(&state, &caller).await?;
    let builtin = Registry::builtin();
    let items = registry
        .kinds()
        .map(|kind| Item {
            name: kind.name.clone(),
            description: kind.description.clone(),
            own: builtin
                .kind(&kind.name)
                .is_none_or(|shipped| shipped.extensions.len() < kind.extensions.len()),
            used: std::iter::once(&kind.schema)
                .chain(kind.extensions.iter().map(|extension| &extension.schema))
                .map(|schema| schema.id.clone())
                .collect(),
        })
        .collect();
    Ok(Json(List { items, next: None }))
}

/// Shows a resource type (RFC 7643 §6).
#[utoipa::path(
    get, path = "/api/v1/resource-types/{name}", tag = "schemas", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, description = "no such type")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/resource-types/{name}")]
async fn show_type(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<Value>, Problem> {
    let registry = registry(&state, &caller).await?;
    let kind = registry.kind_called(&name).ok_or_else(unknown)?;
    Ok(Json(discovery::resource_type(kind, &state.link("/scim/v2"))))
}

/// Takes one of the tenant's resource types away; of a type that comes with the program, what the tenant added to it.
#[utoipa::path(
    delete, path = "/api/v1/resource-types/{name}", tag = "schemas", params(("name" = String, Path)),
    responses(
        (status = 200, body = List<DefinedBody>),
        (status = 404, description = "the tenant has no such type"),
        (status = 409, description = "it is in use: see errors"),
    ),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/resource-types/{name}")]
async fn remove_type(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<List<DefinedBody>>, Problem> {
    carry_out(&state, &caller, Order::Type(&name)).await
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn unknown() -> Problem {
    Problem::not_found("the tenant has no such schema or resource type")
}

fn problem(error: Error) -> Problem {
    let listed = |problem: Problem, flaws: Vec<Flaw>| problem.with("errors", json!(flaws));
    match error {
        Error::Definitions(flaws) => listed(
            Problem::unprocessable("invalid-definition", "the definitions cannot be used: see errors"),
            flaws,
        ),
        Error::InUse(flaws) => listed(
            Problem::conflict("in-use", "resources stand against the change: see errors"),
            flaws,
        ),
        Error::NotFound => unknown(),
        Error::Store(error) => error.into(),
        error => Problem::internal(&error),
    }
}
