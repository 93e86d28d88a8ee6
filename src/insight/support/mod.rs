//! The support bundle: what somebody who is to help needs to see of a tenant, without a person in it.
//!
//! Settings without secrets, runs in numbers, what was said and how often, apps by state. Nobody's values: no record, no
//! user, no body that was sent; texts that people wrote (settings, messages) have addresses taken out.

mod store;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Error, status};
use crate::base::{RunId, TenantId};
use crate::db::Conn;
use crate::provision;
use crate::sync::{Connection, Engine, RunFilter};

/// So many connections and apps are told of at most.
const MOST: i32 = 100;
/// So many of the last runs.
const RUNS: i64 = 50;
/// What stands in place of an address.
const MASK: &str = "(address)";

/// Everything for whoever is to help, as one JSON document.
///
/// # Errors
/// When the store refuses.
pub async fn support(
    conn: &mut Conn,
    sync: &Engine,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<Value, Error> {
    let runs = sync.runs(tenant, &RunFilter::default(), RUNS).await?;
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let outcomes = store::outcomes(conn, tenant, &ids).await?;
    let refused = store::refused(conn, tenant).await?;
    let deeds = store::deeds(conn, tenant).await?;
    let standing = status(conn, tenant, now).await?;
    let mut bundle = json!({
        "made_at": now, "version": env!("CARGO_PKG_VERSION"), "tenant": tenant,
        "connections": connections(sync, tenant).await?,
        "apps": apps(conn, tenant).await?,
        "accounts": standing.apps.iter().map(|app| json!({
            "app": app.name, "mode": app.mode, "counts": app.counts, "trouble": app.trouble, "resume_at": app.resume_at,
        })).collect::<Vec<_>>(),
        "settled": standing.is_settled,
        "frozen": standing.frozen.iter().map(|frozen| json!({
            "what": frozen.what, "name": frozen.name, "since": frozen.since, "reason": frozen.reason,
        })).collect::<Vec<_>>(),
        "runs": runs.iter().map(|run| json!({
            "id": run.id, "connection": run.connection, "state": run.state, "cause": run.cause, "dry_run": run.dry_run,
            "revision": run.revision, "counts": run.counts, "coverage": run.coverage, "error": run.error,
            "queued_at": run.queued_at, "started_at": run.started_at, "finished_at": run.finished_at,
        })).collect::<Vec<_>>(),
        "said": outcomes.into_iter().map(|(severity, outcome, field, message, times)| json!({
            "severity": severity, "outcome": outcome, "field": field, "message": message, "times": times,
        })).collect::<Vec<_>>(),
        "refused": refused.into_iter().map(|(app, action, method, state, at, answer)| json!({
            "app": app, "action": action, "method": method, "state": state, "at": at, "status": answer,
        })).collect::<Vec<_>>(),
        "deeds": deeds.into_iter().map(|(at, actor, action, subject)| json!({
            "at": at, "actor": actor, "action": action, "subject": subject,
        })).collect::<Vec<_>>(),
    });
    mask(&mut bundle);
    Ok(bundle)
}

async fn connections(sync: &Engine, tenant: TenantId) -> Result<Vec<Value>, Error> {
    let mut told = Vec::new();
    for Connection { name, .. } in sync.connections(tenant, "", MOST.into()).await? {
        let (connection, file) = sync.connection_file(tenant, &name, true).await?;
        let found = sync.onboarding(tenant, &name).await?;
        told.push(json!({
            "id": connection.id, "name": name, "connector": connection.connector, "state": connection.state,
            "live_revision": connection.live, "draft_revision": connection.draft, "next_run_at": connection.next_run_at,
            "file": file, "steps": found.steps,
        }));
    }
    Ok(told)
}

async fn apps(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Value>, Error> {
    let mut told = Vec::new();
    for app in provision::apps(conn, tenant, "", MOST).await? {
        let number = app.draft_revision.or(app.live_revision);
        let settings = match number {
            Some(number) => Some(provision::revision(conn, tenant, app.id, number).await?.settings),
            None => None,
        };
        told.push(json!({ "id": app.id, "name": app.name, "settings": settings }));
    }
    Ok(told)
}

/// Takes addresses out of every text, and whatever is called a token or a secret altogether.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('@') => *text = without_addresses(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => mask_members(members),
        _ => {}
    }
}

fn mask_members(members: &mut Map<String, Value>) {
    for (name, value) in members.iter_mut() {
        let name = name.to_lowercase();
        if value.is_string()
            && ["token", "secret", "password"]
                .iter()
                .any(|word| name.ends_with(word))
        {
            *value = Value::from("sealed");
        } else {
            mask(value);
        }
    }
}

fn without_addresses(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '-' | '+' | '%');
    let (mut out, mut word) = (String::new(), String::new());
    let end = |word: &mut String, out: &mut String| {
        out.push_str(if word.contains('@') { MASK } else { word });
        word.clear();
    };
    for c in text.chars() {
        if is_part(c) {
            word.push(c);
        } else {
            end(&mut word, &mut out);
            out.push(c);
        }
    }
    end(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_secrets_are_taken_out() {
        let mut value = json!({
            "said": ["'ann.o+x@acme.example' is taken (by bob@acme.example)", "no address"],
            "client_secret": "s3cret", "count": 3, "token": null,
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "said": ["'(address)' is taken (by (address))", "no address"],
                "client_secret": "sealed", "count": 3, "token": null,
            })
        );
    }
}
