//! Apps: settings as drafts, publication, what their accounts are.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::ResourceId;
use crate::db::Transactional as _;
use crate::delivery::{self, AccountView, Accounts, Published};
use crate::guard::Effects;
use crate::provision::{self, App, Mode, Revision, Rules, Settings};
use crate::{audit, base};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(apply, list, show, check, diff, publish, pause, rollback, accounts))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(apply)
        .service(list)
        .service(show)
        .service(check)
        .service(diff)
        .service(publish)
        .service(pause)
        .service(rollback)
        .service(accounts);
}

/// An app.
#[derive(Debug, Serialize, ToSchema)]
struct AppBody {
    #[schema(value_type = String, format = Uuid)]
    id: base::AppId,
    name: String,
    /// observe, link, live or paused.
    mode: String,
    /// The settings in force.
    live_revision: Option<i32>,
    /// Settings that wait for publication.
    draft_revision: Option<i32>,
    /// When its accounts were last read and matched.
    matched_at: Option<DateTime<Utc>>,
    /// It asked to be left alone until then.
    resume_at: Option<DateTime<Utc>>,
    /// What is wrong with it as a whole.
    trouble: Option<String>,
    created_at: DateTime<Utc>,
    /// The settings, without the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    /// How each field is treated; `*` stands for all that have no line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    policies: Vec<provision::FieldPolicy>,
    /// Whether a token is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_token: Option<bool>,
}

impl AppBody {
    fn of(app: App) -> Self {
        Self {
            id: app.id,
            name: app.name,
            mode: app.mode.word().to_owned(),
            live_revision: app.live_revision,
            draft_revision: app.draft_revision,
            matched_at: app.matched_at,
            resume_at: app.resume_at,
            trouble: app.trouble,
            created_at: app.created_at,
            settings: None,
            policies: Vec::new(),
            has_token: None,
        }
    }

    fn with(mut self, revision: &Revision) -> Self {
        self.settings = serde_json::to_value(&revision.settings).ok();
        self.has_token = Some(revision.has_token());
        self
    }
}

impl From<provision::Error> for Problem {
    fn from(error: provision::Error) -> Self {
        use provision::Error as E;
        match error {
            E::Settings(problems) => {
                let errors: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Self::unprocessable("invalid-settings", "the app's settings are not usable")
                    .with("errors", json!(errors))
                    .with("problems", json!(problems))
            }
            E::UnknownApp(_) => Self::not_found(error.to_string()),
            E::NothingThere(said) => Self::conflict("nothing-there", said),
            E::Store(error) => error.into(),
            E::Sealed(_) | E::Stored(_) => Self::internal(&error),
        }
    }
}

impl From<delivery::Error> for Problem {
    fn from(error: delivery::Error) -> Self {
        use delivery::Error as E;
        match error {
            E::Provision(error) => error.into(),
            E::Db(error) => error.into(),
            E::Store(error) => error.into(),
            E::Notice(error) => error.into(),
            E::Unknown(_) => Self::not_found(error.to_string()),
            E::Refused(said) => Self::conflict("not-now", said),
            E::Moved { .. } => Self::conflict("other-address", error.to_string()),
            E::Order(_) => Self::unprocessable("invalid", error.to_string()),
            E::Address => Self::unprocessable("invalid-settings", error.to_string()),
            E::Directory(_) | E::Guard(_) | E::LeaseLost => Self::internal(&error),
        }
    }
}

/// Writes an app's settings as its draft; makes the app when it is new. The body is the app file as JSON. A `token`
/// that is not given again is kept, unless `base_url` moves to another host. Unknown keys are refused by name.
#[utoipa::path(
    put, path = "/api/v1/apps/{name}", tag = "apps", params(("name" = String, Path)),
    request_body(content = Value, description = "the app file as JSON"),
    responses((status = 200, body = AppBody), (status = 422, description = "settings that are not usable")),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/apps/{name}")]
async fn apply(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    body: Json<Value>,
) -> Result<Json<AppBody>, Problem> {
    let settings = Settings::from_json(&body)?;
    if settings.name != *name {
        return Err(Problem::unprocessable(
            "invalid-settings",
            "the name in the settings is not that of the path",
        ));
    }
    let is_reference = |token: &String| token.starts_with("env:") || token.starts_with("file:");
    if [&settings.token, &settings.hook_secret]
        .into_iter()
        .flatten()
        .any(is_reference)
    {
        return Err(Problem::unprocessable(
            "invalid-settings",
            "token and hook_secret: env: and file: are resolved on the caller's machine; the server takes the secret itself",
        ));
    }
    let (now, actor, tenant) = (state.clock.now(), caller.actor(), caller.tenant);
    let mut conn = state.db.conn().await?;
    let user = state
        .directory
        .kind(&mut conn, tenant, "User")
        .await
        .map_err(|error| Problem::internal(&error))?;
    Rules::compile(settings.clone(), &user).map_err(provision::Error::Settings)?;
    let body = conn
        .transaction::<_, provision::Error, _>(async |conn| {
            let app =
                provision::save_draft(conn, tenant, settings.clone(), &state.sealer, &actor, now).await?;
            let revision = provision::draft(conn, tenant, &app).await?;
            let detail = json!({ "revision": revision.number });
            audit::note(
                conn,
                Some(tenant),
                now,
                &actor,
                "app.apply",
                &app.id.to_string(),
                detail,
            )
            .await?;
            Ok(AppBody::of(app).with(&revision))
        })
        .await?;
    Ok(Json(body))
}

/// Lists the apps, in order of their names.
#[utoipa::path(
    get, path = "/api/v1/apps", tag = "apps", params(PageQuery), responses((status = 200, body = List<AppBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/apps")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    page: Query<PageQuery>,
) -> Result<Json<List<AppBody>>, Problem> {
    let limit = page.limit()?;
    let after = page.after.clone().unwrap_or_default();
    let mut conn = state.db.conn().await?;
    let most = i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX);
    let apps = provision::apps(&mut conn, caller.tenant, &after, most).await?;
    let items = apps.into_iter().map(AppBody::of).collect();
    Ok(Json(List::page(items, limit, |app: &AppBody| app.name.clone())))
}

/// Shows an app with its newest settings, without the token.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}", tag = "apps", params(("name" = String, Path)),
    responses((status = 200, body = AppBody), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<AppBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let revision = provision::draft(&mut conn, caller.tenant, &app).await?;
    let user = state
        .directory
        .kind(&mut conn, caller.tenant, "User")
        .await
        .map_err(|error| Problem::internal(&error))?;
    let mut body = AppBody::of(app).with(&revision);
    // Settings that no longer fit the tenant's users are shown without.
    if let Ok(rules) = Rules::compile(revision.settings, &user) {
        body.policies = rules.policies();
    }
    Ok(Json(body))
}

/// One thing that was tried.
#[derive(Debug, Serialize, ToSchema)]
struct CheckBody {
    name: String,
    ok: bool,
    message: String,
}

/// What was tried.
#[derive(Debug, Serialize, ToSchema)]
struct ChecksBody {
    ok: bool,
    steps: Vec<CheckBody>,
}

/// Asks the app, with its newest settings, what it is and whom it has. Only GETs.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/check", tag = "apps", params(("name" = String, Path)),
    responses((status = 200, body = ChecksBody), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/check")]
async fn check(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<ChecksBody>, Problem> {
    let (revision, token) = {
        let mut conn = state.db.conn().await?;
        let app = provision::app(&mut conn, caller.tenant, &name).await?;
        let revision = provision::draft(&mut conn, caller.tenant, &app).await?;
        let token = revision.token(&state.sealer, caller.tenant, app.id)?;
        (revision, token)
    };
    let steps: Vec<CheckBody> = delivery::check(&state.net, &revision.settings, token)
        .await?
        .into_iter()
        .map(|step| CheckBody {
            name: step.name.to_owned(),
            ok: step.ok,
            message: step.message,
        })
        .collect();
    Ok(Json(ChecksBody {
        ok: steps.iter().all(|step| step.ok),
        steps,
    }))
}

/// One setting that differs.
#[derive(Debug, Serialize, ToSchema)]
struct DifferenceBody {
    /// The key, dotted.
    at: String,
    /// In force.
    live: Value,
    /// In the draft.
    draft: Value,
}

/// What publishing would change.
#[derive(Debug, Serialize, ToSchema)]
struct DiffBody {
    live_revision: Option<i32>,
    draft_revision: Option<i32>,
    changes: Vec<DifferenceBody>,
}

/// Compares the draft with the settings in force. Secrets are not shown.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/diff", tag = "apps", params(("name" = String, Path)),
    responses((status = 200, body = DiffBody), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/diff")]
async fn diff(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<DiffBody>, Problem> {
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let mut bodies = Vec::new();
    for number in [app.live_revision, app.draft_revision.or(app.live_revision)] {
        bodies.push(match number {
            Some(number) => {
                let revision = provision::revision(&mut conn, caller.tenant, app.id, number).await?;
                serde_json::to_value(&revision.settings).unwrap_or_default()
            }
            None => Value::Null,
        });
    }
    let (draft, live) = (bodies.pop().unwrap_or_default(), bodies.pop().unwrap_or_default());
    let mut changes = Vec::new();
    differences("", &live, &draft, &mut changes);
    Ok(Json(DiffBody {
        live_revision: app.live_revision,
        draft_revision: app.draft_revision,
        changes,
    }))
}

fn differences(at: &str, live: &Value, draft: &Value, found: &mut Vec<DifferenceBody>) {
    if live == draft {
        return;
    }
    let (empty, none) = (serde_json::Map::new(), Value::Null);
    match (live, draft) {
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let (live, draft) = (
                live.as_object().unwrap_or(&empty),
                draft.as_object().unwrap_or(&empty),
            );
            let mut keys: Vec<&String> = live.keys().chain(draft.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let path = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                differences(
                    &path,
                    live.get(key).unwrap_or(&none),
                    draft.get(key).unwrap_or(&none),
                    found,
                );
            }
        }
        _ => found.push(DifferenceBody {
            at: at.to_owned(),
            live: live.clone(),
            draft: draft.clone(),
        }),
    }
}

/// How to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishOrder {
    /// observe, link or live; the file's own mode when absent.
    mode: Option<String>,
    /// Whose accounts are where the draft leads; has to be said when `base_url` is another than that in force and accounts
    /// are linked. `same`: the linked ones, under another address. `new`: it is another server, or another tenant of it;
    /// the links are dropped, nothing is sent under the old ids, and accounts are matched anew.
    accounts: Option<String>,
}

/// Whose accounts are where a draft leads.
pub(super) fn whose(word: Option<&str>) -> Result<Option<Accounts>, Problem> {
    let Some(word) = word else { return Ok(None) };
    match Accounts::of(word) {
        None => Err(Problem::unprocessable("invalid", "accounts is same or new")),
        found => Ok(found),
    }
}

/// What became of a publication.
#[derive(Debug, Serialize, ToSchema)]
struct PublishedBody {
    /// `published`, or `awaiting_approval`.
    state: String,
    app: AppBody,
    /// accounts, creates, updates, disables, removals, cleared (by attribute): as far as the app's accounts are known.
    #[schema(value_type = Value)]
    counts: Effects,
    /// The plan that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// Its hash: the approval names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_hash: Option<String>,
    /// The limits that are passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// Puts the draft (or, without one, the settings in force) in force, in a mode. What it would do to the
/// app's accounts is a plan; over a limit of `[guard]` nothing happens before somebody approves it (202).
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/publish", tag = "apps", params(("name" = String, Path)),
    request_body = PublishOrder,
    responses(
        (status = 200, body = PublishedBody),
        (status = 202, body = PublishedBody, description = "a plan awaits approval"),
        (status = 409, description = "base_url leads elsewhere, and the order does not say whose accounts are there"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/publish")]
async fn publish(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<PublishOrder>,
) -> Result<HttpResponse, Problem> {
    let mode = match order.mode.as_deref() {
        None => None,
        Some(word) => match Mode::of(word) {
            Some(mode) if mode != Mode::Paused => Some(mode),
            _ => return Err(Problem::unprocessable("invalid", "mode is observe, link or live")),
        },
    };
    let order = delivery::PublishOrder {
        mode,
        accounts: whose(order.accounts.as_deref())?,
    };
    let (actor, now) = (caller.actor(), state.clock.now());
    let published = delivery::publish(
        &state.db,
        &state.directory,
        caller.tenant,
        &name,
        order,
        &actor,
        now,
    )
    .await?;
    state.db.signals().numbered();
    let mut conn = state.db.conn().await?;
    let app = AppBody::of(provision::app(&mut conn, caller.tenant, &name).await?);
    let (status, body) = match published {
        Published::InForce(counts) => (
            StatusCode::OK,
            PublishedBody {
                state: "published".to_owned(),
                app,
                counts,
                plan: None,
                plan_hash: None,
                reasons: Vec::new(),
            },
        ),
        Published::Waits(proposed) => (
            StatusCode::ACCEPTED,
            PublishedBody {
                state: "awaiting_approval".to_owned(),
                app,
                counts: proposed.effects,
                plan: Some(proposed.plan.to_string()),
                plan_hash: Some(proposed.hash),
                reasons: proposed
                    .verdict
                    .reasons
                    .into_iter()
                    .map(|reason| reason.message)
                    .collect(),
            },
        ),
    };
    Ok(HttpResponse::build(status).json(body))
}

/// Stops all calls to an app. What changes meanwhile is caught up when it is published again; a publication or a repair
/// that waits for an approval ends.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/pause", tag = "apps", params(("name" = String, Path)),
    responses((status = 200, body = AppBody), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/pause")]
async fn pause(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
) -> Result<Json<AppBody>, Problem> {
    let (actor, now) = (caller.actor(), state.clock.now());
    let app = delivery::pause(&state.db, caller.tenant, &name, &actor, now).await?;
    Ok(Json(AppBody::of(app)))
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RollBackOrder {
    /// A revision; the one before those in force when absent.
    revision: Option<i32>,
}

/// Makes the settings before those in force, or any earlier ones, the draft again. Publish it to go back.
#[utoipa::path(
    post, path = "/api/v1/apps/{name}/rollback", tag = "apps", params(("name" = String, Path)),
    request_body = RollBackOrder,
    responses((status = 200, body = AppBody), (status = 409, description = "there is nothing to go back to")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/apps/{name}/rollback")]
async fn rollback(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    order: Json<RollBackOrder>,
) -> Result<Json<AppBody>, Problem> {
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    let app = conn
        .transaction::<_, provision::Error, _>(async |conn| {
            let app = provision::rollback(conn, tenant, &name, order.revision).await?;
            let detail = json!({ "revision": app.draft_revision });
            audit::note(
                conn,
                Some(tenant),
                now,
                &actor,
                "app.rollback",
                &app.id.to_string(),
                detail,
            )
            .await?;
            Ok(app)
        })
        .await?;
    Ok(Json(AppBody::of(app)))
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountBody {
    /// Our user's or group's id; an id of its own for an account that nobody of ours has.
    #[schema(value_type = String, format = Uuid)]
    id: ResourceId,
    pub(super) app: String,
    /// Our user or group; absent for an account that nobody of ours has.
    #[schema(value_type = Option<String>, format = Uuid)]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<ResourceId>,
    kind: String,
    /// userName or displayName.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    state: String,
    reason: String,
    since: DateTime<Utc>,
    /// When the app last acknowledged a change of ours.
    acknowledged_at: Option<DateTime<Utc>>,
    /// When it was last read back.
    verified_at: Option<DateTime<Utc>>,
    /// The app's id.
    remote_id: Option<String>,
    /// Of a held one: the accounts it may be or collides with, and users who share its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    candidates: Option<Value>,
    /// What hooks of deprovisioning answered, by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    answers: Option<Value>,
}

impl AccountBody {
    pub(super) fn of(view: AccountView) -> Self {
        Self {
            id: view.resource,
            app: view.app,
            user: (view.state != "unmatched").then_some(view.resource),
            kind: view.kind,
            name: view.name,
            state: view.state,
            reason: view.reason,
            since: view.since,
            acknowledged_at: view.acknowledged_at,
            verified_at: view.verified_at,
            remote_id: view.remote_id,
            candidates: view.candidates,
            answers: view.answers,
        }
    }
}

/// Which accounts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AccountQuery {
    /// Only those in this state.
    state: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    limit: Option<i64>,
}

/// Lists an app's accounts; `unmatched` are those that the app has and nobody of ours does.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/accounts", tag = "apps", params(("name" = String, Path), AccountQuery),
    responses((status = 200, body = List<AccountBody>), (status = 404, description = "no such app")),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/accounts")]
async fn accounts(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<AccountQuery>,
) -> Result<Json<List<AccountBody>>, Problem> {
    if let Some(word) = &query.state
        && provision::State::of(word).is_none()
    {
        let words = provision::State::words().join(", ");
        return Err(Problem::bad_request(
            "invalid-query",
            format!("state is one of {words}"),
        ));
    }
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let app = provision::app(&mut conn, caller.tenant, &name).await?;
    let at = (caller.tenant, app.id);
    let word = query.state.as_deref();
    let found = delivery::accounts(&mut conn, at, word, page.after()?, limit.saturating_add(1)).await?;
    let items = found.into_iter().map(AccountBody::of).collect();
    Ok(Json(List::page(items, limit, |account: &AccountBody| {
        account.id.to_string()
    })))
}
