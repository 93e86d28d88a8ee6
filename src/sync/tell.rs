//! Who started something hears how it ended: the events of runs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Error;
use super::run::{Run, RunState, store as runs};
use crate::base::RunId;
use crate::db::Conn;
use crate::guard;
use crate::notice::{self, EventKind, NewEvent};

/// Raises what a run has to say of itself in its present state, in the transaction in which it gets there.
pub(super) async fn tell(conn: &mut Conn, run: &Run, now: DateTime<Utc>) -> Result<(), Error> {
    if run.dry_run {
        return Ok(());
    }
    let own = run.id.to_string();
    let (kind, key, detail) = match run.state {
        RunState::Done | RunState::Partial => (EventKind::RunDone, own, done(run)),
        RunState::Failed => failed(run, runs::last_read(conn, run).await?),
        RunState::AwaitingApproval => (EventKind::RunAwaitingApproval, own, waiting(conn, run).await?),
        _ => return Ok(()),
    };
    let event = NewEvent {
        kind,
        key,
        connection: Some(run.connection),
        app: None,
        entity: None,
        person: None,
        detail,
    };
    notice::raise(conn, run.tenant, &event, now).await?;
    Ok(())
}

fn done(run: &Run) -> Value {
    let applied = run.counts.get("applied").and_then(Value::as_i64);
    json!({
        "run": run.id, "state": run.state, "cause": run.cause, "counts": run.counts,
        "changes": applied.unwrap_or_default(),
    })
}

/// A schedule may fail every few minutes for one reason: that is told once, and again when it was over meanwhile.
fn failed(run: &Run, last_read: Option<RunId>) -> (EventKind, String, Value) {
    let part = |name: &str| {
        run.error
            .as_ref()
            .and_then(|error| error.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (code, message) = (part("code"), part("message"));
    let since = last_read.map_or_else(|| "never".to_owned(), |id| id.to_string());
    let key = format!("{}/{code}/{since}", run.connection);
    if code == "credentials" {
        return (
            EventKind::CredentialFailed,
            key,
            json!({ "run": run.id, "message": message }),
        );
    }
    (
        EventKind::RunFailed,
        key,
        json!({ "run": run.id, "cause": run.cause, "error": message }),
    )
}

async fn waiting(conn: &mut Conn, run: &Run) -> Result<Value, Error> {
    let plan = match run.plan {
        Some(plan) => guard::plan(conn, run.tenant, plan).await?,
        None => None,
    };
    let reasons: Vec<String> = plan
        .iter()
        .flat_map(|plan| &plan.verdict.reasons)
        .map(|reason| reason.message.clone())
        .collect();
    Ok(json!({
        "run": run.id, "cause": run.cause, "plan": run.plan, "plan_hash": plan.as_ref().map(guard::Plan::hash_hex),
        "reasons": reasons, "counts": run.counts,
    }))
}
