//! Applies plans that may be applied: looks at each item once more, and lets go what still stands.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Waits, Why, hold_back, let_go};
use crate::audit;
use crate::base::{AppId, Chain, PlanId, ResourceId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::delivery::bulk;
use crate::delivery::compare::{self, CompareId};
use crate::delivery::predict::{AppInForce, Predicted, accounts_of, foresee};
use crate::delivery::store::Row;
use crate::delivery::{Error, publish};
use crate::directory::Directory;
use crate::guard::{self, Cause, ItemState, Mark, Plan, StoredItem};
use crate::notice::{self, EventKind, NewEvent};
use crate::provision;

/// The causes whose plans are applied here.
const CAUSES: &[Cause] = &[Cause::App, Cause::Reconcile, Cause::Bulk];
/// Items looked at by one set of statements.
const BATCH: i64 = 500;
/// Plans looked at in one round.
const AT_ONCE: i64 = 50;

/// Applies approved plans, of whatever tenant, each by itself: one that cannot be applied fails, says why, and keeps none
/// of the others. Returns whether any was ended.
///
/// # Errors
/// When the database fails.
pub(in crate::delivery) async fn apply_approved(
    db: &Db,
    directory: &Directory,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut conn = db.conn().await?;
    let mut worked = false;
    for (tenant, id) in guard::approved(&mut conn, CAUSES, AT_ONCE).await? {
        let done = conn
            .transaction::<_, Error, _>(async |conn| apply(conn, directory, (tenant, id), now).await)
            .await;
        worked |= match done {
            Ok(done) => done,
            Err(error) if error.is_lasting() => {
                tracing::error!(plan.id = %id, error = %Chain(&error), "an approved plan cannot be applied");
                fail(&mut conn, (tenant, id), &error, now).await?;
                true
            }
            Err(error) => {
                tracing::error!(plan.id = %id, error = %Chain(&error), "an approved plan is tried again");
                false
            }
        };
    }
    Ok(worked)
}

async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, id): (TenantId, PlanId),
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let Some(plan) = guard::lock_approved(conn, tenant, id).await? else {
        return Ok(false);
    };
    match plan.cause {
        Cause::App => publish::apply(conn, directory, tenant, &plan, now).await?,
        Cause::Reconcile => compare::apply(conn, directory, tenant, &plan, now).await?,
        Cause::Bulk => bulk::apply(conn, directory, tenant, &plan, true, now).await?,
        Cause::Run | Cause::Due | Cause::Undo | Cause::Decision => return Ok(false),
    }
    guard::end(conn, tenant, id).await?;
    Ok(true)
}

/// Nothing of the plan is done, and whoever approved it can read why.
async fn fail(
    conn: &mut Conn,
    (tenant, id): (TenantId, PlanId),
    error: &Error,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let why = error.said();
    conn.transaction(async |conn| {
        let Some(plan) = guard::lock_approved(conn, tenant, id).await? else {
            return Ok(());
        };
        guard::fail(conn, tenant, id, &why).await?;
        let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await;
        let event = NewEvent {
            kind: EventKind::PlanFailed,
            key: id.to_string(),
            connection: None,
            app: app.ok().map(|app| app.id),
            entity: None,
            person: None,
            detail: json!({ "plan": id, "cause": plan.cause, "reason": why }),
        };
        notice::raise(conn, tenant, &event, now).await?;
        let (subject, detail) = (format!("plan:{id}"), json!({ "reason": why }));
        audit::note(conn, Some(tenant), now, "delivery", "plan.fail", &subject, detail).await?;
        Ok(())
    })
    .await
}

/// What of a batch may be done, and what may not.
#[derive(Debug, Default)]
struct Released {
    /// Accounts that are let go.
    go: Vec<ResourceId>,
    /// Accounts that wait.
    wait: Vec<(ResourceId, Waits)>,
    /// Items of which something is still to be done.
    standing: usize,
    marks: Vec<Mark>,
}

/// Looks at every item of a plan once more, as the accounts stand now, and lets the accounts go or wait. Of a
/// plan that a compare made, what it read is what is known of them. Returns how many items still stand.
pub(in crate::delivery) async fn examine(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, &AppInForce),
    plan: &Plan,
    compare: Option<CompareId>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let (mut after, mut standing) = (0, 0_usize);
    loop {
        let items = guard::items(conn, tenant, plan.id, after, BATCH).await?;
        let Some(last) = items.last() else {
            return Ok(standing);
        };
        after = last.ordinal;
        let foreseen = again(conn, directory, (tenant, app), &items, compare, now).await?;
        let mut released = Released::default();
        for item in &items {
            released.judge(item, plan, item.item.resource.and_then(|id| foreseen.get(&id)));
        }
        if let Some(compare) = compare {
            compare::take_over(conn, (tenant, app.id()), compare, &released.go, &released.wait).await?;
            // What a compare found and nobody wants repaired stays as it is known: it is no state of the account.
            released.wait.clear();
        }
        standing = standing.saturating_add(released.standing);
        released.write(conn, (tenant, app.id()), plan, now).await?;
    }
}

async fn again(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, &AppInForce),
    items: &[StoredItem],
    compare: Option<CompareId>,
    now: DateTime<Utc>,
) -> Result<HashMap<ResourceId, Predicted>, Error> {
    let kinds: HashMap<ResourceId, &str> = items
        .iter()
        .filter_map(|item| {
            let kind = item
                .item
                .diff
                .get("kind")
                .and_then(Value::as_str)
                .unwrap_or("User");
            Some((item.item.resource?, kind))
        })
        .collect();
    let ids: Vec<ResourceId> = kinds.keys().copied().collect();
    let mut accounts = accounts_of(conn, (tenant, app.id()), &ids).await?;
    let mut read = match compare {
        Some(compare) => compare::read_by(conn, (tenant, app.id()), compare, &ids).await?,
        None => HashMap::new(),
    };
    let stored = directory.load(conn, tenant, &ids).await?;
    let rows: Vec<Row> = kinds
        .iter()
        .map(|(id, kind)| {
            let row = accounts.remove(id).unwrap_or_else(|| Row::new(*id, kind));
            let row = match read.remove(id) {
                Some(read) => read.over(row),
                None => row,
            };
            Row { waits: None, ..row }
        })
        .collect();
    let mut found = foresee(conn, app.plan(tenant, directory), &rows, stored, now).await?;
    if let Some(compare) = compare {
        compare::foresee_members(conn, app.plan(tenant, directory), compare, &mut found).await?;
    }
    Ok(found.into_iter().map(|one| (one.resource, one)).collect())
}

impl Released {
    fn judge(&mut self, item: &StoredItem, plan: &Plan, now: Option<&Predicted>) {
        let Some(resource) = item.item.resource else {
            return;
        };
        let waits = |why| Waits {
            why,
            plan: Some(plan.id),
            by: plan.decided_by.clone(),
            cause: now.and_then(|now| now.cause).map(|cause| cause.word().to_owned()),
        };
        let note = |state, note: &str| Mark {
            ordinal: item.ordinal,
            state,
            note: Some(note.to_owned()),
        };
        match item.state {
            ItemState::Planned => {}
            ItemState::Declined => {
                self.wait.push((resource, waits(Why::Declined)));
                return;
            }
            ItemState::Applied | ItemState::Refused => return,
        }
        match now {
            Some(now) if now.action.is_none() => {
                self.go.push(resource);
                self.marks
                    .push(note(ItemState::Applied, "nothing was left to do"));
            }
            Some(now) if stands(item, now) => {
                self.standing = self.standing.saturating_add(1);
                self.go.push(resource);
            }
            _ => {
                self.wait.push((resource, waits(Why::Moved)));
                self.marks.push(note(
                    ItemState::Refused,
                    "what it stood on changed before the approval",
                ));
            }
        }
    }

    async fn write(
        self,
        conn: &mut Conn,
        at: (TenantId, AppId),
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let_go(conn, at, &self.go, true, now).await?;
        hold_back(conn, at, &self.wait, now).await?;
        guard::mark(conn, at.0, plan.id, &self.marks).await?;
        Ok(())
    }
}

/// The same action with no larger difference.
fn stands(item: &StoredItem, now: &Predicted) -> bool {
    if now.action != Some(item.item.action) {
        return false;
    }
    if now.version == item.item.base_version {
        return true;
    }
    let paths: Vec<&str> = item
        .item
        .diff
        .get("changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|change| change.get("path")?.as_str())
        .collect();
    now.changes
        .iter()
        .all(|change| paths.contains(&change.path.as_str()))
}
