//! Cutting a connection: its credentials are destroyed at once, and its people's accounts are dealt with as asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Connection, ConnectionState, secrets, store};
use crate::audit;
use crate::base::{RunId, TenantId};
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::run::{RunCause, store as runs};

/// What becomes of the users of a connection that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutAccounts {
    /// They stay as they are.
    Keep,
    /// They are disabled, and so are their accounts in apps.
    Disable,
    /// They go, and each app takes its steps for people who are no longer there.
    Remove,
}

fn unknown(name: &str) -> Error {
    Error::Unknown {
        what: "connection",
        name: name.to_owned(),
    }
}

impl Engine {
    /// Cuts a connection: its secrets, the tokens and consent it was given, its webhook and the file that was handed in are
    /// destroyed, runs that wait for their turn or an approval are cancelled and one under way is asked to stop; it is paused. People, records and links
    /// stay, so that connecting again goes on where this stopped. To disable or remove its users a plan is made by a run of
    /// its own, which the guard judges like any other.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    #[tracing::instrument(name = "sync.connection.cut", skip_all)]
    pub async fn disconnect(
        &self,
        tenant: TenantId,
        name: &str,
        accounts: CutAccounts,
        actor: &str,
    ) -> Result<(Connection, Option<RunId>), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let cut = conn
            .transaction(async |conn| {
                let mut connection = store::by_name_locked(conn, tenant, name)
                    .await?
                    .ok_or_else(|| unknown(name))?;
                if connection.state == ConnectionState::Published {
                    connection.state = ConnectionState::Paused;
                }
                connection.next_run_at = None;
                store::set(conn, &connection).await?;
                store::destroy_credentials(conn, tenant, connection.id, now).await?;
                runs::cancel_all(conn, tenant, connection.id, now).await?;
                let cause = match accounts {
                    CutAccounts::Keep => None,
                    CutAccounts::Disable => Some(RunCause::CutDisable),
                    CutAccounts::Remove => Some(RunCause::CutRemove),
                };
                let mut run = None;
                if let (Some(cause), Some(revision)) = (cause, connection.live) {
                    store::look_at_all_again(conn, tenant, connection.id).await?;
                    let new = runs::NewRun {
                        tenant,
                        connection: connection.id,
                        dry_run: false,
                        cause,
                        actor,
                        revision,
                    };
                    run = Some(runs::queue(conn, &new, now).await?);
                }
                let subject = format!("connection:{}", connection.id);
                let detail = json!({ "accounts": accounts, "run": run });
                let action = "connection.disconnect";
                audit::note(conn, Some(tenant), now, actor, action, &subject, detail).await?;
                Ok::<_, Error>((connection, run))
            })
            .await?;
        self.signals.run_waits();
        Ok(cut)
    }

    /// The credentials that a connection has, each as a fingerprint: enough to tell whether it is the same one, and nothing
    /// else. Of the draft when there is one.
    ///
    /// # Errors
    /// [`Error::Unknown`], or when the store refuses.
    pub async fn credentials(&self, tenant: TenantId, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut conn = self.conn().await?;
        let connection = store::by_name(&mut conn, tenant, name)
            .await?
            .ok_or_else(|| unknown(name))?;
        let Some(number) = connection.draft.or(connection.live) else {
            return Ok(BTreeMap::new());
        };
        let Some(revision) = store::revision(&mut conn, tenant, connection.id, number).await? else {
            return Ok(BTreeMap::new());
        };
        Ok(secrets::open(&self.sealer, connection.id, &revision)?
            .into_iter()
            .map(|(name, secret)| {
                let text = format!("{}:{name}:{secret}", connection.id);
                let print = self.sealer.fingerprint(text.as_bytes());
                let print: String = print.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
                (name, print)
            })
            .collect())
    }
}
