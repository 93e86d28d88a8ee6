//! What a publication could not look at: accounts that were just found in the app, and those for whom the settings do
//! something only since the plan was made. What would be done to them is a plan too, judged before the first call.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{About, Proposal, Waits, Why, hold_back, let_go, unjudged};
use crate::base::{AppId, ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::{AppInForce, Predicted, Waiting, accounts_of, foresee, survey};
use crate::delivery::prepare::Plan;
use crate::delivery::store::Row;
use crate::directory::Directory;
use crate::guard::{self, Cause};
use crate::provision;

const BATCH: i64 = 500;
/// Accounts held back by one statement.
const HELD_AT_ONCE: usize = 1_000;

/// Judges what would be done to the accounts that a visit linked: a publication could not know them. Needs a
/// transaction in which the lease was checked.
pub(in crate::delivery) async fn judge_links(
    conn: &mut Conn,
    plan: Plan<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let at = plan.at;
    let mut beside = Beside::default();
    let mut without: Vec<ResourceId> = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let ids = unjudged(conn, at, after, BATCH).await?;
        let Some(last) = ids.last() else { break };
        after = last.uuid();
        let accounts = accounts_of(conn, at, &ids).await?;
        let stored = plan.directory.load(conn, at.0, &ids).await?;
        let rows: Vec<Row> = accounts
            .into_values()
            .map(|row| Row { waits: None, ..row })
            .collect();
        let found = foresee(conn, plan, &rows, stored, now).await?;
        let linked = u64::try_from(found.len()).unwrap_or(u64::MAX);
        beside.add(conn, (at, plan.name), &found, linked, now).await?;
        let idle = found.iter().filter(|one| one.action.is_none());
        without.extend(idle.map(|one| one.resource));
    }
    let_go(conn, at, &without, false, now).await?;
    let limits = plan.rules.settings().guard;
    beside
        .judge(conn, at, (&limits, &json!({ "links": true })), now)
        .await
}

/// Judges what the settings in force would do to accounts that were in no plan of theirs. The others were let go, or
/// wait, just before.
pub(in crate::delivery) async fn judge_the_rest(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, &AppInForce),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let at = (tenant, app.id());
    let mut beside = Beside::default();
    let mut after = Uuid::nil();
    while let Some(page) = survey(conn, directory, tenant, &[(app, Waiting::AsItIs)], after, now).await? {
        after = page.last.uuid();
        let mut found: Vec<Predicted> = page.outcomes.into_iter().flatten().collect();
        found.retain(|one| one.action.is_some() && !one.allowed);
        beside.open = beside.open.saturating_add(page.open);
        beside.add(conn, (at, app.name()), &found, 0, now).await?;
    }
    let limits = app.rules().settings().guard;
    beside
        .judge(conn, at, (&limits, &json!({ "later": true })), now)
        .await
}

/// A plan that takes the place of no other.
#[derive(Debug, Default)]
struct Beside {
    proposal: Option<Proposal>,
    /// Accounts that are there.
    open: u64,
    with_effect: Vec<(ResourceId, Option<provision::Cause>)>,
}

impl Beside {
    async fn add(
        &mut self,
        conn: &mut Conn,
        ((tenant, app), name): ((TenantId, AppId), &str),
        found: &[Predicted],
        open: u64,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.open = self.open.saturating_add(open);
        if found.is_empty() {
            return Ok(());
        }
        let proposal = match &mut self.proposal {
            Some(proposal) => proposal,
            none => none.insert(Proposal::open(conn, tenant, About::app(app, name), Cause::App, now).await?),
        };
        proposal.add(conn, found).await?;
        let acting = found.iter().filter(|one| one.action.is_some());
        self.with_effect
            .extend(acting.map(|one| (one.resource, one.cause)));
        Ok(())
    }

    async fn judge(
        self,
        conn: &mut Conn,
        at: (TenantId, AppId),
        (limits, said): (&guard::EffectLimits, &Value),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Some(mut proposal) = self.proposal else {
            return Ok(());
        };
        proposal.effects.accounts = self.open;
        let proposed = proposal.beside().seal(conn, limits, said, now).await?;
        if proposed.verdict.ok {
            let ids: Vec<ResourceId> = self.with_effect.iter().map(|(id, _)| *id).collect();
            let_go(conn, at, &ids, false, now).await?;
            guard::end(conn, at.0, proposed.plan).await?;
            return Ok(());
        }
        let waits = |cause: Option<provision::Cause>| Waits {
            why: Why::Asked,
            plan: Some(proposed.plan),
            by: None,
            cause: cause.map(|cause| cause.word().to_owned()),
        };
        for batch in self.with_effect.chunks(HELD_AT_ONCE) {
            let batch: Vec<(ResourceId, Waits)> =
                batch.iter().map(|(id, cause)| (*id, waits(*cause))).collect();
            hold_back(conn, at, &batch, now).await?;
        }
        Ok(())
    }
}
