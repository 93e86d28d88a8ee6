//! A run's progress as server-sent events (WHATWG HTML, "Server-sent events", read 2026-11-22).

use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;
use serde_json::json;
use utoipa::OpenApi;

use super::super::{Problem, State};
use super::runs::id_of;
use super::{ApiCaller, ProvisioningRead};
use crate::base::{RunId, TenantId};
use crate::sync::{Engine, Progress, RunState};

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How often something is sent though nothing changed, so that proxies keep the connection.
const ALIVE: Duration = Duration::from_secs(15);
/// After so long a stream ends, and the reader asks again by itself.
const LONGEST: Duration = Duration::from_secs(1_800);

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(events))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(events);
}

/// Streams how far a run is, for a browser's EventSource: events `progress` with `state`, `percent` (it only grows),
/// `done`, `of` and `seconds_left`; and `end` when the run rests, at 100 percent if it was applied. Who reconnects with
/// `Last-Event-ID` goes on there, and gets 204 after the end, which stops an EventSource.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/events", tag = "runs", params(("id" = String, Path)),
    responses(
        (status = 200, description = "text/event-stream: progress, end"),
        (status = 204, description = "the end was told already"),
        (status = 404, description = "no such run"),
    ),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/runs/{id}/events")]
async fn events(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    // A run that does not exist is no stream.
    let run = state.sync.run(caller.tenant, id).await?;
    let last = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok());
    let (percent, ended) = last.map_or((0, None), last_event);
    if run.state.is_at_rest() && ended == Some(run.state.as_str()) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let watch = Watch {
        engine: state.sync.clone(),
        tenant: caller.tenant,
        run: id,
        percent,
        told: None,
        told_at: Instant::now(),
        since: Instant::now(),
        done: false,
    };
    let body = stream::unfold(watch, |mut watch| async move {
        if watch.done || watch.since.elapsed() > LONGEST {
            return None;
        }
        let sent = watch.next().await.map_err(std::io::Error::other);
        watch.done = watch.done || sent.is_err();
        Some((sent, watch))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would gather events otherwise.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

/// The percentage in an event's id, and the state with which the stream ended.
fn last_event(id: &str) -> (u64, Option<&str>) {
    match id.split_once('-') {
        Some((percent, state)) => (percent.parse().unwrap_or_default(), Some(state)),
        None => (id.parse().unwrap_or_default(), None),
    }
}

/// One reader of a run's progress.
struct Watch {
    engine: Engine,
    tenant: TenantId,
    run: RunId,
    /// The most that was told.
    percent: u64,
    told: Option<Progress>,
    told_at: Instant,
    since: Instant,
    done: bool,
}

impl Watch {
    /// What to send next; waits for it.
    async fn next(&mut self) -> Result<Bytes, crate::sync::Error> {
        loop {
            let mut progress = self.engine.progress(self.tenant, self.run).await?;
            progress.percent = progress.percent.max(self.percent).min(100);
            let ended = progress.state.is_at_rest();
            if ended || self.told.as_ref() != Some(&progress) {
                self.percent = progress.percent;
                self.told_at = Instant::now();
                let text = if ended {
                    self.done = true;
                    self.end(&progress)
                } else {
                    event(
                        "progress",
                        &progress.percent.to_string(),
                        &json!(progress).to_string(),
                    )
                };
                self.told = Some(progress);
                return Ok(text.into());
            }
            if self.told_at.elapsed() > ALIVE {
                self.told_at = Instant::now();
                return Ok(Bytes::from_static(b": still there\n\n"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn end(&self, progress: &Progress) -> String {
        let id = format!("{}-{}", progress.percent, progress.state.as_str());
        let waits = progress.state == RunState::AwaitingApproval;
        let mut data = json!(progress);
        if let Some(data) = data.as_object_mut() {
            data.insert("awaiting_approval".to_owned(), waits.into());
        }
        event("end", &id, &data.to_string())
    }
}

fn event(kind: &str, id: &str, data: &str) -> String {
    format!("event: {kind}\nid: {id}\nretry: 2000\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_how_far_the_stream_was() {
        assert_eq!(last_event("37"), (37, None));
        assert_eq!(last_event("100-done"), (100, Some("done")));
        assert_eq!(last_event("nonsense"), (0, None));
    }
}
