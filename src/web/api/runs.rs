//! Runs: what they did, what they would do, whom they skipped; approve, reject, cancel.

use std::collections::HashMap;

use actix_web::http::header::ACCEPT;
use actix_web::web::{Bytes, Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::plans::{ApprovalBody, page_of};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PlanId, RunId, TenantId};
use crate::guard::{Action, ItemFilter, ItemState, Plan};
use crate::insight::ItemView;
use crate::sync::{Engine, Error, Outcome, Run, RunCause, RunFilter, RunState, Severity};

/// The columns of errors and warnings as CSV.
const COLUMNS: [&str; 6] = [
    "source_id",
    "employee_number",
    "field",
    "message",
    "person",
    "advice",
];

/// How many records are read together when outcomes are streamed.
const BATCH: i64 = 500;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, show, list_items, errors, warnings, approve, reject, cancel, resume))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(show)
        .service(list_items)
        .service(errors)
        .service(warnings)
        .service(approve)
        .service(reject)
        .service(cancel)
        .service(resume);
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunBody {
    #[schema(value_type = String, format = Uuid)]
    id: RunId,
    connection: String,
    /// queued, reading, planning, awaiting_approval, applying; done, partial, failed, cancelled, rejected, superseded.
    #[schema(value_type = String)]
    state: RunState,
    /// manual, schedule, publish, due, decision, written, look, webhook, preview, preview_read or undo.
    #[schema(value_type = String)]
    cause: RunCause,
    dry_run: bool,
    actor: String,
    revision: i32,
    /// Its plan, once there is one.
    #[schema(value_type = Option<String>, format = Uuid)]
    plan: Option<PlanId>,
    /// Over the whole plan: an approval names it.
    plan_hash: Option<String>,
    /// What it did, each with where it is listed: created, updated, left, skipped, failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    effect: Option<Value>,
    /// What the guard said: ok, and each limit that is passed.
    #[schema(value_type = Option<Object>)]
    guard: Option<Value>,
    /// "complete", or why somebody may not have been seen.
    #[schema(value_type = Option<Object>)]
    coverage: Option<Value>,
    #[schema(value_type = Object)]
    counts: Value,
    #[schema(value_type = Object)]
    progress: Value,
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    queued_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// From its start to its end, the time in which it waited for approval included.
    duration_seconds: Option<i64>,
}

impl RunBody {
    pub(super) fn of(run: Run, connection: &str, plan: Option<&Plan>) -> Self {
        Self {
            id: run.id,
            connection: connection.to_owned(),
            state: run.state,
            cause: run.cause,
            dry_run: run.dry_run,
            actor: run.actor,
            revision: run.revision,
            plan: run.plan,
            plan_hash: plan.map(Plan::hash_hex).filter(|hash| !hash.is_empty()),
            effect: None,
            guard: plan.map(|plan| json!({ "ok": plan.verdict.ok, "reasons": plan.verdict.reasons })),
            coverage: run.coverage,
            counts: run.counts,
            progress: run.progress,
            error: run.error,
            queued_at: run.queued_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_seconds: run
                .started_at
                .zip(run.finished_at)
                .map(|(start, end)| (end - start).num_seconds()),
        }
    }
}

async fn body(engine: &Engine, run: Run) -> Result<RunBody, Problem> {
    let connection = engine.connection_by_id(run.tenant, run.connection).await?;
    let plan = engine.plan_of(&run).await?;
    let progress = engine.progress_of(&run).await?;
    let effect = match run.plan {
        // Counted once it rests: whoever waits for a run asks often.
        Some(plan) if run.state.is_at_rest() => Some(effect(engine, &run, plan).await?),
        _ => None,
    };
    let mut body = RunBody::of(run, &connection.name, plan.as_ref());
    body.effect = effect;
    if let Some(shown) = body.progress.as_object_mut() {
        shown.insert("percent".to_owned(), progress.percent.into());
        shown.insert("seconds_left".to_owned(), progress.seconds_left.into());
    }
    Ok(body)
}

/// What a run did, in numbers with links.
async fn effect(engine: &Engine, run: &Run, plan: PlanId) -> Result<Value, Problem> {
    let found = engine.plan_counts(run.tenant, plan).await?;
    let count = |actions: &[Action], state: ItemState| -> i64 {
        let fits = |(action, at, _): &&(Action, ItemState, i64)| actions.contains(action) && *at == state;
        found.iter().filter(fits).map(|(_, _, count)| count).sum()
    };
    let applied = |actions: &[Action], link: &str| {
        let link = format!("/api/v1/plans/{plan}/items?state=applied&action={link}");
        json!({ "count": count(actions, ItemState::Applied), "link": link })
    };
    let all = [
        Action::Create,
        Action::Link,
        Action::Update,
        Action::Disable,
        Action::Remove,
    ];
    Ok(json!({
        "created": applied(&[Action::Create], "create"),
        "linked": applied(&[Action::Link], "link"),
        "updated": applied(&[Action::Update], "update"),
        "left": applied(&[Action::Disable], "disable"),
        "removed": applied(&[Action::Remove], "remove"),
        "skipped": {
            "count": run.counts.get("skipped"),
            "link": format!("/api/v1/runs/{}/errors?format=json", run.id),
        },
        "failed": {
            "count": count(&all, ItemState::Refused),
            "link": format!("/api/v1/plans/{plan}/items?state=refused"),
        },
        "declined": {
            "count": count(&all, ItemState::Declined),
            "link": format!("/api/v1/plans/{plan}/items?state=declined"),
        },
    }))
}

pub(super) fn id_of(text: &str) -> Result<RunId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no run {text}")))
}

/// Which runs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct RunQuery {
    /// Of one connection, by name.
    connection: Option<String>,
    /// In one state.
    #[param(value_type = Option<String>)]
    state: Option<RunState>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// Lists runs, newest first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, body = List<RunBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<RunQuery>,
) -> Result<Json<List<RunBody>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let engine = &state.sync;
    let connection = match &query.connection {
        Some(name) => Some(engine.connection(caller.tenant, name).await?),
        None => None,
    };
    let filter = RunFilter {
        connection: connection.as_ref().map(|connection| connection.id),
        state: query.state,
        before: page.after()?,
    };
    let runs = engine
        .runs(caller.tenant, &filter, limit.saturating_add(1))
        .await?;
    let names = names(engine, caller.tenant).await?;
    let items = runs
        .into_iter()
        .map(|run| {
            let name = names.get(&run.connection).cloned().unwrap_or_default();
            RunBody::of(run, &name, None)
        })
        .collect();
    Ok(Json(List::page(items, limit, |run: &RunBody| run.id.to_string())))
}

async fn names(
    engine: &Engine,
    tenant: TenantId,
) -> Result<HashMap<crate::base::ConnectionId, String>, Problem> {
    let connections = engine.connections(tenant, "", 10_000).await?;
    Ok(connections
        .into_iter()
        .map(|connection| (connection.id, connection.name))
        .collect())
}

/// Shows a run with what the guard said of its plan.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunBody), (status = 404, description = "no such run")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs/{id}")]
async fn show(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
) -> Result<Json<RunBody>, Problem> {
    let run = state.sync.run(caller.tenant, id_of(&id)?).await?;
    Ok(Json(body(&state.sync, run).await?))
}

/// Lists what a run's plan would do, or did, item by item.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/items", tag = "runs", params(("id" = String, Path), PageQuery),
    responses((status = 200, description = "items: ordinal, action, person, user, state, reason, note, changes (path, old, new)")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs/{id}/items")]
async fn list_items(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    page: Query<PageQuery>,
) -> Result<Json<List<ItemView>>, Problem> {
    let run = state.sync.run(caller.tenant, id_of(&id)?).await?;
    let found = match run.plan {
        Some(plan) => page_of(&state, caller.tenant, plan, &ItemFilter::default(), &page).await?,
        None => List::page(Vec::new(), page.limit()?, |item: &ItemView| {
            item.ordinal.to_string()
        }),
    };
    Ok(Json(found))
}

/// How outcomes are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OutcomeQuery {
    /// csv or json; `Accept: text/csv` does the same.
    format: Option<String>,
}

/// Streams everybody whom the run skipped or could not read, and why: those it met itself, and those of earlier runs
/// whose records have not changed since.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/errors", tag = "runs", params(("id" = String, Path), OutcomeQuery),
    responses((status = 200, description = "source_id, employee_number, field, message, person, advice; JSON: {\"items\": […]}")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs/{id}/errors")]
async fn errors(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<OutcomeQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    streamed(&state, caller.tenant, &id, &query, &request, Severity::Error).await
}

/// Streams what came through with something left out: see errors for the form.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/warnings", tag = "runs", params(("id" = String, Path), OutcomeQuery),
    responses((status = 200, description = "source_id, employee_number, field, message, person, advice; JSON: {\"items\": […]}")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs/{id}/warnings")]
async fn warnings(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    query: Query<OutcomeQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    streamed(&state, caller.tenant, &id, &query, &request, Severity::Warning).await
}

/// Where a stream of outcomes is.
struct Walk {
    engine: Engine,
    run: Run,
    severity: Severity,
    csv: bool,
    after: Option<String>,
    first: bool,
    done: bool,
}

async fn streamed(
    state: &State,
    tenant: TenantId,
    id: &str,
    query: &OutcomeQuery,
    request: &HttpRequest,
    severity: Severity,
) -> Result<HttpResponse, Problem> {
    let run = state.sync.run(tenant, id_of(id)?).await?;
    let csv = match query.format.as_deref() {
        Some("csv") => true,
        Some("json") => false,
        Some(_) => return Err(Problem::bad_request("invalid-query", "format is csv or json")),
        None => request
            .headers()
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|accept| accept.contains("text/csv")),
    };
    let walk = Walk {
        engine: state.sync.clone(),
        run,
        severity,
        csv,
        after: None,
        first: true,
        done: false,
    };
    let body = stream::unfold(walk, |mut walk| async move {
        if walk.done {
            return None;
        }
        match walk.next().await {
            Ok(bytes) => Some((Ok(bytes), walk)),
            Err(error) => {
                walk.done = true;
                Some((Err(std::io::Error::other(error)), walk))
            }
        }
    });
    let kind = if csv {
        "text/csv; charset=utf-8"
    } else {
        "application/json"
    };
    Ok(HttpResponse::Ok().content_type(kind).streaming(body))
}

impl Walk {
    async fn next(&mut self) -> Result<Bytes, Error> {
        let severities = [self.severity];
        let said = self
            .engine
            .run_outcomes(&self.run, &severities, self.after.as_deref(), BATCH)
            .await?;
        let last = said.iter().rev().find_map(|one| one.source_id.clone());
        self.done = last.is_none() || last == self.after;
        self.after = last;
        let text = if self.csv {
            self.lines(&said)
        } else {
            self.objects(&said)
        };
        self.first = false;
        Ok(text.into())
    }

    fn lines(&self, said: &[Outcome]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if self.first {
            // Writing to memory cannot fail.
            let _ = writer.write_record(COLUMNS);
        }
        for one in said {
            let _ = writer.write_record([
                one.source_id.as_deref().unwrap_or_default(),
                one.employee_number.as_deref().unwrap_or_default(),
                one.field.as_deref().unwrap_or_default(),
                &one.message,
                &one.person.map_or_else(String::new, |person| person.to_string()),
                &one.advice(),
            ]);
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    fn objects(&self, said: &[Outcome]) -> String {
        let mut text = String::new();
        if self.first {
            text.push_str("{\"items\":[");
        }
        for (at, one) in said.iter().enumerate() {
            if !self.first || at > 0 {
                text.push(',');
            }
            let object = json!({
                "source_id": one.source_id,
                "employee_number": one.employee_number,
                "person": one.person,
                "outcome": one.outcome,
                "field": one.field,
                "message": one.message,
                "advice": one.advice(),
            });
            text.push_str(&object.to_string());
        }
        if self.done {
            text.push_str("]}");
        }
        text
    }
}

/// Approves the plan of a waiting run, whole or in part. It is applied next: ask for the run until it rests.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/approve", tag = "runs", params(("id" = String, Path)), request_body = ApprovalBody,
    responses((status = 202, body = RunBody), (status = 409, description = "it does not wait, or it is another plan")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/runs/{id}/approve")]
async fn approve(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    approval: Json<ApprovalBody>,
) -> Result<HttpResponse, Problem> {
    let run = state
        .sync
        .approve(
            caller.tenant,
            id_of(&id)?,
            &approval.into_inner().read()?,
            &caller.actor(),
        )
        .await?;
    Ok(HttpResponse::Accepted().json(body(&state.sync, run).await?))
}

/// Rejects the plan of a waiting run: it never has an effect.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/reject", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunBody), (status = 409, description = "it does not wait")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/runs/{id}/reject")]
async fn reject(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<RunBody>, Problem> {
    let run = state
        .sync
        .reject(caller.tenant, id_of(&id)?, None, &caller.actor())
        .await?;
    Ok(Json(body(&state.sync, run).await?))
}

/// Stops a run; what it has applied stays.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunBody), (status = 409, description = "it has ended")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/runs/{id}/cancel")]
async fn cancel(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<Json<RunBody>, Problem> {
    let run = state
        .sync
        .cancel(caller.tenant, id_of(&id)?, &caller.actor())
        .await?;
    Ok(Json(body(&state.sync, run).await?))
}

/// Lets a run go on that was cancelled or failed: with the rest of its plan when it was applying, else from its read.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/resume", tag = "runs", params(("id" = String, Path)),
    responses(
        (status = 202, body = RunBody),
        (status = 409, description = "it was not stopped, or a newer run has taken its place"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/runs/{id}/resume")]
async fn resume(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let run = state
        .sync
        .resume(caller.tenant, id_of(&id)?, &caller.actor())
        .await?;
    Ok(HttpResponse::Accepted().json(body(&state.sync, run).await?))
}
