//! Plans of any cause: look at them, approve them whole or in part, reject them.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Run, store};
use crate::audit;
use crate::base::{PlanId, RunId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::guard::{
    self, Action, Chosen, Decision, ItemFilter, ItemState, Kept, KeptWhy, Plan, PlanFilter, PlanState,
    StoredItem,
};
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::plan::kept;

/// What an approval says beside yes.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// Only if this is the plan's hash, in hexadecimal; a beginning of it is enough from 8 digits on.
    pub hash: Option<String>,
    /// Which items.
    pub chosen: Chosen,
}

fn unknown(id: PlanId) -> Error {
    Error::Unknown {
        what: "plan",
        name: id.to_string(),
    }
}

impl Engine {
    /// Up to `limit` plans of the tenant, newest first.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn plans(&self, tenant: TenantId, filter: &PlanFilter, limit: i64) -> Result<Vec<Plan>, Error> {
        let mut conn = self.conn().await?;
        Ok(guard::plans(&mut conn, tenant, filter, limit).await?)
    }

    /// One plan.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn plan(&self, tenant: TenantId, id: PlanId) -> Result<Plan, Error> {
        let mut conn = self.conn().await?;
        guard::plan(&mut conn, tenant, id)
            .await?
            .ok_or_else(|| unknown(id))
    }

    /// How many items of a plan there are of each action, by how far they are.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn plan_counts(
        &self,
        tenant: TenantId,
        id: PlanId,
    ) -> Result<Vec<(Action, ItemState, i64)>, Error> {
        let mut conn = self.conn().await?;
        Ok(guard::item_counts(&mut conn, tenant, id).await?)
    }

    /// Up to `limit` items of a plan after an ordinal, of those that the filter lets through.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn found_items(
        &self,
        tenant: TenantId,
        id: PlanId,
        filter: &ItemFilter,
        after: i32,
        limit: i64,
    ) -> Result<Vec<StoredItem>, Error> {
        let mut conn = self.conn().await?;
        Ok(guard::found_items(&mut conn, tenant, id, filter, after, limit).await?)
    }

    /// The run that made a plan; none for plans of other causes.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn run_of_plan(&self, plan: &Plan, tenant: TenantId) -> Result<Option<Run>, Error> {
        let mut conn = self.conn().await?;
        run_of(&mut conn, tenant, plan).await
    }

    /// Approves a plan that waits, whole or in part. That of a run is applied next by the run; whoever made another
    /// applies it.
    ///
    /// # Errors
    /// As [`Engine::approve`]; [`guard::Error::Choice`].
    #[tracing::instrument(name = "sync.plan.approve", skip_all, fields(plan.id = %id))]
    pub async fn approve_plan(
        &self,
        tenant: TenantId,
        id: PlanId,
        approval: &Approval,
        actor: &str,
    ) -> Result<(Plan, Option<Run>), Error> {
        let plan = self.plan(tenant, id).await?;
        if let Some(run) = self.run_of_plan(&plan, tenant).await? {
            let run = self.approve(tenant, run.id, approval, actor).await?;
            return Ok((self.plan(tenant, id).await?, Some(run)));
        }
        if plan.state == PlanState::AwaitingApproval && plan.cause.is_of_a_run() {
            return Err(Error::Guard(guard::Error::NotWaiting {
                state: "a plan of a run that has ended or begun anew".to_owned(),
            }));
        }
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let declined = decide(conn, now, (tenant, id), Decision::Approve, approval, actor).await?;
            let (subject, detail) = (format!("plan:{id}"), json!({ "declined": declined }));
            audit::note(conn, Some(tenant), now, actor, "plan.approve", &subject, detail).await?;
            Ok::<(), Error>(())
        })
        .await?;
        drop(conn);
        self.signals.changed();
        self.signals.accounts_wait();
        Ok((self.plan(tenant, id).await?, None))
    }

    /// Rejects a plan that waits: it never has an effect. With `hash`, only if that is the plan's.
    ///
    /// # Errors
    /// As [`Engine::reject`].
    #[tracing::instrument(name = "sync.plan.reject", skip_all, fields(plan.id = %id))]
    pub async fn reject_plan(
        &self,
        tenant: TenantId,
        id: PlanId,
        hash: Option<&str>,
        actor: &str,
    ) -> Result<Plan, Error> {
        let plan = self.plan(tenant, id).await?;
        if let Some(run) = self.run_of_plan(&plan, tenant).await? {
            self.reject(tenant, run.id, hash, actor).await?;
            return self.plan(tenant, id).await;
        }
        let approval = Approval {
            hash: hash.map(str::to_owned),
            chosen: Chosen::All,
        };
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            decide(conn, now, (tenant, id), Decision::Reject, &approval, actor).await?;
            let subject = format!("plan:{id}");
            audit::note(conn, Some(tenant), now, actor, "plan.reject", &subject, json!({})).await?;
            Ok::<(), Error>(())
        })
        .await?;
        drop(conn);
        self.signals.accounts_wait();
        self.plan(tenant, id).await
    }
}

async fn run_of(conn: &mut Conn, tenant: TenantId, plan: &Plan) -> Result<Option<Run>, Error> {
    let run = store::run(conn, tenant, RunId::from(plan.owner)).await?;
    Ok(run.filter(|run| run.plan == Some(plan.id)))
}

/// How many declined items are looked at together.
const BATCH: i64 = 1000;

/// Keeps back what was declined, so that no later run does it by itself.
pub(super) async fn keep_declined(
    conn: &mut Conn,
    run: &Run,
    plan: PlanId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let declined = ItemFilter {
        state: Some(ItemState::Declined),
        ..ItemFilter::default()
    };
    let owner = (run.tenant, run.connection.uuid());
    let mut after = 0_i32;
    loop {
        let items = guard::found_items(conn, run.tenant, plan, &declined, after, BATCH).await?;
        let Some(last) = items.last() else { return Ok(()) };
        after = last.ordinal;
        let parts: Vec<Kept> = items.iter().flat_map(|item| kept::of_item(&item.item)).collect();
        guard::keep_back(conn, owner, &parts, (plan, KeptWhy::Declined), actor, now).await?;
    }
}

/// Writes a decision down, with what it left out; the caller audits it. Returns how many items were declined.
pub(super) async fn decide(
    conn: &mut Conn,
    now: DateTime<Utc>,
    (tenant, plan): (TenantId, PlanId),
    decision: Decision,
    approval: &Approval,
    actor: &str,
) -> Result<usize, Error> {
    let hash = approval.hash.as_deref();
    guard::decide(conn, tenant, plan, decision, hash, actor, now).await?;
    match decision {
        Decision::Approve => Ok(guard::decline(conn, tenant, plan, &approval.chosen, actor).await?),
        Decision::Reject => Ok(0),
    }
}
