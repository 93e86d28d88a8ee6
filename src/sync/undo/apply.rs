//! Applying a compensating plan, batch by batch: each is one transaction that also marks its items.

use serde_json::json;

use super::compensate::{Compensation, get};
use super::order::Undoing;
use crate::audit;
use crate::base::{PlanId, ResourceId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::{Actor, Cause, Error as DirectoryError, Expected, Put, Stored};
use crate::guard::{self, Action, ItemState, Kept, KeptWhy, Mark, StoredItem};
use crate::sync::Error;
use crate::sync::apply::approved;
use crate::sync::engine::Job;
use crate::sync::run::RunState;

/// How many items are applied together.
const BATCH: i64 = 500;
/// The resource type of users.
const USER: &str = "User";
/// Who put the members of org groups there.
const ORIGIN: &str = "hr";
/// Said of an item whose user is not as it was when the plan was made.
const MOVED: &str = "others changed the user after the plan was made";

/// Applies the plan, from where it was left, and ends the run.
#[tracing::instrument(name = "sync.undo.apply", skip_all)]
pub(in crate::sync) async fn apply(job: &mut Job<'_>) -> Result<(), Error> {
    let undoing = Undoing::of(&job.run)?;
    let Some(plan) = job.run.plan else {
        return Err(Error::RunState {
            run: job.run.id.to_string(),
            problem: "has no plan".to_owned(),
        });
    };
    let approved = approved(&mut *job.conn().await?, job.run.tenant, plan).await?;
    let causes = Causes::of(job, &undoing, approved);
    let mut after = 0_i32;
    loop {
        let mut conn = job.conn().await?;
        let items = guard::planned_items(&mut conn, job.run.tenant, plan, after, BATCH).await?;
        let Some(last) = items.last() else { break };
        after = last.ordinal;
        conn.transaction(async |conn| {
            job.hold(conn).await?;
            batch(conn, job, &causes, items).await
        })
        .await?;
        drop(conn);
        job.engine.signals.changed();
        job.beat(json!({ "step": "applying", "done": after })).await?;
    }
    let now = job.engine.clock.now();
    let mut conn = job.conn().await?;
    conn.transaction(async |conn| {
        job.hold(conn).await?;
        let (applied, refused) = guard::end(conn, job.run.tenant, plan).await?;
        if let Some(counts) = job.run.counts.as_object_mut() {
            counts.insert("applied".to_owned(), applied.into());
            counts.insert("refused".to_owned(), refused.into());
        }
        let subject = format!("run:{}", undoing.run);
        let detail = json!({ "by_run": job.run.id, "plan": plan, "applied": applied, "refused": refused });
        let actor = job.run.actor.clone();
        audit::note(
            conn,
            Some(job.run.tenant),
            now,
            &actor,
            "run.undone",
            &subject,
            detail,
        )
        .await?;
        job.run.progress = json!({ "step": RunState::Done.as_str() });
        job.enter(conn, RunState::Done).await
    })
    .await
}

/// In whose name it is written: what HR held is lifted as HR, what the run made is held as the admins.
struct Causes {
    hr: Cause,
    admin: Cause,
}

impl Causes {
    fn of(job: &Job<'_>, undoing: &Undoing, approved: Option<PlanId>) -> Self {
        let mut hr = Cause::run(
            job.run.connection,
            job.run.id,
            job.run.revision,
            job.engine.clock.now(),
        );
        hr.origin = json!({
            "by": "undo", "connection": job.run.connection, "run": undoing.run, "undo": job.run.id,
            "actor": job.run.actor,
        });
        let hr = hr.approved(approved);
        let token = job
            .run
            .actor
            .strip_prefix("token:")
            .and_then(|id| id.parse().ok());
        let mut admin = hr.clone();
        admin.actor = Actor::Admin {
            token: token.unwrap_or_else(TokenId::new),
        };
        Self { hr, admin }
    }
}

/// An item, read again, and what became of it.
struct Work {
    item: StoredItem,
    todo: Compensation,
    refused: Option<String>,
}

async fn batch(conn: &mut Conn, job: &Job<'_>, causes: &Causes, items: Vec<StoredItem>) -> Result<(), Error> {
    let tenant = job.run.tenant;
    let mut work = items
        .into_iter()
        .map(|item| {
            let todo = serde_json::from_value(item.item.diff.clone()).map_err(Error::Record)?;
            Ok(Work {
                item,
                todo,
                refused: None,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let users: Vec<ResourceId> = work.iter().filter_map(|one| one.item.item.resource).collect();
    let now = job.engine.directory.load(conn, tenant, &users).await?;
    for one in &mut work {
        let user = one.item.item.resource.and_then(|id| now.get(&id));
        one.refused = one.refusal(user);
    }
    for as_admin in [false, true] {
        put(conn, job, causes, &mut work, as_admin).await?;
    }
    remove(conn, job, causes, &mut work).await?;
    memberships(conn, job, causes, &work).await?;
    keep_back(conn, job, &work).await?;
    let marks: Vec<Mark> = work
        .iter()
        .map(|one| Mark {
            ordinal: one.item.ordinal,
            state: if one.refused.is_some() {
                ItemState::Refused
            } else {
                ItemState::Applied
            },
            note: one.refused.clone(),
        })
        .collect();
    if let Some(plan) = job.run.plan {
        guard::mark(conn, tenant, plan, &marks).await?;
    }
    Ok(())
}

impl Work {
    /// Why it cannot be applied: each attribute must be as it was when the plan was made.
    fn refusal(&self, user: Option<&Stored>) -> Option<String> {
        let Some(user) = user else {
            let is_needed = !matches!(self.item.item.action, Action::Conflict | Action::Skip);
            return is_needed.then(|| "the user was deleted after the plan was made".to_owned());
        };
        let makes_nothing_of_others = self.todo.undo.admin || self.item.item.action == Action::Remove;
        if makes_nothing_of_others && self.item.item.base_version != Some(user.version) {
            return Some(MOVED.to_owned());
        }
        let moved = self.todo.delta.iter().any(|line| {
            let path = line
                .get("path")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            get(&user.object, path) != line.get("before").cloned().unwrap_or_default()
        });
        moved.then(|| MOVED.to_owned())
    }

    fn writes(&self) -> bool {
        self.refused.is_none()
            && self.todo.object.is_some()
            && matches!(self.item.item.action, Action::Update | Action::Disable)
    }
}

/// Writes the users of all items of one of the two names.
async fn put(
    conn: &mut Conn,
    job: &Job<'_>,
    causes: &Causes,
    work: &mut [Work],
    as_admin: bool,
) -> Result<(), Error> {
    let cause = if as_admin { &causes.admin } else { &causes.hr };
    let tenant = job.run.tenant;
    let users: Vec<ResourceId> = work
        .iter()
        .filter(|one| one.writes() && one.todo.undo.admin == as_admin)
        .filter_map(|one| one.item.item.resource)
        .collect();
    let now = job.engine.directory.load(conn, tenant, &users).await?;
    let (mut puts, mut places) = (Vec::new(), Vec::new());
    for (place, one) in work.iter().enumerate() {
        let user = one.item.item.resource.and_then(|id| now.get(&id));
        let Some(user) = user.filter(|_| one.writes() && one.todo.undo.admin == as_admin) else {
            continue;
        };
        puts.push(one.put(user));
        places.push(place);
    }
    if puts.is_empty() {
        return Ok(());
    }
    let written = job.engine.directory.put_many(conn, tenant, puts, cause).await?;
    for (place, written) in places.into_iter().zip(written) {
        if let (Some(one), Err(error)) = (work.get_mut(place), written) {
            one.refused = Some(crate::sync::apply::refusal(error)?);
        }
    }
    Ok(())
}

impl Work {
    /// The user as it is now, with what the item says of it.
    fn put(&self, user: &Stored) -> Put {
        let planned = self.todo.object.clone().unwrap_or_default();
        let mut object = crate::sync::apply::overlay(&user.object, &planned, &self.todo.delta);
        object.remove("active");
        let mut disabled_by: Vec<String> = user.disabled_by.clone();
        match self.todo.undo.hr {
            Some(true) => disabled_by.push("hr".to_owned()),
            Some(false) => disabled_by.retain(|party| party != "hr"),
            None => {}
        }
        if self.todo.undo.admin {
            disabled_by.push("admin".to_owned());
        }
        Put {
            id: Some(user.id),
            kind: USER.to_owned(),
            object,
            external_id: None,
            person: None,
            expected: None,
            disabled_by,
        }
    }
}

async fn remove(conn: &mut Conn, job: &Job<'_>, causes: &Causes, work: &mut [Work]) -> Result<(), Error> {
    for one in work.iter_mut().filter(|one| one.refused.is_none()) {
        let (Action::Remove, Some(user)) = (one.item.item.action, one.item.item.resource) else {
            continue;
        };
        let target = (job.run.tenant, user, USER);
        let removed = job
            .engine
            .directory
            .delete(conn, target, &Expected::Any, &causes.admin)
            .await;
        match removed {
            Ok(()) | Err(DirectoryError::NotFound) => {}
            Err(error) => one.refused = Some(crate::sync::apply::refusal(error)?),
        }
    }
    Ok(())
}

/// Enters and leaves groups, group by group.
async fn memberships(conn: &mut Conn, job: &Job<'_>, causes: &Causes, work: &[Work]) -> Result<(), Error> {
    let mut by_group: std::collections::BTreeMap<ResourceId, (Vec<ResourceId>, Vec<ResourceId>)> =
        std::collections::BTreeMap::new();
    for one in work.iter().filter(|one| one.refused.is_none()) {
        let Some(user) = one.item.item.resource else {
            continue;
        };
        for group in &one.todo.undo.enter {
            by_group.entry(*group).or_default().0.push(user);
        }
        for group in &one.todo.undo.leave {
            by_group.entry(*group).or_default().1.push(user);
        }
    }
    for (group, (add, leave)) in by_group {
        let target = (job.run.tenant, group);
        let changed = job
            .engine
            .directory
            .change_members(conn, target, &add, &leave, ORIGIN, &causes.hr)
            .await;
        match changed {
            Ok(_) | Err(DirectoryError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Keeps back what HR still says, so that the next run does not do it again.
async fn keep_back(conn: &mut Conn, job: &Job<'_>, work: &[Work]) -> Result<(), Error> {
    let Some(plan) = job.run.plan else { return Ok(()) };
    let parts: Vec<Kept> = work
        .iter()
        .filter(|one| one.refused.is_none() && !one.todo.undo.subject.is_empty())
        .flat_map(|one| {
            let undo = &one.todo.undo;
            undo.kept
                .iter()
                .map(|(path, value)| Kept::new(&undo.subject, path, one.item.item.person, value))
        })
        .collect();
    let owner = (job.run.tenant, job.run.connection.uuid());
    let by = job.run.actor.as_str();
    guard::keep_back(
        conn,
        owner,
        &parts,
        (plan, KeptWhy::Undone),
        by,
        job.engine.clock.now(),
    )
    .await?;
    Ok(())
}
