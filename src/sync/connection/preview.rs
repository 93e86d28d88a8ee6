//! What a draft would do to everybody: a run beside the live settings that stops after its plan.
//!
//! Where the draft looks at nothing but what is stored, nothing is read. Where it reads other fields, other people or
//! another HR system, a fresh read goes into staging, which the end of the run empties.

use serde_json::{Value, json};

use super::compile::Compiled;
use super::{Revision, store};
use crate::audit;
use crate::base::TenantId;
use crate::db::Transactional as _;
use crate::sync::Error;
use crate::sync::engine::Engine;
use crate::sync::run::{Run, RunCause, store as runs};

/// The parts of a file whose change can be judged by the stored records; a change of any other needs a fresh read.
const BY_STORED: &[&str] = &[
    "mapping",
    "group",
    "lifecycle",
    "guard",
    "schedule",
    "authority",
    "user_name",
    "notify",
    "invite",
];

impl Engine {
    /// Queues a preview of the draft: a run that ends with a plan and has no effect. With `read`, by a fresh read even
    /// where the stored records would do.
    ///
    /// # Errors
    /// [`Error::ConnectionState`] without a draft, [`Error::File`] for one that cannot be used, or when the store
    /// refuses.
    #[tracing::instrument(name = "sync.connection.preview", skip_all)]
    pub async fn preview(&self, tenant: TenantId, name: &str, read: bool, actor: &str) -> Result<Run, Error> {
        let now = self.clock.now();
        let unknown = || Error::Unknown {
            what: "connection",
            name: name.to_owned(),
        };
        let mut conn = self.conn().await?;
        let run = conn
            .transaction(async |conn| {
                let connection = store::by_name_locked(conn, tenant, name)
                    .await?
                    .ok_or_else(unknown)?;
                let Some(number) = connection.draft else {
                    return Err(Error::ConnectionState {
                        name: name.to_owned(),
                        state: connection.state.as_str(),
                        remedy: "there is no draft to look at: apply a changed file first, or see what the live settings \
                                 would do with `scim-bridge sync NAME --dry-run`",
                    });
                };
                let draft = store::revision(conn, tenant, connection.id, number)
                    .await?
                    .ok_or_else(unknown)?;
                Compiled::of(self, conn, connection.clone(), &draft).await?;
                let live = match connection.live {
                    Some(live) => store::revision(conn, tenant, connection.id, live).await?,
                    None => None,
                };
                let by_stored = !read
                    && live.is_some_and(|live| reads_the_same(&live, &draft))
                    && store::has_records(conn, tenant, connection.id).await?;
                let new = runs::NewRun {
                    tenant,
                    connection: connection.id,
                    dry_run: true,
                    cause: if by_stored {
                        RunCause::Preview
                    } else {
                        RunCause::PreviewRead
                    },
                    actor,
                    revision: number,
                };
                let id = runs::queue(conn, &new, now).await?;
                let subject = format!("connection:{}", connection.id);
                let detail = json!({ "revision": number, "run": id, "read": !by_stored });
                audit::note(conn, Some(tenant), now, actor, "connection.preview", &subject, detail).await?;
                runs::run(conn, tenant, id).await?.ok_or_else(unknown)
            })
            .await?;
        self.signals.run_waits();
        Ok(run)
    }
}

/// Whether two revisions read the same of the same people.
fn reads_the_same(live: &Revision, draft: &Revision) -> bool {
    let part = |body: &Value, name: &str| body.get(name).cloned();
    let names = [&live.body, &draft.body]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys);
    names
        .filter(|name| !BY_STORED.contains(&name.as_str()))
        .all(|name| part(&live.body, name) == part(&draft.body, name))
}
