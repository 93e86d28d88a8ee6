//! The compensating plan.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::compensate::Look;
use super::order::Undoing;
use super::store::{self, Trace};
use crate::base::{PersonId, ResourceId};
use crate::db::Transactional as _;
use crate::guard::{
    self, Action, Cause, Item, ItemFilter, ItemState, PlanState, Reason, Sizes, StoredItem, Writer, judge,
};
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::plan::{Effect, store as planning};
use crate::sync::run::{Run, RunState, store as runs};

/// How many items are looked at together.
const BATCH: i64 = 500;

/// The undone run, and what is counted on the way.
struct Under<'a> {
    live: &'a Compiled,
    run: Run,
    undoing: Undoing,
}

/// Makes the plan that takes a run back, and lets the guard judge it.
#[tracing::instrument(name = "sync.undo.plan", skip_all)]
pub(in crate::sync) async fn plan(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    let undoing = Undoing::of(&job.run)?;
    let mut conn = job.conn().await?;
    let found = runs::run(&mut conn, job.run.tenant, undoing.run).await?;
    let (Some(run), now) = (found, job.engine.clock.now()) else {
        return Err(Error::Unknown {
            what: "run",
            name: undoing.run.to_string(),
        });
    };
    let tenant = job.run.tenant;
    guard::withdraw(&mut conn, tenant, &[job.run.id.uuid()], now).await?;
    let mut writer = Writer::open(&mut conn, tenant, Cause::Undo, job.run.id.uuid(), now).await?;
    drop(conn);
    let under = Under { live, run, undoing };
    let applied = ItemFilter {
        state: Some(ItemState::Applied),
        ..ItemFilter::default()
    };
    let mut counts: HashMap<Action, u64> = HashMap::new();
    let mut after = 0_i32;
    while let Some(plan) = under.run.plan {
        let mut conn = job.conn().await?;
        let items = guard::found_items(&mut conn, tenant, plan, &applied, after, BATCH).await?;
        let Some(last) = items.last() else { break };
        after = last.ordinal;
        let compensating = compensating(&mut conn, job, &under, &items).await?;
        for item in &compensating {
            let count = counts.entry(item.action).or_default();
            *count = count.saturating_add(1);
        }
        conn.transaction(async |conn| {
            job.hold(conn).await?;
            Ok::<(), Error>(writer.add(conn, &compensating).await?)
        })
        .await?;
        drop(conn);
        job.beat(json!({ "step": "planning", "done": after })).await?;
    }
    finish(job, &under, writer, &counts).await
}

async fn compensating(
    conn: &mut crate::db::Conn,
    job: &Job<'_>,
    under: &Under<'_>,
    items: &[StoredItem],
) -> Result<Vec<Item>, Error> {
    let tenant = job.run.tenant;
    let items: Vec<(&Item, Effect)> = items
        .iter()
        .filter(|item| !matches!(item.item.action, Action::Skip | Action::Hold | Action::Conflict))
        .map(|item| {
            let effect = serde_json::from_value(item.item.diff.clone()).map_err(Error::Record)?;
            Ok((&item.item, effect))
        })
        .collect::<Result<_, Error>>()?;
    let persons: Vec<PersonId> = items.iter().filter_map(|(item, _)| item.person).collect();
    let persons = people::people(conn, tenant, &persons).await?;
    let user_of = |item: &Item| {
        let of_person = || persons.get(&item.person?)?.user;
        item.resource.or_else(of_person)
    };
    let users: Vec<ResourceId> = items.iter().filter_map(|(item, _)| user_of(item)).collect();
    let now = job.engine.directory.load(conn, tenant, &users).await?;
    let began = under.run.started_at.unwrap_or(under.run.queued_at);
    let since = began - chrono::Duration::milliseconds(1);
    let traces = store::traces(conn, tenant, (under.run.id, since), &users).await?;
    let groups: HashMap<ResourceId, HashSet<ResourceId>> = planning::org_groups_of(conn, &job.run, &users)
        .await?
        .into_iter()
        .map(|(user, groups)| (user, groups.into_iter().map(|(group, _)| group).collect()))
        .collect();
    let keys: Vec<String> = items
        .iter()
        .flat_map(|(_, effect)| effect.groups.add.iter().map(|group| group.key.clone()))
        .collect();
    let by_key = planning::org_groups(conn, &job.run, &keys).await?;
    let left: Vec<ResourceId> = items
        .iter()
        .flat_map(|(_, effect)| effect.groups.remove.clone())
        .collect();
    let there = job.engine.directory.load(conn, tenant, &left).await?;
    let (nothing, nowhere) = (Trace::default(), HashSet::new());
    Ok(items
        .iter()
        .flat_map(|(item, effect)| {
            let user = user_of(item);
            let entered = effect.groups.add.iter();
            Look {
                kind: under.live.mapping.kind(),
                made: under.undoing.order.made,
                item,
                effect,
                user: user.and_then(|user| now.get(&user)),
                trace: user.and_then(|user| traces.get(&user)).unwrap_or(&nothing),
                groups: user.and_then(|user| groups.get(&user)).unwrap_or(&nowhere),
                entered: entered
                    .filter_map(|group| Some((group.key.clone(), by_key.get(&group.key)?.0)))
                    .collect(),
                left: effect
                    .groups
                    .remove
                    .iter()
                    .filter(|group| there.contains_key(*group))
                    .copied()
                    .collect(),
            }
            .compensate()
        })
        .collect())
}

/// Lets the guard judge, and goes on.
async fn finish(
    job: &mut Job<'_>,
    under: &Under<'_>,
    writer: Writer,
    counts: &HashMap<Action, u64>,
) -> Result<(), Error> {
    let of = |action: Action| counts.get(&action).copied().unwrap_or_default();
    let leavers = of(Action::Disable).saturating_add(of(Action::Remove));
    let mut conn = job.conn().await?;
    let (population, ..) = planning::population(&mut conn, &job.run, &[]).await?;
    let sizes = Sizes {
        population,
        leavers,
        ..Sizes::default()
    };
    let mut verdict = judge(&sizes, &under.live.file.guard);
    let frozen = guard::frozen(&mut conn, job.run.tenant, job.run.connection.uuid()).await?;
    let asks = (!under.undoing.order.yes).then(|| Reason {
        limit: "undo".to_owned(),
        message: "taking a run back waits for an approval of its plan".to_owned(),
        advice: "look at its items, then approve or reject it".to_owned(),
    });
    let frozen = frozen.map(|message| Reason {
        limit: "frozen".to_owned(),
        message,
        advice: "thaw it first, or approve this plan alone".to_owned(),
    });
    for reason in asks.into_iter().chain(frozen) {
        verdict.ok = false;
        verdict.reasons.push(reason);
    }
    let numbers: serde_json::Map<String, serde_json::Value> =
        [Action::Update, Action::Disable, Action::Remove, Action::Conflict]
            .into_iter()
            .map(|action| (action.as_str().to_owned(), of(action).into()))
            .collect();
    job.run.counts = numbers.into();
    job.run.plan = Some(writer.plan());
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        let (plan, run) = if verdict.ok {
            (PlanState::Approved, RunState::Applying)
        } else {
            (PlanState::AwaitingApproval, RunState::AwaitingApproval)
        };
        writer.seal(conn, &job.run.counts, &verdict, plan).await?;
        job.run.progress = json!({ "step": run.as_str() });
        job.enter(conn, run).await
    })
    .await
}
