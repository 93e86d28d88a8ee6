//! One user: where it comes from, whose value stands, what changed; suspending and releasing it.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::past::{self, AtQuery};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::access;
use crate::base::{PersonId, ResourceId};
use crate::insight::{self, Change, Doer, Explained};
use crate::provision;
use crate::sync::Released;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(show, history, suspend, release))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(show)
        .service(history)
        .service(suspend)
        .service(release);
}

/// Who holds a user disabled, or deleted it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartyBody {
    /// hr, admin, client:ID or app:ID.
    party: String,
    /// The name of the client or app.
    name: Option<String>,
}

/// A user that stays deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedBody {
    at: DateTime<Utc>,
    by: PartyBody,
}

/// A record that a user comes from.
#[derive(Debug, Serialize, ToSchema)]
struct SourceBody {
    connection: String,
    source_id: String,
    /// linked, held, filtered, skipped …
    outcome: String,
}

/// An attribute with whose word counts and who wrote it.
#[derive(Debug, Serialize, ToSchema)]
struct AttributeBody {
    path: String,
    /// Masked when it is sensitive.
    value: Value,
    /// hr, client or refuse, by the rules of the connection; null for what is the clients' own.
    authority: Option<String>,
    /// The connection whose rule that is.
    connection: Option<String>,
    /// Who wrote it last: by (run, client, admin, due), name, run, token.
    #[schema(value_type = Object)]
    writer: Option<Doer>,
    written_at: Option<DateTime<Utc>>,
}

/// A user with its story.
#[derive(Debug, Serialize, ToSchema)]
struct UserStoryBody {
    /// Null when there is none.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<ResourceId>,
    /// Null for users that no HR system knows.
    #[schema(value_type = Option<String>, format = Uuid)]
    person: Option<PersonId>,
    active: Option<bool>,
    version: Option<i64>,
    created: Option<DateTime<Utc>>,
    last_modified: Option<DateTime<Utc>>,
    /// Who holds it disabled.
    held_by: Vec<PartyBody>,
    /// While it stays deleted.
    deleted: Option<DeletedBody>,
    sources: Vec<SourceBody>,
    attributes: Vec<AttributeBody>,
}

impl PartyBody {
    pub(super) const fn of(party: String, name: Option<String>) -> Self {
        Self { party, name }
    }
}

impl DeletedBody {
    pub(super) const fn of(at: DateTime<Utc>, party: String, name: Option<String>) -> Self {
        Self {
            at,
            by: PartyBody::of(party, name),
        }
    }
}

impl From<Explained> for UserStoryBody {
    fn from(found: Explained) -> Self {
        let user = found.user.as_ref();
        Self {
            id: user.map(|user| user.id),
            person: found.person,
            active: user.and_then(|user| user.active),
            version: user.map(|user| user.version),
            created: user.map(|user| user.created),
            last_modified: user.map(|user| user.last_modified),
            held_by: found
                .held_by
                .into_iter()
                .map(|(party, name)| PartyBody::of(party, name))
                .collect(),
            deleted: found
                .deleted
                .map(|(at, party, name)| DeletedBody::of(at, party, name)),
            sources: found
                .sources
                .into_iter()
                .map(|source| SourceBody {
                    connection: source.connection,
                    source_id: source.source_id,
                    outcome: source.outcome,
                })
                .collect(),
            attributes: found
                .attributes
                .into_iter()
                .map(|one| {
                    let (writer, written_at) = one.writer.unzip();
                    AttributeBody {
                        path: one.path,
                        value: one.value,
                        authority: one.authority,
                        connection: one.connection,
                        writer,
                        written_at,
                    }
                })
                .collect(),
        }
    }
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("there is no such user")
}

pub(super) fn id_of(path: &str) -> Result<ResourceId, Problem> {
    path.parse().map_err(|_| unknown())
}

/// A user with its story, by its id, its person's id, or the id that it had before it was deleted. With `at` instead as it
/// stood at that instant: see `PastBody`.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path), AtQuery),
    responses((status = 200, body = UserStoryBody), (status = 404, description = "no such user")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users/{id}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<AtQuery>,
) -> Result<HttpResponse, Problem> {
    if let Some(at) = query.at {
        let past = past::at(&state, &caller, (id_of(&id)?, "User"), at).await?;
        return Ok(HttpResponse::Ok().json(past));
    }
    let mut conn = state.db.conn().await?;
    let found = insight::explain(&mut conn, &state.directory, caller.tenant, id_of(&id)?).await?;
    Ok(HttpResponse::Ok().json(UserStoryBody::from(found.ok_or_else(unknown)?)))
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeBody {
    /// Later changes have larger ones.
    id: i64,
    at: DateTime<Utc>,
    /// create, update, delete or members.
    action: String,
    version: i64,
    /// by (run, client, admin, due), name, run, token.
    #[schema(value_type = Object)]
    by: Doer,
    /// path, before and after of each attribute; sensitive values are masked.
    changes: Vec<Value>,
}

impl From<Change> for ChangeBody {
    fn from(change: Change) -> Self {
        Self {
            id: change.id,
            at: change.at,
            action: change.action,
            version: change.version,
            by: change.by,
            changes: change.changes,
        }
    }
}

/// What changed of a user or group, the newest first; also of one that was deleted.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/history", tag = "users", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = List<ChangeBody>)), security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users/{id}/history")]
async fn history(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<ChangeBody>>, Problem> {
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let mut conn = state.db.conn().await?;
    let target = (caller.tenant, id_of(&id)?);
    let found = insight::history(
        &mut conn,
        &state.directory,
        target,
        before,
        limit.saturating_add(1),
    )
    .await?;
    let items = found.into_iter().map(ChangeBody::from).collect();
    Ok(Json(List::page(items, limit, |change: &ChangeBody| {
        change.id.to_string()
    })))
}

/// Why a user is suspended.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SuspendOrder {
    /// Kept in the audit trail; at most 500 characters.
    reason: String,
}

/// Disables a user in the admins' name; nobody but an admin lifts that.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/suspend", tag = "users", request_body = SuspendOrder,
    params(("id" = String, Path)),
    responses((status = 200, body = UserStoryBody), (status = 404, description = "no such user")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/users/{id}/suspend")]
async fn suspend(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<SuspendOrder>,
) -> Result<Json<UserStoryBody>, Problem> {
    if order.reason.chars().count() > 500 {
        return Err(Problem::unprocessable(
            "invalid",
            "a reason has at most 500 characters",
        ));
    }
    let id = id_of(&id)?;
    let by = (caller.token, &*caller.actor());
    state
        .sync
        .suspend_user(caller.tenant, id, by, &order.reason)
        .await?;
    let mut conn = state.db.conn().await?;
    let found = insight::explain(&mut conn, &state.directory, caller.tenant, id).await?;
    Ok(Json(found.ok_or_else(unknown)?.into()))
}

/// Whose hold to lift.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ReleaseOrder {
    /// hr, admin, client:NAME or app:NAME (names or ids); all holds when absent.
    party: Option<String>,
}

/// What a release did.
#[derive(Debug, Serialize, ToSchema)]
struct ReleaseBody {
    /// holds, deletion or nothing.
    released: &'static str,
    /// The user as it stands now; null while there is none.
    user: Option<UserStoryBody>,
}

/// Lifts what holds a user disabled, or lets a deleted user of a person from HR be made again.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/release", tag = "users", request_body = ReleaseOrder,
    params(("id" = String, Path, description = "the user, its person, or the id it had before it was deleted")),
    responses((status = 200, body = ReleaseBody), (status = 404, description = "no such user, client or app")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/users/{id}/release")]
async fn release(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<ReleaseOrder>,
) -> Result<Json<ReleaseBody>, Problem> {
    let id = id_of(&id)?;
    let tenant = caller.tenant;
    let mut conn = state.db.conn().await?;
    let party = match order.party.as_deref().map(|party| (party, party.split_once(':'))) {
        None => None,
        Some((own @ ("hr" | "admin"), _)) => Some(own.to_owned()),
        Some((_, Some(("client", name)))) => Some(format!(
            "client:{}",
            access::find_client(&mut conn, tenant, name).await?.id
        )),
        Some((_, Some(("app", name)))) => Some(format!(
            "app:{}",
            provision::app(&mut conn, tenant, name).await?.id
        )),
        Some(_) => {
            return Err(Problem::unprocessable(
                "invalid",
                "a party is hr, admin, client:NAME or app:NAME",
            ));
        }
    };
    drop(conn);
    let by = (caller.token, &*caller.actor());
    let released = state.sync.release_user(tenant, id, party.as_deref(), by).await?;
    let mut conn = state.db.conn().await?;
    let found = insight::explain(&mut conn, &state.directory, tenant, id).await?;
    Ok(Json(ReleaseBody {
        released: match released {
            Released::Nothing => "nothing",
            Released::Holds => "holds",
            Released::Deletion => "deletion",
        },
        user: found.map(UserStoryBody::from),
    }))
}
