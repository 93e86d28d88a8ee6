//! The order, and its way to a plan.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{accounts, apply, users};
use crate::audit;
use crate::base::{ResourceId, TenantId, TokenId};
use crate::db::{Db, Transactional as _};
use crate::delivery::predict::AppInForce;
use crate::delivery::{Error, Proposed};
use crate::directory::Directory;
use crate::guard;
use crate::provision::{self, App, State};
use crate::scim::filter::Bound;

/// What is done to many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// Accounts are looked at now, whatever they waited for, and brought to what they should be.
    Push,
    /// The same for accounts that the app refused.
    Retry,
    /// Accounts are deleted in the app.
    Remove,
    /// Users are disabled in the admins' name, in every app.
    Suspend,
    /// What the admins hold is lifted.
    Release,
}

impl BulkAction {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Retry => "retry",
            Self::Remove => "remove",
            Self::Suspend => "suspend",
            Self::Release => "release",
        }
    }

    /// Whether it is about users, and not about one app's accounts.
    #[must_use]
    pub const fn is_about_users(self) -> bool {
        matches!(self, Self::Suspend | Self::Release)
    }
}

/// To whom it is done.
#[derive(Debug, Clone)]
pub enum Selection {
    /// To these users (or, for accounts that nobody of ours has, by the accounts' own ids).
    Ids(Vec<ResourceId>),
    /// To the accounts of the app that are in this state.
    State(State),
    /// To the users that a SCIM filter finds.
    Filter(Box<Bound>),
}

/// One order.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is done.
    pub action: BulkAction,
    /// In which app.
    pub app: Option<String>,
    /// To whom.
    pub selection: Selection,
    /// Why, for the audit trail.
    pub reason: String,
    /// The token of the admin who asks.
    pub token: TokenId,
    /// The name under which it is noted.
    pub actor: String,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub enum Ordered {
    /// It was within the limits and is applied.
    Applied(Proposed),
    /// It waits for an approval.
    Waits(Proposed),
}

/// Makes the plan of an order, and applies it when it is within the limits.
///
/// # Errors
/// [`Error::Order`] when it cannot be done so; when there is no such app, or the store refuses.
pub async fn bulk(
    db: &Db,
    directory: &Directory,
    tenant: TenantId,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Ordered, Error> {
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        let app: Option<App> = match &order.app {
            Some(name) => Some(provision::app(conn, tenant, name).await?),
            None => None,
        };
        let proposed = if order.action.is_about_users() {
            users::propose(conn, directory, (tenant, app.as_ref()), order, now).await?
        } else {
            let app = app.ok_or(Error::Order("name the app whose accounts are meant"))?;
            let live = AppInForce::live(conn, directory, tenant, &app)
                .await?
                .ok_or(Error::Order("the app was never published"))?;
            accounts::propose(conn, directory, (tenant, &live), order, now).await?
        };
        let subject = format!("plan:{}", proposed.plan);
        let detail = json!({ "action": order.action, "reason": order.reason, "counts": proposed.effects });
        audit::note(
            conn,
            Some(tenant),
            now,
            &order.actor,
            "bulk.order",
            &subject,
            detail,
        )
        .await?;
        if !proposed.verdict.ok {
            return Ok(Ordered::Waits(proposed));
        }
        let plan = guard::plan(conn, tenant, proposed.plan).await?;
        if let Some(plan) = plan {
            apply(conn, directory, tenant, &plan, false, now).await?;
        }
        guard::end(conn, tenant, proposed.plan).await?;
        Ok(Ordered::Applied(proposed))
    })
    .await
}
