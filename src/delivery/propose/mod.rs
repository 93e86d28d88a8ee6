//! Plans of apps: what a publication, a repair or a bulk action would do, stored and judged before the first call.
//!
//! *Comes in:* forecasts, limits, approvals. *Goes out:* plans and, once they may be applied, accounts that are free to
//! be looked at or wait ([`Waits`]). Delivery itself stays level-triggered: an applied plan makes no call, it lets the
//! accounts go, and the next look finds the same difference.

mod apply;
mod beside;
mod store;
mod waits;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use apply::{apply_approved, examine};
pub(super) use beside::{judge_links, judge_the_rest};
pub use store::leave_out;
use store::unjudged;
pub(super) use store::{count_again, free_all, hold_back, let_go};
pub(super) use waits::Apart;
pub use waits::{Waits, Why};

use super::Error;
use super::predict::Predicted;
use crate::base::{AppId, PlanId, TenantId};
use crate::db::Conn;
use crate::guard::{
    self, Action, Cause, EffectLimits, Effects, Instead, Item, PlanState, Verdict, Writer, weigh,
};
use crate::notice::{self, EventKind, NewEvent};

/// A plan as it stands after the judgement.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The plan.
    pub plan: PlanId,
    /// Its hash in hexadecimal.
    pub hash: String,
    /// Whether it may be applied without asking, or the limits that are passed.
    pub verdict: Verdict,
    /// What it would do.
    pub effects: Effects,
}

/// What a plan is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The app, or the tenant.
    pub owner: Uuid,
    /// The app, when it is about one.
    pub app: Option<AppId>,
    /// Its name.
    pub name: Option<&'a str>,
}

impl<'a> About<'a> {
    /// One app.
    pub const fn app(app: AppId, name: &'a str) -> Self {
        Self {
            owner: app.uuid(),
            app: Some(app),
            name: Some(name),
        }
    }
}

/// A plan that is being written.
#[derive(Debug)]
pub(super) struct Proposal {
    tenant: TenantId,
    app: Option<AppId>,
    name: Option<String>,
    cause: Cause,
    owner: Uuid,
    /// What waits of the same cause is older, and this takes its place.
    replaces: bool,
    writer: Writer,
    pub effects: Effects,
}

impl Proposal {
    /// An empty plan.
    pub async fn open(
        conn: &mut Conn,
        tenant: TenantId,
        about: About<'_>,
        cause: Cause,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let writer = Writer::open(conn, tenant, cause, about.owner, now).await?;
        Ok(Self {
            tenant,
            app: about.app,
            name: about.name.map(str::to_owned),
            cause,
            owner: about.owner,
            // Orders are about different people: none takes the place of another.
            replaces: cause != Cause::Bulk,
            writer,
            effects: Effects::default(),
        })
    }

    /// The same, as a plan that takes the place of no other: it is about accounts that no other looked at.
    pub const fn beside(mut self) -> Self {
        self.replaces = false;
        self
    }

    /// Adds what would follow for these accounts; those for which nothing follows are left out.
    pub async fn add(&mut self, conn: &mut Conn, found: &[Predicted]) -> Result<(), Error> {
        let mut items = Vec::with_capacity(found.len());
        for one in found {
            let Some(action) = one.action else { continue };
            self.effects.count(action, one.cleared());
            items.push(self.item(one, action));
        }
        self.writer.add(conn, &items).await?;
        Ok(())
    }

    /// Adds items that are no forecast of calls.
    pub async fn add_items(&mut self, conn: &mut Conn, items: Vec<Item>) -> Result<(), Error> {
        for item in &items {
            self.effects.count(item.action, std::iter::empty());
        }
        self.writer.add(conn, &items).await?;
        Ok(())
    }

    fn item(&self, one: &Predicted, action: Action) -> Item {
        let changes: Vec<Value> = one
            .changes
            .iter()
            .map(|change| json!({ "path": change.path, "old": change.before, "new": change.after }))
            .collect();
        let calls: Vec<_> = one.calls().collect();
        Item {
            action,
            person: one.person,
            resource: Some(one.resource),
            base_version: one.version,
            diff: json!({ "app": self.name, "kind": one.kind, "calls": calls, "changes": changes }),
            reason: one.reason.clone(),
        }
    }

    /// Judges the plan as a whole. Over a limit it waits; else it is approved, and the caller applies it. Either way it
    /// takes the place of older ones of the same app and cause, orders by hand excepted.
    pub async fn seal(
        self,
        conn: &mut Conn,
        limits: &EffectLimits,
        said: &Value,
        now: DateTime<Utc>,
    ) -> Result<Proposed, Error> {
        let verdict = weigh(&self.effects, limits);
        let plan = self.writer.plan();
        let mut counts = json!(self.effects);
        if let (Some(counts), Some(said)) = (counts.as_object_mut(), said.as_object()) {
            counts.extend(said.clone());
        }
        let state = if verdict.ok {
            PlanState::Approved
        } else {
            PlanState::AwaitingApproval
        };
        let hash = self.writer.seal(conn, &counts, &verdict, state).await?;
        if self.replaces {
            let which = (&[self.owner][..], Some(&[self.cause][..]));
            guard::supersede(conn, self.tenant, which, Instead::Plan(plan), now).await?;
        }
        if !verdict.ok {
            let reasons: Vec<&str> = verdict
                .reasons
                .iter()
                .map(|reason| reason.message.as_str())
                .collect();
            let event = NewEvent {
                kind: EventKind::AppAwaitingApproval,
                key: plan.to_string(),
                connection: None,
                app: self.app,
                entity: None,
                person: None,
                detail: json!({ "plan": plan, "cause": self.cause, "reasons": reasons, "counts": counts }),
            };
            notice::raise(conn, self.tenant, &event, now).await?;
        }
        Ok(Proposed {
            plan,
            hash: guard::hex(&hash),
            verdict,
            effects: self.effects,
        })
    }
}
