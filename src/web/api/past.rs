//! Where values come from, and what stood at a past instant.

use actix_web::get;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::user::{DeletedBody, PartyBody, id_of, unknown};
use super::{ApiCaller, List, PageQuery, ProvisioningRead};
use crate::access::{Caller, Scope};
use crate::base::{PersonId, ResourceId};
use crate::insight::{
    self, AccountMoved, AppLine, AttributeLine, Lineage, MembersMoved, Past, PastMember, RecordOf,
};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(
    paths(explain, difference, group, members, group_difference),
    components(schemas(PastBody))
)]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(explain)
        .service(difference)
        .service(group)
        .service(members)
        .service(group_difference);
}

/// Which instant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AtQuery {
    /// An instant by RFC 3339: `2026-11-22T08:00:00Z`. Now when absent.
    pub(super) at: Option<DateTime<Utc>>,
}

/// Which two instants.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BetweenQuery {
    /// The first, by RFC 3339.
    from: DateTime<Utc>,
    /// The second; now when absent.
    to: Option<DateTime<Utc>>,
}

/// A user with where each value comes from.
#[derive(Debug, Serialize, ToSchema)]
struct LineageBody {
    /// Null when there is none.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<ResourceId>,
    /// Null for users that no HR system knows.
    #[schema(value_type = Option<String>, format = Uuid)]
    person: Option<PersonId>,
    active: Option<bool>,
    version: Option<i64>,
    /// Who holds it disabled.
    held_by: Vec<PartyBody>,
    /// While it stays deleted.
    deleted: Option<DeletedBody>,
    /// The verdict on the person: state, dates, and the rule that decided.
    lifecycle: Value,
    /// The records the person is made of: connection, connector, source_id, outcome, changed_at, missing_reads.
    #[schema(value_type = Vec<Object>)]
    records: Vec<RecordOf>,
    /// Each attribute: path, value, writer and run, connection and settings revision, source_ids, and the lines of the
    /// mapping with the fields they read and where these stand in the vendor's record.
    #[schema(value_type = Vec<Object>)]
    attributes: Vec<AttributeLine>,
    /// Each app: state, reason, value by value what it is known to hold and what it should, the last operation with the
    /// app's answer, and what waits for a decision.
    #[schema(value_type = Vec<Object>)]
    apps: Vec<AppLine>,
}

impl From<Lineage> for LineageBody {
    fn from(found: Lineage) -> Self {
        let story = found.story;
        let user = story.user.as_ref();
        Self {
            id: user.map(|user| user.id),
            person: story.person,
            active: user.and_then(|user| user.active),
            version: user.map(|user| user.version),
            held_by: story
                .held_by
                .iter()
                .map(|(party, name)| PartyBody::of(party.clone(), name.clone()))
                .collect(),
            deleted: story
                .deleted
                .map(|(at, party, name)| DeletedBody::of(at, party, name)),
            lifecycle: found.lifecycle,
            records: found.records,
            attributes: found.attributes,
            apps: found.apps,
        }
    }
}

/// Where each value of a user comes from, and what each app holds of it; by its id, its person's, or the id that it had
/// before it was deleted. Sensitive values are masked unless the token has the scope sensitive:read.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/explain", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = LineageBody), (status = 404, description = "no such user")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users/{id}/explain")]
async fn explain(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
) -> Result<Json<LineageBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let sources = (&state.directory, &state.sync);
    let target = (caller.tenant, id_of(&id)?);
    let found = insight::lineage(&mut conn, sources, target, caller.may(Scope::SensitiveRead)).await?;
    Ok(Json(found.ok_or_else(unknown)?.into()))
}

/// A user or group as it stood at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PastBody {
    #[schema(value_type = String, format = Uuid)]
    id: ResourceId,
    /// User or Group.
    kind: String,
    /// The instant.
    at: DateTime<Utc>,
    version: i64,
    created: Option<DateTime<Utc>>,
    last_modified: Option<DateTime<Utc>>,
    /// Who held the user disabled.
    disabled_by: Vec<String>,
    /// Its attributes by their SCIM names, without id, meta, externalId, groups and members.
    attributes: Map<String, Value>,
}

/// A resource of a type as it stood; 404 when it was not there then.
pub(super) async fn at(
    state: &State,
    caller: &Caller,
    (id, kind): (ResourceId, &str),
    at: DateTime<Utc>,
) -> Result<PastBody, Problem> {
    let mut conn = state.db.conn().await?;
    let past = find(&mut conn, state, caller, (id, kind), at).await?;
    let kind = state
        .directory
        .kind(&mut conn, caller.tenant, &past.kind)
        .await
        .map_err(insight::Error::from)?;
    let attributes = if caller.may(Scope::SensitiveRead) {
        past.object
    } else {
        insight::masked(&kind, &past.object)
    };
    Ok(PastBody {
        id: past.id,
        kind: past.kind,
        at,
        version: past.version,
        created: past.created,
        last_modified: past.last_modified,
        disabled_by: past.disabled_by,
        attributes,
    })
}

async fn find(
    conn: &mut crate::db::Conn,
    state: &State,
    caller: &Caller,
    (id, kind): (ResourceId, &str),
    at: DateTime<Utc>,
) -> Result<Past, Problem> {
    let found = insight::resource_at(conn, &state.directory, (caller.tenant, id), at).await?;
    found
        .filter(|past| past.kind == kind)
        .ok_or_else(|| Problem::not_found(format!("there was no such {} at that time", kind.to_lowercase())))
}

/// A group as it stands, or stood at an instant; its members are a list of their own.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path), AtQuery),
    responses((status = 200, body = PastBody), (status = 404, description = "there was no such group")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/groups/{id}")]
async fn group(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<AtQuery>,
) -> Result<Json<PastBody>, Problem> {
    let instant = query.at.unwrap_or_else(|| state.clock.now());
    Ok(Json(at(&state, &caller, (id_of(&id)?, "Group"), instant).await?))
}

/// Which instant, and which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MembersQuery {
    /// An instant by RFC 3339; now when absent.
    at: Option<DateTime<Utc>>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    limit: Option<i64>,
}

/// Who is in a group, or was at an instant: id, and what it is called now.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}/members", tag = "groups", params(("id" = String, Path), MembersQuery),
    responses((status = 200, body = List<Object>), (status = 404, description = "there was no such group")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/groups/{id}/members")]
async fn members(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<MembersQuery>,
) -> Result<Json<List<PastMember>>, Problem> {
    let query = query.into_inner();
    let page = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let (limit, after) = (page.limit()?, page.after::<ResourceId>()?);
    let instant = query.at.unwrap_or_else(|| state.clock.now());
    let mut conn = state.db.conn().await?;
    let past = find(&mut conn, &state, &caller, (id_of(&id)?, "Group"), instant).await?;
    let found = insight::members_at(&mut conn, caller.tenant, &past, after, limit.saturating_add(1)).await?;
    Ok(Json(List::page(found, limit, |member| member.id.to_string())))
}

/// What differs between two instants.
#[derive(Debug, Serialize, ToSchema)]
struct MovedBody {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Whether it was there at the first instant.
    there_before: bool,
    /// Whether it was there at the second.
    there_after: bool,
    /// path, before and after of each attribute that differs; sensitive values are masked without the scope.
    changes: Vec<Value>,
    /// Of a group: added_total, added, removed_total, removed.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<MembersMoved>,
    /// Accounts in another state: app, before, after, reason.
    #[schema(value_type = Vec<Object>)]
    accounts: Vec<AccountMoved>,
}

async fn moved(
    state: &State,
    caller: &Caller,
    id: ResourceId,
    query: &BetweenQuery,
) -> Result<Json<MovedBody>, Problem> {
    let between = (query.from, query.to.unwrap_or_else(|| state.clock.now()));
    if between.1 < between.0 {
        return Err(Problem::bad_request("invalid-query", "to is before from"));
    }
    let mut conn = state.db.conn().await?;
    let shows = caller.may(Scope::SensitiveRead);
    let found = insight::moved(&mut conn, &state.directory, (caller.tenant, id), between, shows).await?;
    let found = found.ok_or_else(|| Problem::not_found("it was there at neither of these times"))?;
    Ok(Json(MovedBody {
        from: between.0,
        to: between.1,
        there_before: found.there_before,
        there_after: found.there_after,
        changes: found.changes,
        members: found.members,
        accounts: found.accounts,
    }))
}

/// What differs between a user and its accounts at two instants.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/diff", tag = "users", params(("id" = String, Path), BetweenQuery),
    responses((status = 200, body = MovedBody), (status = 404, description = "it was there at neither")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/users/{id}/diff")]
async fn difference(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<BetweenQuery>,
) -> Result<Json<MovedBody>, Problem> {
    moved(&state, &caller, id_of(&id)?, &query).await
}

/// What differs between a group, its members and its accounts at two instants.
#[utoipa::path(
    get, path = "/api/v1/groups/{id}/diff", tag = "groups", params(("id" = String, Path), BetweenQuery),
    responses((status = 200, body = MovedBody), (status = 404, description = "it was there at neither")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/groups/{id}/diff")]
async fn group_difference(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<BetweenQuery>,
) -> Result<Json<MovedBody>, Problem> {
    moved(&state, &caller, id_of(&id)?, &query).await
}
