//! Asking for it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit;
use crate::base::{RunId, TenantId};
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::run::{Run, RunCause, RunState, store as runs};

/// What becomes of users that the run made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// They are disabled in the admins' name.
    #[default]
    Disable,
    /// They are deleted, and stay so.
    Remove,
}

/// How a run is undone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UndoOrder {
    /// What becomes of users that the run made.
    pub made: Made,
    /// Do not wait for an approval unless a limit is passed.
    pub yes: bool,
}

/// An order with the run it is about, as the undoing run keeps it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Undoing {
    pub run: RunId,
    pub order: UndoOrder,
}

impl Undoing {
    /// Reads it from the run.
    pub fn of(run: &Run) -> Result<Self, Error> {
        let kept = run.coverage.as_ref().and_then(|coverage| coverage.get("undoes"));
        kept.and_then(|kept| serde_json::from_value(kept.clone()).ok())
            .ok_or_else(|| refusal(run.id, "does not say which run it undoes"))
    }
}

fn refusal(run: RunId, problem: &str) -> Error {
    Error::RunState {
        run: run.to_string(),
        problem: problem.to_owned(),
    }
}

impl Engine {
    /// Queues a run that takes back what another did. Its plan waits for approval, see [`UndoOrder::yes`].
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::RunState`] for a run that has not ended, did nothing, or is itself an undoing or a
    /// preview; or when the store refuses.
    #[tracing::instrument(name = "sync.run.undo", skip_all, fields(run.id = %id))]
    pub async fn undo(
        &self,
        tenant: TenantId,
        id: RunId,
        order: UndoOrder,
        actor: &str,
    ) -> Result<Run, Error> {
        let now = self.clock.now();
        let unknown = || Error::Unknown {
            what: "run",
            name: id.to_string(),
        };
        let mut conn = self.conn().await?;
        let undoing = conn
            .transaction(async |conn| {
                let run = runs::run(conn, tenant, id).await?.ok_or_else(unknown)?;
                if run.dry_run || run.plan.is_none() {
                    return Err(refusal(id, "did nothing that could be undone"));
                }
                if run.cause == RunCause::Undo {
                    return Err(refusal(
                        id,
                        "undid another one: release what it keeps back, and the next run does it again",
                    ));
                }
                if !run.state.is_at_rest() || run.state == RunState::AwaitingApproval {
                    return Err(refusal(id, "has not ended: cancel it first"));
                }
                let new = runs::NewRun {
                    tenant,
                    connection: run.connection,
                    dry_run: false,
                    cause: RunCause::Undo,
                    actor,
                    revision: run.revision,
                };
                let undoing = runs::queue(conn, &new, now).await?;
                let kept = json!({ "undoes": Undoing { run: id, order } });
                runs::note_coverage(conn, tenant, undoing, &kept).await?;
                let detail = json!({ "by_run": undoing, "order": order });
                audit::note(
                    conn,
                    Some(tenant),
                    now,
                    actor,
                    "run.undo",
                    &format!("run:{id}"),
                    detail,
                )
                .await?;
                runs::run(conn, tenant, undoing).await?.ok_or_else(unknown)
            })
            .await?;
        self.signals.run_waits();
        Ok(undoing)
    }
}
