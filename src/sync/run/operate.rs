//! What people do with runs: start, look, approve, reject, cancel.

use serde_json::json;

use super::{Approval, Outcome, Run, RunCause, RunFilter, RunState, Severity, plans, store};
use crate::audit;
use crate::base::{ConnectionId, RunId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::guard::{self, Decision, Plan, StoredItem};
use crate::sync::Error;
use crate::sync::connection::{ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::{plan, read};

fn unknown(id: RunId) -> Error {
    Error::Unknown {
        what: "run",
        name: id.to_string(),
    }
}

impl Engine {
    /// Queues a run of a published connection. It starts when no other of this connection is under way.
    ///
    /// # Errors
    /// [`Error::ConnectionState`] for a draft or paused connection, or when the store refuses.
    pub async fn start(
        &self,
        tenant: TenantId,
        name: &str,
        dry_run: bool,
        actor: &str,
    ) -> Result<Run, Error> {
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                let connection = connections::by_name_locked(conn, tenant, name)
                    .await?
                    .ok_or_else(|| Error::Unknown {
                        what: "connection",
                        name: name.to_owned(),
                    })?;
                let revision = match (connection.state, connection.live) {
                    (ConnectionState::Published, Some(live)) => live,
                    (state, _) => {
                        return Err(Error::ConnectionState {
                            name: name.to_owned(),
                            state: state.as_str(),
                            remedy: "publish it first: `scim-bridge connection publish NAME`",
                        });
                    }
                };
                let new = store::NewRun {
                    tenant,
                    connection: connection.id,
                    dry_run,
                    cause: RunCause::Manual,
                    actor,
                    revision,
                };
                let id = store::queue(conn, &new, self.clock.now()).await?;
                store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }

    /// Queues a run for what a human has decided; nothing happens while the connection does not work.
    pub(in crate::sync) async fn start_decided(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        connection: ConnectionId,
        actor: &str,
    ) -> Result<(), Error> {
        let Some(connection) = connections::by_id(conn, tenant, connection).await? else {
            return Ok(());
        };
        if let (ConnectionState::Published, Some(revision)) = (connection.state, connection.live) {
            let new = store::NewRun {
                tenant,
                connection: connection.id,
                dry_run: false,
                cause: RunCause::Decision,
                actor,
                revision,
            };
            store::queue(conn, &new, self.clock.now()).await?;
        }
        Ok(())
    }

    /// One run.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn run(&self, tenant: TenantId, id: RunId) -> Result<Run, Error> {
        let mut conn = self.conn().await?;
        store::run(&mut conn, tenant, id)
            .await?
            .ok_or_else(|| unknown(id))
    }

    /// Up to `limit` runs, newest first.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn runs(&self, tenant: TenantId, filter: &RunFilter, limit: i64) -> Result<Vec<Run>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::list(&mut conn, tenant, filter, limit).await?)
    }

    /// The plan of a run, once it has one.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn plan_of(&self, run: &Run) -> Result<Option<Plan>, Error> {
        let Some(plan) = run.plan else { return Ok(None) };
        let mut conn = self.conn().await?;
        Ok(guard::plan(&mut conn, run.tenant, plan).await?)
    }

    /// Up to `limit` items of a run's plan after an ordinal.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn plan_items(&self, run: &Run, after: i32, limit: i64) -> Result<Vec<StoredItem>, Error> {
        let Some(plan) = run.plan else {
            return Ok(Vec::new());
        };
        let mut conn = self.conn().await?;
        Ok(guard::items(&mut conn, run.tenant, plan, after, limit).await?)
    }

    /// What stands of single records as of a run: at most `records` records after `after`, by source id.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn run_outcomes(
        &self,
        run: &Run,
        severities: &[Severity],
        after: Option<&str>,
        records: i64,
    ) -> Result<Vec<Outcome>, Error> {
        let mut conn = self.conn().await?;
        Ok(store::outcomes(&mut conn, run, severities, after, records).await?)
    }

    /// Approves the plan of a waiting run, whole or in part; it is applied next.
    ///
    /// # Errors
    /// [`Error::RunState`] when it does not wait or another run of its connection is under way,
    /// [`guard::Error::OtherPlan`], [`guard::Error::Choice`], or when the store refuses.
    #[tracing::instrument(name = "sync.run.approve", skip_all, fields(run.id = %id))]
    pub async fn approve(
        &self,
        tenant: TenantId,
        id: RunId,
        approval: &Approval,
        actor: &str,
    ) -> Result<Run, Error> {
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                self.decide(conn, tenant, id, Decision::Approve, approval, actor)
                    .await?;
                if !store::leave_approval(conn, tenant, id, RunState::Applying, None).await? {
                    return Err(Error::RunState {
                        run: id.to_string(),
                        problem: "cannot be applied while another run of its connection is under way: that one will \
                                  look again and take its place"
                            .to_owned(),
                    });
                }
                store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }

    /// Rejects the plan of a waiting run: it never has an effect. With `hash`, only if that is the plan's.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    #[tracing::instrument(name = "sync.run.reject", skip_all, fields(run.id = %id))]
    pub async fn reject(
        &self,
        tenant: TenantId,
        id: RunId,
        hash: Option<&str>,
        actor: &str,
    ) -> Result<Run, Error> {
        let now = self.clock.now();
        let approval = Approval {
            hash: hash.map(str::to_owned),
            ..Approval::default()
        };
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let run = self
                .decide(conn, tenant, id, Decision::Reject, &approval, actor)
                .await?;
            store::leave_approval(conn, tenant, id, RunState::Rejected, Some(now)).await?;
            read::store::clear(conn, &run).await?;
            if run.cause == RunCause::Due {
                plan::store::look_again_later(conn, &run, now).await?;
            }
            store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))
        })
        .await
    }

    async fn decide(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        id: RunId,
        decision: Decision,
        approval: &Approval,
        actor: &str,
    ) -> Result<Run, Error> {
        let now = self.clock.now();
        let run = store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))?;
        let (RunState::AwaitingApproval, Some(plan)) = (run.state, run.plan) else {
            return Err(Error::RunState {
                run: id.to_string(),
                problem: format!("does not wait for approval: it is {}", run.state.as_str()),
            });
        };
        let declined = plans::decide(conn, now, (tenant, plan), decision, approval, actor).await?;
        if declined > 0 && run.cause != RunCause::Undo {
            plans::keep_declined(conn, &run, plan, actor, now).await?;
        }
        let action = match decision {
            Decision::Approve => "run.approve",
            Decision::Reject => "run.reject",
        };
        let subject = format!("run:{id}");
        let detail = json!({ "plan": plan, "declined": declined });
        audit::note(conn, Some(tenant), now, actor, action, &subject, detail).await?;
        Ok(run)
    }

    /// Stops a run. One that applies stops between two batches; what it has done stays done.
    ///
    /// # Errors
    /// [`Error::RunState`] when it has ended, or when the store refuses.
    #[tracing::instrument(name = "sync.run.cancel", skip_all, fields(run.id = %id))]
    pub async fn cancel(&self, tenant: TenantId, id: RunId, actor: &str) -> Result<Run, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let run = store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))?;
            if store::cancel(conn, tenant, id, now).await?.is_none() {
                return Err(Error::RunState {
                    run: id.to_string(),
                    problem: format!("has ended: it is {}", run.state.as_str()),
                });
            }
            let subject = format!("run:{id}");
            audit::note(conn, Some(tenant), now, actor, "run.cancel", &subject, json!({})).await?;
            store::run(conn, tenant, id).await?.ok_or_else(|| unknown(id))
        })
        .await
    }
}
