//! Ending somebody's access by hand, and removing a user.

use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{delete, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller};
use crate::base::ResourceId;
use crate::delivery::{Objection, objections};
use crate::lifecycle::Period;
use crate::sync::EndOrder;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(terminate, keep, remove))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(terminate).service(keep).service(remove);
}

fn id_of(text: &str) -> Result<ResourceId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("there is no such user"))
}

fn check_reason(reason: &str) -> Result<(), Problem> {
    if reason.chars().count() > 500 {
        return Err(Problem::unprocessable(
            "invalid",
            "a reason has at most 500 characters",
        ));
    }
    Ok(())
}

/// When and why somebody's access ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct TerminateOrder {
    /// The last day with access, by the clock of the person's zone; at once when absent.
    on: Option<NaiveDate>,
    /// Kept with the person and in the audit trail; at most 500 characters.
    reason: String,
    /// Goes on although apps have something against it, or do not answer; needs a reason.
    force: bool,
}

/// What apps have against it, unless somebody insists.
fn check_objections(found: &[Objection]) -> Result<(), Problem> {
    let said: Vec<String> = found
        .iter()
        .map(|objection| {
            let verb = if objection.vetoed {
                "says no"
            } else {
                "cannot be asked"
            };
            format!("app {} {verb}: {}", objection.app, objection.reason)
        })
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "nothing was ended. {}. Settle it there and order it again, or insist with `force` and a reason",
        said.join("; ")
    );
    Err(Problem::conflict("precondition", detail).with("objections", json!(found)))
}

/// What an order came to.
#[derive(Debug, Serialize, ToSchema)]
struct TerminateBody {
    /// When the access ends, in every app.
    ends_at: DateTime<Utc>,
    /// The last day with access.
    last_day: NaiveDate,
}

/// Ends the access of a person from HR by hand, on a day or at once; no policy of an app lengthens it. DELETE, or a
/// release, calls it off. Apps whose file has `[termination]` are asked first, before anything is done.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/terminate", tag = "users", request_body = TerminateOrder,
    params(("id" = String, Path)),
    responses(
        (status = 200, body = TerminateBody), (status = 404, description = "no such user"),
        (status = 409, description = "an app says no, or does not answer: see objections"),
        (status = 422, description = "no HR system knows this user, or force without a reason"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/users/{id}/terminate")]
async fn terminate(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<TerminateOrder>,
) -> Result<Json<TerminateBody>, Problem> {
    check_reason(&order.reason)?;
    if order.force && order.reason.trim().is_empty() {
        return Err(Problem::unprocessable("invalid", "force needs a reason"));
    }
    let (id, by) = (id_of(&id)?, (caller.token, &*caller.actor()));
    let asked = (&state.db, &state.net, &state.sealer, &state.clock);
    let found = objections(asked, caller.tenant, id, order.on).await?;
    if !order.force {
        check_objections(&found)?;
    }
    let order = EndOrder {
        on: order.on,
        reason: order.reason.clone(),
        overruled: found.iter().map(|objection| json!(objection)).collect(),
    };
    let ended = state.sync.terminate_user(caller.tenant, id, by, &order).await?;
    Ok(Json(TerminateBody {
        ends_at: ended.at,
        last_day: ended.last_day,
    }))
}

/// What was called off.
#[derive(Debug, Serialize, ToSchema)]
struct KeepBody {
    /// False: nothing was ended by hand.
    called_off: bool,
}

/// Calls off what was ended by hand: HR decides again.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/terminate", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = KeepBody), (status = 404, description = "no such user")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/users/{id}/terminate")]
async fn keep(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<KeepBody>, Problem> {
    let by = (caller.token, &*caller.actor());
    let called_off = state
        .sync
        .cancel_termination(caller.tenant, id_of(&id)?, by)
        .await?;
    Ok(Json(KeepBody { called_off }))
}

/// When and why a user is removed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RemoveOrder {
    /// The notice, such as 7d or 24h, of which the user is told; at once when absent.
    #[schema(value_type = Option<String>)]
    after: Option<Period>,
    /// Kept in the audit trail; at most 500 characters.
    reason: String,
}

/// When a user is removed.
#[derive(Debug, Serialize, ToSchema)]
struct RemoveBody {
    removed_at: DateTime<Utc>,
}

/// Removes a user outright, with its memberships. One from HR stays removed until it is released; until the notice has
/// passed, a release calls it off. Apps do what their deprovision.missing says.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/remove", tag = "users", request_body = RemoveOrder,
    params(("id" = String, Path)),
    responses((status = 200, body = RemoveBody), (status = 404, description = "no such user")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/users/{id}/remove")]
async fn remove(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<RemoveOrder>,
) -> Result<Json<RemoveBody>, Problem> {
    check_reason(&order.reason)?;
    let by = (caller.token, &*caller.actor());
    let after = order.after.map(|after| after.0);
    let removed_at = state
        .sync
        .remove_user(caller.tenant, id_of(&id)?, by, after, &order.reason)
        .await?;
    Ok(Json(RemoveBody { removed_at }))
}
