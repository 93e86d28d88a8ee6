//! How far a connection is on its way to its first run, and what its HR system's records hold.

use actix_web::get;
use actix_web::web::{Data, Json, Path, ServiceConfig};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::runs::RunBody;
use super::status::AppStatusBody;
use super::{Admin, ApiCaller, ProvisioningRead};
use crate::connector::Attributes;
use crate::insight;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(setup, attributes))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(setup).service(attributes);
}

/// How far a connection is.
#[derive(Debug, Serialize, ToSchema)]
struct SetupBody {
    connection: String,
    connector: String,
    /// The first step that is not done and cannot be left out; null when the connection works.
    next: Option<&'static str>,
    /// In their order: connector, settings, authorise, fields, mapping, scope, schedule, preview, publish, first_run. Each
    /// with done, optional, said (what is there, or what to do) and problems.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
    /// Where to click in the HR system, step by step.
    guide: String,
    /// Where to click: the address of the HR system, where it is known.
    page: Option<String>,
    /// How to limit, in the HR system, whom the credentials see.
    limit_access: String,
    /// The least permissions that are enough, in the HR system's own words.
    permissions: Vec<String>,
    /// The fields there are: name, area, places in the HR system's records, required, sensitive, chosen, filled.
    #[schema(value_type = Vec<Object>)]
    fields: Value,
    /// What the chosen fields are called in the HR system, to be ticked there.
    tick: Vec<String>,
    /// The attributes that are written: attribute, from, policy, clear_when_empty.
    #[schema(value_type = Vec<Object>)]
    mapping: Vec<Value>,
    /// The last dry run of these settings, with its counts.
    preview: Option<RunBody>,
    /// The last other run.
    last_run: Option<RunBody>,
    /// Accounts by state, per app: whether people arrived as expected.
    apps: Vec<AppStatusBody>,
}

/// Shows how far a connection is on its way to its first run: each step with what is done and what is missing. Every answer
/// is kept with the draft, so that one may leave and come back. Nobody outside is asked.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/setup", tag = "connections",
    params(("name" = String, Path)),
    responses((status = 200, body = SetupBody), (status = 404, description = "no such connection")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/connections/{name}/setup")]
async fn setup(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    name: Path<String>,
) -> Result<Json<SetupBody>, Problem> {
    let found = state.sync.onboarding(caller.tenant, &name).await?;
    let connector = state.catalogue.get(&found.connection.connector);
    let view = connector.map(|manifest| manifest.view());
    let mut conn = state.db.conn().await?;
    let apps = insight::status(&mut conn, caller.tenant, state.clock.now())
        .await?
        .apps;
    let tick = found.fields.iter().filter(|choice| choice.chosen);
    let tick = tick.flat_map(|choice| choice.field.places.clone()).collect();
    let name = found.connection.name.as_str();
    Ok(Json(SetupBody {
        next: found
            .steps
            .iter()
            .find(|step| !step.done && !step.optional)
            .map(|step| step.step),
        steps: json(&found.steps)?,
        guide: view.as_ref().map(|view| view.guide.clone()).unwrap_or_default(),
        page: found.page,
        limit_access: view
            .as_ref()
            .map(|view| view.limit_access.clone())
            .unwrap_or_default(),
        permissions: view.map(|view| view.permissions).unwrap_or_default(),
        fields: json(&found.fields)?,
        tick,
        mapping: found.mapping,
        preview: found.preview.map(|run| RunBody::of(run, name, None)),
        last_run: found.last_run.map(|run| RunBody::of(run, name, None)),
        apps: apps.into_iter().map(AppStatusBody::from).collect(),
        connection: name.to_owned(),
        connector: found.connection.connector,
    }))
}

/// Asks the HR system for one page and tells which attributes its records have, by path and without values: what a line of
/// `[custom]` may name. Ask again after an attribute was added there.
#[utoipa::path(
    get, path = "/api/v1/connections/{name}/attributes", tag = "connections",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Attributes),
        (status = 404, description = "no such connection"),
        (status = 502, description = "the HR system cannot be read"),
    ),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/connections/{name}/attributes")]
async fn attributes(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<Attributes>, Problem> {
    Ok(Json(state.sync.source_attributes(caller.tenant, &name).await?))
}

fn json(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::internal(&error))
}
