//! The plan that repairs what a compare found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::CompareId;
use super::members::foresee_members;
use super::store::{self, Counts};
use crate::audit;
use crate::base::{AppId, PlanId, ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::{AppInForce, Predicted, accounts_of, foresee};
use crate::delivery::prepare::Plan;
use crate::delivery::propose::{About, Proposal, examine, let_go};
use crate::delivery::store::Row;
use crate::directory::Directory;
use crate::guard::{self, Action, Cause, EffectLimits, Limit};
use crate::notice::{self, EventKind, NewEvent};
use crate::provision::{self, Mode};

/// Accounts of one set of statements.
const BATCH: i64 = 500;

/// Makes the plan, and applies it when it is within the app's limits. `None` when nothing is to be repaired, or the
/// settings say not to.
pub(super) async fn propose(
    conn: &mut Conn,
    plan: Plan<'_>,
    compare: CompareId,
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<Option<PlanId>, Error> {
    let settings = plan.rules.settings();
    let repairs = settings
        .reconcile
        .as_ref()
        .is_some_and(|reconcile| reconcile.repair);
    if !repairs || plan.mode != Mode::Live || (counts.changed == 0 && counts.vanished == 0) {
        return Ok(None);
    }
    let at = plan.at;
    let mut proposal = Proposal::open(conn, at.0, About::app(at.1, plan.name), Cause::Reconcile, now).await?;
    proposal.effects.accounts = counts.accounts;
    let mut after = Uuid::nil();
    let mut in_plan: Vec<ResourceId> = Vec::new();
    loop {
        let page = store::repairable(conn, at, compare, after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = last.uuid();
        let found = foreseen(conn, plan, compare, &page, now).await?;
        // What needs no call, since a policy leaves it to the app, is what the app holds from now on.
        let as_read: Vec<ResourceId> = found
            .iter()
            .filter(|one| one.action.is_none())
            .map(|one| one.resource)
            .collect();
        store::take_known(conn, at, compare, &as_read).await?;
        in_plan.extend(
            found
                .iter()
                .filter(|one| one.action.is_some())
                .map(|one| one.resource),
        );
        proposal.add(conn, &found).await?;
    }
    let limits = limits_of(&settings.guard);
    let said = json!({ "compare": compare });
    let proposed = proposal.seal(conn, &limits, &said, now).await?;
    store::set_repair(conn, at, compare, &in_plan, "planned").await?;
    if proposed.verdict.ok {
        store::take_over(conn, at, compare, &in_plan, &[]).await?;
        let_go(conn, at, &in_plan, false, now).await?;
        guard::end(conn, at.0, proposed.plan).await?;
        note(conn, at, proposed.plan, in_plan.len(), "schedule", now).await?;
    }
    Ok(Some(proposed.plan))
}

/// What would follow if the accounts stood as they were read. A compare enables nobody.
async fn foreseen(
    conn: &mut Conn,
    plan: Plan<'_>,
    compare: CompareId,
    ids: &[ResourceId],
    now: DateTime<Utc>,
) -> Result<Vec<Predicted>, Error> {
    let at = plan.at;
    let mut accounts = accounts_of(conn, at, ids).await?;
    let mut read = store::read_by(conn, at, compare, ids).await?;
    let stored = plan.directory.load(conn, at.0, ids).await?;
    let rows: Vec<Row> = ids
        .iter()
        .filter_map(|id| Some(read.remove(id)?.over(accounts.remove(id)?)))
        .map(|row| Row { waits: None, ..row })
        .collect();
    let mut found = foresee(conn, plan, &rows, stored, now).await?;
    foresee_members(conn, plan, compare, &mut found).await?;
    for one in &mut found {
        if one.reason.is_empty() {
            one.reason = match one.action {
                Some(Action::Create) => "the app has lost the account".to_owned(),
                _ => "somebody else changed the account in the app".to_owned(),
            };
        }
    }
    Ok(found)
}

/// A repair that makes accounts anew is as grave as one that removes them.
const fn limits_of(guard: &EffectLimits) -> EffectLimits {
    let Limit { share, count } = guard.creates;
    let mut limits = *guard;
    if share.is_none() && count.is_none() {
        limits.creates = guard.removals;
    }
    limits
}

async fn note(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    plan: PlanId,
    accounts: usize,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let detail = json!({ "plan": plan, "accounts": accounts });
    let subject = app.to_string();
    audit::note(conn, Some(tenant), now, actor, "app.repair", &subject, detail).await?;
    Ok(())
}

/// Tells of accounts that nobody of ours has.
pub(super) async fn tell(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    compare: CompareId,
    counts: &Counts,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if counts.unknown == 0 {
        return Ok(());
    }
    let event = NewEvent {
        kind: EventKind::AccountsUnmatched,
        key: format!("{app}:{compare}"),
        connection: None,
        app: Some(app),
        entity: None,
        person: None,
        detail: json!({ "count": counts.unknown }),
    };
    notice::raise(conn, tenant, &event, now).await?;
    Ok(())
}

/// Lets a repair go that somebody approved.
///
/// # Errors
/// When the database fails.
pub(in crate::delivery) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &guard::Plan,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let compare = plan.counts.get("compare").and_then(Value::as_str);
    let compare = compare.and_then(|compare| compare.parse::<CompareId>().ok());
    let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
    let live = AppInForce::live(conn, directory, tenant, &app).await?;
    let (Some(compare), Some(live)) = (compare, live) else {
        return Err(Error::Refused(
            "the plan does not name the compare that it repairs",
        ));
    };
    let accounts = examine(conn, directory, (tenant, &live), plan, Some(compare), now).await?;
    let actor = plan.decided_by.clone().unwrap_or_default();
    note(conn, (tenant, app.id), plan.id, accounts, &actor, now).await
}

/// What a compare read of an account.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct ReadByCompare(pub Option<crate::scim::Object>);

impl ReadByCompare {
    /// The account as the compare found it: with what was read, or without an account in the app.
    pub fn over(self, row: Row) -> Row {
        match self.0 {
            Some(read) => Row {
                known: Some(read),
                ..row
            },
            None => Row {
                known: None,
                remote_id: None,
                ..row
            },
        }
    }
}

/// By account.
pub(in crate::delivery) type AllRead = HashMap<ResourceId, ReadByCompare>;
