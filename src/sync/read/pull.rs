//! Pulls the pages.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::look::Looks;
use super::profile::Taking;
use super::realm::Realm;
use super::record::{Remark, staged, unreadable};
use super::store::{self, Staged, base};
use crate::connector::{self, Mark, Pull};
use crate::db::{Conn, Transactional as _};
use crate::hr::{Coverage, Employee, Page, Problem, Status};
use crate::identity;
use crate::identity::store::Erased;
use crate::lifecycle::{self, judge};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::push::Pushed;
use crate::sync::run::{Outcome, RunCause, RunState, Severity, store as runs};
use crate::sync::sign_in::StoredToken;

/// How long a page may take before the lease is renewed meanwhile, and it is asked whether the run is still wanted.
const PATIENCE: Duration = Duration::from_secs(1);

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
    profile: Taking,
    /// Rows of people who had left and are employed again.
    returned: Vec<Uuid>,
}

impl Seen {
    /// Takes out of a page who was erased by now; who had only left comes back once employed again.
    async fn pass_over_erased(
        &mut self,
        conn: &mut Conn,
        (job, live): (&Job<'_>, &Compiled),
        page: &mut Page,
    ) -> Result<(), Error> {
        let now = job.engine.clock.now();
        let whose = (job.run.tenant, job.run.connection);
        let employees = page.employees.iter().map(|employee| employee.source_id.as_str());
        let problems = page.problems.iter().filter_map(|one| one.source_id.as_deref());
        let ids: Vec<&str> = employees.chain(problems).collect();
        let erased = identity::store::erased_among(conn, whose, &ids, &job.engine.sealer).await?;
        if erased.is_empty() {
            return Ok(());
        }
        page.employees
            .retain(|employee| match erased.get(&employee.source_id) {
                None => true,
                Some((_, Erased::Asked)) => false,
                Some((row, Erased::Left)) => {
                    let is_back = is_back(employee, live, now);
                    if is_back {
                        self.returned.push(*row);
                    }
                    is_back
                }
            });
        page.problems.retain(|problem| {
            let id = problem.source_id.as_ref();
            id.is_none_or(|id| !erased.contains_key(id))
        });
        Ok(())
    }
}

/// Whether somebody who was let go of because they left is employed again.
pub(in crate::sync) fn is_back(employee: &Employee, live: &Compiled, now: DateTime<Utc>) -> bool {
    match employee.status {
        Status::Active | Status::OnLeave | Status::PreHire => true,
        Status::Left | Status::Unknown(_) => false,
        Status::ByDates => {
            let state = judge(employee, &live.file.lifecycle, None, now).state;
            !matches!(state, lifecycle::State::Left | lifecycle::State::Rescinded)
        }
    }
}

/// From so many staged records on it pays to count them for the planner.
const MANY: u64 = 1_000;

/// Where pages come from.
enum Pages<'a> {
    /// The HR system is asked for everybody.
    Pull(Box<Pull<'a>>),
    /// The HR system is asked who changed since then.
    Changes(Box<Pull<'a>>, Mark),
    /// SCIM clients wrote them.
    Realm(Realm),
    /// Webhooks named them.
    Looks(Looks),
    /// A caller uploaded them.
    Pushed(Pushed),
}

impl Pages<'_> {
    fn expected(&self) -> Option<u64> {
        match self {
            Self::Pull(pull) => pull.expected(),
            Self::Changes(..) | Self::Realm(_) | Self::Looks(_) | Self::Pushed(_) => None,
        }
    }

    fn coverage(&self) -> Coverage {
        match self {
            Self::Pull(pull) => pull.coverage(),
            Self::Changes(..) | Self::Realm(_) | Self::Looks(_) | Self::Pushed(_) => Coverage::Complete,
        }
    }

    /// How far the read came.
    fn mark(&self) -> Option<Mark> {
        match self {
            Self::Pull(pull) | Self::Changes(pull, _) => pull.mark(),
            Self::Realm(_) | Self::Looks(_) | Self::Pushed(_) => None,
        }
    }
}

/// How far a read came.
struct Came {
    /// From where changes were asked; none: everybody was.
    changes: Option<Mark>,
    /// What the next read may ask changes from.
    mark: Option<Mark>,
    /// Only some were pushed.
    some: bool,
}

/// Reads the HR system into staging, then goes on to planning.
#[tracing::instrument(name = "sync.run.read", skip_all)]
pub(in crate::sync) async fn read(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    let mut conn = job.conn().await?;
    job.hold(&mut conn).await?;
    store::clear(&mut conn, &job.run).await?;
    runs::forget_outcomes(&mut conn, &job.run).await?;
    if !job.run.dry_run {
        blank(job, &mut conn, live).await?;
    }
    let tokens = live.tokens(job.engine);
    let mut pull = if live.is_written() {
        Pages::Realm(Realm::new())
    } else if live.is_pushed() {
        Pages::Pushed(Pushed::of(job).await?)
    } else if job.run.cause == RunCause::Look {
        Pages::Looks(Looks::take(job).await?)
    } else if let Some(since) = changes_from(job, &mut conn, live).await? {
        let pull = live
            .pull_changes(job.engine, &mut conn, &tokens, since.clone())
            .await?;
        Pages::Changes(Box::new(pull), since)
    } else {
        Pages::Pull(Box::new(live.pull(job.engine, &mut conn, &tokens).await?))
    };
    drop(conn);

    let mut seen = Seen::default();
    let mut broken = None;
    let mut number = 0_i32;
    loop {
        match next(job, live, &mut pull, &seen, &tokens).await {
            Ok(Some(page)) => {
                number = number.saturating_add(1);
                keep(job, live, number, page, &mut seen).await?;
                job.beat(progress(&seen, pull.expected())).await?;
            }
            Ok(None) => break,
            Err(Error::Connector(connector::Error::Expired { .. })) if matches!(pull, Pages::Changes(..)) => {
                tracing::info!("the HR system no longer knows what changed: everybody is read");
                let mut conn = job.conn().await?;
                store::clear(&mut conn, &job.run).await?;
                seen = Seen::default();
                pull = Pages::Pull(Box::new(live.pull(job.engine, &mut conn, &tokens).await?));
            }
            Err(Error::Connector(error)) if seen.read > 0 => {
                broken = Some(crate::base::Chain(&error).to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let coverage = coverage(broken, pull.coverage(), &seen);
    let came = Came {
        changes: match &pull {
            Pages::Changes(_, since) => Some(since.clone()),
            _ => None,
        },
        mark: pull.mark(),
        some: matches!(&pull, Pages::Pushed(pushed) if !pushed.has_everybody()),
    };
    drop(pull);
    finish(job, live, coverage, came, seen).await
}

/// Takes out of the stored records what nobody chose to read any more, once for each revision of the settings: also of
/// people whom the HR system no longer names, and so that the guard takes it for no loss.
async fn blank(job: &Job<'_>, conn: &mut Conn, live: &Compiled) -> Result<(), Error> {
    let run = &job.run;
    if store::blanked(conn, run).await? == Some(run.revision) {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let last = conn
            .transaction(async |conn| {
                job.hold(conn).await?;
                let whose = (run.tenant, run.connection);
                let sealer = &job.engine.sealer;
                let last = identity::store::blank(conn, whose, live.unread(), &after, sealer).await?;
                if last.is_none() {
                    store::set_blanked(conn, run).await?;
                }
                Ok::<_, Error>(last)
            })
            .await?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// From where changes are asked: only where the HR system can tell, by the clock or because it said that something changed,
/// and while the last complete read serves. Who asks for a run by hand gets a complete one, and so does every dry run.
async fn changes_from(job: &Job<'_>, conn: &mut Conn, live: &Compiled) -> Result<Option<Mark>, Error> {
    let by_itself = matches!(job.run.cause, RunCause::Schedule | RunCause::Webhook);
    if !by_itself || job.run.dry_run || !live.reads_changes() {
        return Ok(None);
    }
    let kept = store::mark(conn, &job.run).await?;
    let now = job.engine.clock.now();
    Ok(kept
        .filter(|(_, complete_at)| now < *complete_at + live.complete_every())
        .and_then(|(mark, _)| serde_json::from_value(mark).ok()))
}

/// The next page. While it takes its time, the lease is kept alive; when the run is not wanted any more, the page is
/// given up at once, but for a sign-in that is under way: what the HR system answers to that must not be lost.
async fn next(
    job: &mut Job<'_>,
    live: &Compiled,
    pages: &mut Pages<'_>,
    seen: &Seen,
    tokens: &StoredToken,
) -> Result<Option<Page>, Error> {
    let expected = pages.expected();
    if let Pages::Realm(realm) = pages {
        return realm.next(job, live).await;
    }
    if let Pages::Pushed(pushed) = pages {
        return pushed.next(job).await;
    }
    let (engine, run) = (job.engine, job.run.clone());
    let page = async {
        match pages {
            Pages::Realm(_) | Pages::Pushed(_) => Ok(None),
            Pages::Pull(pull) | Pages::Changes(pull, _) => Ok(pull.next().await?),
            Pages::Looks(looks) => looks.next(engine, &run, live).await,
        }
    };
    tokio::pin!(page);
    loop {
        tokio::select! {
            page = &mut page => return page,
            () = tokio::time::sleep(PATIENCE) => {
                let wanted = job.beat(progress(seen, expected)).await;
                if !tokens.is_signing_in() {
                    wanted?;
                }
            }
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
async fn keep(
    job: &Job<'_>,
    live: &Compiled,
    number: i32,
    mut page: Page,
    seen: &mut Seen,
) -> Result<(), Error> {
    let mut conn = job.conn().await?;
    seen.pass_over_erased(&mut conn, (job, live), &mut page).await?;
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
        store::add_page(conn, &job.run, number, &ids, &differing).await?;
        if job.run.dry_run {
            return Ok(());
        }
        let (tenant, connection) = (job.run.tenant, job.run.connection);
        Ok::<(), Error>(identity::store::forget_erased(conn, tenant, connection, &seen.returned).await?)
    })
    .await?;
    seen.returned.clear();
    Ok(())
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
        (&live.rules_digest, live.sealed_custom()),
        employee,
        remarks,
    )?;
    let digest = hash(&record.digest);
    match seen.records.insert(hash(&record.source_id), digest) {
        None => {
            seen.read += 1;
            seen.profile.add(employee);
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

async fn finish(
    job: &mut Job<'_>,
    live: &Compiled,
    coverage: Coverage,
    came: Came,
    seen: Seen,
) -> Result<(), Error> {
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
    job.run.coverage = Some(match (&coverage, &came.changes) {
        (Coverage::Complete, Some(Mark::Moment(since))) => json!({ "changes_since": since }),
        (Coverage::Complete, Some(Mark::Token(_))) => json!({ "changes_since": "the last read" }),
        (Coverage::Complete, None) if came.some => json!({ "changes_since": "the last complete session" }),
        (Coverage::Complete, None) if job.run.cause == RunCause::Look => json!({ "looked_at": seen.read }),
        (Coverage::Complete, None) => json!({ "complete": true }),
        (Coverage::Partial { reason }, _) => json!({ "complete": false, "reason": reason }),
    });
    job.run.counts = json!({
        "read": seen.read,
        "unchanged": seen.unchanged,
        "changed": seen.changed,
        "new": seen.new,
        "problems": seen.problems,
        "doubled": doubled.len(),
    });
    let mark = match coverage {
        Coverage::Complete => came.mark.and_then(|mark| serde_json::to_value(mark).ok()),
        Coverage::Partial { .. } => None,
    };
    // What SCIM clients write grows person by person: earlier reads are no measure for it.
    let whole = matches!(coverage, Coverage::Complete)
        && came.changes.is_none()
        && job.run.looks_at_all()
        && !live.is_written();
    let profile = whole.then(|| seen.profile.profile());
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        if let Some(profile) = &profile {
            base::propose(
                conn,
                &job.run,
                &live.rules_digest,
                profile,
                job.engine.clock.now(),
            )
            .await?;
        }
        store::drop_records(conn, &job.run, &doubled).await?;
        if seen.new.saturating_add(seen.changed) >= MANY {
            store::take_stock(conn).await?;
        }
        runs::add_outcomes(conn, &job.run, &said).await?;
        if let Some(mark) = mark.filter(|_| !job.run.dry_run) {
            let complete_at = came.changes.is_none().then(|| job.engine.clock.now());
            store::propose_mark(conn, &job.run, &mark, complete_at).await?;
        }
        job.enter(conn, RunState::Planning).await
    })
    .await
}
