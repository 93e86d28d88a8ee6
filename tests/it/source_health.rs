//! Source health: reads that lost, emptied, mixed up or swapped people harm nobody; ordinary life never stops.

mod files;
mod ordinary;
mod people;
mod replies;

use serde_json::{Value, json};

use crate::kit::Bridge;
use crate::sync_kit::{active_users, show};

/// The limits that a run passed.
fn limits(run: &Value) -> Vec<String> {
    let reasons = run["guard"]["reasons"].as_array();
    reasons
        .into_iter()
        .flatten()
        .map(|reason| reason["limit"].as_str().unwrap().to_owned())
        .collect()
}

/// What must not change by a read that is not to be trusted.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    active: i64,
    changes: i64,
}

async fn standing(bridge: &Bridge) -> Standing {
    Standing {
        active: active_users(bridge).await,
        changes: bridge.count("SELECT count(*) FROM change").await,
    }
}

/// Starts a run of a connection and steps everything; the run as it rests.
async fn run_of(bridge: &Bridge, connection: &str) -> Value {
    let path = format!("/api/v1/connections/{connection}/runs");
    let started = bridge.post(&path, &json!({})).await;
    bridge.drain().await;
    show(bridge, &started).await
}

/// What is expected of a bad read.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// The run waits for a human, for this limit among others.
    Stops(&'static str),
    /// It is partial: nobody leaves.
    Partial,
    /// The file or the answer is refused as a whole.
    Fails,
}

/// Says what is wrong with a run after a bad read; nothing when it ended as it should.
fn verdict(run: &Value, expected: Expected, before: &Standing, after: &Standing) -> Option<String> {
    let state = run["state"].as_str().unwrap();
    let fine = match expected {
        Expected::Stops(limit) => state == "awaiting_approval" && limits(run).iter().any(|one| one == limit),
        Expected::Partial => {
            state == "partial" && run["counts"]["disable"] == 0 && run["counts"]["remove"] == 0
        }
        Expected::Fails => state == "failed",
    };
    let untouched = match expected {
        Expected::Partial => before.active == after.active,
        _ => before == after,
    };
    let advised = run["guard"]["reasons"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|reason| {
            let words = |member: &str| reason[member].as_str().is_some_and(|text| !text.is_empty());
            words("message") && words("advice")
        });
    (!(fine && untouched && advised)).then(|| {
        format!(
            "expected {expected:?}, got {state} {:?}; {before:?} → {after:?}; {run}",
            limits(run)
        )
    })
}
