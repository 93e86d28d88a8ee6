//! Invitations: accounts that we created, and whether their people were invited.

use actix_web::web::{Data, Json, Query, ServiceConfig};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::audit;
use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::delivery;
use crate::notice::{self, InvitationFilter, InvitationView};
use crate::provision;

/// So many are invited by one request.
const MOST: usize = 500;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, invite))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(invite);
}

/// An account that we created, and what became of its invitation.
#[derive(Debug, Serialize, ToSchema)]
struct InvitationBody {
    app: String,
    #[schema(value_type = String, format = Uuid)]
    user: ResourceId,
    /// pending (created, setup pending: nobody was invited), invited, or by_app (the app invites by itself).
    state: String,
    /// Which setting or person said so.
    reason: String,
    /// When the account was created.
    created_at: DateTime<Utc>,
    /// When the person was last invited.
    invited_at: Option<DateTime<Utc>>,
    /// By whom: `setting`, or a token.
    invited_by: Option<String>,
    /// How often.
    times: i32,
    /// What became of the last mail: waiting, sent, failed, unsent (there is no mail server), or unknown (the program ended,
    /// or the connection broke, before the mail server answered: it may have been sent, so it is not sent again by itself).
    /// Null before it is due.
    mail: Option<String>,
    /// What the mail server said.
    mail_detail: Option<String>,
    #[serde(skip)]
    cursor: String,
}

impl From<(AppId, InvitationView)> for InvitationBody {
    fn from((app, view): (AppId, InvitationView)) -> Self {
        Self {
            cursor: format!("{app}.{}", view.resource),
            app: view.app,
            user: view.resource,
            state: view.state,
            reason: view.reason,
            created_at: view.created_at,
            invited_at: view.invited_at,
            invited_by: view.invited_by,
            times: view.times,
            mail: view.mail,
            mail_detail: view.mail_detail,
        }
    }
}

/// Which invitations to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct InvitationQuery {
    /// Of one app, by its name.
    app: Option<String>,
    /// pending, invited or by_app.
    state: Option<String>,
    /// Of one user, by its id.
    user: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

async fn app_of(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<AppId, Problem> {
    Ok(provision::app(conn, tenant, name).await?.id)
}

fn id(text: &str) -> Result<ResourceId, Problem> {
    text.parse()
        .map_err(|_| Problem::bad_request("invalid-query", format!("{text} is no id of a user")))
}

fn cursor(text: &str) -> Option<(AppId, ResourceId)> {
    let (app, resource) = text.split_once('.')?;
    Some((app.parse().ok()?, resource.parse().ok()?))
}

/// Lists accounts that we created, with what became of their invitations. Accounts that were found and matched have none.
#[utoipa::path(
    get, path = "/api/v1/invitations", tag = "invitations", params(InvitationQuery),
    responses((status = 200, body = List<InvitationBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/invitations")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<InvitationQuery>,
) -> Result<Json<List<InvitationBody>>, Problem> {
    let page = PageQuery {
        after: None,
        limit: query.limit,
    };
    let limit = page.limit()?;
    let after = match query.after.as_deref() {
        Some(text) => Some(cursor(text).ok_or_else(|| {
            Problem::bad_request("invalid-query", "after is not a cursor that was given out")
        })?),
        None => None,
    };
    let mut conn = state.db.conn().await?;
    let app = match &query.app {
        Some(name) => Some(app_of(&mut conn, caller.tenant, name).await?),
        None => None,
    };
    let filter = InvitationFilter {
        app,
        state: query.state.clone(),
        user: query.user.as_deref().map(id).transpose()?,
        after,
    };
    let found = notice::invitations(&mut conn, caller.tenant, &filter, limit.saturating_add(1)).await?;
    let items = found.into_iter().map(InvitationBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &InvitationBody| {
        one.cursor.clone()
    })))
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InviteBody {
    /// Into which app, by its name.
    app: String,
    /// These users, by their ids: again, or for the first time.
    #[serde(default)]
    users: Vec<String>,
    /// All whose account was created and who were not invited.
    #[serde(default)]
    pending: bool,
}

/// Who was invited.
#[derive(Debug, Serialize, ToSchema)]
struct InvitedBody {
    /// Users who are sent a mail now.
    #[schema(value_type = Vec<String>)]
    invited: Vec<ResourceId>,
    /// Users who are not: they have no account there that we created, no mail address, or the app invites them itself.
    #[schema(value_type = Vec<String>)]
    left_out: Vec<ResourceId>,
    /// With `pending`: there may be more, go on after this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<ResourceId>,
}

/// Invites people by hand, up to 500 at once: whoever is named is invited again, however often that was done.
#[utoipa::path(
    post, path = "/api/v1/invitations", tag = "invitations", request_body = InviteBody,
    params(("after" = Option<String>, Query, description = "with `pending`: the `next` of the request before")),
    responses((status = 200, body = InvitedBody), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/invitations")]
async fn invite(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    page: Query<PageQuery>,
    body: Json<InviteBody>,
) -> Result<Json<InvitedBody>, Problem> {
    if body.pending != body.users.is_empty() || body.users.len() > MOST {
        let detail = format!("name 1 to {MOST} `users`, or say `pending`: not both");
        return Err(Problem::unprocessable("invalid-invitation", detail));
    }
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let named = body
        .users
        .iter()
        .map(|text| id(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut conn = state.db.conn().await?;
    let app = app_of(&mut conn, tenant, &body.app).await?;
    let after = page.after::<ResourceId>()?;
    let (users, more) = if body.pending {
        pending(&mut conn, tenant, app, after).await?
    } else {
        (named, false)
    };
    let invited = conn
        .transaction(async |conn| {
            let whom = (tenant, app);
            let done = delivery::invite_by_hand(conn, &state.directory, whom, &users, (&actor, now)).await?;
            for user in &done {
                let subject = format!("user:{user}");
                let detail = json!({ "app": app });
                audit::note(conn, Some(tenant), now, &actor, "user.invite", &subject, detail).await?;
            }
            Ok::<_, Problem>(done)
        })
        .await?;
    let left_out = users
        .iter()
        .filter(|user| !invited.contains(user))
        .copied()
        .collect();
    Ok(Json(InvitedBody {
        next: users.last().copied().filter(|_| more),
        invited,
        left_out,
    }))
}

/// The next users who were not invited into an app, and whether there may be more.
async fn pending(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
    after: Option<ResourceId>,
) -> Result<(Vec<ResourceId>, bool), Problem> {
    let filter = InvitationFilter {
        app: Some(app),
        state: Some("pending".to_owned()),
        user: None,
        after: after.map(|after| (app, after)),
    };
    let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
    let found = notice::invitations(conn, tenant, &filter, limit).await?;
    let more = found.len() >= MOST;
    Ok((found.into_iter().map(|(_, one)| one.resource).collect(), more))
}
