//! Pulls the pages.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use serde_json::json;

use super::look::Looks;
use super::realm::Realm;
use super::record::{Remark, staged, unreadable};
use super::store::{self, Staged};
use crate::connector::Pull;
use crate::db::Transactional as _;
use crate::hr::{Coverage, Employee, Page, Problem};
use crate::identity;
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::run::{Outcome, RunCause, RunState, Severity, store as runs};

/// How long a page may take before the lease is renewed meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a read has seen so far: hashes alone, so that any number of people fits.
#[derive(Default)]
struct Seen {
    /// Hash of the id → hash of the record.
    records: HashMap<u64, u64>,
    /// Ids that came twice with different records.
    doubled: HashSet<String>,
    read: u64,
    unchanged: u64,
    changed: u64,
    new: u64,
    problems: u64,
    nameless: u64,
}

/// From so many staged records on it pays to count them for the planner.
const MANY: u64 = 1_000;

/// Where pages come from.
enum Pages<'a> {
    /// The HR system is asked.
    Pull(Box<Pull<'a>>),
    /// SCIM clients wrote them.
    Realm(Realm),
    /// Webhooks named them.
    Looks(Looks),
}

impl Pages<'_> {
    fn expected(&self) -> Option<u64> {
        match self {
            Self::Pull(pull) => pull.expected(),
            Self::Realm(_) | Self::Looks(_) => None,
        }
    }

    fn coverage(&self) -> Coverage {
        match self {
            Self::Pull(pull) => pull.coverage(),
            Self::Realm(_) | Self::Looks(_) => Coverage::Complete,
        }
    }
}

/// Reads the HR system into staging, then goes on to planning.
#[tracing::instrument(name = "sync.run.read", skip_all)]
pub(in crate::sync) async fn read(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    let mut conn = job.conn().await?;
    job.hold(&mut conn).await?;
    store::clear(&mut conn, &job.run).await?;
    runs::forget_outcomes(&mut conn, &job.run).await?;
    let tokens = live.tokens(job.engine);
    let mut pull = if live.is_written() {
        Pages::Realm(Realm::new())
    } else if job.run.cause == RunCause::Look {
        Pages::Looks(Looks::take(job).await?)
    } else {
        Pages::Pull(Box::new(live.pull(job.engine, &mut conn, &tokens).await?))
    };
    drop(conn);

    let mut seen = Seen::default();
    let mut broken = None;
    let mut number = 0_i32;
    loop {
        match next(job, live, &mut pull, &seen).await {
            Ok(Some(page)) => {
                number = number.saturating_add(1);
                keep(job, live, number, page, &mut seen).await?;
                job.beat(progress(&seen, pull.expected())).await?;
            }
            Ok(None) => break,
            Err(Error::Connector(error)) if seen.read > 0 => {
                broken = Some(crate::base::Chain(&error).to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let coverage = coverage(broken, pull.coverage(), &seen);
    finish(job, coverage, &seen).await
}

/// The next page. While it takes its time, the lease is kept alive.
async fn next(
    job: &mut Job<'_>,
    live: &Compiled,
    pages: &mut Pages<'_>,
    seen: &Seen,
) -> Result<Option<Page>, Error> {
    let expected = pages.expected();
    if let Pages::Realm(realm) = pages {
        return realm.next(job, live).await;
    }
    let (engine, run) = (job.engine, job.run.clone());
    let page = async {
        match pages {
            Pages::Realm(_) => Ok(None),
            Pages::Pull(pull) => Ok(pull.next().await?),
            Pages::Looks(looks) => looks.next(engine, &run, live).await,
        }
    };
    tokio::pin!(page);
    loop {
        tokio::select! {
            page = &mut page => return page,
            () = tokio::time::sleep(PATIENCE) => job.beat(progress(seen, expected)).await?,
        }
    }
}

fn progress(seen: &Seen, expected: Option<u64>) -> serde_json::Value {
    json!({ "step": "reading", "done": seen.read, "of": expected })
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Compares one page with what is known and stages what differs, in one transaction.
async fn keep(job: &Job<'_>, live: &Compiled, number: i32, page: Page, seen: &mut Seen) -> Result<(), Error> {
    let mut problems = by_record(page.problems, seen);
    let mut records = Vec::with_capacity(page.employees.len());
    for employee in &page.employees {
        records.push(take(job, live, employee, &mut problems, seen)?);
    }
    let named = problems.drain().filter_map(|(id, remarks)| Some((id?, remarks)));
    for (source_id, remarks) in named {
        let record = unreadable(&job.engine.sealer, &live.rules_digest, source_id, remarks);
        records.push(
            seen.records
                .insert(hash(&record.source_id), hash(&record.digest))
                .is_none()
                .then_some(record),
        );
    }
    let records: Vec<Staged> = records.into_iter().flatten().collect();
    let ids: Vec<String> = records.iter().map(|record| record.source_id.clone()).collect();

    let mut conn = job.conn().await?;
    let known = identity::store::seen(&mut conn, job.run.tenant, job.run.connection, &ids).await?;
    let mut differing = Vec::new();
    for record in records {
        match known.get(&record.source_id) {
            Some(before) if before.digest == record.digest => {
                seen.unchanged += 1;
                // What waits for review depends on others too, so it is looked at again.
                if before.outcome == "review" {
                    differing.push(record);
                }
            }
            Some(_) => {
                seen.changed += 1;
                differing.push(record);
            }
            None => {
                seen.new += 1;
                differing.push(record);
            }
        }
    }
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        Ok::<(), Error>(store::add_page(conn, &job.run, number, &ids, &differing).await?)
    })
    .await
}

/// One employee as a staged record. `None` when it came before in this read.
fn take(
    job: &Job<'_>,
    live: &Compiled,
    employee: &Employee,
    problems: &mut HashMap<Option<String>, Vec<Remark>>,
    seen: &mut Seen,
) -> Result<Option<Staged>, Error> {
    let remarks = problems
        .remove(&Some(employee.source_id.clone()))
        .unwrap_or_default();
    let record = staged(
        &job.engine.sealer,
        job.run.tenant,
        &live.rules_digest,
        employee,
        remarks,
    )?;
    let digest = hash(&record.digest);
    match seen.records.insert(hash(&record.source_id), digest) {
        None => {
            seen.read += 1;
            Ok(Some(record))
        }
        Some(before) => {
            if before != digest {
                seen.doubled.insert(record.source_id);
            }
            Ok(None)
        }
    }
}

fn by_record(problems: Vec<Problem>, seen: &mut Seen) -> HashMap<Option<String>, Vec<Remark>> {
    let mut by_record: HashMap<Option<String>, Vec<Remark>> = HashMap::new();
    for problem in problems {
        seen.problems += 1;
        if problem.source_id.is_none() {
            seen.nameless += 1;
        }
        by_record
            .entry(problem.source_id.clone())
            .or_default()
            .push(problem.into());
    }
    by_record
}

fn coverage(broken: Option<String>, coverage: Coverage, seen: &Seen) -> Coverage {
    match (broken, coverage) {
        (Some(reason), _) => Coverage::Partial { reason },
        (None, Coverage::Complete) if seen.nameless > 0 => Coverage::Partial {
            reason: format!("{} records without an id could not be read", seen.nameless),
        },
        (None, coverage) => coverage,
    }
}

async fn finish(job: &mut Job<'_>, coverage: Coverage, seen: &Seen) -> Result<(), Error> {
    let doubled: Vec<String> = seen.doubled.iter().cloned().collect();
    let said: Vec<Outcome> = doubled
        .iter()
        .map(|source_id| Outcome {
            severity: Severity::Error,
            source_id: Some(source_id.clone()),
            employee_number: None,
            person: None,
            outcome: "doubled".to_owned(),
            field: Some("source_id".to_owned()),
            message: "the read has two different records with this id; neither was used: give each record its own id"
                .to_owned(),
        })
        .collect();
    job.run.coverage = Some(match &coverage {
        Coverage::Complete if job.run.cause == RunCause::Look => json!({ "looked_at": seen.read }),
        Coverage::Complete => json!({ "complete": true }),
        Coverage::Partial { reason } => json!({ "complete": false, "reason": reason }),
    });
    job.run.counts = json!({
        "read": seen.read,
        "unchanged": seen.unchanged,
        "changed": seen.changed,
        "new": seen.new,
        "problems": seen.problems,
        "doubled": doubled.len(),
    });
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        store::drop_records(conn, &job.run, &doubled).await?;
        if seen.new.saturating_add(seen.changed) >= MANY {
            store::take_stock(conn).await?;
        }
        runs::add_outcomes(conn, &job.run, &said).await?;
        job.enter(conn, RunState::Planning).await
    })
    .await
}
