//! Lifting the holds of others: for admins.

use serde_json::json;

use super::log::{self, Entry};
use super::row::{self, Missing};
use super::store::{self, Beside, Note};
use super::{Cause, Directory, Error};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;

impl Directory {
    /// Takes away the hold of `party`, or all holds. Returns whether there was any. Wants the caller's transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database failed.
    #[tracing::instrument(name = "directory.hold.lift", skip_all, fields(resource.id = %id))]
    pub async fn lift(
        &self,
        conn: &mut Conn,
        (tenant, id): (TenantId, ResourceId),
        party: Option<&str>,
        cause: &Cause,
    ) -> Result<bool, Error> {
        let mut rows = store::load_locked(conn, tenant, &[id], &[None]).await?;
        let (stored, _) = rows.pop().ok_or(Error::NotFound)?;
        let registry = self.registry(conn, tenant).await?;
        let kind = registry
            .kind(&stored.kind)
            .ok_or_else(|| Error::UnknownKind(stored.kind.clone()))?;
        let after = match party {
            Some(party) => row::holds_after(&stored.disabled_by, party, false),
            None => Vec::new(),
        };
        if after == stored.disabled_by {
            return Ok(false);
        }
        let mut object = stored.object.clone();
        row::settle(kind, &mut object, &after, Missing::Missing);
        let mut lines = log::differences(kind, &stored.object, &object);
        lines.push(log::line(
            "disabledBy",
            Some(json!(stored.disabled_by)),
            Some(json!(after)),
        ));
        let columns = row::columns(tenant, kind, &object, false);
        let entry = Entry::of(&lines.into());
        let note = Note {
            now: cause.now,
            origin: &cause.origin,
            entry: &entry,
        };
        let target = (tenant, id, stored.version);
        store::update_one(conn, target, &columns, &after, Beside::Nothing, &note)
            .await?
            .ok_or(Error::Busy)?;
        Ok(true)
    }
}
