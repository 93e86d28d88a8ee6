//! Moving, batch by batch.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::store;
use crate::base::{ConnectionId, PersonId};
use crate::db::{Conn, Transactional as _};
use crate::guard::{self, ItemState, Mark, StoredItem};
use crate::hr::Employee;
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::connection::{Compiled, Connection, ConnectionState, store as connections};
use crate::sync::engine::Job;
use crate::sync::read::{join, store as staging};
use crate::sync::run::{RunState, store as runs};

/// How many people move in one transaction.
const BATCH: i64 = 500;

/// Applies the plan of a rekey, from where it was left, and ends the run.
#[tracing::instrument(name = "sync.rekey.apply", skip_all)]
pub(in crate::sync) async fn apply(job: &mut Job<'_>, live: &Compiled) -> Result<(), Error> {
    let Some(plan) = job.run.plan else {
        return Err(state(job, "has no plan"));
    };
    let from = pause(job).await?;
    let mut after = 0_i32;
    loop {
        let mut conn = job.conn().await?;
        let items = guard::planned_items(&mut conn, job.run.tenant, plan, after, BATCH).await?;
        let Some(last) = items.last() else { break };
        after = last.ordinal;
        conn.transaction(async |conn| {
            job.hold(conn).await?;
            let marks = move_batch(conn, job, (from, live.sealed_custom()), &items).await?;
            Ok::<_, Error>(guard::mark(conn, job.run.tenant, plan, &marks).await?)
        })
        .await?;
        drop(conn);
        job.beat(json!({ "step": "applying", "done": after })).await?;
    }
    end(job, from).await
}

fn state(job: &Job<'_>, problem: &str) -> Error {
    Error::RunState {
        run: job.run.id.to_string(),
        problem: problem.to_owned(),
    }
}

/// Pauses the old connection, unless a run of it is under way: that one could take back what moves.
async fn pause(job: &Job<'_>) -> Result<ConnectionId, Error> {
    let now = job.engine.clock.now();
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        let (from, _) = store::order(conn, &job.run).await?;
        let Some(mut old) = locked(conn, job, from).await? else {
            return Err(state(job, "cannot go on: the old connection is gone"));
        };
        let new = locked(conn, job, job.run.connection).await?;
        if new.is_some_and(|new| new.live.is_some_and(|live| live > job.run.revision)) {
            let why =
                "moved nobody more: other settings of the new connection were published since. Rekey again";
            return Err(state(job, why));
        }
        if store::is_under_way(conn, job.run.tenant, from).await? {
            let why =
                "moved nobody: a run of the old connection was under way. Rekey again when it has ended";
            return Err(state(job, why));
        }
        if old.state == ConnectionState::Published {
            old.state = ConnectionState::Paused;
            old.next_run_at = None;
            connections::set(conn, &old).await?;
            runs::cancel_all(conn, job.run.tenant, from, now).await?;
            let detail = json!({ "run": job.run.id, "rekey": true });
            job.engine
                .note(conn, &old, &job.run.actor, "connection.pause", detail)
                .await?;
        }
        Ok(from)
    })
    .await
}

async fn locked(conn: &mut Conn, job: &Job<'_>, id: ConnectionId) -> Result<Option<Connection>, Error> {
    let Some(found) = connections::by_id(conn, job.run.tenant, id).await? else {
        return Ok(None);
    };
    Ok(connections::by_name_locked(conn, job.run.tenant, &found.name).await?)
}

/// One item as it was stored.
struct Moving {
    ordinal: i32,
    person: PersonId,
    old: Vec<String>,
    new: Vec<String>,
}

impl Moving {
    fn of(stored: &StoredItem) -> Option<Self> {
        let ids = |member: &str| -> Option<Vec<String>> {
            serde_json::from_value(stored.item.diff.get(member)?.clone()).ok()
        };
        Some(Self {
            ordinal: stored.ordinal,
            person: stored.item.person?,
            old: ids("old")?,
            new: ids("new")?,
        })
    }
}

async fn move_batch(
    conn: &mut Conn,
    job: &Job<'_>,
    (from, sealed): (ConnectionId, &[String]),
    items: &[StoredItem],
) -> Result<Vec<Mark>, Error> {
    let moving: Vec<Moving> = items.iter().filter_map(Moving::of).collect();
    let (tenant, to, sealer) = (job.run.tenant, job.run.connection, &job.engine.sealer);
    let all = |get: fn(&Moving) -> &Vec<String>| -> Vec<String> {
        moving.iter().flat_map(|one| get(one).iter().cloned()).collect()
    };
    let (old_ids, new_ids) = (all(|one| &one.old), all(|one| &one.new));
    let before = people::seen(conn, tenant, from, &old_ids).await?;
    let there = people::seen(conn, tenant, to, &new_ids).await?;
    let mut read: HashMap<String, Employee> = HashMap::new();
    for record in staging::staged(conn, &job.run, &new_ids).await? {
        if let Some(plain) = record.employee {
            let employee = join(sealer, tenant, plain, record.sealed.as_deref())?;
            read.insert(record.source_id, employee);
        }
    }
    let (mut marks, mut records, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for one in &moving {
        let of = |id: &String| before.get(id).and_then(|seen| seen.person);
        let taken = |id: &String| there.get(id).is_some_and(|seen| seen.person.is_some());
        let note = if !one.old.iter().all(|id| of(id) == Some(one.person)) {
            Some("the old records were linked otherwise after the plan was made")
        } else if one.new.iter().any(taken) {
            Some("a new record was linked to somebody after the plan was made")
        } else if !one.new.iter().all(|id| read.contains_key(id)) {
            Some("what was read is lost, as after a crash of the database: rekey again")
        } else {
            None
        };
        marks.push(Mark {
            ordinal: one.ordinal,
            state: if note.is_some() {
                ItemState::Refused
            } else {
                ItemState::Applied
            },
            note: note.map(str::to_owned),
        });
        if note.is_some() {
            continue;
        }
        gone.extend(one.old.iter().cloned());
        records.extend(one.new.iter().map(|id| people::NewRecord {
            source_id: id,
            person: Some(one.person),
            employee: read.get(id),
            digest: Vec::new(),
            outcome: "linked",
            detail: None,
        }));
    }
    people::save(conn, tenant, to, &records, sealed, sealer, job.engine.clock.now()).await?;
    store::let_go(conn, tenant, from, &gone).await?;
    Ok(marks)
}

/// Lets the groups follow, and the new connection go live as it was read.
async fn end(job: &mut Job<'_>, from: ConnectionId) -> Result<(), Error> {
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        let (tenant, to) = (job.run.tenant, job.run.connection);
        store::move_groups(conn, tenant, from, to).await?;
        if let Some(plan) = job.run.plan {
            let (applied, refused) = guard::end(conn, tenant, plan).await?;
            if let Some(counts) = job.run.counts.as_object_mut() {
                counts.insert("applied".to_owned(), applied.into());
                counts.insert("refused".to_owned(), refused.into());
            }
        }
        staging::clear(conn, &job.run).await?;
        if let Some(mut new) = locked(conn, job, to).await?
            && (new.state != ConnectionState::Published || new.live != Some(job.run.revision))
        {
            new.draft = new.draft.filter(|draft| *draft != job.run.revision);
            let (number, actor) = (Some(job.run.revision), job.run.actor.clone());
            job.engine
                .go_live(conn, &mut new, number, &actor, "connection.publish")
                .await?;
        }
        job.run.progress = json!({ "step": RunState::Done.as_str() });
        if let Some(coverage) = job.run.coverage.as_mut().and_then(Value::as_object_mut) {
            coverage.insert("rekey".to_owned(), Value::Bool(true));
        }
        job.enter(conn, RunState::Done).await
    })
    .await?;
    drop(conn);
    job.engine.signals().run_waits();
    Ok(())
}
