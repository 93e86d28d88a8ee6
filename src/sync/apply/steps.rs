//! Applying from begin to end.

use serde_json::json;

use super::batch::{Batch, MANAGER_WAITS, Work};
use crate::base::{PersonId, PlanId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::directory::Cause;
use crate::guard;
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::connection::{Compiled, store as connections};
use crate::sync::engine::Job;
use crate::sync::plan::store;
use crate::sync::read::store::{self as staging, base};
use crate::sync::run::{RunCause, RunState};

/// How many items are applied together.
const BATCH: i64 = 500;

/// From so many items on it pays to count people and records for the planner.
const MANY: i32 = 1_000;

/// Applies the plan of a run, from where it was left, and ends the run.
#[tracing::instrument(name = "sync.run.apply", skip_all)]
pub(in crate::sync) async fn apply(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    let Some(plan) = job.run.plan else {
        return Err(Error::RunState {
            run: job.run.id.to_string(),
            problem: "has no plan".to_owned(),
        });
    };
    let approved = approved(&mut *job.conn().await?, job.run.tenant, plan).await?;
    let counts = guard::item_counts(&mut *job.conn().await?, job.run.tenant, plan).await?;
    let total: i64 = counts.iter().map(|(_, _, count)| count).sum();
    let mut after = 0_i32;
    loop {
        let mut conn = job.conn().await?;
        let items = guard::planned_items(&mut conn, job.run.tenant, plan, after, BATCH).await?;
        let Some(last) = items.last() else { break };
        after = last.ordinal;
        let work = items.into_iter().map(Work::of).collect::<Result<Vec<_>, _>>()?;
        {
            let batch = batch(job, live, approved);
            conn.transaction(async |conn| {
                job.hold(conn).await?;
                batch.apply(conn, work).await
            })
            .await?;
        }
        drop(conn);
        job.engine.signals.changed();
        job.beat(json!({ "step": "applying", "done": after, "of": total }))
            .await?;
    }
    late_managers(job, live, approved).await?;
    if after >= MANY {
        people::take_stock(&mut *job.conn().await?).await?;
    }
    end(job).await
}

/// The plan, if a human approved it.
pub(in crate::sync) async fn approved(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
) -> Result<Option<PlanId>, Error> {
    let found = guard::plan(conn, tenant, plan).await?;
    Ok(found
        .filter(|found| found.decided_by.is_some())
        .map(|found| found.id))
}

fn batch<'a>(job: &'a Job<'a>, live: &'a Compiled, approved: Option<PlanId>) -> Batch<'a> {
    let now = job.engine.clock.now();
    let mut cause = Cause::run(job.run.connection, job.run.id, job.run.revision, now).approved(approved);
    if job.run.cause == RunCause::Due
        && let Some(origin) = cause.origin.as_object_mut()
    {
        origin.insert("cause".to_owned(), "due".into());
    }
    Batch { job, live, cause }
}

async fn late_managers(job: &mut Job<'_>, live: &Compiled, approved: Option<PlanId>) -> Result<(), Error> {
    let Some(plan) = job.run.plan else { return Ok(()) };
    let mut after = 0_i32;
    loop {
        let mut conn = job.conn().await?;
        let items = guard::noted_items(&mut conn, job.run.tenant, plan, MANAGER_WAITS, after, BATCH).await?;
        let Some(last) = items.last() else { return Ok(()) };
        after = last.ordinal;
        let work = items.into_iter().map(Work::of).collect::<Result<Vec<_>, _>>()?;
        let batch = batch(job, live, approved);
        conn.transaction(async |conn| {
            job.hold(conn).await?;
            batch.late_managers(conn, &work).await
        })
        .await?;
        job.engine.signals.changed();
    }
}

/// Counts who was missing, and ends the run and its plan.
async fn end(job: &mut Job<'_>) -> Result<(), Error> {
    let now = job.engine.clock.now();
    let coverage = job
        .run
        .coverage
        .as_ref()
        .and_then(|coverage| coverage.get("complete"));
    let complete = coverage.and_then(serde_json::Value::as_bool);
    let state = if complete == Some(false) {
        RunState::Partial
    } else {
        RunState::Done
    };
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        let (tenant, connection) = (job.run.tenant, job.run.connection);
        if complete == Some(true) && staging::pages(conn, &job.run).await? > 0 {
            let missing: Vec<String> = people::absent(conn, tenant, connection, job.run.id)
                .await?
                .into_iter()
                .filter(|record| record.outcome != "gone" && record.outcome != "moved")
                .map(|record| record.source_id)
                .collect();
            if !missing.is_empty() {
                people::mark_missing(conn, tenant, connection, &missing, now).await?;
            }
        }
        let (returned, people) = store::returned(conn, &job.run).await?;
        if !returned.is_empty() {
            // Whose leaving was kept back is there again: that leaving is over, and the next is another.
            let subjects: Vec<String> = people.iter().map(PersonId::to_string).collect();
            let leaving = |subject| ["disable", "remove"].map(|path| (subject, path));
            let over: Vec<(&str, &str)> = subjects.iter().flat_map(|one| leaving(one.as_str())).collect();
            guard::end_kept(conn, (tenant, connection.uuid()), &over).await?;
            people::mark_returned(conn, tenant, connection, &returned).await?;
        }
        if let Some(plan) = job.run.plan {
            let (applied, refused) = guard::end(conn, tenant, plan).await?;
            // Who was declined is looked at again in a day, not at once.
            store::look_at_declined_later(conn, &job.run, now).await?;
            if let Some(counts) = job.run.counts.as_object_mut() {
                counts.remove("left");
                counts.insert("applied".to_owned(), applied.into());
                counts.insert("refused".to_owned(), refused.into());
            }
        }
        staging::clear(conn, &job.run).await?;
        if complete != Some(false) {
            staging::commit_mark(conn, &job.run).await?;
            remember(conn, job).await?;
        }
        job.run.progress = json!({ "step": state.as_str() });
        job.enter(conn, state).await
    })
    .await
}

/// Lets the read count for the reads that follow, and notes that the connection knows what HR says.
async fn remember(conn: &mut Conn, job: &Job<'_>) -> Result<(), Error> {
    let run = &job.run;
    let Some(began) = run
        .started_at
        .filter(|_| run.cause.reads() && run.cause != RunCause::Look)
    else {
        return Ok(());
    };
    let approved_by_hand = match run.plan {
        Some(plan) => approved(conn, run.tenant, plan).await?.is_some(),
        None => false,
    };
    let count = |word: &str| {
        run.counts
            .get(word)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or_default()
    };
    // Leavers whom a human approved are no sign of anything later.
    let leavers = if approved_by_hand {
        0
    } else {
        count("disable").saturating_add(count("remove"))
    };
    base::commit(conn, run, leavers, approved_by_hand).await?;
    Ok(connections::note_fresh(conn, run.tenant, run.connection, began).await?)
}
