//! What-if: an app's draft beside the settings in force, streamed.

use actix_web::http::header::ACCEPT;
use actix_web::web::{Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::OpenApi;
use uuid::Uuid;

use super::super::{Problem, State};
use super::apps::whose;
use super::{Admin, ApiCaller};
use crate::base::TenantId;
use crate::delivery::{Difference, Error, Predicted, Preview, PreviewPage};
use crate::guard::{Effects, weigh};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(preview))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(preview);
}

/// How a preview is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PreviewQuery {
    /// csv or json; `Accept: text/csv` does the same.
    format: Option<String>,
    /// Whose accounts are where the draft leads, as when it is published: same or new.
    accounts: Option<String>,
}

/// Streams what the app's draft would do, beside what the settings in force do, to everybody who has or may have an
/// account: those for whom it would do something or something else. Both are looked at as if the app pushed; nothing is
/// written and no call is made. JSON ends with `counts` (live, draft) and the `verdict` over the draft's guard.
#[utoipa::path(
    get, path = "/api/v1/apps/{name}/preview", tag = "apps", params(("name" = String, Path), PreviewQuery),
    responses(
        (status = 200, description = "items: user, person, name, kind, live and draft (action, state, reason, calls, changes)"),
        (status = 404, description = "no such app"),
        (status = 409, description = "base_url leads elsewhere, and nobody said whose accounts are there"),
    ),
    security(("token" = ["admin"])),
)]
#[get("/api/v1/apps/{name}/preview")]
async fn preview(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    name: Path<String>,
    query: Query<PreviewQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
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
    let preview = {
        let mut conn = state.db.conn().await?;
        let whose = whose(query.accounts.as_deref())?;
        Preview::of(&mut conn, &state.directory, caller.tenant, &name, whose).await?
    };
    let walk = Walk {
        now: state.clock.now(),
        state,
        tenant: caller.tenant,
        preview,
        after: Uuid::nil(),
        csv,
        is_first: true,
        has_items: false,
        is_done: false,
        live: Effects::default(),
        draft: Effects::default(),
    };
    let body = stream::unfold(walk, |mut walk| async move {
        if walk.is_done {
            return None;
        }
        match walk.next().await {
            Ok(bytes) => Some((Ok(bytes), walk)),
            Err(error) => {
                walk.is_done = true;
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

/// Where the stream is.
struct Walk {
    state: Data<State>,
    tenant: TenantId,
    preview: Preview,
    now: DateTime<Utc>,
    after: Uuid,
    csv: bool,
    is_first: bool,
    has_items: bool,
    is_done: bool,
    live: Effects,
    draft: Effects,
}

impl Walk {
    async fn next(&mut self) -> Result<Bytes, Error> {
        let page = {
            let mut conn = self.state.db.conn().await?;
            self.preview
                .page(
                    &mut conn,
                    &self.state.directory,
                    self.tenant,
                    self.after,
                    self.now,
                )
                .await?
        };
        let items = match &page {
            Some(PreviewPage {
                last,
                items,
                live,
                draft,
            }) => {
                self.after = *last;
                add(&mut self.live, live);
                add(&mut self.draft, draft);
                items.as_slice()
            }
            None => {
                self.is_done = true;
                &[]
            }
        };
        let text = if self.csv {
            self.lines(items)
        } else {
            self.objects(items)
        };
        self.is_first = false;
        self.has_items |= !items.is_empty();
        Ok(text.into())
    }

    fn lines(&self, items: &[Difference]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if self.is_first {
            // Writing to memory cannot fail.
            let _ = writer.write_record([
                "user",
                "name",
                "kind",
                "live",
                "draft",
                "live_state",
                "draft_state",
                "reason",
                "changes",
            ]);
        }
        for one in items {
            let action = |found: Option<&Predicted>| {
                found
                    .and_then(|found| found.action)
                    .map(|action| action.as_str())
                    .unwrap_or_default()
            };
            let changes: Vec<&str> = one
                .draft
                .changes
                .iter()
                .map(|change| change.path.as_str())
                .collect();
            let _ = writer.write_record([
                one.draft.resource.to_string().as_str(),
                one.name.as_deref().unwrap_or_default(),
                &one.draft.kind,
                action(one.live.as_ref()),
                action(Some(&one.draft)),
                one.live
                    .as_ref()
                    .map(|live| live.state.word())
                    .unwrap_or_default(),
                one.draft.state.word(),
                &one.draft.reason,
                &changes.join(" "),
            ]);
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    fn objects(&self, items: &[Difference]) -> String {
        let mut text = String::new();
        if self.is_first {
            text.push_str("{\"items\":[");
        }
        for (place, one) in items.iter().enumerate() {
            if self.has_items || place > 0 {
                text.push(',');
            }
            let object = json!({
                "user": one.draft.resource,
                "person": one.draft.person,
                "name": one.name,
                "kind": one.draft.kind,
                "live": one.live.as_ref().map(outcome),
                "draft": outcome(&one.draft),
            });
            text.push_str(&object.to_string());
        }
        if self.is_done {
            let draft = self.preview.draft();
            let verdict = weigh(&self.draft, &draft.rules().settings().guard);
            let counts = json!({ "live": self.live, "draft": self.draft });
            let end = format!(
                "],\"revision\":{},\"counts\":{counts},\"verdict\":{}}}",
                draft.revision(),
                json!(verdict)
            );
            text.push_str(&end);
        }
        text
    }
}

fn outcome(found: &Predicted) -> Value {
    let changes: Vec<Value> = found
        .changes
        .iter()
        .map(|change| json!({ "path": change.path, "old": change.before, "new": change.after }))
        .collect();
    json!({
        "action": found.action,
        "state": found.state.word(),
        "reason": found.reason,
        "calls": found.calls().collect::<Vec<_>>(),
        "changes": changes,
    })
}

fn add(sum: &mut Effects, page: &Effects) {
    sum.accounts = sum.accounts.saturating_add(page.accounts);
    sum.creates = sum.creates.saturating_add(page.creates);
    sum.updates = sum.updates.saturating_add(page.updates);
    sum.disables = sum.disables.saturating_add(page.disables);
    sum.removals = sum.removals.saturating_add(page.removals);
    for (path, count) in &page.cleared {
        let slot = sum.cleared.entry(path.clone()).or_default();
        *slot = slot.saturating_add(*count);
    }
}
