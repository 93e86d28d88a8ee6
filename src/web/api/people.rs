//! What is held of a person: export, erase; how long things are kept; whether the log is whole.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::user::{id_of, unknown};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::access::Scope;
use crate::audit;
use crate::db::{Checked, Transactional as _, check_chain};
use crate::privacy::{self, Accounts, Asked, Order, Period, Receipt};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(export, erase, erasures, retention, set_retention, verify))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(export)
        .service(erase)
        .service(erasures)
        .service(retention)
        .service(set_retention)
        .service(verify);
}

impl From<privacy::Error> for Problem {
    fn from(error: privacy::Error) -> Self {
        use privacy::Error as E;
        match error {
            E::Unknown => unknown(),
            E::OtherName => Self::unprocessable("other-name", error.to_string()),
            E::Invalid(said) => Self::unprocessable("invalid", said),
            E::Store(error) => error.into(),
            E::Reach(error) => error.into(),
            E::Delivery(error) => error.into(),
            E::Directory(_) | E::Identity(_) | E::Sealed(_) => Self::internal(&error),
        }
    }
}

/// All that is held of a person, by place: records, user, history, run outcomes, accounts, operations, holds, reviews,
/// events, audit entries and more. Sealed parts are opened for tokens with the scope sensitive:read, beside admin.
#[utoipa::path(
    get, path = "/api/v1/people/{id}/export", tag = "people",
    params(("id" = String, Path, description = "the person, its user, or the id it had before it was deleted")),
    responses((status = 200, body = Object), (status = 404, description = "nobody is known by that id")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/people/{id}/export")]
async fn export(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<Value>, Problem> {
    let asked = Asked {
        tenant: caller.tenant,
        id: id_of(&id)?,
        shows_sensitive: caller.may(Scope::SensitiveRead),
    };
    let mut conn = state.db.conn().await?;
    let all = conn
        .transaction(async |conn| {
            let all = privacy::export(conn, &state.sealer, asked).await?;
            let subject = format!("person:{}", asked.id);
            let detail = serde_json::json!({ "sensitive": asked.shows_sensitive });
            let (now, actor) = (state.clock.now(), caller.actor());
            let action = "person.export";
            audit::note(conn, Some(asked.tenant), now, &actor, action, &subject, detail).await?;
            Ok::<_, privacy::Error>(all)
        })
        .await?;
    Ok(Json(all))
}

/// How a person is erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EraseOrder {
    /// The user name, exactly, so that nobody is erased by a wrong id; absent for a person without a user.
    user_name: Option<String>,
    /// What becomes of the accounts in apps: leave, disable (each app takes its steps for people who are no longer
    /// there) or delete. disable when absent.
    #[schema(value_type = Option<String>)]
    accounts: Option<Accounts>,
}

/// Erases a person: the user goes at once, everything else by itself as soon as every app has been told, or right after
/// this where accounts are to be left. GET /api/v1/erasures says how far it is and what it waits for; asked again meanwhile,
/// the order about the accounts is changed. No run takes the person's records in again. The log still verifies.
#[utoipa::path(
    post, path = "/api/v1/people/{id}/erase", tag = "people", request_body = EraseOrder,
    params(("id" = String, Path, description = "the person, its user, or the id it had before it was deleted")),
    responses((status = 200, body = Object, description = "id, done (false: it goes on by itself), accounts_waiting, accounts_left"),
              (status = 404, description = "nobody is known by that id"), (status = 422, description = "another user name")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/people/{id}/erase")]
async fn erase(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    wanted: Json<EraseOrder>,
) -> Result<Json<Receipt>, Problem> {
    let actor = caller.actor();
    let order = Order {
        tenant: caller.tenant,
        id: id_of(&id)?,
        user_name: wanted.user_name.as_deref(),
        accounts: wanted.accounts.unwrap_or(Accounts::Disable),
        actor: &actor,
        token: caller.token,
    };
    let mut conn = state.db.conn().await?;
    let tools = (&state.directory, &state.sealer);
    let now = state.clock.now();
    let receipt = conn
        .transaction(async |conn| privacy::ask(conn, tools, order, now).await)
        .await?;
    state.db.signals().changed();
    Ok(Json(receipt))
}

/// Who was erased, the newest first: numbers (of rows by place; of others' rows for all who were erased in the same pass),
/// ids that mean nothing any more, and the apps in which accounts were left. Of those who wait, what for.
#[utoipa::path(
    get, path = "/api/v1/erasures", tag = "people", params(PageQuery),
    responses((status = 200, body = List<Object>)), security(("token" = ["admin"])),
)]
#[get("/api/v1/erasures")]
async fn erasures(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    page: Query<PageQuery>,
) -> Result<Json<List<Value>>, Problem> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let mut conn = state.db.conn().await?;
    let found = privacy::erasures(&mut conn, caller.tenant, before, limit.saturating_add(1)).await?;
    let id = |row: &Value| {
        row.get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Json(List::page(found, limit, id)))
}

/// How long things are kept.
#[derive(Debug, Serialize, ToSchema)]
struct RetentionBody {
    /// name, days (null: for ever), is_own, what.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Period>,
}

/// How long the tenant keeps what.
#[utoipa::path(
    get, path = "/api/v1/retention", tag = "people", responses((status = 200, body = RetentionBody)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/retention")]
async fn retention(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<RetentionBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let items = privacy::periods(&mut conn, caller.tenant).await?;
    Ok(Json(RetentionBody { items }))
}

/// Sets how long things are kept: days by name, null for ever, or "default". What is not named stays. What is too old goes
/// by itself and for good, from within a quarter of an hour on; of much that takes several turns between those of other tenants.
#[utoipa::path(
    put, path = "/api/v1/retention", tag = "people", request_body = Object,
    responses((status = 200, body = RetentionBody), (status = 422, description = "no such name, or not 7 to 36500 days")),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/retention")]
async fn set_retention(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    wanted: Json<Map<String, Value>>,
) -> Result<Json<RetentionBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let (now, actor) = (state.clock.now(), caller.actor());
    let items = conn
        .transaction(async |conn| privacy::set_periods(conn, caller.tenant, &wanted, &actor, now).await)
        .await?;
    Ok(Json(RetentionBody { items }))
}

/// What came out of checking the log.
#[derive(Debug, Serialize, ToSchema)]
struct VerifyBody {
    /// Whether every number is there once, every content fits its digest, and the digests fit the one that was kept.
    whole: bool,
    /// Numbers up to this one were let go of; the chain's digest there was kept.
    from: i64,
    /// The last number.
    to: i64,
    /// Changes whose content was erased or let go of: of them the digest is checked alone.
    without_content: i64,
    /// Changes of others out of which an erase took values: of them the digest is checked alone, too.
    partly_erased: i64,
    /// The first number that is missing, or whose content or digest does not fit.
    broken_at: Option<i64>,
    /// What does not fit there.
    because: Option<&'static str>,
}

impl From<Checked> for VerifyBody {
    fn from(checked: Checked) -> Self {
        Self {
            whole: checked.broken.is_none(),
            from: checked.from,
            to: checked.to,
            without_content: checked.without_content,
            partly_erased: checked.partly_erased,
            broken_at: checked.broken.map(|(at, _)| at),
            because: checked.broken.map(|(_, why)| why),
        }
    }
}

/// Checks the tenant's log: every number, every content against its salted digest, and the chain of digests.
#[utoipa::path(
    get, path = "/api/v1/log/verify", tag = "people", responses((status = 200, body = VerifyBody)),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/log/verify")]
async fn verify(state: Data<State>, caller: ApiCaller<Admin>) -> Result<Json<VerifyBody>, Problem> {
    let mut conn = state.db.conn().await?;
    Ok(Json(check_chain(&mut conn, caller.tenant.uuid()).await?.into()))
}
