//! Accounts that were just found in the app: what would be done to them is a plan too, made before the first call.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{About, Proposal, Waits, Why, hold_back, let_go, unjudged};
use crate::base::ResourceId;
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::predict::{accounts_of, foresee};
use crate::delivery::prepare::Plan;
use crate::delivery::store::Row;
use crate::guard::{self, Cause};

const BATCH: i64 = 500;

/// Judges what would be done to the accounts that a visit linked: a publication could not know them. Needs a
/// transaction in which the lease was checked.
pub(in crate::delivery) async fn judge_links(
    conn: &mut Conn,
    plan: Plan<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let at = plan.at;
    let mut proposal: Option<Proposal> = None;
    let mut with_effect: Vec<ResourceId> = Vec::new();
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
        let into = match &mut proposal {
            Some(proposal) => proposal,
            none => {
                none.insert(Proposal::open(conn, at.0, About::app(at.1, plan.name), Cause::App, now).await?)
            }
        };
        let linked = u64::try_from(found.len()).unwrap_or(u64::MAX);
        into.effects.accounts = into.effects.accounts.saturating_add(linked);
        into.add(conn, &found).await?;
        for one in found {
            if one.action.is_some() {
                with_effect.push(one.resource);
            } else {
                without.push(one.resource);
            }
        }
    }
    let Some(proposal) = proposal else { return Ok(()) };
    let limits = plan.rules.settings().guard;
    let said = json!({ "links": true });
    let proposed = proposal.seal(conn, &limits, &said, now).await?;
    let_go(conn, at, &without, false, now).await?;
    if proposed.verdict.ok {
        let_go(conn, at, &with_effect, false, now).await?;
        guard::set_applied(conn, at.0, proposed.plan).await?;
        return Ok(());
    }
    let waits = Waits {
        why: Why::Asked,
        plan: Some(proposed.plan),
        by: None,
        cause: None,
    };
    let waiting: Vec<(ResourceId, Waits)> = with_effect.into_iter().map(|id| (id, waits.clone())).collect();
    for batch in waiting.chunks(1_000) {
        hold_back(conn, at, batch, now).await?;
    }
    Ok(())
}
