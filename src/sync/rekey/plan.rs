//! Who would move, stored before anybody does.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::find::{Found, Move, New, Old, find};
use super::store;
use crate::base::{ConnectionId, PersonId};
use crate::db::Transactional as _;
use crate::guard::{self, Action, Cause, Item, PlanState, Reason, Verdict, Writer};
use crate::identity::{Traits, store as people};
use crate::sync::Error;
use crate::sync::connection::store as connections;
use crate::sync::engine::Job;
use crate::sync::read::{join, store as staging};
use crate::sync::run::{Outcome, RunState, Severity, store as runs};

/// How many records are looked at together.
const BATCH: i64 = 1000;
/// How many items are written together.
const ITEMS: usize = 500;

/// Makes the plan of a rekey. It always waits for approval.
#[tracing::instrument(name = "sync.rekey.plan", skip_all)]
pub(in crate::sync) async fn plan(job: &mut Job<'_>) -> Result<(), Error> {
    let read = job.run.counts.get("read").and_then(Value::as_u64);
    let mut conn = job.conn().await?;
    if read.unwrap_or_default() > 0 && staging::pages(&mut conn, &job.run).await? == 0 {
        // A crash of the database emptied staging.
        return job.enter(&mut conn, RunState::Reading).await;
    }
    let (from, order) = store::order(&mut conn, &job.run).await?;
    let from_name = connections::by_id(&mut conn, job.run.tenant, from)
        .await?
        .map(|connection| connection.name)
        .unwrap_or_default();
    drop(conn);
    let old = old(job, from).await?;
    let new = new(job).await?;
    let found = find(&old, &new, &order);
    let said = said(&found, &old, &from_name);
    let mut conn = job.conn().await?;
    let now = job.engine.clock.now();
    let mut writer = conn
        .transaction(async |conn| {
            job.hold(conn).await?;
            guard::withdraw(conn, job.run.tenant, &[job.run.id.uuid()], now).await?;
            let writer = Writer::open(conn, job.run.tenant, Cause::Decision, job.run.id.uuid(), now).await?;
            for part in said.chunks(ITEMS) {
                runs::add_outcomes(conn, &job.run, part).await?;
            }
            Ok::<_, Error>(writer)
        })
        .await?;
    for part in found.moves.chunks(ITEMS) {
        let items: Vec<Item> = part.iter().map(item).collect();
        conn.transaction(async |conn| {
            job.hold(conn).await?;
            Ok::<_, Error>(writer.add(conn, &items).await?)
        })
        .await?;
    }
    drop(conn);
    finish(job, writer, &found, &from_name).await
}

/// The keys of the old connection's records.
async fn old(job: &mut Job<'_>, from: ConnectionId) -> Result<Vec<Old>, Error> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let mut conn = job.conn().await?;
        let ids = store::linked(&mut conn, job.run.tenant, from, &after, BATCH).await?;
        let Some(last) = ids.last() else {
            return Ok(found);
        };
        after.clone_from(last);
        let records = people::stored(&mut conn, job.run.tenant, from, &ids, &job.engine.sealer).await?;
        found.extend(records.into_iter().filter_map(|record| {
            Some(Old {
                person: record.person?,
                traits: record.employee.as_ref().map(Traits::of).unwrap_or_default(),
                source_id: record.source_id,
            })
        }));
        drop(conn);
        job.beat(json!({ "step": "planning", "done": found.len() }))
            .await?;
    }
}

/// The keys of the new connection's records that are nobody's yet.
async fn new(job: &mut Job<'_>) -> Result<Vec<New>, Error> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let mut conn = job.conn().await?;
        let batch = staging::staged_after(&mut conn, &job.run, &after, BATCH).await?;
        let Some(last) = batch.last() else {
            return Ok(found);
        };
        after.clone_from(&last.source_id);
        let ids: Vec<String> = batch.iter().map(|record| record.source_id.clone()).collect();
        let (tenant, sealer) = (job.run.tenant, &job.engine.sealer);
        let known: HashMap<String, PersonId> = people::seen(&mut conn, tenant, job.run.connection, &ids)
            .await?
            .into_iter()
            .filter_map(|(id, seen)| Some((id, seen.person?)))
            .collect();
        for record in batch {
            let Some(plain) = record.employee.filter(|_| !known.contains_key(&record.source_id)) else {
                continue;
            };
            let employee = join(sealer, tenant, plain, record.sealed.as_deref())?;
            found.push(New {
                traits: Traits::of(&employee),
                source_id: record.source_id,
            });
        }
        drop(conn);
        job.beat(json!({ "step": "planning", "done": found.len() }))
            .await?;
    }
}

fn item(one: &Move) -> Item {
    Item {
        action: Action::Link,
        person: Some(one.person),
        resource: None,
        base_version: None,
        diff: json!({
            "old": one.old, "new": one.new,
            "changes": [{ "path": "source_id", "old": one.old, "new": one.new }],
        }),
        reason: format!("the same person, by {}", one.by),
    }
}

/// What is to be said of single records: whom nobody found, and what is claimed twice.
fn said(found: &Found, old: &[Old], from: &str) -> Vec<Outcome> {
    let numbers: HashMap<&str, &Old> = old.iter().map(|one| (one.source_id.as_str(), one)).collect();
    let outcome = |severity, source_id: &str, word: &str, message: String| {
        let known = numbers.get(source_id);
        Outcome {
            severity,
            source_id: Some(source_id.to_owned()),
            employee_number: known.and_then(|one| one.traits.number.clone()),
            person: known.map(|one| one.person),
            outcome: word.to_owned(),
            field: None,
            message,
        }
    };
    let mut said = Vec::new();
    for one in &found.contested {
        let message = format!(
            "{}: {} here, {} in {from}; correct one of them, or say which is which in a mapping",
            one.why,
            one.new.join(", "),
            one.old.join(", ")
        );
        let ids: HashSet<&String> = one.new.iter().collect();
        let mut ids: Vec<&&String> = ids.iter().collect();
        ids.sort();
        said.extend(ids.into_iter().map(|id| Outcome {
            person: None,
            employee_number: None,
            ..outcome(Severity::Error, id, "contested", message.clone())
        }));
    }
    said.extend(found.unmatched.iter().map(|id| {
        let message =
            format!("no record here is this one of {from}: it keeps its person, and nothing happens to them");
        outcome(Severity::Warning, id, "unmatched", message)
    }));
    said.extend(found.strangers.iter().map(|id| Outcome {
        person: None,
        employee_number: None,
        ..outcome(
            Severity::Warning,
            id,
            "stranger",
            format!("nobody of {from}: the next run takes the record for somebody new"),
        )
    }));
    said
}

async fn finish(job: &mut Job<'_>, writer: Writer, found: &Found, from: &str) -> Result<(), Error> {
    let mut counts: Map<String, Value> = job.run.counts.as_object().cloned().unwrap_or_default();
    for (word, count) in [
        ("link", found.moves.len()),
        ("unmatched", found.unmatched.len()),
        ("stranger", found.strangers.len()),
        ("contested", found.contested.len()),
    ] {
        counts.insert(word.to_owned(), count.into());
    }
    let partial = job
        .run
        .coverage
        .as_ref()
        .and_then(|coverage| coverage.get("complete"))
        == Some(&Value::Bool(false));
    let verdict = Verdict {
        ok: false,
        reasons: vec![Reason {
            limit: "rekey".to_owned(),
            message: format!(
                "{} people move from {from}, which is paused with that; {} of its records are not found here and stay \
                 as they are, {} records here are new, {} keys are contested{}",
                found.moves.len(),
                found.unmatched.len(),
                found.strangers.len(),
                found.contested.len(),
                if partial {
                    "; the read was partial, so more may be found by another"
                } else {
                    ""
                }
            ),
            advice:
                "look at the items; approve the plan to move the people, or reject it and nothing changes"
                    .to_owned(),
        }],
    };
    job.run.counts = Value::Object(counts);
    job.run.plan = Some(writer.plan());
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        writer
            .seal(conn, &job.run.counts, &verdict, PlanState::AwaitingApproval)
            .await?;
        job.run.progress = json!({ "step": RunState::AwaitingApproval.as_str() });
        job.enter(conn, RunState::AwaitingApproval).await
    })
    .await
}
