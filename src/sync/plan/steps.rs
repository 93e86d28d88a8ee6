//! Planning from begin to end.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::absence::{Absence, absence};
use super::assign::{Assigned, assign};
use super::effect::{Clash, Effect, RecordEffect, ReviewAt};
use super::kept::keep_back;
use super::naming;
use super::person::{Draft, View, decide};
use super::remark::{Message, news};
use super::sizes::Tally;
use super::stored::assign_stored;
use super::surroundings::Surroundings;
use super::{digest, store};
use crate::base::PersonId;
use crate::db::Transactional as _;
use crate::guard::{
    self, Action, Cause, Instead, Item, ItemState, Mark, PlanState, Reason, Verdict, Writer, judge,
};
use crate::identity::Review;
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::read::store as staging;
use crate::sync::run::{Outcome, RunCause, RunState, store as runs};

/// How many people are planned together.
const BATCH: usize = 500;

/// So many records of a review are named in its message.
const NAMED: usize = 10;

/// A plan being made.
struct Planning {
    writer: Writer,
    tally: Tally,
    made: HashSet<PersonId>,
    names: HashSet<String>,
    /// Records of people outside the filter.
    filtered: Vec<String>,
}

/// Makes the plan of a run and lets the guard judge it. Then the run applies it, waits for approval, or (a dry run)
/// is done.
#[tracing::instrument(name = "sync.run.plan", skip_all)]
pub(in crate::sync) async fn plan(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    if job.run.cause.reads() && !is_still_staged(job).await? {
        let mut conn = job.conn().await?;
        return job.enter(&mut conn, RunState::Reading).await;
    }
    let partial = is_partial(job);
    let (assigned, absence) = if job.run.cause == RunCause::Preview {
        (assign_stored(job, live).await?, Absence::default())
    } else if job.run.cause.reads() {
        let assigned = assign(job, live).await?;
        let absence = if partial || !job.run.looks_at_all() {
            Absence::default()
        } else {
            absence(job, live).await?
        };
        (assigned, absence)
    } else {
        (Assigned::default(), Absence::default())
    };
    let affected = affected(job, &assigned, &absence).await?;
    let mut planning = begin(job, &assigned, &absence).await?;
    let total = affected.len();
    let mut done = 0_usize;
    for batch in affected.chunks(BATCH) {
        plan_batch(job, live, &assigned, &absence, batch, partial, &mut planning).await?;
        done = done.saturating_add(batch.len());
        job.beat(json!({ "step": "planning", "done": done, "of": total }))
            .await?;
    }
    finish(job, live, planning, &absence).await
}

fn is_partial(job: &Job<'_>) -> bool {
    job.run.cause.reads()
        && job
            .run
            .coverage
            .as_ref()
            .and_then(|coverage| coverage.get("complete"))
            .and_then(serde_json::Value::as_bool)
            == Some(false)
}

/// Whether staging holds what was read: a crash of the database empties it.
async fn is_still_staged(job: &Job<'_>) -> Result<bool, Error> {
    let read = job
        .run
        .counts
        .get("read")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default();
    let mut conn = job.conn().await?;
    Ok(read == 0 || staging::pages(&mut conn, &job.run).await? > 0)
}

/// Everybody to look at: those with staged records, managers first; then those whose record is gone, whose day has
/// come, whose manager was missing, and whose user others changed.
async fn affected(job: &mut Job<'_>, assigned: &Assigned, absence: &Absence) -> Result<Vec<PersonId>, Error> {
    let mut people = assigned.in_order();
    let now = job.engine.clock.now();
    let mut conn = job.conn().await?;
    if job.run.cause.is_cut() {
        return Ok(store::people_of(&mut conn, &job.run).await?);
    }
    let mut more: Vec<PersonId> = absence.gone_of.keys().copied().collect();
    more.extend(&assigned.left_behind);
    more.extend(store::due_people(&mut conn, &job.run, now).await?);
    more.extend(store::touched_people(&mut conn, &job.run).await?);
    more.extend(store::remade_people(&mut conn, &job.run).await?);
    if job.run.cause.reads() && (!assigned.new.is_empty() || !assigned.of.is_empty()) {
        more.extend(store::waiting_people(&mut conn, &job.run).await?);
    }
    let seq = store::current_seq(&mut conn, job.run.tenant).await?;
    let mut coverage = job.run.coverage.take().unwrap_or_else(|| json!({}));
    if let Some(coverage) = coverage.as_object_mut() {
        coverage.insert("seq".to_owned(), seq.into());
    }
    job.run.coverage = Some(coverage);
    more.sort_unstable();
    more.dedup();
    more.retain(|person| !assigned.by_person.contains_key(person));
    people.extend(more);
    Ok(people)
}

/// Opens the plan and writes what concerns no person: records to review, records that cannot be read.
async fn begin(job: &mut Job<'_>, assigned: &Assigned, absence: &Absence) -> Result<Planning, Error> {
    let now = job.engine.clock.now();
    let cause = if job.run.cause == RunCause::Due {
        Cause::Due
    } else {
        Cause::Run
    };
    let (items, mut said, lost) = nameless(job, assigned).await?;
    said.extend(absence.said.iter().cloned());
    let mut tally = Tally::default();
    tally.count("review", assigned.in_review.len());
    tally.count("unreadable", assigned.unreadable.len());
    tally.count("missing", absence.missing.len());
    tally.add_unusable(lost);
    let mut conn = job.conn().await?;
    let writer = conn
        .transaction(async |conn| {
            job.hold(conn).await?;
            guard::withdraw(conn, job.run.tenant, &[job.run.id.uuid()], now).await?;
            let mut writer = Writer::open(conn, job.run.tenant, cause, job.run.id.uuid(), now).await?;
            writer.add(conn, &items).await?;
            runs::add_outcomes(conn, &job.run, &said).await?;
            Ok::<_, Error>(writer)
        })
        .await?;
    Ok(Planning {
        writer,
        tally,
        made: HashSet::new(),
        names: HashSet::new(),
        filtered: Vec::new(),
    })
}

/// Items without a person, and what to say of their records: reviews, and records that cannot be read. And how many of
/// these had a person before.
async fn nameless(job: &Job<'_>, assigned: &Assigned) -> Result<(Vec<Item>, Vec<Outcome>, usize), Error> {
    let ids: Vec<String> = assigned
        .in_review
        .iter()
        .chain(&assigned.unreadable)
        .cloned()
        .collect();
    if ids.is_empty() {
        return Ok((Vec::new(), Vec::new(), 0));
    }
    let mut conn = job.conn().await?;
    let (tenant, sealer) = (job.run.tenant, &job.engine.sealer);
    let stored = people::stored(&mut conn, tenant, job.run.connection, &ids, sealer).await?;
    let lost = stored.iter().filter(|record| record.outcome == "linked").count();
    let before: HashMap<String, Vec<Message>> = stored
        .into_iter()
        .map(|record| (record.source_id, Message::stored(record.detail.as_ref())))
        .collect();
    let (mut items, mut said) = (Vec::new(), Vec::new());
    let mut record = |source_id: &str, outcome: &str, messages: Vec<Message>, staged: bool| {
        let stood = before.get(source_id).map(Vec::as_slice).unwrap_or_default();
        said.extend(news(source_id, None, None, stood, &messages));
        RecordEffect {
            source_id: source_id.to_owned(),
            outcome: outcome.to_owned(),
            messages,
            waits: false,
            staged,
        }
    };
    let asked = asked(&mut conn, job, &ids).await?;
    for review in assigned.reviews.iter().filter(|review| !asked.stands(review)) {
        let message = Message::error("review", None, asked_of(review));
        let records = review
            .source_ids
            .iter()
            .filter(|id| assigned.in_review.contains(id))
            .map(|id| record(id, "review", vec![message.clone()], true))
            .collect();
        let effect = Effect {
            records,
            review: Some(ReviewAt {
                source_ids: review.source_ids.clone(),
                candidates: review.candidates.clone(),
                reason: review.reason.clone(),
            }),
            ..Effect::default()
        };
        items.push(item(Action::Hold, None, review.reason.clone(), &effect));
    }
    for staged in staging::staged(&mut conn, &job.run, &assigned.unreadable).await? {
        let messages = staged
            .problems
            .into_iter()
            .map(|problem| Message::error("unreadable", Some(&problem.field), problem.message))
            .collect();
        let effect = Effect {
            records: vec![record(&staged.source_id, "unreadable", messages, false)],
            ..Effect::default()
        };
        items.push(item(Action::Skip, None, "unreadable".to_owned(), &effect));
    }
    Ok((items, said, lost))
}

/// What is asked, with the records it is asked about.
fn asked_of(review: &Review) -> String {
    let shown: Vec<&str> = review.source_ids.iter().take(NAMED).map(String::as_str).collect();
    let more = review.source_ids.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "{}: records {}{more}; correct them in HR, or decide with `scim-bridge review decide`",
        review.reason,
        shown.join(", ")
    )
}

/// What was asked before about records that are looked at again.
struct Asked {
    open: HashSet<(Vec<String>, Vec<PersonId>, String)>,
    changed: HashSet<String>,
}

impl Asked {
    /// Whether exactly this is open already, and none of its records changed since.
    fn stands(&self, review: &Review) -> bool {
        let same = (
            review.source_ids.clone(),
            review.candidates.clone(),
            review.reason.clone(),
        );
        self.open.contains(&same) && !review.source_ids.iter().any(|id| self.changed.contains(id))
    }
}

async fn asked(conn: &mut crate::db::Conn, job: &Job<'_>, ids: &[String]) -> Result<Asked, Error> {
    let (tenant, connection) = (job.run.tenant, job.run.connection);
    let open = people::reviews(conn, tenant, Some(connection), Some("open"), None, i64::MAX).await?;
    let known = people::seen(conn, tenant, connection, ids).await?;
    let staged = staging::staged(conn, &job.run, ids).await?;
    let changed = staged.into_iter().filter(|record| {
        let before = known.get(&record.source_id);
        before.is_none_or(|before| before.digest != record.digest || before.outcome != "review")
    });
    Ok(Asked {
        changed: changed.map(|record| record.source_id).collect(),
        open: open
            .into_iter()
            .map(|review| (review.source_ids, review.candidates, review.reason))
            .collect(),
    })
}

fn item(action: Action, draft: Option<&Draft>, reason: String, effect: &Effect) -> Item {
    Item {
        action,
        person: draft.map(|draft| draft.person),
        resource: draft.and_then(|draft| draft.user),
        base_version: draft.and_then(|draft| draft.version),
        diff: serde_json::to_value(effect).unwrap_or_default(),
        reason,
    }
}

async fn plan_batch(
    job: &Job<'_>,
    live: &Compiled,
    assigned: &Assigned,
    absence: &Absence,
    batch: &[PersonId],
    partial: bool,
    planning: &mut Planning,
) -> Result<(), Error> {
    let around = Surroundings::load(job, assigned, &absence.gone, batch).await?;
    let given = naming::given(job, live, batch).await?;
    let kind = live.mapping.kind();
    let mut drafts = Vec::with_capacity(batch.len());
    for person in batch {
        let view = View {
            live,
            around: &around,
            assigned,
            given: &given,
            made: &planning.made,
            cut: Some(job.run.cause).filter(|cause| cause.is_cut()),
            partial,
            kind,
            now: job.engine.clock.now(),
        };
        let gone = absence.gone_of.get(person).cloned().unwrap_or_default();
        if let Some(draft) = decide(&view, *person, gone) {
            if draft.action == Action::Create {
                planning.made.insert(*person);
            }
            drafts.push(draft);
        }
    }
    naming::settle(job, live, &mut drafts, &planning.names).await?;
    settle_names(job, &mut drafts, planning).await?;
    let mut conn = job.conn().await?;
    keep_back(&mut conn, job, (kind, &around), &mut drafts).await?;
    for draft in &drafts {
        planning.tally.add(draft);
        if draft.declined.is_some() {
            planning.made.remove(&draft.person);
        }
    }
    let filtered = drafts.iter().flat_map(|draft| &draft.effect.records);
    let filtered = filtered.filter(|record| record.outcome == "filtered" && record.staged);
    planning
        .filtered
        .extend(filtered.map(|record| record.source_id.clone()));
    let items: Vec<Item> = drafts
        .iter()
        .map(|draft| item(draft.action, Some(draft), draft.reason.clone(), &draft.effect))
        .collect();
    let effects: Vec<Vec<u8>> = drafts.iter().filter_map(digest::of).collect();
    let declined: Vec<Mark> = (planning.writer.next()..)
        .zip(&drafts)
        .filter_map(|(ordinal, draft)| {
            Some(Mark {
                ordinal,
                state: ItemState::Declined,
                note: Some(draft.declined.clone()?),
            })
        })
        .collect();
    let said: Vec<Outcome> = drafts.into_iter().flat_map(|draft| draft.said).collect();
    let writer = &mut planning.writer;
    for effect in effects {
        writer.fold(&effect);
    }
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        writer.add(conn, &items).await?;
        guard::mark(conn, job.run.tenant, writer.plan(), &declined).await?;
        Ok::<(), Error>(runs::add_outcomes(conn, &job.run, &said).await?)
    })
    .await
}

/// Looks whether new userNames are free. One that belongs to a user of nobody links that user; any other is a conflict
/// that changes nothing.
async fn settle_names(job: &Job<'_>, drafts: &mut [Draft], planning: &mut Planning) -> Result<(), Error> {
    let wanted: Vec<String> = drafts.iter().filter_map(Draft::new_name).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut conn = job.conn().await?;
    let taken = store::users_by_name(&mut conn, job.run.tenant, &wanted).await?;
    let linked: Vec<_> = taken
        .values()
        .filter(|(_, person)| person.is_none())
        .map(|(user, _)| *user)
        .collect();
    let free = if linked.is_empty() {
        HashMap::new()
    } else {
        job.engine
            .directory
            .load(&mut conn, job.run.tenant, &linked)
            .await?
    };
    for draft in drafts.iter_mut() {
        let Some(name) = draft.new_name() else { continue };
        let holder = taken.get(&name).filter(|(user, _)| Some(*user) != draft.user);
        let doubled = !planning.names.insert(name);
        match holder {
            Some((user, None)) if draft.action == Action::Create && !doubled => {
                draft.action = Action::Link;
                draft.reason =
                    "new in HR; a user with this userName was there and belonged to nobody".to_owned();
                draft.user = Some(*user);
                draft.version = free.get(user).map(|user| user.version);
            }
            None if !doubled => {}
            _ => conflict(draft, planning),
        }
    }
    Ok(())
}

fn conflict(draft: &mut Draft, planning: &mut Planning) {
    let name = draft.effect.object.as_ref();
    let name = name.and_then(|user| user.get("displayName")?.as_str().map(str::to_owned));
    let clash = draft.new_name().map(|user_name| Clash { user_name, name });
    planning.made.remove(&draft.person);
    draft.action = Action::Conflict;
    draft.reason = "the userName belongs to another user".to_owned();
    let message = Message::error(
        "conflict",
        Some("userName"),
        "another user has this userName already: give one of the two another e-mail address in HR, or delete the other user",
    );
    let effect = &mut draft.effect;
    effect.clash = clash;
    effect.object = None;
    effect.delta.clear();
    effect.groups = super::effect::Groups::default();
    effect.manager_waits = None;
    effect.holds.clear();
    let person = draft.person;
    if let Some(record) = effect.records.first_mut() {
        let before = std::mem::take(&mut record.messages);
        record.outcome = "skipped".to_owned();
        record.waits = true;
        record.messages = vec![message];
        draft.said = news(&record.source_id, None, Some(person), &before, &record.messages);
    }
}

/// Lets the guard judge, and goes on.
async fn finish(
    job: &mut Job<'_>,
    live: &Compiled,
    planning: Planning,
    absence: &Absence,
) -> Result<(), Error> {
    let sizes = planning.tally.sizes(job, live, &absence.missing).await?;
    let mut verdict = judge(&sizes, &live.file.guard);
    let now = job.engine.clock.now();
    job.run.counts = planning.tally.into_counts(&job.run.counts);
    job.run.plan = Some(planning.writer.plan());
    let writer = planning.writer;
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        freeze(conn, job, &mut verdict).await?;
        let (plan_state, run_state) = match (job.run.dry_run, verdict.ok) {
            (true, _) => (PlanState::Dry, RunState::Done),
            (false, true) => (PlanState::Approved, RunState::Applying),
            (false, false) => (PlanState::AwaitingApproval, RunState::AwaitingApproval),
        };
        let plan = writer.plan();
        // While a plan waits, nothing is kept of people outside the filter but that they were seen.
        for ids in planning.filtered.chunks(10_000) {
            staging::drop_contents(conn, &job.run, ids).await?;
        }
        writer.seal(conn, &job.run.counts, &verdict, plan_state).await?;
        if !job.run.dry_run {
            let older = runs::supersede(conn, &job.run, now).await?;
            guard::supersede(conn, job.run.tenant, (&older, None), Instead::Plan(plan), now).await?;
        }
        job.run.progress = json!({ "step": run_state.as_str() });
        job.enter(conn, run_state).await?;
        if run_state == RunState::Done {
            staging::clear(conn, &job.run).await?;
        }
        Ok::<(), Error>(())
    })
    .await
}

/// A frozen connection or tenant may plan, and has no effect before somebody approves.
async fn freeze(conn: &mut crate::db::Conn, job: &Job<'_>, verdict: &mut Verdict) -> Result<(), Error> {
    let frozen = guard::frozen(conn, job.run.tenant, job.run.connection.uuid()).await?;
    if let Some(reason) = frozen {
        verdict.ok = false;
        verdict.reasons.push(Reason {
            limit: "frozen".to_owned(),
            message: reason,
            advice: String::new(),
        });
    }
    Ok(())
}
