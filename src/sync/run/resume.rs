//! Letting a run go on that was stopped, and saying how far one is.

use serde_json::json;

use super::{Progress, Run, RunCause, RunState, store};
use crate::audit;
use crate::base::{RunId, TenantId};
use crate::db::Transactional as _;
use crate::guard::{self, PlanState};
use crate::sync::Error;
use crate::sync::connection::{ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::push;
use crate::sync::read::store::base;

impl Engine {
    /// Lets a run go on that was cancelled or failed. One that was applying goes on with the items that are not applied;
    /// one that was reading or planning reads again, since HR systems give no pages twice in the same way.
    ///
    /// # Errors
    /// [`Error::RunState`] when it did not stop that way, or when a newer run has taken its place or is under way;
    /// [`Error::ConnectionState`] while its connection does not work; or when the store refuses.
    #[tracing::instrument(name = "sync.run.resume", skip_all, fields(run.id = %id))]
    pub async fn resume(&self, tenant: TenantId, id: RunId, actor: &str) -> Result<Run, Error> {
        let now = self.clock.now();
        let unknown = || Error::Unknown {
            what: "run",
            name: id.to_string(),
        };
        let problem = |problem: &str| Error::RunState {
            run: id.to_string(),
            problem: problem.to_owned(),
        };
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                let run = store::run(conn, tenant, id).await?.ok_or_else(unknown)?;
                if !matches!(run.state, RunState::Cancelled | RunState::Failed) {
                    let state = run.state.as_str();
                    return Err(problem(&format!("was neither cancelled nor did it fail: it is {state}")));
                }
                if let Some(connection) = connections::by_id(conn, tenant, run.connection).await?
                    && connection.state != ConnectionState::Published
                    // A move goes on into a draft, which it publishes in the end.
                    && !(run.cause == RunCause::Rekey && connection.state == ConnectionState::Draft)
                {
                    return Err(Error::ConnectionState {
                        name: connection.name,
                        state: connection.state.as_str(),
                        remedy: "publish it first: `scim-bridge connection publish NAME`",
                    });
                }
                let plan = match run.plan {
                    Some(plan) => guard::plan(conn, tenant, plan).await?,
                    None => None,
                };
                let has_a_plan = plan.is_some_and(|plan| plan.state == PlanState::Approved);
                let state = if has_a_plan { RunState::Applying } else { RunState::Queued };
                if state == RunState::Queued
                    && let Some((session, _)) = push::store::of_run(conn, &run).await?
                    && push::store::pages(conn, tenant, session).await? == 0
                {
                    return Err(problem(&format!("cannot go on: {}", push::GONE)));
                }
                if !store::resume(conn, &run, state).await? {
                    return Err(problem(
                        "cannot go on: a newer run of its connection has taken its place, or is under way; start another \
                         one with `scim-bridge sync NAME`",
                    ));
                }
                let subject = format!("run:{id}");
                let detail = json!({ "from": state.as_str() });
                audit::note(conn, Some(tenant), now, actor, "run.resume", &subject, detail).await?;
                store::run(conn, tenant, id).await?.ok_or_else(unknown)
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }

    /// How far a run is.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn progress(&self, tenant: TenantId, id: RunId) -> Result<Progress, Error> {
        let run = self.run(tenant, id).await?;
        self.progress_of(&run).await
    }

    /// How far a run is, as it was read.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn progress_of(&self, run: &Run) -> Result<Progress, Error> {
        let usual = if run.state == RunState::Reading {
            let mut conn = self.conn().await?;
            base::usual_records(&mut conn, run).await?
        } else {
            None
        };
        Ok(Progress::of(run, usual, self.clock.now()))
    }
}
