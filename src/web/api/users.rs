//! Users as API clients seek them, who hold an e-mail address or a payroll number, not our id.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::apps::AccountBody;
use super::past::AtQuery;
use super::{ApiCaller, List, ProvisioningRead};
use crate::base::{PersonId, ResourceId};
use crate::delivery;
use crate::insight::{self, By};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(find, provisioning))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(find).service(provisioning);
}

/// Somebody who was found.
#[derive(Debug, Serialize, ToSchema)]
struct UserBody {
    /// The user; null for people who have none.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<ResourceId>,
    /// The person; null for users that no HR system knows.
    #[schema(value_type = Option<String>, format = Uuid)]
    person: Option<PersonId>,
    user_name: Option<String>,
    display_name: Option<String>,
    active: Option<bool>,
}

/// Whom to seek: exactly one of these.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct UserQuery {
    /// Any e-mail address of the user, or the work address in HR.
    email: Option<String>,
    /// The user's name.
    user_name: Option<String>,
    /// The employee number.
    employee_number: Option<String>,
    /// The record's id in the HR system.
    source_id: Option<String>,
    /// What any client, or HR, calls the user.
    external_id: Option<String>,
}

impl UserQuery {
    fn by(self) -> Result<By, Problem> {
        let given: Vec<By> = [
            self.email.map(By::Email),
            self.user_name.map(By::UserName),
            self.employee_number.map(By::EmployeeNumber),
            self.source_id.map(By::SourceId),
            self.external_id.map(By::ExternalId),
        ]
        .into_iter()
        .flatten()
        .collect();
        match <[By; 1]>::try_from(given) {
            Ok([by]) => Ok(by),
            Err(_) => Err(Problem::bad_request(
                "invalid-query",
                "give exactly one of email, user_name, employee_number, source_id, external_id",
            )),
        }
    }
}

/// Finds people and users by what the asker holds.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(UserQuery), responses((status = 200, body = List<UserBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users")]
async fn find(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<UserQuery>,
) -> Result<Json<List<UserBody>>, Problem> {
    let by = query.into_inner().by()?;
    let mut conn = state.db.conn().await?;
    let asker = (caller.tenant, caller.token);
    let found = insight::find(&mut conn, &state.directory, asker, &by, state.clock.now()).await?;
    let items = found
        .into_iter()
        .map(|person| UserBody {
            id: person.user,
            person: person.person,
            user_name: person.user_name,
            display_name: person.display_name,
            active: person.active,
        })
        .collect();
    Ok(Json(List { items, next: None }))
}

/// What each app holds of a user.
#[derive(Debug, Serialize, ToSchema)]
struct ProvisioningBody {
    accounts: Vec<AccountBody>,
}

/// What each app holds of a user or group, and why; with `at` as it stood at that instant.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/provisioning", tag = "users", params(("id" = String, Path), AtQuery),
    responses((status = 200, body = ProvisioningBody), (status = 404, description = "no such user")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users/{id}/provisioning")]
async fn provisioning(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<AtQuery>,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::not_found("there is no such user");
    let id: ResourceId = id.parse().map_err(|_| unknown())?;
    let mut conn = state.db.conn().await?;
    if let Some(at) = query.at {
        let accounts = insight::accounts_at(&mut conn, caller.tenant, id, at).await?;
        return Ok(HttpResponse::Ok().json(json!({ "at": at, "accounts": accounts })));
    }
    let found = delivery::accounts_of(&mut conn, caller.tenant, id).await?;
    if found.is_empty() && !delivery::is_there(&mut conn, &state.directory, caller.tenant, id).await? {
        return Err(unknown());
    }
    Ok(HttpResponse::Ok().json(ProvisioningBody {
        accounts: found.into_iter().map(AccountBody::of).collect(),
    }))
}
