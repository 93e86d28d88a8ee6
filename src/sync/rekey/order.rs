//! The order, and the run that it queues.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store;
use crate::audit;
use crate::base::TenantId;
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::connection::{ConnectionState, store as connections};
use crate::sync::engine::Engine;
use crate::sync::run::{Run, RunCause, store as runs};

/// The most pairs of an order.
pub(super) const MOST_PAIRS: usize = 200_000;

/// By what a record of the new connection is recognised as one of the old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RekeyBy {
    /// One is read through a unified API and names the other's id as its remote id, or both name the same.
    RemoteId,
    /// Both have the same id: the same HR system by another way.
    SourceId,
    /// Both have the same personnel number, exactly.
    EmployeeNumber,
}

impl RekeyBy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RemoteId => "remote_id",
            Self::SourceId => "source_id",
            Self::EmployeeNumber => "employee_number",
        }
    }

    pub(super) fn read(word: &str) -> Option<Self> {
        [Self::RemoteId, Self::SourceId, Self::EmployeeNumber]
            .into_iter()
            .find(|by| by.as_str() == word)
    }
}

/// What is to be moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RekeyOrder {
    /// The connection that takes over, by name.
    pub to: String,
    /// By what records are recognised, in order. Empty: remote id, then personnel number.
    pub by: Vec<RekeyBy>,
    /// Pairs of source ids, old and new, which go before all else; nothing else of such records is compared.
    pub pairs: Vec<(String, String)>,
}

impl Engine {
    /// Queues the run that finds out who would move from `from` to another connection. Its plan waits for approval.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::ConnectionState`] when both are one or the new one has no file, [`Error::Decision`]
    /// for pairs that contradict each other, or when the store refuses.
    #[tracing::instrument(name = "sync.connection.rekey", skip_all)]
    pub async fn rekey(
        &self,
        tenant: TenantId,
        from: &str,
        order: &RekeyOrder,
        actor: &str,
    ) -> Result<Run, Error> {
        check(from, order)?;
        let now = self.clock.now();
        let unknown = |name: &str| Error::Unknown {
            what: "connection",
            name: name.to_owned(),
        };
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                let old = connections::by_name(conn, tenant, from)
                    .await?
                    .ok_or_else(|| unknown(from))?;
                let new = connections::by_name_locked(conn, tenant, &order.to)
                    .await?
                    .ok_or_else(|| unknown(&order.to))?;
                let state = |name: &str, state: ConnectionState, remedy| Error::ConnectionState {
                    name: name.to_owned(),
                    state: state.as_str(),
                    remedy,
                };
                if old.live.is_none() {
                    return Err(state(
                        from,
                        old.state,
                        "it was never published: there is nothing to move",
                    ));
                }
                let revision = new
                    .draft
                    .or(new.live)
                    .ok_or_else(|| state(&order.to, new.state, "apply a file first"))?;
                let queued = runs::NewRun {
                    tenant,
                    connection: new.id,
                    dry_run: false,
                    cause: RunCause::Rekey,
                    actor,
                    revision,
                };
                let id = runs::queue(conn, &queued, now).await?;
                store::keep(conn, tenant, id, old.id, order).await?;
                let subject = format!("connection:{}", old.id);
                let detail = json!({ "to": new.id, "run": id, "by": order.by, "pairs": order.pairs.len() });
                audit::note(
                    conn,
                    Some(tenant),
                    now,
                    actor,
                    "connection.rekey",
                    &subject,
                    detail,
                )
                .await?;
                runs::run(conn, tenant, id).await?.ok_or_else(|| unknown(from))
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }
}

fn check(from: &str, order: &RekeyOrder) -> Result<(), Error> {
    if from == order.to {
        return Err(Error::Decision(format!(
            "{from} is both the old connection and the new one"
        )));
    }
    if order.pairs.len() > MOST_PAIRS {
        return Err(Error::Decision(format!(
            "there are {} pairs, at most {MOST_PAIRS} are taken",
            order.pairs.len()
        )));
    }
    let mut seen = std::collections::HashSet::new();
    for (_, new) in &order.pairs {
        if !seen.insert(new) {
            return Err(Error::Decision(format!(
                "the mapping names the new id {new} twice"
            )));
        }
    }
    Ok(())
}
